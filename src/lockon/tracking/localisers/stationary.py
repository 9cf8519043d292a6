"""The localiser that does not look: the target is where it was (ATOM, Table 2, "No Classif.")."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor

from lockon.tracking.localisers.base import Draws, ScoreGrid, TargetModel


class StationaryLocaliser:
    """Scores 1 at the centre of the search region; the box estimator alone follows the target."""

    grid = ScoreGrid((0.0, 0.0), 1.0)

    def window(self) -> Float[np.ndarray, "1 1"]:
        """See `Localiser`."""
        return np.ones((1, 1), np.float32)

    def convolve(self, layer3: Float[Tensor, "n channels rows cols"]) -> Float[Tensor, "n 1 rows cols"]:
        """See `Localiser`: nothing is scored, so nothing is kept."""
        return layer3[:, :1]

    def normalise(self, maps: Float[Tensor, "n 1 rows cols"]) -> Float[Tensor, "n 1 1 1"]:
        """See `Localiser`."""
        return maps[..., :1, :1]

    def start(
        self,
        features: Float[Tensor, "targets images 1 1 1"],
        boxes: Float[Tensor, "targets images 4"],  # noqa: ARG002 - nothing is learned
        iterations: int,  # noqa: ARG002
        draws: Draws,  # noqa: ARG002
    ) -> tuple[TargetModel, Float[Tensor, "targets images 1 1 1"]]:
        """See `Localiser`."""
        return TargetModel(features[:, 0].float()), features

    def samples(
        self,
        model: TargetModel,  # noqa: ARG002
        features: Float[Tensor, "targets scales 1 1 1"],
    ) -> Float[Tensor, "targets scales 1 1 1"]:
        """See `Localiser`."""
        return features

    def scores(
        self,
        model: TargetModel,  # noqa: ARG002
        samples: Float[Tensor, "targets scales 1 1 1"],
    ) -> Float[np.ndarray, "targets scales 1 1"]:
        """See `Localiser`."""
        return np.ones((*samples.shape[:2], 1, 1), np.float32)

    def learn(
        self,
        model: TargetModel,
        samples: Float[Tensor, "targets images 1 1 1"],  # noqa: ARG002
        boxes: Float[Tensor, "targets images 4"],  # noqa: ARG002
        weights: Float[Tensor, "targets images"],  # noqa: ARG002
        iterations: int,  # noqa: ARG002
    ) -> TargetModel:
        """See `Localiser`."""
        return model
