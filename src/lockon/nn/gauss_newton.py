"""Online least squares for small filters: Gauss-Newton with conjugate gradient, and gradient descent beside it.

Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", CVPR 2019, Sec. 3.2. The problem (Eq. 3) is

    L(w) = Σ_j γ_j ‖φ(f(x_j; w)) − y_j‖² + Σ_k λ_k ‖w_k‖²,    φ(t) = t for t ≥ 0, a (exp(t / a) − 1) below,

with a filter on projected features, `f = w₂ * (w₁ · x)`. Both weights are learned in the first frame
(`TwoLayerModel`), the filter alone afterwards (`FilterModel`). ATOM's Algorithm 1 gets the products with the Jacobian
by back-propagation; here they are written out. The two layers compose to one filter on the unprojected features, so
that every product is one pass over the features, as cheap as with a single layer.

Weights are tuples of blocks, `(filter, projection)` or `(filter,)`, each block with a leading target dimension; the
step sizes of conjugate gradient are the target's own. An image whose sample weight is zero contributes exactly
nothing (its features must be finite).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.nn.filters import apply_filter_same, filter_gradient_same, merge_once

Blocks = tuple[Tensor, ...]


@runtime_checkable
class ScoreModel(Protocol):
    """Scores of the support images as a function of the weights, and its derivative."""

    def scores(self, weights: Blocks) -> Float[Tensor, "t i h w"]:
        """`f(x; w)`."""

    def tangent(self, weights: Blocks, direction: Blocks) -> Float[Tensor, "t i h w"]:
        """Derivative of the scores at `weights` along a direction in weight space."""

    def cotangent(self, weights: Blocks, residuals: Float[Tensor, "t i h w"]) -> Blocks:
        """Adjoint of `tangent`: what residuals on the scores say of the weights."""


class FilterModel:
    """One filter per target; weights `(filter "t c kh kw",)`."""

    def __init__(self, features: Float[Tensor, "t i c h w"]) -> None:
        self.features = merge_once(features)

    def scores(self, weights: Blocks) -> Float[Tensor, "t i h w"]:
        """`w * x`."""
        return apply_filter_same(self.features, weights[0])

    def tangent(self, weights: Blocks, direction: Blocks) -> Float[Tensor, "t i h w"]:  # noqa: ARG002 - linear
        """The scores of the direction."""
        return self.scores(direction)

    def cotangent(self, weights: Blocks, residuals: Float[Tensor, "t i h w"]) -> Blocks:
        """Correlation of the residuals with the features."""
        kernel = (weights[0].shape[2], weights[0].shape[3])
        return (filter_gradient_same(self.features, residuals, kernel),)


class TwoLayerModel:
    """A filter on projected features; weights `(filter "t p kh kw", projection "t p c")`."""

    def __init__(self, features: Float[Tensor, "t i c h w"]) -> None:
        self.features = merge_once(features)

    def scores(self, weights: Blocks) -> Float[Tensor, "t i h w"]:
        """`w₂ * (w₁ · x)`."""
        filters, projection = weights
        return apply_filter_same(self.features, _compose(filters, projection))

    def tangent(self, weights: Blocks, direction: Blocks) -> Float[Tensor, "t i h w"]:
        """`dw₂ * (w₁ · x) + w₂ * (dw₁ · x)`."""
        (filters, projection), (filter_step, projection_step) = weights, direction
        composed = _compose(filter_step, projection) + _compose(filters, projection_step)
        return apply_filter_same(self.features, composed)

    def cotangent(self, weights: Blocks, residuals: Float[Tensor, "t i h w"]) -> Blocks:
        """Gradient by the composed filter, taken apart into its two factors."""
        filters, projection = weights
        gradient = filter_gradient_same(self.features, residuals, (filters.shape[2], filters.shape[3]))
        return (
            torch.einsum("tcab,tpc->tpab", gradient, projection),
            torch.einsum("tcab,tpab->tpc", gradient, filters),
        )


def _compose(filters: Tensor, projection: Tensor) -> Float[Tensor, "t c kh kw"]:
    """The one filter on unprojected features that does what projection and filter do."""
    return torch.einsum("tpab,tpc->tcab", filters, projection)


@dataclass(frozen=True)
class OnlineProblem:
    """The least-squares problem of ATOM (Eq. 3)."""

    model: ScoreModel
    labels: Float[Tensor, "t i h w"]
    sample_weights: Float[Tensor, "t i"]
    """γ: weight of each image."""
    regularisation: tuple[float, ...]
    """λ of each block of weights."""
    activation_leak: float = 0.05
    """a: scores far below 0 are all as good as −a (reference implementation)."""

    def loss(self, weights: Blocks) -> Float[Tensor, "t"]:
        """L(w) of each target."""
        residuals, _ = self._residuals(weights)
        penalty = sum(reg * _inner((w,), (w,)) for reg, w in zip(self.regularisation, weights, strict=True))
        return (self.sample_weights[..., None, None] * residuals.square()).sum(dim=(1, 2, 3)) + penalty

    def linearise(self, weights: Blocks) -> Linearisation:
        """First-order expansion of the residuals at `weights` (Eq. 4)."""
        residuals, slope = self._residuals(weights)
        gamma = self.sample_weights[..., None, None]
        gradient = self.model.cotangent(weights, gamma * slope * residuals)
        return Linearisation(self, weights, gamma * slope.square(), self.regularised(gradient, weights))

    def regularised(self, data_term: Blocks, weights: Blocks) -> Blocks:
        """Add `λ w` to each block."""
        terms = zip(data_term, self.regularisation, weights, strict=True)
        return tuple(data + reg * w for data, reg, w in terms)

    def _residuals(self, weights: Blocks) -> tuple[Tensor, Tensor]:
        """`φ(f) − y` of each cell, and the slope of φ."""
        scores = self.model.scores(weights)
        slope = torch.exp(scores.clamp(max=0) / self.activation_leak)
        return scores.clamp(min=0) + self.activation_leak * (slope - 1) - self.labels, slope


@dataclass(frozen=True)
class Linearisation:
    """What conjugate gradient needs of the problem at one point."""

    problem: OnlineProblem
    weights: Blocks
    curvature: Float[Tensor, "t i h w"]
    """Squared derivative of the data residuals by the scores."""
    gradient: Blocks
    """Jᵀr: half the gradient of the loss."""

    def normal_product(self, direction: Blocks) -> Blocks:
        """JᵀJ p."""
        model = self.problem.model
        scores = self.curvature * model.tangent(self.weights, direction)
        return self.problem.regularised(model.cotangent(self.weights, scores), direction)


@dataclass(frozen=True)
class GaussNewtonSettings:
    """Gauss-Newton iterations, each with a run of conjugate gradient."""

    iterations: int
    """Linearisations (N_GN)."""
    cg_iterations: int
    """Steps of conjugate gradient in each (N_CG)."""
    momentum: Literal["fletcher-reeves", "polak-ribiere"]
    """Formula of β."""
    preconditioned: bool
    """Divide the residual of each block by its regularisation weight."""
    direction_forget_factor: float = 0.0
    """0 starts every run of conjugate gradient afresh; else the last direction persists, ρ divided by the factor."""


ATOM_FIRST_FRAME = GaussNewtonSettings(
    iterations=6, cg_iterations=10, momentum="fletcher-reeves", preconditioned=True
)
"""ATOM's first frame: 60 steps of conjugate gradient in 6 Gauss-Newton iterations (Sec. 3.3)."""
ATOM_UPDATE = GaussNewtonSettings(iterations=1, cg_iterations=5, momentum="polak-ribiere", preconditioned=False)
"""ATOM's later updates of the filter (Sec. 3.3)."""


@dataclass(frozen=True)
class ConjugateGradientState:
    """What persists from one run of conjugate gradient to the next if directions are not forgotten."""

    direction: Blocks
    rho: Float[Tensor, "t"]
    previous_residual: Blocks
    """The residual before the last step (for Polak-Ribière)."""


@dataclass(frozen=True)
class OnlineResult:
    """Weights, and what a later run may want of this one."""

    weights: Blocks
    losses: Float[Tensor, "iterates t"] | None = None
    """L before every iteration and after the last, if kept."""
    state: ConjugateGradientState | None = None


def gauss_newton(
    problem: OnlineProblem,
    weights: Blocks,
    settings: GaussNewtonSettings,
    *,
    state: ConjugateGradientState | None = None,
    keep_losses: bool = False,
) -> OnlineResult:
    """Minimise the problem from `weights` (ATOM, Algorithm 1), each target with its own step sizes.

    Args:
        problem: what to minimise.
        weights: where to start.
        settings: iterations and flavour.
        state: of the run before, where `direction_forget_factor` lets it persist.
        keep_losses: also return the losses; costs a pass over the features for each.
    """
    losses = [problem.loss(weights)] if keep_losses else []
    for _ in range(settings.iterations):
        step, state = _conjugate_gradient(problem.linearise(weights), settings, state)
        weights = _add(weights, 1.0, step)
        if keep_losses:
            losses.append(problem.loss(weights))
    return OnlineResult(weights, torch.stack(losses) if keep_losses else None, state)


def _conjugate_gradient(
    point: Linearisation, settings: GaussNewtonSettings, state: ConjugateGradientState | None
) -> tuple[Blocks, ConjugateGradientState | None]:
    """The step that some iterations of conjugate gradient find for `JᵀJ Δw = −Jᵀr`, from zero."""
    residual = tuple(-block for block in point.gradient)
    step = tuple(torch.zeros_like(block) for block in residual)
    if settings.direction_forget_factor == 0:
        state = None
    elif state is not None:
        forgotten = state.rho / settings.direction_forget_factor
        state = ConjugateGradientState(state.direction, forgotten, state.previous_residual)
    scale = point.problem.regularisation if settings.preconditioned else (1.0,) * len(residual)
    for _ in range(settings.cg_iterations):
        scaled = tuple(block / divisor for block, divisor in zip(residual, scale, strict=True))
        rho = _inner(residual, scaled)
        direction = scaled
        if state is not None:
            correction = _inner(state.previous_residual, scaled) if settings.momentum == "polak-ribiere" else 0
            beta = _ratio(rho - correction, state.rho).clamp(min=0)
            direction = _add(scaled, beta, state.direction)
        product = point.normal_product(direction)
        alpha = _ratio(rho, _inner(direction, product))
        step = _add(step, alpha, direction)
        state = ConjugateGradientState(direction, rho, previous_residual=residual)
        residual = _add(residual, -alpha, product)
    return step, state


@dataclass(frozen=True)
class GradientDescentSettings:
    """Plain gradient descent with momentum, the comparator of ATOM's Table 2.

    The paper gives GD as many back-propagations as Algorithm 1 makes, one for Jᵀr and two for each JᵀJ p, and GD++
    five times as many (Sec. 4.2): 126 and 630 iterations in the first frame, 11 and 55 in updates. Step and momentum
    are "carefully tuned" there and not stated. The defaults give the least mean loss after 126 iterations on the
    first-frame problem of eight photographs with ImageNet features, among those that diverge on none.
    """

    iterations: int
    step_length: float = 1e-5
    """Factor on the gradient of L."""
    momentum: float = 0.95
    """Share of the last velocity that is kept."""


def gradient_descent(
    problem: OnlineProblem, weights: Blocks, settings: GradientDescentSettings, *, keep_losses: bool = False
) -> OnlineResult:
    """Minimise the problem by `v ← µ v + ∇L`, `w ← w − η v` (ATOM, Sec. 4.2 "Online Optimization")."""
    losses = [problem.loss(weights)] if keep_losses else []
    velocity = tuple(torch.zeros_like(block) for block in weights)
    for _ in range(settings.iterations):
        gradient = problem.linearise(weights).gradient
        velocity = tuple(settings.momentum * v + 2 * g for v, g in zip(velocity, gradient, strict=True))
        weights = _add(weights, -settings.step_length, velocity)
        if keep_losses:
            losses.append(problem.loss(weights))
    return OnlineResult(weights, torch.stack(losses) if keep_losses else None)


def _inner(a: Blocks, b: Blocks) -> Float[Tensor, "t"]:
    """Inner product over all blocks, of each target."""
    return torch.stack([(x * y).flatten(1).sum(dim=1) for x, y in zip(a, b, strict=True)]).sum(dim=0)


def _add(a: Blocks, factor: Tensor | float, b: Blocks) -> Blocks:
    """`a + factor · b` with one factor per target."""
    if isinstance(factor, Tensor):
        return tuple(x + factor.reshape(-1, *(1,) * (y.ndim - 1)) * y for x, y in zip(a, b, strict=True))
    return tuple(x + factor * y for x, y in zip(a, b, strict=True))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient that is 0 where the denominator is: a target that has converged stops moving."""
    return torch.where(denominator == 0, 0.0, numerator / denominator)
