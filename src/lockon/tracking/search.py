"""One frame's search: cutting the regions of T targets at S scales, encoding them, choosing among the scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lockon.images import Image
from lockon.networks.resnet import BackboneFeatures
from lockon.tracking.search_region import CropFrame, SearchConfig, crop_frame_of, sample_patch

Encoder = Callable[[Float[Tensor, "crops 3 rows cols"]], BackboneFeatures]
"""The backbone, from crops with values from 0 to 255."""


@dataclass(frozen=True)
class SearchRegions:
    """Where the search regions of T targets at S scales lie."""

    positions: Float[Tensor, "targets scales 2"]
    scales: Float[Tensor, "targets scales"]
    sample_size: int

    def at(self, chosen: Int[Tensor, "targets"]) -> CropFrame:
        """The regions of the scale chosen for each target."""
        targets = torch.arange(len(chosen))
        return CropFrame(self.positions[targets, chosen], self.scales[targets, chosen], self.sample_size)


def cut_search_regions(
    images: list[Image],
    positions: Float[Tensor, "targets 2"],
    scales: Float[Tensor, "targets"],
    config: SearchConfig,
) -> tuple[Float[Tensor, "crops 3 size size"], SearchRegions]:
    """Cut the search region of every target at every scale; crops are ordered targets first.

    Args:
        images: the image each target is in.
        positions: target positions, pixel indices (row, col).
        scales: image pixels per crop pixel.
        config: size, border and scales of the search regions.
    """
    size = config.sample_size
    patches, centres, cut_scales = [], [], []
    for image, position, target_scale in zip(images, positions.tolist(), scales.tolist(), strict=True):
        for factor in config.scale_factors:
            extent = target_scale * factor * size
            patch = sample_patch(
                image,
                position,
                (extent, extent),
                (size, size),
                border_mode=config.border_mode,
                max_scale_change=config.max_scale_change,
                rounding=config.rounding,
            )
            patches.append(patch.pixels)
            if config.position == "cut":
                centre, scale = crop_frame_of(patch.corners_yx, size)
            else:
                # ATOM cuts at the truncated position but reasons about the rounded one.
                centre, scale = (float(round(position[0])), float(round(position[1]))), target_scale * factor
            centres.append(centre)
            cut_scales.append(scale)
    shape = (len(images), len(config.scale_factors))
    regions = SearchRegions(
        torch.tensor(centres).unflatten(0, shape), torch.tensor(cut_scales).unflatten(0, shape), size
    )
    return torch.stack(patches), regions


def features_of(features: BackboneFeatures, chosen: Int[Tensor, "chosen"], crops: int) -> BackboneFeatures:
    """Backbone features of some of the crops."""
    if len(chosen) == crops:
        return features
    return BackboneFeatures(features.layer2[chosen], features.layer3[chosen])
