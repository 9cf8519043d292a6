"""What callers hand to a tracker, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lockon.boxes import Box
from lockon.errors import BoxError, ImageError, LockonError
from lockon.images import Image, as_rgb8
from lockon.tracking.randomness import SEEDS

Frames = NDArray[Any] | Tensor | list[NDArray[Any] | Tensor] | tuple[NDArray[Any] | Tensor, ...]
"""One image that all targets are in, or one image per target."""
Boxes = Sequence[float] | Sequence[Sequence[float]] | NDArray[Any] | Tensor
"""One box `(x, y, w, h)`, or `(T, 4)`."""


def parse_images(frames: Frames, targets: int, lockstep: bool) -> list[Image]:
    """The image of every target, as `(H, W, 3)` uint8 RGB.

    Raises:
        ImageError: an image cannot be read as RGB, or there are not as many as videos.
    """
    if not lockstep:
        if isinstance(frames, list | tuple):
            raise ImageError("this track follows all its targets in one video; give one image per step.")
        return [as_rgb8(frames)] * targets
    if not isinstance(frames, list | tuple) or len(frames) != targets:
        raise ImageError(f"this track follows {targets} videos in lock-step; give a list of {targets} images.")
    return [as_rgb8(frame) for frame in frames]


def parse_boxes(boxes: Boxes) -> tuple[list[Box], bool]:
    """Validated boxes, and whether a single plain one was given.

    Raises:
        BoxError: a box is malformed.
    """
    try:
        values = boxes.detach().cpu().double().numpy() if isinstance(boxes, Tensor) else np.asarray(boxes)
    except ValueError as error:  # rows of different lengths
        raise BoxError(f"each box has four numbers x,y,w,h; got {boxes!r}.") from error
    if values.ndim == 1:
        return [Box.parse(values.tolist())], True
    if values.ndim != 2 or len(values) == 0:
        raise BoxError(f"boxes are one (x, y, w, h) or an array (T, 4) with T > 0; got shape {values.shape}.")
    return [Box.parse(row) for row in values.tolist()], False


def parse_seeds(seed: int | np.integer | Sequence[int], targets: int) -> tuple[int, ...]:
    """A seed per target.

    Raises:
        LockonError: a seed is negative or too large, or there are not as many as targets.
    """
    seeds = (int(seed),) * targets if isinstance(seed, int | np.integer) else tuple(int(one) for one in seed)
    if len(seeds) != targets:
        raise LockonError(f"got {len(seeds)} seeds for {targets} targets; give one for all, or one for each.")
    if not all(0 <= one < SEEDS for one in seeds):
        raise LockonError(f"seeds are whole numbers from 0 to 2**128 - 1; got {seed}.")
    return seeds


def check_on_image(box: Box, image: Image) -> None:
    """Refuse a box that no target in the image can have.

    Raises:
        BoxError: it is larger than the image, or off it.
    """
    height, width = image.shape[:2]
    if not box.overlaps(width, height):
        raise BoxError(f"box {tuple(box)} lies outside the {width} x {height} image; x, y, w, h are in pixels.")
    if box.w > width or box.h > height:
        raise BoxError(
            f"box {tuple(box)} is larger than the {width} x {height} image; mark the target, not the frame."
        )
