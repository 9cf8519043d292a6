"""ATOM's localiser: a two-layer convolutional head learned entirely online."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lockon.nn.distance_map import gaussian_map
from lockon.nn.filters import apply_filter_same, project
from lockon.nn.fourier import hann_window_origin, interpolation_matrix
from lockon.nn.gauss_newton import (
    ATOM_FIRST_FRAME,
    ATOM_UPDATE,
    Blocks,
    FilterModel,
    GaussNewtonSettings,
    GradientDescentSettings,
    OnlineProblem,
    TwoLayerModel,
    gauss_newton,
    gradient_descent,
)
from lockon.nn.layers import power_normalize
from lockon.tracking.localisers.base import Draws, ScoreGrid, TargetModel
from lockon.tracking.randomness import Purpose

STRIDE = 16
"""Crop pixels per cell of layer3."""


@dataclass(frozen=True)
class OnlineConfig:
    """Localiser of ATOM (Sec. 3.2 and 3.3; reference defaults)."""

    projected_channels: int = 64
    kernel_size: int = 4
    filter_reg: float = 0.1
    projection_reg: float = 1e-4
    activation_leak: float = 0.05
    """Scale of the exponential part of the response activation used in learning."""
    label_sigma: float = 0.25
    """Standard deviation of the label relative to the target size."""
    first_frame: GaussNewtonSettings = ATOM_FIRST_FRAME
    """Of the joint problem; its CG steps are the memory's `initial_iterations` shared over its linearisations."""
    update: GaussNewtonSettings = ATOM_UPDATE
    """Of the filter alone; its CG steps are the memory's `iterations`."""
    descent: GradientDescentSettings | None = None
    """Plain gradient descent in place of both (ATOM, Table 2, GD); iterations as counted by the memory settings."""


class OnlineLocaliser:
    """ATOM: projection and filter by Gauss-Newton with conjugate gradient in the first frame, then the filter alone.

    Args:
        config: see `OnlineConfig`.
        sample_size: side of the search region in crop pixels.
        area_factor: side of the search region relative to the target.
    """

    def __init__(self, config: OnlineConfig, sample_size: int, area_factor: float) -> None:
        self._config = config
        self._sample_size = sample_size
        cells = sample_size // STRIDE
        self._cells = (cells, cells)
        self._sigma = config.label_sigma * cells / area_factor
        # The scores are interpolated to one cell per crop pixel.
        self.grid = ScoreGrid((sample_size // 2, sample_size // 2), 1.0)
        self._interpolation = interpolation_matrix(cells, sample_size, kernel_size=config.kernel_size)

    def window(self) -> Float[np.ndarray, "score_rows score_cols"]:
        """See `Localiser`."""
        window = np.roll(hann_window_origin(self._sample_size).numpy(), self._sample_size // 2)
        return np.outer(window, window)

    def convolve(self, layer3: Float[Tensor, "n channels rows cols"]) -> Float[Tensor, "n channels rows cols"]:
        """See `Localiser`: the backbone's features as they are."""
        return layer3

    def normalise(self, maps: Float[Tensor, "n channels rows cols"]) -> Float[Tensor, "n channels rows cols"]:
        """See `Localiser`."""
        return power_normalize(maps.float())

    def start(
        self,
        features: Float[Tensor, "targets images channels rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        iterations: int,
        draws: Draws,
    ) -> tuple[TargetModel, Float[Tensor, "targets images projected rows cols"]]:
        """See `Localiser`; both layers start from random weights."""
        config, channels = self._config, features.shape[2]
        projections = self._draw(draws, Purpose.PROJECTION, (config.projected_channels, channels, 1, 1))
        kernel = (config.projected_channels, config.kernel_size, config.kernel_size)
        filters = self._draw(draws, Purpose.FILTER, (1, *kernel))[:, 0]
        problem = OnlineProblem(
            TwoLayerModel(features),
            self._labels(boxes),
            boxes.new_full(boxes.shape[:2], 1 / boxes.shape[1]),
            (config.filter_reg, config.projection_reg),
            config.activation_leak,
        )
        weights = (filters.to(features), projections[..., 0, 0].to(features))
        per_linearisation = iterations // config.first_frame.iterations
        filters, projections = self._solve(problem, weights, config.first_frame, per_linearisation, iterations)
        model = TargetModel(filters, projections)
        return model, self.samples(model, features)

    @staticmethod
    def _draw(draws: Draws, purpose: Purpose, shape: tuple[int, ...]) -> Tensor:
        """Normal numbers per target: filters with deviation 1 / size, projections with 1 / sqrt(channels)."""
        size = float(np.prod(shape))
        deviation = 1 / size if purpose is Purpose.FILTER else shape[1] ** -0.5
        return (
            torch.stack([draws.source.normal(seed, draws.frame, purpose, shape) for seed in draws.seeds]) * deviation
        )

    def _solve(
        self,
        problem: OnlineProblem,
        weights: Blocks,
        settings: GaussNewtonSettings,
        cg_steps: int,
        descent_steps: int,
    ) -> Blocks:
        if self._config.descent is not None:
            return gradient_descent(problem, weights, replace(self._config.descent, iterations=descent_steps)).weights
        return gauss_newton(problem, weights, replace(settings, cg_iterations=cg_steps)).weights

    def _labels(self, boxes: Float[Tensor, "targets images 4"]) -> Float[Tensor, "targets images rows cols"]:
        # An even filter scores the corners between cells, an odd one the cells, half a cell further.
        centres_yx = (boxes[..., :2] + boxes[..., 2:] / 2).flip(-1) / STRIDE - self._config.kernel_size % 2 / 2
        return gaussian_map(centres_yx, self._cells, sigma=self._sigma)

    def samples(
        self, model: TargetModel, features: Float[Tensor, "targets scales channels rows cols"]
    ) -> Float[Tensor, "targets scales projected rows cols"]:
        """See `Localiser`: projected features."""
        assert model.projections is not None
        return project(features, model.projections)

    def scores(
        self, model: TargetModel, samples: Float[Tensor, "targets scales projected rows cols"]
    ) -> Float[np.ndarray, "targets scales score_rows score_cols"]:
        """See `Localiser`: linear scores, Fourier-interpolated to one cell per crop pixel (reference behaviour)."""
        scores = apply_filter_same(samples, model.filters).float().cpu()
        return (self._interpolation @ scores @ self._interpolation.T).numpy()

    def learn(
        self,
        model: TargetModel,
        samples: Float[Tensor, "targets images projected rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        weights: Float[Tensor, "targets images"],
        iterations: int,
    ) -> TargetModel:
        """See `Localiser`."""
        config = self._config
        problem = OnlineProblem(
            FilterModel(samples), self._labels(boxes), weights, (config.filter_reg,), config.activation_leak
        )
        (filters,) = self._solve(problem, (model.filters,), config.update, iterations, iterations)
        return replace(model, filters=filters)
