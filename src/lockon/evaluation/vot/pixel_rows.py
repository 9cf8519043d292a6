"""Shapes as runs of pixels, row by row, for many frames at once: overlap without painting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from lockon.errors import DataError

_ROWS_AT_ONCE = 1 << 19
LARGEST_WINDOW = 1 << 20
"""Pixels; a coordinate that is not less is no position in an image."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Pixel rows of the windows of many frames, one after another."""

    frame: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    """Row in the window of the frame."""
    width: Int[np.ndarray, "rows"]
    """Width of that window."""


class Shapes(Protocol):
    """One shape a frame, in coordinates of the frame's window."""

    def runs(self, rows: Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
        """First and last column of the runs of pixels in each row, none in common; empty if first > last."""
        ...


@dataclass(frozen=True, slots=True)
class BoxShapes:
    """Boxes of whole pixels."""

    low: Int[np.ndarray, "frames 2"]
    high: Int[np.ndarray, "frames 2"]
    """The first column and row beyond."""

    def runs(self, rows: Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
        """One run a row."""
        low, high = self.low[rows.frame], self.high[rows.frame]
        inside = (low[:, 1] <= rows.y) & (rows.y < high[:, 1])
        return low[:, :1], np.where(inside, high[:, 0] - 1, low[:, 0] - 1)[:, None]


@dataclass(frozen=True, slots=True)
class PolygonShapes:
    """Polygons, filled as the VOT toolkits do."""

    corners: Float[np.ndarray, "frames corners 2"]
    """Whole numbers."""
    by_toolkit: bool = False
    """The Python toolkit also counts a horizontal edge, as a crossing at its end, and paints a point that ends a row;
    the C code does neither."""

    def runs(self, rows: Rows) -> tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]:
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

    def _crossings(self, rows: Rows) -> tuple[Int[np.ndarray, "rows edges"], Int[np.ndarray, "rows"]]:
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


def overlaps_of_rows(a: Shapes, b: Shapes, sizes: Float[np.ndarray, "frames 2"]) -> Float[np.ndarray, "frames"]:
    """Overlap per frame in pixels; 0 where neither shape has any.

    Args:
        a: shapes, one a frame.
        b: as many again.
        sizes: widths and heights of the frames' windows; what lies outside does not count.

    Raises:
        DataError: a window is larger than `LARGEST_WINDOW`.
    """
    counts = np.zeros((3, len(sizes)))
    for rows in _in_portions(sizes):
        runs_a, runs_b = _clipped(a.runs(rows), rows), _clipped(b.runs(rows), rows)
        covered = (_pixels_in_common(runs_a, runs_b), _pixels(runs_a), _pixels(runs_b))
        for total, pixels in zip(counts, covered, strict=True):
            total += np.bincount(rows.frame, weights=pixels, minlength=len(sizes))
    intersection, area_a, area_b = counts
    return intersection / np.maximum(area_a + area_b - intersection, 1)


def _in_portions(sizes: Float[np.ndarray, "frames 2"]) -> Iterator[Rows]:
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
        yield Rows(frame, np.arange(len(frame)) - before, widths[frame])


_Runs = tuple[Int[np.ndarray, "rows runs"], Int[np.ndarray, "rows runs"]]


def _clipped(runs: _Runs, rows: Rows) -> _Runs:
    return np.maximum(runs[0], 0), np.minimum(runs[1], rows.width[:, None] - 1)


def _pixels(runs: _Runs) -> Int[np.ndarray, "rows"]:
    pixels: Int[np.ndarray, "rows"] = (runs[1] - runs[0] + 1).clip(min=0).sum(axis=1)
    return pixels


def _pixels_in_common(a: _Runs, b: _Runs) -> Int[np.ndarray, "rows"]:
    total = np.zeros(len(a[0]), dtype=np.int64)
    for starts, ends in zip(b[0].T, b[1].T, strict=True):
        total += _pixels((np.maximum(a[0], starts[:, None]), np.minimum(a[1], ends[:, None])))
    return total
