"""The search region: cropping around a position, and the coordinates that tie crop and image together.

Inside this module and the frame loop, positions and sizes are `(row, col)` and a position is a *pixel index* (pixel
centres at integers), as in the reference implementations, so that results agree with theirs. Nothing outside needs to
know: `box_to_centre` and `centre_to_box` convert at the border of the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lockon.images import Image

BorderMode = Literal["replicate", "inside", "inside_major"]
Rounding = Literal["current", "legacy"]


@dataclass(frozen=True)
class SearchConfig:
    """How the search region is cut from the image."""

    sample_size: int = 288
    """Side of the square crop given to the network, in crop pixels; a multiple of 16."""
    area_factor: float = 5.0
    """Side of the search region relative to the geometric mean of the target's width and height."""
    border_mode: BorderMode = "replicate"
    """Beyond the image: repeat the border, or shrink and shift the region to lie inside (fully, or one side)."""
    max_scale_change: float | None = None
    """Upper bound of that shrinking; None: unbounded."""
    rounding: Rounding = "current"
    """Halving of odd sizes: `current` keeps the half, `legacy` floors (the published numbers of 2019-2022)."""
    scale_factors: tuple[float, ...] = (1.0,)
    """Relative scales searched in every frame; more than one replaces the box estimator."""
    position: Literal["cut", "rounded"] = "cut"
    """Where the crop is taken to lie: exactly where it was cut (DiMP), or at the rounded position (ATOM)."""


class Patch(NamedTuple):
    """A crop and where it came from."""

    pixels: Float[Tensor, "3 rows cols"]
    """0..255, float32."""
    corners_yx: tuple[float, float, float, float]
    """Top, left, bottom, right in image pixels; bottom and right exclusive, fractional under `current` rounding."""


def sample_patch(
    image: Image,
    centre_yx: Sequence[float],
    size_hw: Sequence[float],
    output_hw: tuple[int, int] | None,
    *,
    border_mode: BorderMode = "replicate",
    max_scale_change: float | None = None,
    rounding: Rounding = "current",
) -> Patch:
    """Cut a region from an image and resize it bilinearly.

    Large regions are decimated by whole strides before they are resized; what lies outside the image repeats its
    border. The steps are those of the reference crop routine, in its order, for both rounding regimes: the sub-pixel
    part of the centre is dropped, and the offset of the decimation is not given back in the corners.

    Args:
        image: `(H, W, 3)` uint8.
        centre_yx: centre in image pixels (pixel index).
        size_hw: extent in image pixels.
        output_hw: rows and columns of the result; None leaves the cut as it is.
        border_mode: see `SearchConfig`.
        max_scale_change: see `SearchConfig`.
        rounding: see `SearchConfig`.
    """
    plan = _plan_patch(image.shape[:2], centre_yx, size_hw, output_hw, border_mode, max_scale_change, rounding)
    image = image[plan.offset[0] :: plan.stride, plan.offset[1] :: plan.stride]
    pixels = cut_region(image, np.trunc(plan.top_left).astype(int), np.trunc(plan.bottom_right).astype(int))
    patch = torch.from_numpy(pixels).permute(2, 0, 1).float()
    if output_hw is not None and patch.shape[1:] != torch.Size(output_hw):
        patch = F.interpolate(patch[None], output_hw, mode="bilinear", align_corners=False)[0]
    return Patch(patch, plan.corners_yx)


class _PatchPlan(NamedTuple):
    """Which pixels of an image a patch is made of."""

    stride: int
    offset: NDArray[np.int64]
    """First row and column of the decimated image."""
    top_left: NDArray[np.floating]
    """In pixels of the decimated image, like `bottom_right`."""
    bottom_right: NDArray[np.floating]

    @property
    def corners_yx(self) -> tuple[float, float, float, float]:
        """Of the patch, as in `Patch`."""
        (top, left), (bottom, right) = self.top_left * self.stride, self.bottom_right * self.stride
        return float(top), float(left), float(bottom), float(right)


def _plan_patch(
    image_hw: tuple[int, ...],
    centre_yx: Sequence[float],
    size_hw: Sequence[float],
    output_hw: tuple[int, int] | None,
    border_mode: BorderMode,
    max_scale_change: float | None,
    rounding: Rounding,
) -> _PatchPlan:
    centre = np.trunc(np.asarray(centre_yx, np.float32)).astype(np.int64)
    size = np.asarray(size_hw, np.float32)
    if border_mode != "replicate":
        size = _fit_to_image(size, image_hw, border_mode, max_scale_change)
    stride = 1
    if output_hw is not None:
        stride = max(int(np.min(size / np.asarray(output_hw, np.float32)) - np.float32(0.1)), 1)
    offset = centre % stride
    centre = (centre - offset) // stride
    # An image smaller than the offset still has a border to repeat.
    offset = np.minimum(offset, np.asarray(image_hw) - 1)
    extent = np.maximum(np.round(size / stride), 2)

    if rounding == "legacy":
        top_left = centre - (extent - 1) // 2
        bottom_right = centre + extent // 2 + 1
    else:
        top_left = centre - (extent - 1) / 2
        bottom_right = centre + extent / 2 + 1
    if border_mode != "replicate":
        rows, cols = (len(range(first, length, stride)) for first, length in zip(offset, image_hw, strict=True))
        top_left, bottom_right = _shift_inside(top_left, bottom_right, (rows, cols))
    return _PatchPlan(stride, offset, top_left, bottom_right)


def search_frame(
    image_hw: tuple[int, ...], centre_yx: Sequence[float], scale: float, config: SearchConfig
) -> tuple[tuple[float, float], float]:
    """Centre and scale of the search region of a target, without cutting it."""
    size, extent = config.sample_size, scale * config.sample_size
    plan = _plan_patch(
        image_hw,
        centre_yx,
        (extent, extent),
        (size, size),
        config.border_mode,
        config.max_scale_change,
        config.rounding,
    )
    return crop_frame_of(plan.corners_yx, size)


def _fit_to_image(
    size: NDArray[np.float32], image_hw: tuple[int, ...], border_mode: BorderMode, max_scale_change: float | None
) -> NDArray[np.float32]:
    ratio = size / np.asarray(image_hw[:2], np.float32)
    shrink = ratio.max() if border_mode == "inside" else ratio.min()
    shrink = np.clip(shrink, 1, np.inf if max_scale_change is None else max_scale_change).astype(np.float32)
    fitted: NDArray[np.float32] = np.trunc(size / shrink)
    return fitted


def _shift_inside(
    top_left: NDArray[np.floating], bottom_right: NDArray[np.floating], image_hw: tuple[int, ...]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Move a window into the image; overhang that cannot be avoided is split evenly between the two sides."""
    limit = np.asarray(image_hw[:2])
    shift = np.maximum(-top_left, 0) - np.maximum(bottom_right - limit, 0)
    top_left, bottom_right = top_left + shift, bottom_right + shift
    outside = np.floor((np.maximum(-top_left, 0) + np.maximum(bottom_right - limit, 0)) / 2)
    recentre = np.where(outside > 0, -top_left - outside, 0)
    return top_left + recentre, bottom_right + recentre


def cut_region(image: Image, top_left: NDArray[np.int_], bottom_right: NDArray[np.int_]) -> Image:
    """The rectangle from `top_left` to `bottom_right` (exclusive), `(row, col)`, with the image's border repeated."""
    last = np.array(image.shape[:2]) - 1
    (top, left), (bottom, right) = top_left.clip(0, last), (bottom_right - 1).clip(0, last) + 1
    part = np.ascontiguousarray(image[top:bottom, left:right])
    extent = bottom_right - top_left
    if part.shape[:2] == tuple(extent):
        return part
    before = (-top_left).clip(0, extent - 1)
    after = extent - before - part.shape[:2]
    padded: Image = np.pad(part, (*zip(before, after, strict=True), (0, 0)), mode="edge")
    return padded


def box_to_centre(boxes: Float[Tensor, "targets 4"]) -> tuple[Float[Tensor, "targets 2"], Float[Tensor, "targets 2"]]:
    """`(x, y, w, h)` boxes to pixel-index centres `(row, col)` and sizes `(h, w)`."""
    sizes = boxes[:, [3, 2]]
    return boxes[:, [1, 0]] + (sizes - 1) / 2, sizes


def centre_to_box(
    centres: Float[Tensor, "targets 2"], sizes: Float[Tensor, "targets 2"]
) -> Float[Tensor, "targets 4"]:
    """Exact inverse of `box_to_centre`."""
    top_left = centres - (sizes - 1) / 2
    return torch.cat([top_left.flip(-1), sizes.flip(-1)], dim=-1)


class CropFrame(NamedTuple):
    """Position and scale of the crops of T targets: the map between image and crop pixels."""

    position: Float[Tensor, "targets 2"]
    """Pixel-index centre of the crop in the image, `(row, col)`."""
    scale: Float[Tensor, "targets"]
    """Image pixels per crop pixel."""
    sample_size: int
    """Side of the crop in crop pixels."""

    def to_crop(
        self, centres: Float[Tensor, "targets 2"], sizes: Float[Tensor, "targets 2"]
    ) -> Float[Tensor, "targets 4"]:
        """Image state `(row, col)` to `(x, y, w, h)` boxes in crop pixels."""
        centre = (centres - self.position) / self.scale[:, None] + (self.sample_size - 1) / 2
        return centre_to_box(centre, sizes / self.scale[:, None])

    def to_image(
        self, boxes: Float[Tensor, "targets 4"]
    ) -> tuple[Float[Tensor, "targets 2"], Float[Tensor, "targets 2"]]:
        """`(x, y, w, h)` boxes in crop pixels to centres and sizes `(row, col)` in the image.

        As in the reference this is not the exact inverse of `to_crop`: the continuous centre of the box is read as
        a pixel index, so an unchanged box moves the target by half a crop pixel.
        """
        centre = (boxes[:, :2] + boxes[:, 2:] / 2 - (self.sample_size - 1) / 2).flip(-1)
        return centre * self.scale[:, None] + self.position, boxes[:, 2:].flip(-1) * self.scale[:, None]


def crop_frame_of(
    corners_yx: tuple[float, float, float, float], sample_size: int
) -> tuple[tuple[float, float], float]:
    """Centre and scale of a crop from the corners it was really cut at."""
    top, left, bottom, right = corners_yx
    centre = (0.5 * (top + bottom - 1), 0.5 * (left + right - 1))
    return centre, math.sqrt((bottom - top) / sample_size * ((right - left) / sample_size))
