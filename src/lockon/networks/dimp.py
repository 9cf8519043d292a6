"""The DiMP family's target classifier: features, first filter, and the learned optimiser of the filter.

Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019 (DiMP); Danelljan et al.,
"Probabilistic Regression for Visual Tracking", CVPR 2020 (PrDiMP). The modules and their parameters carry the names
of the official checkpoints.

Boxes are `(x, y, w, h)` in crop pixels; with an even filter the score cell p lies at crop coordinate `stride · p`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lockon.networks.filter_optimizers import FilterOptimizer, SampleWeights, ScoreMaps
from lockon.networks.resnet import BasicBlock
from lockon.nn.filters import apply_filter, score_size
from lockon.nn.layers import InstanceL2Norm
from lockon.nn.prpool import bin_weights
from lockon.nn.steepest_descent import SolverTrace, steepest_descent

Boxes = Float[Tensor, "targets images 4"]
Features = Float[Tensor, "targets images channels height width"]
Filters = Float[Tensor, "targets channels kernel_rows kernel_cols"]


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
        return self.normalise(self.convolve(layer3))

    def convolve(self, layer3: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c h w"]:
        """`extract` without the norm at its end: values depend on their surroundings only, not on the whole map."""
        *layers, _ = self.feature_extractor
        for layer in layers:
            layer3 = layer(layer3)
        return layer3

    def normalise(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Classification features, from the result of `convolve`."""
        features: Tensor = self.feature_extractor[-1](maps)
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
        sample_weights: SampleWeights | None = None,
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
