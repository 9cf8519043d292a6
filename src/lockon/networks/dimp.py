"""The DiMP family's target classifier: features, first filter, and the learned optimiser of the filter.

Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019 (DiMP); Danelljan et al.,
"Probabilistic Regression for Visual Tracking", CVPR 2020 (PrDiMP). The modules and their parameters carry the names
of the official checkpoints. What an optimiser learns offline are the terms of its objective and its step length; the
descent itself is `lockon.nn.steepest_descent`.

Boxes are `(x, y, w, h)` in crop pixels; with an even filter the score cell p lies at crop coordinate `stride · p`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lockon.networks.resnet import BasicBlock
from lockon.nn.distance_map import gaussian_map, radial_map
from lockon.nn.filters import apply_filter, score_size
from lockon.nn.layers import InstanceL2Norm
from lockon.nn.prpool import bin_weights
from lockon.nn.steepest_descent import (
    HingeObjective,
    Objective,
    SoftmaxObjective,
    SolverTrace,
    softmax_map,
    steepest_descent,
)

Boxes = Float[Tensor, "targets images 4"]
Features = Float[Tensor, "targets images channels height width"]
Filters = Float[Tensor, "targets channels kernel_rows kernel_cols"]
ScoreMaps = Float[Tensor, "targets images rows cols"]


class FilterInitializer(nn.Module):
    """Mean over the support images of the box-pooled, convolved features (DiMP, Sec. 3.3).

    Args:
        channels: channels of the features and of the filter.
        filter_size: rows and columns of the filter, and bins of the pooling.
        stride: crop pixels per feature cell.
        zero: start training from a filter of zeros (PrDiMP) instead of a random projection (DiMP).
        generator: source of the random projection; the global one by default.
    """

    def __init__(
        self,
        channels: int,
        *,
        filter_size: int = 4,
        stride: int = 16,
        zero: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.filter_size = filter_size
        self.stride = stride
        self.filter_conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        nn.init.zeros_(self.filter_conv.get_parameter("bias"))
        std = 0.0 if zero else math.sqrt(2 / (9 * channels))
        nn.init.normal_(self.filter_conv.weight, std=std, generator=generator)

    def forward(self, features: Features, boxes: Boxes) -> Filters:
        """`mean_i PrPool(conv(x_i), box_i)`, in float32 whatever the features are stored in.

        Convolution, pooling and mean are linear and act on different axes, so they are exchanged: pool over the box
        moved by each of the 3 × 3 taps, average over the images, and mix channels once, on 3·3·k·k cells instead of
        every image. Moving the pooling weights, rather than the box, keeps the convolution's zero padding exact.
        """
        images, channels, height, width = features.shape[1:]
        x, y, w, h = (boxes / self.stride).unbind(-1)
        rows = self._tap_weights(y, y + h, height).to(features.dtype)
        cols = self._tap_weights(x, x + w, width).to(features.dtype)
        weight, bias = self.filter_conv.weight, self.filter_conv.get_parameter("bias")
        k = self.filter_size
        with torch.autocast(features.device.type, enabled=False):
            lines = features.permute(0, 1, 3, 4, 2).reshape(-1, images, height, width * channels)
            bands = (rows @ lines).reshape(-1, images, 3 * k, width, channels)
            pooled = (cols[:, :, None] @ bands).mean(dim=1, dtype=weight.dtype).reshape(-1, 3, k, 3, k, channels)
            filters = torch.einsum("tapbqc,ocab->topq", pooled, weight)
        # The middle tap holds the unmoved weights; their sums pool the constant map that is the bias.
        row_sums, col_sums = (weights[:, :, k : 2 * k].sum(dim=-1) for weights in (rows, cols))
        coverage = (row_sums[..., :, None] * col_sums[..., None, :]).mean(dim=1, dtype=weight.dtype)
        return filters + coverage[:, None] * bias[:, None, None]

    def _tap_weights(self, low: Tensor, high: Tensor, size: int) -> Float[Tensor, "targets images taps_bins size"]:
        """Pooling weights of one axis as seen through each of the three convolution taps, stacked."""
        padded = F.pad(bin_weights(low, high, self.filter_size, size), (1, 1))
        return torch.cat([padded[..., 2 - tap : 2 - tap + size] for tap in range(3)], dim=-2)


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
    def label_map(self, centres_yx: Float[Tensor, "targets images 2"], size: tuple[int, int]) -> ScoreMaps:
        """What the scores should be, given the target centres in score cells."""

    @abstractmethod
    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Float[Tensor, "targets images 2"],
        sample_weights: Float[Tensor, "targets images"],
    ) -> Objective:
        """The loss to descend on."""

    def step_length(self) -> Float[Tensor, ""] | float:
        """Factor on the exact step."""
        return 1.0

    def score_activation(self, scores: Float[Tensor, "*n rows cols"]) -> Float[Tensor, "*n rows cols"]:
        """Turn raw scores into the ones a tracker localises in."""
        return scores


class DimpOptimizer(FilterOptimizer):
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
        super().__init__(stride=stride)
        self.spacing = spacing
        self.min_reg = min_reg
        self.log_step_length = nn.Parameter(torch.tensor([math.log(init_step)]))
        self.filter_reg = nn.Parameter(torch.tensor([init_reg]))
        knots = torch.arange(bins) * spacing
        gaussian = torch.exp(-knots.square() / (2 * init_gauss_sigma**2))
        self.label_map_predictor = _learned_profile(gaussian - gaussian.min())
        self.target_mask_predictor = nn.Sequential(_learned_profile(mask_init_factor * torch.tanh(2 - knots)))
        self.spatial_weight_predictor = _learned_profile(torch.ones(bins))

    def step_length(self) -> Float[Tensor, ""]:
        """`exp(log_step_length)`."""
        return self.log_step_length.exp().squeeze()

    def label_map(self, centres_yx: Float[Tensor, "targets images 2"], size: tuple[int, int]) -> ScoreMaps:
        """Learned label y."""
        return self._radial_map("label_map_predictor.weight", centres_yx, size)

    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Float[Tensor, "targets images 2"],
        sample_weights: Float[Tensor, "targets images"],
    ) -> HingeObjective:
        """Residuals `√γ v (a(s) − y)`, with mask and spatial weight v learned."""
        size = (label.shape[2], label.shape[3])
        mask = self._radial_map("target_mask_predictor.0.weight", centres_yx, size)
        spatial = self._radial_map("spatial_weight_predictor.weight", centres_yx, size)
        return HingeObjective(
            label=label,
            mask=mask.sigmoid(),
            squared_weight=sample_weights[..., None, None] * spatial.square(),
            regularisation=self.filter_reg.square().clamp(min=self.min_reg**2).squeeze(),
        )

    def _radial_map(self, name: str, centres_yx: Tensor, size: tuple[int, int]) -> Tensor:
        return radial_map(self.get_parameter(name).flatten(), centres_yx, size, spacing=self.spacing)


def _learned_profile(values: Float[Tensor, "bins"]) -> nn.Conv2d:
    """A learned function of the distance, in the form the checkpoints have: the weights of a 1 × 1 convolution."""
    convolution = nn.Conv2d(values.shape[0], 1, kernel_size=1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(values[None, :, None, None])
    return convolution


class PrDimpOptimizer(FilterOptimizer):
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
        super().__init__(stride=stride)
        self.gauss_sigma = gauss_sigma
        self.normalize_label = normalize_label
        self.label_shrink = label_shrink
        self.uniform_weight = uniform_weight
        self.softmax_reg = softmax_reg
        self.alpha_eps = alpha_eps
        self.min_reg = min_reg
        self.log_step_length = nn.Parameter(torch.tensor([math.log(init_step)]))
        self.filter_reg = nn.Parameter(torch.tensor([init_reg]))

    def step_length(self) -> Float[Tensor, ""]:
        """`exp(log_step_length)`."""
        return self.log_step_length.exp().squeeze()

    def score_activation(self, scores: Float[Tensor, "*n rows cols"]) -> Float[Tensor, "*n rows cols"]:
        """Soft-max over each map: the predicted density of the target centre."""
        return softmax_map(scores, self.softmax_reg)

    def label_map(self, centres_yx: Float[Tensor, "targets images 2"], size: tuple[int, int]) -> ScoreMaps:
        """Label density p."""
        density = gaussian_map(centres_yx, size, sigma=self.gauss_sigma) / (2 * math.pi * self.gauss_sigma**2)
        if self.normalize_label:
            density = density / (density.sum(dim=(2, 3), keepdim=True) + 1e-8)
        uniform = self.uniform_weight / math.prod(size)
        return (1 - self.label_shrink) * ((1 - self.uniform_weight) * density + uniform)

    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Float[Tensor, "targets images 2"],  # noqa: ARG002 - other objectives weight cells by distance
        sample_weights: Float[Tensor, "targets images"],
    ) -> SoftmaxObjective:
        """Cross-entropy to the label density."""
        return SoftmaxObjective(
            density=label,
            sample_weight=sample_weights,
            regularisation=self.filter_reg.square().clamp(min=self.min_reg**2).squeeze(),
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

    def label_map(self, centres_yx: Float[Tensor, "targets images 2"], size: tuple[int, int]) -> ScoreMaps:
        """Gaussian of amplitude 1."""
        return gaussian_map(centres_yx, size, sigma=self.gauss_sigma)

    def objective(
        self,
        label: ScoreMaps,
        centres_yx: Float[Tensor, "targets images 2"],  # noqa: ARG002 - other objectives weight cells by distance
        sample_weights: Float[Tensor, "targets images"],
    ) -> HingeObjective:
        """Residuals `√γ (a(s) − m y)` and `filter_reg · w`."""
        mask = ((label > self.hinge_threshold).to(label.dtype) + self.activation_leak).clamp(max=1)
        return HingeObjective(
            label=mask * label,
            mask=mask,
            squared_weight=sample_weights[..., None, None],
            regularisation=self.residual_module.filter_reg.square().squeeze(),
        )


class DimpClassifier(nn.Module):
    """The target classifier: an offline-trained part that makes and improves one filter per target.

    Args:
        filter_initializer: gives the first filter.
        filter_optimizer: improves it on the support set.
        feature_extractor: layer3 features to classification features (see `classification_head`).
    """

    def __init__(
        self,
        filter_initializer: FilterInitializer,
        filter_optimizer: FilterOptimizer,
        feature_extractor: nn.Sequential,
    ) -> None:
        super().__init__()
        self.filter_initializer = filter_initializer
        self.filter_optimizer = filter_optimizer
        self.feature_extractor = feature_extractor

    def extract(self, layer3: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        """Classification features of backbone features."""
        features: Tensor = self.feature_extractor(layer3)
        return features

    def initial_filter(self, features: Features, boxes: Boxes) -> Filters:
        """First filter of each target, from its support images and boxes."""
        filters: Tensor = self.filter_initializer(features, boxes)
        return filters

    def optimise(
        self,
        filters: Filters,
        features: Features,
        boxes: Boxes,
        *,
        iterations: int,
        sample_weights: Float[Tensor, "targets images"] | None = None,
        labels: ScoreMaps | None = None,
        keep_iterates: bool = False,
        keep_losses: bool = False,
    ) -> SolverTrace:
        """Improve each target's filter on its support set.

        Args:
            filters: where to start.
            features: classification features of the support images; may be stored in bfloat16.
            boxes: target box in each image, crop pixels.
            iterations: steepest-descent steps (5 in training).
            sample_weights: weight of each image, 1 / images by default; an image of weight 0 is as good as absent.
            labels: label maps (densities for PrDiMP) in place of those made from the boxes.
            keep_iterates: also return every filter on the way, for the training loss.
            keep_losses: also return the losses on the way.
        """
        kernel = (filters.shape[2], filters.shape[3])
        size = score_size((features.shape[3], features.shape[4]), kernel)
        optimizer = self.filter_optimizer
        middle_yx = (boxes[..., :2] + boxes[..., 2:] / 2).flip(-1)
        centres_yx = middle_yx / optimizer.stride - boxes.new_tensor([side % 2 / 2 for side in kernel])
        if sample_weights is None:
            sample_weights = boxes.new_full(boxes.shape[:2], 1 / boxes.shape[1])
        label = optimizer.label_map(centres_yx, size) if labels is None else labels
        return steepest_descent(
            filters,
            features,
            optimizer.objective(label, centres_yx, sample_weights),
            iterations=iterations,
            step_length=optimizer.step_length(),
            alpha_eps=optimizer.alpha_eps,
            keep_iterates=keep_iterates,
            keep_losses=keep_losses,
        )

    def score(self, filters: Filters, features: Features) -> ScoreMaps:
        """Raw scores of each target's filter on its images; one cell more than the features for an even filter."""
        return apply_filter(features, filters)

    def score_activation(self, scores: Float[Tensor, "*n rows cols"]) -> Float[Tensor, "*n rows cols"]:
        """Raw scores to what the tracker localises in: a density for PrDiMP, else unchanged."""
        return self.filter_optimizer.score_activation(scores)


def classification_head(
    in_channels: int,
    channels: int,
    *,
    blocks: int,
    filter_size: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Layers from backbone features to classification features (DiMP, Sec. 3.5).

    Args:
        in_channels: channels of layer3.
        channels: channels of the classification features.
        blocks: residual blocks before the last convolution: 1 on a ResNet-18, 0 on a ResNet-50.
        filter_size: rows and columns of the target filter; sets the norm, so that scores are of order 1.
        generator: source of the initial weights; the global one by default.
    """
    convolution = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
    norm = InstanceL2Norm(scale=math.sqrt(1 / (channels * filter_size**2)))
    head = nn.Sequential(*(BasicBlock(in_channels, in_channels) for _ in range(blocks)), convolution, norm)
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    return head


def dimp_classifier(
    filter_optimizer: FilterOptimizer,
    *,
    in_channels: int,
    channels: int,
    blocks: int,
    filter_size: int = 4,
    zero_initializer: bool = False,
    generator: torch.Generator | None = None,
) -> DimpClassifier:
    """A classifier around an optimiser; the arguments are those of `classification_head` and `FilterInitializer`.

    ResNet-18 nets: 256 → 256 channels, 1 block; ResNet-50 nets: 1024 → 512 channels, 0 blocks; PrDiMP starts training
    from `zero_initializer`.
    """
    initializer = FilterInitializer(
        channels, filter_size=filter_size, stride=filter_optimizer.stride, zero=zero_initializer, generator=generator
    )
    head = classification_head(in_channels, channels, blocks=blocks, filter_size=filter_size, generator=generator)
    return DimpClassifier(initializer, filter_optimizer, head)
