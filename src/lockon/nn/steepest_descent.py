"""Steepest descent for the filter of a target: gradient, curvature along it, exact step, repeat.

The objective is a loss of the scores plus a quadratic regulariser, and the scores are linear in the filter. What
differs between trackers is the loss, so a loss is an object that answers three questions about a score map, and the
loop is written once:

- `HingeObjective`: DiMP's robust least squares with the Gauss-Newton curvature (DiMP, Secs. 3.1 and 3.2); with a
  fixed label and mask also the one of SuperDiMP-simple;
- `SoftmaxObjective`: PrDiMP's KL divergence with the Newton curvature (PrDiMP supplement, Eqs. 3-10, Algorithm 1).

Everything is closed form and made of differentiable tensor operations, so training can unroll it. An image whose
sample weight is zero contributes exactly nothing (its features must be finite).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.nn.filters import apply_filter, filter_gradient, merge_once

MIN_CURVATURE = 1e-8
"""Least denominator of the step length (reference implementation of DiMP)."""


@runtime_checkable
class Objective(Protocol):
    """A loss of the scores of each target's images, and the weight of its regulariser."""

    @property
    def regularisation(self) -> Float[Tensor, ""] | float:
        """λ of the filter, as it enters the gradient."""

    def score_gradient(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t i h w"]:
        """Gradient of the loss with respect to the scores (half the gradient for a sum of squares)."""

    def curvature(self, scores: Float[Tensor, "t i h w"], direction: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """`directionᵀ H direction` with the (Gauss-)Newton Hessian in score space, matching `score_gradient`."""

    def loss(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """Loss of each target, without the regulariser."""


@dataclass(frozen=True)
class HingeObjective:
    """`Σᵢ ‖Wᵢ (a(sᵢ) − yᵢ)‖² + λ ‖w‖²` with `a(s) = s` where s ≥ 0 and `mask · s` elsewhere (DiMP, Sec. 3.1).

    Where the mask is 0 a negative score costs nothing, so that background may score as low as it likes.
    """

    label: Float[Tensor, "t i h w"]
    mask: Float[Tensor, "t i h w"]
    """In [0, 1]: 1 treats the residual as plain least squares, 0 as a hinge."""
    squared_weight: Float[Tensor, "#t #i #h #w"]
    """W²: sample weight times the square of the spatial weight."""
    regularisation: Float[Tensor, ""] | float

    def _slope(self, scores: Tensor) -> Tensor:
        return (1 - self.mask) / 2 * torch.sign(scores) + (1 + self.mask) / 2

    def score_gradient(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t i h w"]:
        """`q W² (a(s) − y)`, q the slope of the activation (1 or the mask; their mean at 0)."""
        slope = self._slope(scores)
        return slope * self.squared_weight * (slope * scores - self.label)

    def curvature(self, scores: Float[Tensor, "t i h w"], direction: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """`‖W q direction‖²`: Gauss-Newton."""
        return (self.squared_weight * (self._slope(scores) * direction).square()).sum(dim=(1, 2, 3))

    def loss(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """Sum of squared residuals."""
        return (self.squared_weight * (self._slope(scores) * scores - self.label).square()).sum(dim=(1, 2, 3))


@dataclass(frozen=True)
class SoftmaxObjective:
    """`Σᵢ γᵢ (log Σ exp sᵢ − ⟨pᵢ, sᵢ⟩) + λ/2 ‖w‖²`: cross-entropy to a density (PrDiMP supplement, Eqs. 3 and 5)."""

    density: Float[Tensor, "t i h w"]
    """p: label density of each image; sums to 1 over the map."""
    sample_weight: Float[Tensor, "t i"]
    regularisation: Float[Tensor, ""] | float
    softmax_reg: float | None = None
    """Constant logit that joins the soft-max, the score of "nowhere"; none in the released models."""

    def score_gradient(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t i h w"]:
        """`γ (p̂ − p)` (Eq. 7a)."""
        return self.sample_weight[..., None, None] * (softmax_map(scores, self.softmax_reg) - self.density)

    def curvature(self, scores: Float[Tensor, "t i h w"], direction: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """`Σᵢ γᵢ vᵀ(p̂ · (v − p̂ᵀv))` (Eq. 10), each image's share kept from rounding below 0."""
        weighted = softmax_map(scores, self.softmax_reg) * direction
        mean = weighted.sum(dim=(2, 3), keepdim=True)
        variance = (weighted * (direction - mean)).sum(dim=(2, 3))
        return (self.sample_weight * variance.clamp(min=0)).sum(dim=1)

    def loss(self, scores: Float[Tensor, "t i h w"]) -> Float[Tensor, "t"]:
        """Weighted cross-entropy."""
        partition = _with_constant(scores.flatten(2), self.softmax_reg).logsumexp(dim=2)
        return (self.sample_weight * (partition - (self.density * scores).sum(dim=(2, 3)))).sum(dim=1)


@dataclass(frozen=True)
class SolverTrace:
    """What a solver leaves behind."""

    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"]
    """The result."""
    iterates: tuple[Float[Tensor, "targets channels kernel_rows kernel_cols"], ...] = ()
    """Filters before the first and after each iteration, if kept."""
    losses: Float[Tensor, "iterates targets"] | None = None
    """Loss + λ ‖w‖² of the iterates, if kept."""


def steepest_descent(
    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"],
    features: Float[Tensor, "targets images channels height width"],
    objective: Objective,
    *,
    iterations: int,
    step_length: Float[Tensor, ""] | float = 1.0,
    alpha_eps: float = 0.0,
    keep_iterates: bool = False,
    keep_losses: bool = False,
) -> SolverTrace:
    """Minimise an objective by `w ← w − η α g`, `α = gᵀg / (gᵀHg + ε gᵀg)`, each target on its own.

    DiMP, Sec. 3.2; PrDiMP supplement, Algorithm 1. The scores follow the filter by linearity, so that an iteration
    passes over the features twice (for `g` and for the scores of `g`) and the losses cost nothing.

    Args:
        filters: where to start.
        features: support set; may be stored in bfloat16 (see `lockon.nn.filters`).
        objective: the loss and its curvature.
        iterations: number of steps.
        step_length: η, learned; multiplies the exact step α.
        alpha_eps: ε, damps the exact step.
        keep_iterates: also return all filters, the first included (training scores every one).
        keep_losses: also return the loss of all filters.
    """
    regularisation, features = objective.regularisation, merge_once(features)
    scores = apply_filter(features, filters)
    iterates, losses = [filters], [_total_loss(objective, scores, filters)] if keep_losses else []
    for _ in range(iterations):
        score_gradient = objective.score_gradient(scores)
        kernel = (filters.shape[2], filters.shape[3])
        gradient = filter_gradient(features, score_gradient, kernel) + regularisation * filters
        direction = apply_filter(features, gradient)
        length = gradient.square().sum(dim=(1, 2, 3))
        curvature = objective.curvature(scores, direction) + (regularisation + alpha_eps) * length
        step = (step_length * length / curvature.clamp(min=MIN_CURVATURE))[:, None, None, None]
        filters = filters - step * gradient
        scores = scores - step * direction
        if keep_iterates:
            iterates.append(filters)
        if keep_losses:
            losses.append(_total_loss(objective, scores, filters))
    return SolverTrace(
        filters=filters,
        iterates=tuple(iterates) if keep_iterates else (),
        losses=torch.stack(losses) if keep_losses else None,
    )


def softmax_map(
    scores: Float[Tensor, "*n rows cols"], softmax_reg: float | None = None
) -> Float[Tensor, "*n rows cols"]:
    """Soft-max over each score map; with a constant logit `softmax_reg` beside the cells, whose share is dropped."""
    logits = _with_constant(scores.flatten(-2), softmax_reg)
    return logits.softmax(dim=-1)[..., : scores.shape[-2] * scores.shape[-1]].reshape(scores.shape)


def _with_constant(logits: Tensor, constant: float | None) -> Tensor:
    if constant is None:
        return logits
    return torch.cat([logits, logits.new_full((*logits.shape[:-1], 1), constant)], dim=-1)


def _total_loss(objective: Objective, scores: Tensor, filters: Tensor) -> Tensor:
    return objective.loss(scores) + objective.regularisation * filters.square().sum(dim=(1, 2, 3))
