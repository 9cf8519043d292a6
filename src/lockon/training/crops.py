"""From a target in a frame to a square crop: jitter, the window to cut, its pixels, and boxes in crop pixels.

Where to cut is planned from boxes and frame sizes alone; pixels are fetched afterwards, from a frame that was read or
from a sequence that draws any window itself. Everything is numpy and vectorised over the frames of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.random import Generator

from lockon.boxes import Box
from lockon.data.datasets import TargetSequence
from lockon.images import Image
from lockon.tracking.search_region import cut_region

CropRoutine = Literal["atom", "centred", "replicate", "inside", "inside_major"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CropConfig:
    """How large crops are and what they show; the defaults are those of DiMP and PrDiMP."""

    size: int = 288
    """Side of the crops in pixels."""
    search_factor: float = 5.0
    """Side of the window in square roots of the area of the jittered box."""
    routine: CropRoutine = "replicate"
    """`atom` and `centred` cut around the jittered box wherever that is. The others shift the window into the frame,
    and `inside` and `inside_major` shrink it before that until both sides, or one, fit. `atom` alone maps boxes half
    a pixel off, see `boxes_in_crops`."""
    max_scale_change: float | None = None
    """Upper bound of that shrinking; None: unbounded (SuperDiMP: 1.5)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jitter:
    """How far windows stray from the target, as a tracker's do from one frame to the next."""

    centre: float
    """Range of the displacement, in square roots of the area of the jittered box (DiMP: 3 train, 4.5 test frames)."""
    scale: float
    """Standard deviation of the log of the factor on width and on height (DiMP: 0.25 and 0.5)."""


def jitter_boxes(
    boxes: Float[np.ndarray, "n 4"], centre: Float[np.ndarray, "n"], scale: Float[np.ndarray, "n"], rng: Generator
) -> Float[np.ndarray, "n 4"]:
    """Boxes the windows are made for: disturbed in size, then in place.

    `size' = size · exp(scale · N)` and `centre' = centre + centre_range · sqrt(area') · (U − ½)`, with N from N(0, 1)
    and U from U(0, 1) drawn for each axis on its own: two numbers each, so width and height change independently.

    Args:
        boxes: `(x, y, w, h)` in pixels.
        centre: range of the displacement of each box, as in `Jitter`.
        scale: standard deviation of the log size factors of each box, as in `Jitter`.
        rng: source of the draws.
    """
    size = boxes[:, 2:] * np.exp(scale[:, None] * rng.standard_normal((len(boxes), 2)))
    reach = centre * np.sqrt(size.prod(axis=1))
    middle = boxes[:, :2] + boxes[:, 2:] / 2 + reach[:, None] * (rng.random((len(boxes), 2)) - 0.5)
    return np.concatenate([middle - size / 2, size], axis=1)


class Windows(NamedTuple):
    """Squares of whole pixels to cut from n frames; they may overhang."""

    corner: Int[np.ndarray, "n 2"]
    """First column and row, in frame pixels."""
    side: Int[np.ndarray, "n"]
    """Width and height, in frame pixels; at least 1."""

    def box(self, index: int) -> Box:
        """Window `index` as `(x, y, w, h)`."""
        x, y, side = (float(value) for value in (*self.corner[index], self.side[index]))
        return Box(x, y, side, side)


def plan_windows(boxes: Float[np.ndarray, "n 4"], frame_sizes: Int[np.ndarray, "n 2"], config: CropConfig) -> Windows:
    """Where to cut for (jittered) boxes `(x, y, w, h)` in frames of sizes `(width, height)`.

    The training crops of ATOM, and those of the DiMP family, whose `replicate` shifts windows into the frame as well.
    """
    side = np.ceil(np.sqrt(boxes[:, 2:].prod(axis=1)) * config.search_factor)
    if config.routine in ("inside", "inside_major"):
        ratio = side[:, None] / frame_sizes
        shrink = ratio.max(axis=1) if config.routine == "inside" else ratio.min(axis=1)
        most = np.inf if config.max_scale_change is None else config.max_scale_change
        side = np.floor(side / shrink.clip(1, most))
    side = side.clip(min=1).astype(np.int64)
    corner = np.round(boxes[:, :2] + boxes[:, 2:] / 2 - side[:, None] / 2).astype(np.int64)
    if config.routine not in ("atom", "centred"):
        corner = _shift_inside(corner, side[:, None], frame_sizes)
    return Windows(corner, side)


def _shift_inside(
    corner: Int[np.ndarray, "n 2"], side: Int[np.ndarray, "n 1"], frame_sizes: Int[np.ndarray, "n 2"]
) -> Int[np.ndarray, "n 2"]:
    """Move windows into their frames; overhang that cannot be avoided is split evenly between the two sides."""
    corner = corner + np.maximum(0, -corner) + np.minimum(0, frame_sizes - corner - side)
    outside = (np.maximum(0, -corner) + np.maximum(0, corner + side - frame_sizes)) // 2
    return np.where(outside > 0, -outside, corner)


def boxes_in_crops(
    boxes: Float[np.ndarray, "n 4"], jittered: Float[np.ndarray, "n 4"], windows: Windows, config: CropConfig
) -> Float[np.ndarray, "n 4"]:
    """Frame boxes `(x, y, w, h)` in the pixels of their crops.

    The windows map continuous coordinates, as in the DiMP family. ATOM takes the centre of the jittered box for
    the pixel index `(size − 1) / 2`, half a pixel less, whatever was rounded when the window was cut.
    """
    scale = config.size / windows.side[:, None]
    size = boxes[:, 2:] * scale
    if config.routine != "atom":
        return np.concatenate([(boxes[:, :2] - windows.corner) * scale, size], axis=1)
    offset = (boxes[:, :2] + boxes[:, 2:] / 2) - (jittered[:, :2] + jittered[:, 2:] / 2)
    return np.concatenate([(config.size - 1) / 2 + offset * scale - size / 2, size], axis=1)


def cut_window(image: Image, window: Box, size: int) -> Image:
    """The pixels of a window of whole pixels, `size` a side: bilinear, half-pixel centres, no anti-aliasing.

    What lies outside the frame repeats its border. As in the reference crops, a window that reaches the right or the
    bottom border does without the last column or row: the one before it is repeated in its place.
    """
    first = np.array([int(window.y), int(window.x)])
    stop = first + int(window.w)
    rows, columns = np.array(image.shape[:2]) - (stop >= image.shape[:2])
    part = cut_region(image[: max(rows, 1), : max(columns, 1)], first, stop)
    if len(part) == size:
        return part
    planes = torch.from_numpy(np.require(part, requirements="W")).permute(2, 0, 1)[None]
    resized = F.interpolate(planes, (size, size), mode="bilinear", align_corners=False)[0]
    return resized.permute(1, 2, 0).numpy()


@runtime_checkable
class RenderedSequence(Protocol):
    """A sequence that draws any part of a frame at any resolution, cheaper than the frame."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def render(self, index: int, window: Box, size: tuple[int, int]) -> Image:
        """Part `window` of frame `index` as an image of `size` = (rows, columns); borders repeat beyond the frame."""


class FrameView(Protocol):
    """One frame of a sequence, of which windows can be cut."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def cut(self, window: Box, size: int) -> Image:
        """A square window of whole pixels at `size` pixels a side."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFrame:
    """A frame in memory."""

    image: Image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def cut(self, window: Box, size: int) -> Image:
        """See `cut_window`."""
        return cut_window(self.image, window, size)


@dataclass(frozen=True, slots=True, eq=False)
class RenderedFrame:
    """A frame that is drawn as far as it is looked at."""

    sequence: RenderedSequence
    index: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.sequence.frame_size

    def cut(self, window: Box, size: int) -> Image:
        """The window, drawn at the resolution of the crop."""
        return self.sequence.render(self.index, window, (size, size))


def view_frames(sequence: TargetSequence, indices: Int[np.ndarray, "n"]) -> list[FrameView]:
    """The frames of a sequence with these numbers; each is read once however often it is named.

    Raises:
        DataError: an image cannot be read.
    """
    if isinstance(sequence, RenderedSequence):
        return [RenderedFrame(sequence, int(index)) for index in indices]
    read = {int(index): StoredFrame(sequence.frame(int(index))) for index in np.unique(indices)}
    return [read[int(index)] for index in indices]
