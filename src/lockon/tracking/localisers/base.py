"""What a localiser is: a model of the target that turns features into a score map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from lockon.tracking.randomness import Randomness


@dataclass(frozen=True)
class TargetModel:
    """What is learned online of T targets."""

    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"]
    projections: Float[Tensor, "targets channels in_channels"] | None = None
    """First layer of a two-layer model (ATOM)."""

    def of(self, chosen: Int[Tensor, "chosen"]) -> TargetModel:
        """The models of some targets."""
        projections = None if self.projections is None else self.projections[chosen]
        return TargetModel(self.filters[chosen], projections)

    def updated(self, chosen: Int[Tensor, "chosen"], improved: TargetModel) -> TargetModel:
        """These models with new filters for some targets."""
        return replace(self, filters=self.filters.index_copy(0, chosen.to(self.filters.device), improved.filters))


class ScoreGrid(NamedTuple):
    """How cells of the score map lie in the search region."""

    centre: tuple[float, float]
    """Cell index (row, col) of the centre of the search region."""
    cell: float
    """Crop pixels per cell."""


class Draws(NamedTuple):
    """Random numbers for T targets in one frame."""

    source: Randomness
    seeds: list[int]
    frame: int


@runtime_checkable
class Localiser(Protocol):
    """Slot of the frame loop: from backbone features to score maps."""

    grid: ScoreGrid

    def window(self) -> Float[np.ndarray, "score_rows score_cols"]:
        """Hann window over the score map, highest at the centre of the search region."""

    def convolve(self, layer3: Float[Tensor, "n c_in rows cols"]) -> Float[Tensor, "n channels rows cols"]:
        """Classification features of backbone features, but for their norm; each depends on its surroundings only."""

    def normalise(self, maps: Float[Tensor, "n channels rows cols"]) -> Float[Tensor, "n channels _ _"]:
        """Classification features of each search region by itself, from those of `convolve`."""

    def start(
        self,
        features: Float[Tensor, "targets images channels rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        iterations: int,
        draws: Draws,
    ) -> tuple[TargetModel, Float[Tensor, "targets images samples_c rows cols"]]:
        """Learn the first model from the first-frame samples; returns it with the samples to remember."""

    def samples(
        self, model: TargetModel, features: Float[Tensor, "targets scales channels rows cols"]
    ) -> Float[Tensor, "targets scales samples_c rows cols"]:
        """What of the features is scored and remembered."""

    def scores(
        self, model: TargetModel, samples: Float[Tensor, "targets scales samples_c rows cols"]
    ) -> Float[np.ndarray, "targets scales score_rows score_cols"]:
        """Score maps, on the host, as the selector reads them."""

    def learn(
        self,
        model: TargetModel,
        samples: Float[Tensor, "targets images samples_c rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        weights: Float[Tensor, "targets images"],
        iterations: int,
    ) -> TargetModel:
        """Improve the model on its support set."""
