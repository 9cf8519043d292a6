"""Overlap of two regions as the VOT toolkits compute it: on the pixels that the regions cover, inside the image.

Two rules are in use, and they differ by up to 0.01 on small targets. `matlab_overlaps` is that of the C code in the
MATLAB toolkit and in PySOT: a box becomes a polygon with corners at `x + w`, and so covers a column and a row more.
`toolkit_overlaps` is that of the Python toolkit: a box covers `w` × `h` pixels, and regions may be masks.

Hardly anything is painted. A pixel row of a polygon is a few runs of pixels, and the rows of all frames are computed
together; boxes meet in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.evaluation.vot.pixel_rows import (
    LARGEST_WINDOW,
    BoxShapes,
    PolygonShapes,
    Rows,
    Shapes,
    overlaps_of_rows,
)
from lockon.regions import MaskRegion, Polygon, Region

Bounds = tuple[int, int]
"""Width and height of the image in pixels."""


class Overlaps(Protocol):
    """A rule of overlap."""

    def __call__(
        self, a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None
    ) -> Float[np.ndarray, "frames"]:
        """Overlap per pair of regions, of pixels inside the image."""
        ...


_SMALLEST_AREA_RATIO = 1e-10


def matlab_overlaps(a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None) -> Float[np.ndarray, "frames"]:
    """Overlap per pair of regions by the rule of the MATLAB toolkit and PySOT, in [0, 1].

    Args:
        a: boxes or polygons.
        b: as many again.
        bounds: the last column and row that count; None: only what is left of or above the image is cut off.

    Raises:
        DataError: a region is a mask, or has coordinates that are no positions in an image.
    """
    first, second = _corners(a, np.float32), _corners(b, np.float32)
    limit = np.array([np.inf, np.inf] if bounds is None else bounds)
    (low_a, high_a), (low_b, high_b) = _bounding_boxes(first, limit), _bounding_boxes(second, limit)
    area_a, area_b = (high_a - low_a).prod(axis=1), (high_b - low_b).prod(axis=1)
    meet = (np.minimum(high_a, high_b) > np.maximum(low_a, low_b)).all(axis=1)
    meet &= np.minimum(area_a, area_b) >= _SMALLEST_AREA_RATIO * np.maximum(area_a, area_b)
    origin = np.minimum(low_a, low_b)[meet]
    sizes = np.maximum(high_a, high_b)[meet] - origin + 1
    shift = origin[:, None].astype(np.float32)
    corners_a, corners_b = (_round_half_away(corners[meet] - shift) for corners in (first, second))
    overlaps = np.zeros(len(a))
    overlaps[meet] = overlaps_of_rows(PolygonShapes(corners_a), PolygonShapes(corners_b), sizes)
    return overlaps


def toolkit_overlaps(a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None) -> Float[np.ndarray, "frames"]:
    """Overlap per pair of regions by the rule of the Python toolkit, in [0, 1]; 1 where both are empty.

    Args:
        a: regions of any kind.
        b: as many again.
        bounds: size of the image; pixels beyond it do not count. None: all do.

    Raises:
        DataError: a region has coordinates that are no positions in an image.
    """
    groups: dict[tuple[Overlaps, int, int], list[int]] = {}
    for index, (first, second) in enumerate(zip(a, b, strict=True)):
        groups.setdefault((_rule_for(first, second), _corner_count(first), _corner_count(second)), []).append(index)
    overlaps = np.zeros(len(a))
    for (rule, *_), indices in groups.items():
        overlaps[indices] = rule([a[index] for index in indices], [b[index] for index in indices], bounds)
    return overlaps


def is_empty(region: Region) -> bool:
    """Whether a region covers nothing: what annotators write where the target cannot be seen."""
    if isinstance(region, MaskRegion):
        return not region.pixels.any()
    return isinstance(region, Box) and not (region.w > 0 and region.h > 0)


def _corner_count(region: Region) -> int:
    return len(region.points) if isinstance(region, Polygon) else 0


def _rule_for(a: Region, b: Region) -> Overlaps:
    if is_empty(a) or is_empty(b):
        return _overlaps_with_nothing
    if isinstance(a, Box) and isinstance(b, Box):
        return _overlaps_of_boxes
    return _overlaps_with_masks if MaskRegion in (type(a), type(b)) else _overlaps_with_polygons


def _overlaps_with_nothing(
    a: Sequence[Region],
    b: Sequence[Region],
    bounds: Bounds | None,  # noqa: ARG001 - one of several rules
) -> Float[np.ndarray, "frames"]:
    return np.array([float(is_empty(first) and is_empty(second)) for first, second in zip(a, b, strict=True)])


def _overlaps_of_boxes(
    a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None
) -> Float[np.ndarray, "frames"]:
    window = _Windows.around(a, b, bounds)
    (low_a, high_a), (low_b, high_b) = _box_corners(a, window), _box_corners(b, window)
    intersection = (np.minimum(high_a, high_b) - np.maximum(low_a, low_b)).clip(min=0).prod(axis=1)
    union = (high_a - low_a).clip(min=0).prod(axis=1) + (high_b - low_b).clip(min=0).prod(axis=1) - intersection
    overlaps: Float[np.ndarray, "frames"] = intersection / np.maximum(union, 1)
    return overlaps


def _overlaps_with_polygons(
    a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None
) -> Float[np.ndarray, "frames"]:
    window = _Windows.around(a, b, bounds)
    return overlaps_of_rows(_shapes(a, window), _shapes(b, window), window.sizes)


def _overlaps_with_masks(
    a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None
) -> Float[np.ndarray, "frames"]:
    overlaps = np.zeros(len(a))
    for index, (first, second) in enumerate(zip(a, b, strict=True)):
        window = _Windows.around([first], [second], bounds)
        one, other = _painted(first, window), _painted(second, window)
        union = int(np.count_nonzero(one | other))
        overlaps[index] = np.count_nonzero(one & other) / union if union else 0.0
    return overlaps


@dataclass(frozen=True, slots=True)
class _Windows:
    """The pixels around two regions, inside the image, of every frame."""

    low: Int[np.ndarray, "frames 2"]
    high: Int[np.ndarray, "frames 2"]
    """The first column and row beyond."""

    @classmethod
    def around(cls, a: Sequence[Region], b: Sequence[Region], bounds: Bounds | None) -> _Windows:
        corners = np.array([[_pixel_corners(region) for region in regions] for regions in (a, b)])
        low, high = corners[:, :, 0].min(axis=0), corners[:, :, 1].max(axis=0)
        return cls(low, high) if bounds is None else cls(low.clip(min=0), high.clip(max=bounds))

    @property
    def sizes(self) -> Int[np.ndarray, "frames 2"]:
        """Widths and heights."""
        sizes: Int[np.ndarray, "frames 2"] = (self.high - self.low).clip(min=0)
        return sizes


def _box_corners(
    regions: Sequence[Region], window: _Windows
) -> tuple[Int[np.ndarray, "frames 2"], Int[np.ndarray, "frames 2"]]:
    """First pixel of each box, and the first beyond, cut off at the window.

    In images without known borders, a window that begins left of or above the image cuts boxes (and nothing else) off
    by as much at its other end: so the toolkit counts.
    """
    corners = np.array([_pixel_corners(region) for region in regions])
    end = window.high + window.low.clip(max=0)
    return np.maximum(corners[:, 0], window.low), np.minimum(corners[:, 1], end)


def _painted(region: Region, window: _Windows) -> Bool[np.ndarray, "height width"]:
    width, height = (int(side) for side in window.sizes[0])
    if isinstance(region, MaskRegion):
        pixels = np.zeros((height, width), dtype=np.bool_)
        left, top = region.left - int(window.low[0, 0]), region.top - int(window.low[0, 1])
        shown = region.pixels[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
        pixels[max(top, 0) : max(top, 0) + shown.shape[0], max(left, 0) : max(left, 0) + shown.shape[1]] = shown
        return pixels
    rows = Rows(np.zeros(height, dtype=np.int64), np.arange(height), np.full(height, width))
    starts, ends = _shapes([region], window).runs(rows)
    columns = np.arange(width)
    runs = (starts[..., None] <= columns) & (columns <= ends[..., None])
    painted: Bool[np.ndarray, "height width"] = np.asarray(runs.any(axis=1))
    return painted


def _bounding_boxes(
    corners: Float[np.ndarray, "frames corners 2"], limit: Float[np.ndarray, "2"]
) -> tuple[Float[np.ndarray, "frames 2"], Float[np.ndarray, "frames 2"]]:
    low, high = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    return low.astype(np.float64).clip(0, limit), high.astype(np.float64).clip(0, limit)


def _pixel_corners(region: Region) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first pixel, and the first beyond the last."""
    if isinstance(region, MaskRegion):
        height, width = region.pixels.shape
        return (region.left, region.top), (region.left + width, region.top + height)
    if isinstance(region, Box):
        left, top, width, height = (_pixel(value) for value in region)
        return (left, top), (left + width, top + height)
    (left, top), (right, bottom) = (map(_pixel, edge(axis=0)) for edge in (region.points.min, region.points.max))
    return (left, top), (right + 1, bottom + 1)


def _pixel(value: float) -> int:
    if not abs(value) < LARGEST_WINDOW:
        raise DataError(f"a region has the coordinate {value}, which is no position in an image.")
    return round(value)


def _shapes(regions: Sequence[Region], window: _Windows) -> Shapes:
    """Boxes, or polygons, by the rule of the Python toolkit."""
    if isinstance(regions[0], Box):
        low, high = _box_corners(regions, window)
        return BoxShapes(low - window.low, high - window.low)
    corners = np.rint(_corners(regions, np.float64)) - window.low[:, None]
    return PolygonShapes(corners, by_toolkit=True)


def _round_half_away(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    wide = values.astype(np.float64)
    return np.trunc(wide + np.copysign(0.5, wide))


def _corners(regions: Sequence[Region], kind: type[np.floating]) -> Float[np.ndarray, "frames corners 2"]:
    """Corners of boxes and polygons; a shape with fewer than the most has its last corner several times."""
    most = max((len(region.points) for region in regions if isinstance(region, Polygon)), default=4)
    corners = np.empty((len(regions), max(most, 4), 2), dtype=kind)
    for index, region in enumerate(regions):
        if isinstance(region, MaskRegion):
            raise DataError("a region is a mask, which these rules do not know; take the rules 'vot_toolkit'.")
        if isinstance(region, Box):
            x, y, w, h = (kind(value) for value in region)
            points = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], dtype=kind)
        else:
            points = region.points
        corners[index, : len(points)], corners[index, len(points) :] = points, points[-1]
    if not (np.abs(corners) < LARGEST_WINDOW).all():
        raise DataError("a region has a coordinate that is no position in an image.")
    return corners
