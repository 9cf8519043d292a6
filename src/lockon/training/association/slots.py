"""The candidates of a frame as a training sample has them: a fixed number of slots, some of them filled up.

Batches need the same number of candidates in every frame (KeepTrack, ICCV 2021, supplement A.2). The highest ones are
kept; what is missing becomes an artificial candidate with a low score, away from the others. Positions are (y, x).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator

from lockon.boxes import Box
from lockon.training.mining.frames import MinedFrame

_TRIES = 20
"""Points that are drawn for an artificial candidate; the loneliest becomes one."""
_ARTIFICIAL_SCORE = 0.05
_ARTIFICIAL_SPREAD, _ARTIFICIAL_MOST = 1 / 50, 0.025
"""Standard deviation of what an artificial score has more than the least, and its upper bound."""

Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Slots:
    """Candidates of one frame."""

    region: Box
    """Search area, as `MinedFrame.region`."""
    frame_size: tuple[int, int]
    """Height and width of the image in pixels."""
    cells_a_side: int
    """Of the score map."""
    points: Float[np.ndarray, "slots 2"]
    """In image pixels."""
    cells: Int[np.ndarray, "slots 2"]
    """In the score map."""
    scores: Float[np.ndarray, "slots"]
    real: Bool[np.ndarray, "slots"]
    """False where the slot is empty, or its candidate is artificial."""

    def without(self, slots: Int[np.ndarray, "k"] | int) -> Slots:
        """The same with some slots empty."""
        real = self.real.copy()
        real[slots] = False
        return replace(self, real=real)

    def with_scores(self, scores: Float[np.ndarray, "slots"]) -> Slots:
        """The same with other scores."""
        return replace(self, scores=scores)

    def seen_in(self, region: Box) -> Slots:
        """The same candidates in a search area a little elsewhere: their cells stay, new ones are counted in it."""
        return replace(self, region=region)


def slots_of(frame: MinedFrame, count: int | None) -> Slots:
    """The highest candidates of a frame.

    Args:
        frame: the frame.
        count: number of slots, the last of which are empty if there are fewer candidates; None: one for each.
    """
    count = len(frame.candidate_cells) if count is None else count
    cells = np.zeros((count, 2), np.int64)
    scores = np.zeros(count)
    kept = min(count, len(frame.candidate_cells))
    cells[:kept], scores[:kept] = frame.candidate_cells[:kept], frame.candidate_scores[:kept]
    side = len(frame.score_map)
    return Slots(
        region=frame.region,
        frame_size=frame.frame_size,
        cells_a_side=side,
        points=points_of(cells, frame.region, side),
        cells=cells,
        scores=scores,
        real=np.arange(count) < kept,
    )


def points_of(cells: Int[np.ndarray, "n 2"], region: Box, side: int) -> Points:
    """Image pixels of cells: the outermost cells lie on the border of the search area."""
    points: Points = np.array([region.y, region.x]) + cells * np.array([region.h, region.w]) / (side - 1)
    return points


def cells_of(points: Points, region: Box, side: int) -> Int[np.ndarray, "n 2"]:
    """Cells nearest to image pixels."""
    places = (points - [region.y, region.x]) / [region.h, region.w] * (side - 1)
    return places.round().clip(0, side - 1).astype(np.int64)


def fill(slots: Slots, taken: Points, rng: Generator, *, score_scale: float = 1.0) -> tuple[Slots, Points]:
    """Put artificial candidates into the empty slots, each far from all that is taken.

    Args:
        slots: of a frame.
        taken: places to keep away from.
        rng: source of the draws.
        score_scale: of the artificial scores, which are 0.05 to 0.075 times this.

    Returns:
        The slots, and all places that are taken now.
    """
    points, scores = slots.points.copy(), slots.scores.copy()
    for slot in np.flatnonzero(~slots.real):
        drawn = _points_in_view(slots, rng)
        lonely = _distances(drawn, taken).min(axis=1, initial=np.inf).argmax()
        points[slot] = drawn[lonely]
        more = min(abs(rng.standard_normal()) * _ARTIFICIAL_SPREAD, _ARTIFICIAL_MOST)
        scores[slot] = score_scale * (_ARTIFICIAL_SCORE + more)
        taken = np.concatenate([taken, points[slot][None]])
    nearest = cells_of(points, slots.region, slots.cells_a_side)
    cells = np.where(slots.real[:, None], slots.cells, nearest)
    return replace(slots, points=points, scores=scores, cells=cells), taken


def _points_in_view(slots: Slots, rng: Generator) -> Float[np.ndarray, "tries 2"]:
    """Uniform points of the part of the search area that lies in the image."""
    region, size = slots.region, np.array(slots.frame_size, np.float64)
    low = np.array([region.y, region.x]).clip(0, size)
    high = np.array([region.y + region.h, region.x + region.w]).clip(0, size)
    return rng.uniform(low, high, (_TRIES, 2))


def _distances(points: Points, others: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "n k"]:
    distances: Float[np.ndarray, "n k"] = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return distances


def move(slots: Slots, rng: Generator) -> Slots:
    """Move every candidate a little: a quarter of the way to where it would touch another, a cell at most.

    Per point and axis uniform in ± min(√2 · d / 4, width of a cell), where d is the least distance of two points that
    differ; if all are one, ± half a cell. The points stay in the image. Cells stay as they are: what a
    candidate looks like is not moved.
    """
    cell = np.array([slots.region.h, slots.region.w]) / slots.cells_a_side
    apart = _distances(slots.points, slots.points)
    apart = apart[apart > 0]
    reach = np.minimum(math.sqrt(2) * apart.min() / 4, cell) if len(apart) else 0.5 * cell
    moved = slots.points + rng.uniform(-reach, reach, slots.points.shape)
    return replace(slots, points=moved.clip(0, np.array(slots.frame_size)))
