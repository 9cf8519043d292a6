"""Overlap of two regions as the VOT toolkits compute it: on the pixels that the regions cover, inside the image.

Two rules are in use, and they differ by up to 0.01 on small targets. `matlab_overlaps` is that of the C code in the
MATLAB toolkit and in PySOT: a box becomes a polygon with corners at `x + w`, and so covers a column and a row more.
`toolkit_overlaps` is that of the Python toolkit: a box covers `w` × `h` pixels, and regions may be masks.

Hardly anything is painted. A pixel row of a polygon is a few runs of pixels, and the rows of all frames are computed
together; boxes meet in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.boxes import Box
from lockon.errors import DataError
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


_ROWS_AT_ONCE = 1 << 19
_SMALLEST_AREA_RATIO = 1e-10
LARGEST_WINDOW = 1 << 20
"""Pixels; a coordinate that is not less is no position in an image."""


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
    overlaps[meet] = _overlaps_of_rows(_Polygons(corners_a), _Polygons(corners_b), sizes)
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
    return _overlaps_of_rows(_shapes(a, window), _shapes(b, window), window.sizes)


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
    rows = _Rows(np.zeros(height, dtype=np.int64), np.arange(height), np.full(height, width))
    starts, ends = _shapes([region], window).runs(rows)
    columns = np.arange(width)
    runs = (starts[..., None] <= columns) & (columns <= ends[..., None])
    painted: Bool[np.ndarray, "height width"] = np.asarray(runs.any(axis=1))
    return painted


@dataclass(frozen=True, slots=True)
class _Rows:
    """Pixel rows of the windows of many frames, one after another."""

    frame: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    """Row in the window of the frame."""
    width: Int[np.ndarray, "rows"]
    """Width of that window."""


class _Shapes(Protocol):
    """One shape a frame, in coordinates of the frame's window."""

    def runs(self, rows: _Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
        """First and last column of the runs of pixels in each row, none in common; empty if first > last."""
        ...


@dataclass(frozen=True, slots=True)
class _Boxes:
    low: Int[np.ndarray, "frames 2"]
    high: Int[np.ndarray, "frames 2"]
    """The first column and row beyond."""

    def runs(self, rows: _Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
        low, high = self.low[rows.frame], self.high[rows.frame]
        inside = (low[:, 1] <= rows.y) & (rows.y < high[:, 1])
        return low[:, :1], np.where(inside, high[:, 0] - 1, low[:, 0] - 1)[:, None]


@dataclass(frozen=True, slots=True)
class _Polygons:
    corners: Float[np.ndarray, "frames corners 2"]
    """Whole numbers."""
    by_toolkit: bool = False
    """The Python toolkit also counts a horizontal edge, as a crossing at its end, and paints a point that ends a row;
    the C code does neither."""

    def runs(self, rows: _Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
        """Walk along the crossings of each row with the edges.

        Two equal ones are the two edges of one corner, of which the first is skipped; else the pixels from one
        crossing to the next are filled, both included.
        """
        crossings, count = self._crossings(rows)
        starts = np.ones((len(count), crossings.shape[1] - 1), dtype=np.int64)
        ends = np.zeros_like(starts)
        position, painted_to = np.zeros_like(count), np.full_like(count, np.iinfo(np.int64).min)
        for index in range(starts.shape[1]):
            here = (position == index) & (index + 1 < count)
            skips = crossings[:, index] == crossings[:, index + 1]
            if self.by_toolkit:
                skips &= index + 2 < count
            fills = here & ~skips
            position += here * np.where(skips, 1, 2)
            starts[:, index] = np.where(fills, np.maximum(crossings[:, index], painted_to + 1), 1)
            ends[:, index] = np.where(fills, crossings[:, index + 1], 0)
            painted_to = np.where(fills, crossings[:, index + 1], painted_to)
        return starts, ends

    def _crossings(self, rows: _Rows) -> tuple[Int[np.ndarray, "rows edges"], Int[np.ndarray, "rows"]]:
        """Columns where the edges cross each row, in order, and how many there are; the others come last."""
        x, y = self.corners[..., 0], self.corners[..., 1]
        run, rise = ((np.roll(values, 1, axis=1) - values)[rows.frame] for values in (x, y))
        x_from, y_from = x[rows.frame], y[rows.frame]
        offset = rows.y[:, None] - y_from
        crossed = (np.minimum(rise, 0) <= offset) & (offset <= np.maximum(rise, 0))
        if not self.by_toolkit:
            crossed &= rise != 0
        columns = np.trunc(x_from + offset / np.where(rise == 0, 1, rise) * run).astype(np.int64)
        return np.sort(np.where(crossed, columns, np.iinfo(np.int64).max), axis=1), crossed.sum(axis=1)


def _overlaps_of_rows(a: _Shapes, b: _Shapes, sizes: Float[np.ndarray, "frames 2"]) -> Float[np.ndarray, "frames"]:
    counts = np.zeros((3, len(sizes)))
    for rows in _in_portions(sizes):
        runs_a, runs_b = _clipped(a.runs(rows), rows), _clipped(b.runs(rows), rows)
        covered = (_pixels_in_common(runs_a, runs_b), _pixels(runs_a), _pixels(runs_b))
        for total, pixels in zip(counts, covered, strict=True):
            total += np.bincount(rows.frame, weights=pixels, minlength=len(sizes))
    intersection, area_a, area_b = counts
    return intersection / np.maximum(area_a + area_b - intersection, 1)


def _in_portions(sizes: Float[np.ndarray, "frames 2"]) -> Iterator[_Rows]:
    """All rows of all windows, in portions that keep memory small."""
    if (sizes > LARGEST_WINDOW).any():
        raise DataError(
            f"a region reaches over {int(sizes.max())} pixels; are the coordinates in pixels? "
            "With the sizes of the images known, what lies outside is cut off."
        )
    heights, widths = sizes[:, 1].astype(np.int64), sizes[:, 0].astype(np.int64)
    portion = np.cumsum(heights) // _ROWS_AT_ONCE
    for frames in np.split(np.arange(len(heights)), np.flatnonzero(np.diff(portion)) + 1):
        frame = np.repeat(frames, heights[frames])
        before = np.repeat(np.cumsum(heights[frames]) - heights[frames], heights[frames])
        yield _Rows(frame, np.arange(len(frame)) - before, widths[frame])


_Runs = tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]


def _clipped(runs: _Runs, rows: _Rows) -> _Runs:
    return np.maximum(runs[0], 0), np.minimum(runs[1], rows.width[:, None] - 1)


def _pixels(runs: _Runs) -> Int[np.ndarray, "rows"]:
    pixels: Int[np.ndarray, "rows"] = (runs[1] - runs[0] + 1).clip(min=0).sum(axis=1)
    return pixels


def _pixels_in_common(a: _Runs, b: _Runs) -> Int[np.ndarray, "rows"]:
    total = np.zeros(len(a[0]), dtype=np.int64)
    for starts, ends in zip(b[0].T, b[1].T, strict=True):
        total += _pixels((np.maximum(a[0], starts[:, None]), np.minimum(a[1], ends[:, None])))
    return total


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


def _shapes(regions: Sequence[Region], window: _Windows) -> _Shapes:
    """Boxes, or polygons, by the rule of the Python toolkit."""
    if isinstance(regions[0], Box):
        low, high = _box_corners(regions, window)
        return _Boxes(low - window.low, high - window.low)
    corners = np.rint(_corners(regions, np.float64)) - window.low[:, None]
    return _Polygons(corners, by_toolkit=True)


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
