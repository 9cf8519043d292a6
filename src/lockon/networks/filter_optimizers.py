"""What the filter optimisers of the DiMP family learn: the terms of their objectives and their step lengths.

DiMP, Secs. 3.1, 3.2 and 3.4; PrDiMP supplement, Sec. 2. The parameters carry the names of the official checkpoints.
The descent itself is `lockon.nn.steepest_descent`; `lockon.networks.dimp` puts both together.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lockon.nn.distance_map import gaussian_map, radial_map
from lockon.nn.steepest_descent import HingeObjective, Objective, SoftmaxObjective, softmax_map

ScoreMaps = Float[Tensor, "targets images rows cols"]
Centres = Float[Tensor, "targets images 2"]
SampleWeights = Float[Tensor, "targets images"]


class FilterOptimizer(nn.Module, ABC):
    """What is learned of the filter optimiser: the terms of its objective and its step length.

    Args:
        stride: crop pixels per feature cell.
    """

    alpha_eps: float = 0.0
    """Damping of the exact step (see `steepest_descent`)."""

    def __init__(self, *, stride: int) -> None:
        super().__init__()
        self.stride = stride

    @abstractmethod
    def label_map(self, centres_yx: Centres, size: tuple[int, int]) -> ScoreMaps:
        """What the scores should be, given the target centres in score cells."""

    @abstractmethod
    def objective(self, label: ScoreMaps, centres_yx: Centres, sample_weights: SampleWeights) -> Objective:
        """The loss to descend on."""

    def step_length(self) -> Float[Tensor, ""] | float:
        """Factor on the exact step."""
        return 1.0

    def score_activation(self, scores: Float[Tensor, "*n rows cols"]) -> Float[Tensor, "*n rows cols"]:
        """Turn raw scores into the ones a tracker localises in."""
        return scores


class LearnedStepOptimizer(FilterOptimizer):
    """An optimiser that learns its step length and its regularisation: DiMP's and PrDiMP's.

    Args:
        init_step: step length training starts from.
        init_reg: square root of the regularisation training starts from.
        min_reg: square root of the least regularisation.
        stride: crop pixels per feature cell.
    """

    def __init__(self, *, init_step: float, init_reg: float, min_reg: float, stride: int) -> None:
        super().__init__(stride=stride)
        self.min_reg = min_reg
        self.log_step_length = nn.Parameter(torch.tensor([math.log(init_step)]))
        self.filter_reg = nn.Parameter(torch.tensor([init_reg]))

    def step_length(self) -> Float[Tensor, ""]:
        """`exp(log_step_length)`."""
        return self.log_step_length.exp().squeeze()

    def regularisation(self) -> Float[Tensor, ""]:
        """λ, from its learned square root."""
        return self.filter_reg.square().clamp(min=self.min_reg**2).squeeze()


class DimpOptimizer(LearnedStepOptimizer):
    """DiMP's optimiser: label, target mask and spatial weight are learned functions of the distance to the centre.

    Args:
        bins: knots of each learned function.
        spacing: distance between knots, in score cells.
        init_gauss_sigma: standard deviation, in score cells, of the Gaussian the label starts from.
        mask_init_factor: steepness of the mask training starts from.
        init_step: step length training starts from.
        init_reg: square root of the regularisation training starts from.
        min_reg: square root of the least regularisation.
        stride: crop pixels per feature cell.
    """

    def __init__(
        self,
        *,
        bins: int = 100,
        spacing: float = 0.1,
        init_gauss_sigma: float = 0.9,
        mask_init_factor: float = 3.0,
        init_step: float = 0.9,
        init_reg: float = 0.1,
        min_reg: float = 1e-3,
        stride: int = 16,
    ) -> None:
        super().__init__(init_step=init_step, init_reg=init_reg, min_reg=min_reg, stride=stride)
        self.spacing = spacing
        knots = torch.arange(bins) * spacing
        gaussian = torch.exp(-knots.square() / (2 * init_gauss_sigma**2))
        self.label_map_predictor = _learned_profile(gaussian - gaussian.min())
        self.target_mask_predictor = nn.Sequential(_learned_profile(mask_init_factor * torch.tanh(2 - knots)))
        self.spatial_weight_predictor = _learned_profile(torch.ones(bins))

    def label_map(self, centres_yx: Centres, size: tuple[int, int]) -> ScoreMaps:
        """Learned label y."""
        return self._radial_map("label_map_predictor.weight", centres_yx, size)

    def objective(self, label: ScoreMaps, centres_yx: Centres, sample_weights: SampleWeights) -> HingeObjective:
        """Residuals `√γ v (a(s) − y)`, with mask and spatial weight v learned."""
        size = (label.shape[2], label.shape[3])
        mask = self._radial_map("target_mask_predictor.0.weight", centres_yx, size)
        spatial = self._radial_map("spatial_weight_predictor.weight", centres_yx, size)
        return HingeObjective(
            label=label,
            mask=mask.sigmoid(),
            squared_weight=sample_weights[..., None, None] * spatial.square(),
            regularisation=self.regularisation(),
        )

    def _radial_map(self, name: str, centres_yx: Tensor, size: tuple[int, int]) -> Tensor:
        return radial_map(self.get_parameter(name).flatten(), centres_yx, size, spacing=self.spacing)


def _learned_profile(values: Float[Tensor, "bins"]) -> nn.Conv2d:
    """A learned function of the distance, in the form the checkpoints have: the weights of a 1 × 1 convolution."""
    convolution = nn.Conv2d(values.shape[0], 1, kernel_size=1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(values[None, :, None, None])
    return convolution


class PrDimpOptimizer(LearnedStepOptimizer):
    """PrDiMP's optimiser: the scores are logits of a density, compared with a Gaussian density around the centre.

    Args:
        gauss_sigma: standard deviation of the label density, in score cells.
        normalize_label: make the label density sum to 1 even where it overhangs the map.
        label_shrink: share of the density that is taken away (0 in the released models).
        uniform_weight: share of the density that is spread over the map (0 in the released models).
        softmax_reg: constant logit beside the cells (none in the released models).
        alpha_eps: damping of the exact step.
        init_step: step length training starts from.
        init_reg: square root of the regularisation training starts from.
        min_reg: square root of the least regularisation.
        stride: crop pixels per feature cell.
    """

    def __init__(
        self,
        *,
        gauss_sigma: float = 0.9,
        normalize_label: bool = True,
        label_shrink: float = 0.0,
        uniform_weight: float = 0.0,
        softmax_reg: float | None = None,
        alpha_eps: float = 0.05,
        init_step: float = 1.0,
        init_reg: float = 0.05,
        min_reg: float = 0.05,
        stride: int = 16,
    ) -> None:
        super().__init__(init_step=init_step, init_reg=init_reg, min_reg=min_reg, stride=stride)
        self.gauss_sigma = gauss_sigma
        self.normalize_label = normalize_label
        self.label_shrink = label_shrink
        self.uniform_weight = uniform_weight
        self.softmax_reg = softmax_reg
        self.alpha_eps = alpha_eps

    def score_activation(self, scores: Float[Tensor, "*n rows cols"]) -> Float[Tensor, "*n rows cols"]:
        """Soft-max over each map: the predicted density of the target centre."""
        return softmax_map(scores, self.softmax_reg)

    def label_map(self, centres_yx: Centres, size: tuple[int, int]) -> ScoreMaps:
        """Label density p."""
        density = gaussian_map(centres_yx, size, sigma=self.gauss_sigma) / (2 * math.pi * self.gauss_sigma**2)
        if self.normalize_label:
            density = density / (density.sum(dim=(2, 3), keepdim=True) + 1e-8)
        uniform = self.uniform_weight / math.prod(size)
        return (1 - self.label_shrink) * ((1 - self.uniform_weight) * density + uniform)

    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Centres,  # noqa: ARG002 - cells are not weighted by their distance here
        sample_weights: SampleWeights,
    ) -> SoftmaxObjective:
        """Cross-entropy to the label density."""
        return SoftmaxObjective(
            density=label,
            sample_weight=sample_weights,
            regularisation=self.regularisation(),
            softmax_reg=self.softmax_reg,
        )


class SimpleResidual(nn.Module):
    """The one learned parameter of `SimpleOptimizer`, under its name in the checkpoints.

    Args:
        init_reg: square root of the regularisation training starts from.
    """

    def __init__(self, init_reg: float) -> None:
        super().__init__()
        self.filter_reg = nn.Parameter(torch.tensor([init_reg]))


class SimpleOptimizer(FilterOptimizer):
    """SuperDiMP-simple's optimiser: a Gaussian label, and a mask of two values that follows from the label.

    Args:
        gauss_sigma: standard deviation of the label, in score cells; default of 352 px crops, (0.25 / 6) · 22.
        hinge_threshold: cells with a higher label are target, where scores are fitted from both sides.
        activation_leak: slope of the activation for negative scores elsewhere.
        init_reg: square root of the regularisation training starts from.
        stride: crop pixels per feature cell.
    """

    def __init__(
        self,
        *,
        gauss_sigma: float = 0.25 / 6 * 22,
        hinge_threshold: float = 0.05,
        activation_leak: float = 0.1,
        init_reg: float = 0.1,
        stride: int = 16,
    ) -> None:
        super().__init__(stride=stride)
        self.gauss_sigma = gauss_sigma
        self.hinge_threshold = hinge_threshold
        self.activation_leak = activation_leak
        self.residual_module = SimpleResidual(init_reg)

    def label_map(self, centres_yx: Centres, size: tuple[int, int]) -> ScoreMaps:
        """Gaussian of amplitude 1."""
        return gaussian_map(centres_yx, size, sigma=self.gauss_sigma)

    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Centres,  # noqa: ARG002 - cells are not weighted by their distance here
        sample_weights: SampleWeights,
    ) -> HingeObjective:
        """Residuals `√γ (a(s) − m y)` and `filter_reg · w`."""
        mask = ((label > self.hinge_threshold).to(label.dtype) + self.activation_leak).clamp(max=1)
        return HingeObjective(
            label=mask * label,
            mask=mask,
            squared_weight=sample_weights[..., None, None],
            regularisation=self.residual_module.filter_reg.square().squeeze(),
        )
