"""Regions other than boxes: polygons and masks, as the VOT challenges have them, and their text.

Text of a region: `x,y,w,h` is a box, `x1,y1,x2,y2,…` with three or more corners a polygon, and `mX,Y,W,H,r1,r2,…` a
mask: the pixels of a window of `W` × `H` at `(X, Y)`, row by row, as lengths of runs that begin with one of zeros.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lockon.boxes import Box
from lockon.errors import DataError

_SEPARATORS = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """A closed polygon."""

    points: Float[np.ndarray, "corners 2"]
    """Corners `(x, y)` in pixels."""

    @property
    def box(self) -> Box:
        """The smallest box around it (the rule called `union`)."""
        (left, top), (right, bottom) = self.points.min(axis=0), self.points.max(axis=0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))

    @property
    def area_preserving_box(self) -> Box:
        """The box at the mean of the corners with the area of the (rotated) rectangle, plus one pixel a side.

        What trackers of axis-aligned boxes are started with on VOT2015 to VOT2019 (the rule `preserve_area`). The
        aspect ratio is that of the box around the polygon.
        """
        centre_x, centre_y = (float(value) for value in self.points.mean(axis=0))
        around = self.box
        area = math.dist(self.points[0], self.points[1]) * math.dist(self.points[1], self.points[2])
        scale = math.sqrt(area / around.area) if around.area > 0 else 1.0
        width, height = scale * around.w + 1, scale * around.h + 1
        return Box(centre_x - width / 2, centre_y - height / 2, width, height)


@dataclass(frozen=True, slots=True, eq=False)
class MaskRegion:
    """The pixels of an object, cut out of the image."""

    left: int
    top: int
    """Column and row of the first pixel of `pixels` in the image."""
    pixels: Bool[np.ndarray, "height width"]

    @classmethod
    def of(cls, mask: Bool[np.ndarray, "height width"]) -> MaskRegion:
        """Cut the smallest window out of a mask of the whole image; an empty mask gives an empty window."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return cls(0, 0, np.zeros((0, 0), dtype=np.bool_))
        left, top = int(columns[0]), int(rows[0])
        return cls(left, top, mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy())

    @property
    def box(self) -> Box:
        """The smallest box around the pixels that are set; without area if none is."""
        tight = MaskRegion.of(self.pixels)
        height, width = tight.pixels.shape
        return Box(float(self.left + tight.left), float(self.top + tight.top), float(width), float(height))


Region = Box | Polygon | MaskRegion


def parse_region(text: str) -> Region:
    """Read one region. Numbers stay as they are written: NaN and boxes without area too.

    Raises:
        DataError: the text is none of the three forms, or the runs of a mask do not fit its window.
    """
    text = text.strip()
    if text.startswith("m"):
        return _parse_mask(text)
    try:
        numbers = [float(part) for part in _SEPARATORS.split(text)]
    except ValueError:
        numbers = []
    if len(numbers) == 4:
        return Box(*numbers)
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        return Polygon(np.array(numbers).reshape(-1, 2))
    raise DataError(
        f"{_shortened(text)} is no region; expected a box x,y,w,h, a polygon x1,y1,…,x4,y4 or a mask mX,Y,W,H,runs."
    )


def format_region(region: Region) -> str:
    """The text of a region, from which `parse_region` makes the same region again, to the last bit."""
    if isinstance(region, MaskRegion):
        height, width = region.pixels.shape
        return "m" + ",".join(str(value) for value in (region.left, region.top, width, height, *_runs(region.pixels)))
    numbers = region if isinstance(region, Box) else region.points.ravel()
    return ",".join(repr(float(value)) for value in numbers)


def _parse_mask(text: str) -> MaskRegion:
    try:
        left, top, width, height, *runs = (int(part) for part in _SEPARATORS.split(text[1:].strip()))
    except ValueError as error:
        raise DataError(f"{_shortened(text)} is no mask; expected whole numbers mX,Y,W,H,r1,r2,….") from error
    if min(width, height, *runs, 0) < 0 or sum(runs) > width * height:
        raise DataError(
            f"{_shortened(text)} is no mask: its runs need {sum(runs)} pixels, none of them negative, in a window of "
            f"{width}×{height}. Was the line cut off or changed?"
        )
    # Writers may leave out the last run of zeros.
    lengths = [*runs, width * height - sum(runs)]
    values = np.arange(len(lengths)) % 2 == 1
    values[-1] = False
    return MaskRegion(left, top, np.repeat(values, lengths).reshape(height, width))


def _runs(pixels: Bool[np.ndarray, "height width"]) -> list[int]:
    flat = np.concatenate([[False], pixels.ravel()])
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(starts, prepend=0, append=pixels.size)] if pixels.size else []


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
