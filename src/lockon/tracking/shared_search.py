"""One pass of the backbone for several targets in one image.

Targets whose search regions have similar scales share a level: the part of the image that the regions cover, at one
scale, encoded once. The features of each target are a window of the level's. Compared with a crop of its own, a
target is seen at a scale that differs by up to the square root of `LARGEST_RATIO`, the window starts at a whole cell,
and its border sees the image beyond instead of the padding of the convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lockon.images import Image
from lockon.tracking.search import SearchRegions, cut_search_regions
from lockon.tracking.search_region import SearchConfig, sample_patch, search_frame

LARGEST_RATIO = 1.3
"""Of the scales that share a level."""
_CELL = 16
"""Crop pixels per cell of layer3; half as many for layer2."""
_MARGIN = 2
"""Cells of a level beyond the border of the image; what lies further out repeats the last of them."""
_WORTHWHILE = 0.75
"""Largest area of a level, relative to the crops it replaces: passes of one image are slower per pixel."""


class Level(NamedTuple):
    """What is encoded for some of the targets."""

    patches: Float[Tensor, "n 3 rows cols"]
    """One that all share, or a search region for each."""
    targets: list[int]
    starts: Int[Tensor, "targets 2"] | None = None
    """First cell (row, col) at stride 16 of each target's window in the shared features."""


class SharedSearch(NamedTuple):
    """The search regions of all targets, and the levels that show them."""

    levels: list[Level]
    regions: SearchRegions

    def of_targets(self, maps: Sequence[Float[Tensor, "_ channels _ _"]]) -> Float[Tensor, "targets channels _ _"]:
        """Feature maps of every target's search region, at stride 8 or 16, from those of the levels."""
        windows = []
        for level, of_level in zip(self.levels, maps, strict=True):
            if level.starts is None:
                windows.append(of_level)
                continue
            per_cell = round(of_level.shape[-1] * _CELL / level.patches.shape[-1])
            windows.append(_windows(of_level, per_cell * level.starts, per_cell * self.regions.sample_size // _CELL))
        order = torch.tensor([target for level in self.levels for target in level.targets]).argsort()
        return torch.cat(windows)[order]


def cut_shared(
    image: Image, positions: Float[Tensor, "targets 2"], scales: Float[Tensor, "targets"], config: SearchConfig
) -> SharedSearch:
    """`cut_search_regions` at one scale per target, with levels where they are less work than a crop per target."""
    size = config.sample_size
    frames = [
        search_frame(image.shape[:2], position, scale, config)
        for position, scale in zip(positions.tolist(), scales.tolist(), strict=True)
    ]
    centres, wanted = (np.array(values) for values in zip(*frames, strict=True))
    regions = SearchRegions(torch.empty(len(frames), 1, 2), torch.empty(len(frames), 1), size)
    levels: list[Level] = []
    apart: list[int] = []
    for targets in _group(wanted.tolist()):
        scale = math.sqrt(wanted[targets].min() * wanted[targets].max())
        centre, cells = _covered(centres[targets], scale, image, size)
        if math.prod(cells) * _CELL**2 > _WORTHWHILE * len(targets) * size**2:
            apart += targets
            continue
        pixels, first, pitch = _cut_level(image, centre, cells, scale)
        half = (size - 1) / 2
        starts = np.round(((centres[targets] - first) / pitch - half) / _CELL).astype(np.int64)
        levels.append(Level(pixels[None], targets, torch.from_numpy(starts)))
        regions.positions[targets, 0] = torch.from_numpy(first + (starts * _CELL + half) * pitch).float()
        regions.scales[targets] = math.sqrt(pitch.prod())
    if apart:
        patches, own = cut_search_regions([image] * len(apart), positions[apart], scales[apart], config)
        levels.append(Level(patches, apart))
        regions.positions[apart], regions.scales[apart] = own.positions, own.scales
    return SharedSearch(levels, regions)


def _covered(
    centres: Float[np.ndarray, "n 2"], scale: float, image: Image, size: int
) -> tuple[Float[np.ndarray, "2"], tuple[int, int]]:
    """What search regions around `centres` cover of the image and its margin: the centre, and rows and columns."""
    margin, half = _MARGIN * _CELL * scale, scale * size / 2
    limit = np.array(image.shape[:2]) + margin
    low = (centres.min(axis=0) - half).clip(-margin, limit)
    high = (centres.max(axis=0) + half).clip(-margin, limit)
    rows, cols = np.ceil((high - low) / (scale * _CELL)).clip(min=1).astype(int).tolist()
    return (low + high) / 2, (rows, cols)


def _cut_level(
    image: Image, centre: Float[np.ndarray, "2"], cells: tuple[int, int], scale: float
) -> tuple[Float[Tensor, "3 rows cols"], Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """The pixels of a level, the image position (row, col) of the first of them, and their distance."""
    rows, cols = (n * _CELL for n in cells)
    # This rounding returns the corners of the very pixels that are cut.
    patch = sample_patch(image, centre.tolist(), (rows * scale, cols * scale), (rows, cols), rounding="legacy")
    top, left, bottom, right = patch.corners_yx
    pitch = np.array([(bottom - top) / rows, (right - left) / cols])
    return patch.pixels, np.array([top, left]) + (pitch - 1) / 2, pitch


def _group(scales: Sequence[float]) -> list[list[int]]:
    """Indices of similar scales, smallest first."""
    groups: list[list[int]] = []
    for index in sorted(range(len(scales)), key=lambda i: scales[i]):
        if not groups or scales[index] > LARGEST_RATIO * scales[groups[-1][0]]:
            groups.append([])
        groups[-1].append(index)
    return groups


def _windows(
    features: Float[Tensor, "1 channels rows cols"], starts: Int[Tensor, "n 2"], size: int
) -> Float[Tensor, "n channels size size"]:
    steps = torch.arange(size, device=features.device)
    row, col = (
        (starts[:, axis, None].to(features.device) + steps).clamp(0, features.shape[2 + axis] - 1) for axis in (0, 1)
    )
    return features[0].permute(1, 2, 0)[row[:, :, None], col[:, None, :]].permute(0, 3, 1, 2)
