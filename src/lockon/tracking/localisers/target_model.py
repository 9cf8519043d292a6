"""DiMP's localiser: a filter predicted by a learned initialiser and improved by a learned optimiser."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from lockon.networks.dimp import DimpClassifier
from lockon.nn.fourier import hann_window
from lockon.tracking.localisers.base import Draws, ScoreGrid, TargetModel


@dataclass(frozen=True)
class TargetModelConfig:
    """Localiser of the DiMP family."""

    softmax: bool = False
    """Localise in the soft-max of the scores, a density (PrDiMP), instead of the raw scores."""


class TargetModelLocaliser:
    """DiMP, PrDiMP and SuperDiMP (DiMP, Sec. 3): the network supplies the objective and its optimiser.

    Args:
        classifier: the network's target classifier.
        config: see `TargetModelConfig`.
        sample_size: side of the search region in crop pixels.
    """

    def __init__(self, classifier: DimpClassifier, config: TargetModelConfig, sample_size: int) -> None:
        self._classifier = classifier
        self._softmax = config.softmax
        stride = classifier.filter_optimizer.stride
        kernel = classifier.filter_initializer.filter_size
        self._cells = sample_size // stride + (kernel + 1) % 2
        centre = (self._cells - 1) / 2
        self.grid = ScoreGrid((centre, centre), float(stride))

    def window(self) -> Float[np.ndarray, "score_rows score_cols"]:
        """See `Localiser`."""
        window = hann_window(self._cells).numpy()
        return np.outer(window, window)

    def convolve(self, layer3: Float[Tensor, "n c_in rows cols"]) -> Float[Tensor, "n channels rows cols"]:
        """See `Localiser`."""
        return self._classifier.convolve(layer3)

    def normalise(self, maps: Float[Tensor, "n channels rows cols"]) -> Float[Tensor, "n channels rows cols"]:
        """See `Localiser`."""
        return self._classifier.normalise(maps)

    def start(
        self,
        features: Float[Tensor, "targets images channels rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        iterations: int,
        draws: Draws,  # noqa: ARG002 - nothing is drawn: the network predicts the first filter
    ) -> tuple[TargetModel, Float[Tensor, "targets images channels rows cols"]]:
        """See `Localiser`; all first-frame samples weigh the same."""
        first = self._classifier.initial_filter(features, boxes)
        trace = self._classifier.optimise(first, features, boxes, iterations=iterations)
        return TargetModel(trace.filters), features

    def samples(
        self,
        model: TargetModel,  # noqa: ARG002 - the features are scored as they are
        features: Float[Tensor, "targets scales channels rows cols"],
    ) -> Float[Tensor, "targets scales channels rows cols"]:
        """See `Localiser`."""
        return features

    def scores(
        self, model: TargetModel, samples: Float[Tensor, "targets scales channels rows cols"]
    ) -> Float[np.ndarray, "targets scales score_rows score_cols"]:
        """See `Localiser`."""
        scores = self._classifier.score(model.filters, samples)
        if self._softmax:
            scores = self._classifier.score_activation(scores)
        return scores.float().cpu().numpy()

    def learn(
        self,
        model: TargetModel,
        samples: Float[Tensor, "targets images channels rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        weights: Float[Tensor, "targets images"],
        iterations: int,
    ) -> TargetModel:
        """See `Localiser`."""
        trace = self._classifier.optimise(
            model.filters, samples, boxes, iterations=iterations, sample_weights=weights
        )
        return replace(model, filters=trace.filters)
