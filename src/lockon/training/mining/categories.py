"""What a frame teaches: categories by number, height and place of the candidates (KeepTrack, Sec. A.1, Table 9).

The distances are those of the reference: a candidate within 2 cells of the annotation is the target, one beyond 4 is
not, and a frame in which that is not clear has no category.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from lockon.errors import DataError

CORRECT = 2.0
"""Cells from the annotation up to which a candidate is the target."""
WRONG = 4.0
"""Cells from the annotation beyond which a candidate is something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Heights on the score map of the base tracker."""

    candidate: float = 0.05
    """What a candidate exceeds: τ."""
    found: float = 0.25
    """Height from which a tracker selects a candidate as the target: η."""

    def __post_init__(self) -> None:
        if not 0 < self.candidate <= self.found:
            raise DataError(
                f"the thresholds must be 0 < candidate <= found; got candidate {self.candidate} and found "
                f"{self.found}."
            )


class Category(StrEnum):
    """Of a frame whose target is annotated and visible. All but D have two candidates or more."""

    D = "D"
    """One candidate: the target, found."""
    H = "H"
    """The highest candidate is the target, found: distractors, and the tracker is right."""
    G = "G"
    """The highest candidate is the target, too low to be found."""
    J = "J"
    """Something is found, and no candidate is the target."""
    K = "K"
    """Something is found, and a lower candidate is the target."""
    OTHER = "other"


CATEGORIES = tuple(Category)
PAIRS = {
    "HH": (Category.H, Category.H),
    "HK": (Category.H, Category.K),
    "HG": (Category.H, Category.G),
}
"""Categories of two consecutive frames that are trained on."""


@dataclass(frozen=True, slots=True)
class CandidateLists:
    """The candidates of F frames end to end, those of a frame in the order of their scores."""

    cells: Int[np.ndarray, "candidates 2"]
    """(row, col) in the score map."""
    scores: Float[np.ndarray, "candidates"]
    counts: Int[np.ndarray, "frames"]
    """How many each frame has."""
    ends: Int[np.ndarray, "frames"] = field(init=False)
    """Where those of each frame end."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", np.cumsum(self.counts))

    def of(self, frame: int) -> tuple[Int[np.ndarray, "some 2"], Float[np.ndarray, "some"]]:
        """Cells and scores of one frame."""
        rows = slice(self.ends[frame] - self.counts[frame], self.ends[frame])
        return self.cells[rows], self.scores[rows]

    def above(self, threshold: float) -> CandidateLists:
        """Those that are higher."""
        kept = self.scores > threshold
        frames = np.repeat(np.arange(len(self.counts)), self.counts)
        counts = np.bincount(frames[kept], minlength=len(self.counts))
        return CandidateLists(self.cells[kept], self.scores[kept], counts)


def categorise(
    candidates: CandidateLists,
    target_cells: Int[np.ndarray, "frames 2"],
    visible: Bool[np.ndarray, "frames"],
    found: float,
) -> UInt8[np.ndarray, "frames"]:
    """The category of each frame, as a number in `CATEGORIES`.

    Args:
        candidates: of the frames.
        target_cells: cell (row, col) of the annotation.
        visible: frames whose target is annotated and visible; the others are in no category.
        found: height from which a candidate is selected.
    """
    counts = candidates.counts
    frames = np.repeat(np.arange(len(counts)), counts)
    distances = np.linalg.norm(candidates.cells - target_cells[frames], axis=1)
    first = candidates.ends - counts
    by_distance = np.lexsort((distances, frames))  # stable: of equal distances the higher candidate first
    nearest, second, top = (np.full(len(counts), fill) for fill in (np.inf, np.inf, -np.inf))
    is_top = np.zeros(len(counts), np.bool_)
    some, several = counts > 0, counts > 1
    nearest[some] = distances[by_distance[first[some]]]
    second[several] = distances[by_distance[first[several] + 1]]
    top[some] = candidates.scores[first[some]]
    is_top[some] = by_distance[first[some]] == first[some]

    high = top >= found
    single = visible & (counts == 1) & (nearest <= CORRECT)
    clear = visible & several & (nearest <= CORRECT) & (second > WRONG)
    conditions = {
        Category.D: single & high,
        Category.H: clear & is_top & high,
        Category.G: clear & is_top & ~high,
        Category.J: visible & several & (nearest > WRONG) & high,
        Category.K: clear & ~is_top & high,
    }
    codes = np.full(len(counts), CATEGORIES.index(Category.OTHER), np.uint8)
    for category, condition in conditions.items():
        codes[condition] = CATEGORIES.index(category)
    return codes


def find_pairs(
    codes: UInt8[np.ndarray, "frames"], successive: Int[np.ndarray, "rows"], categories: tuple[Category, Category]
) -> Int[np.ndarray, "pairs"]:
    """Positions of frames of the first category whose successor is of the second.

    Args:
        codes: of `categorise`.
        successive: positions of frames whose successor in the sequence is the next one here.
        categories: of the two frames.
    """
    first, second = (CATEGORIES.index(category) for category in categories)
    both = (codes[successive] == first) & (codes[successive + 1] == second)
    return np.compress(both, successive)
