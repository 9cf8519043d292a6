"""How many frames of each kind a dump has, as in Table 9 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lockon.training.mining.categories import CATEGORIES, Category
from lockon.training.mining.dump import MinedDump


class Count(NamedTuple):
    """Frames or pairs, and what share they are of all."""

    number: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningStatistics:
    """What a dump holds."""

    sequences: int
    frames: int
    visible: int
    """Frames whose target is annotated and visible: the others are in no category."""
    categories: Mapping[Category, Count]
    """Of the frames; in the order of Table 9."""
    pairs: Mapping[str, Count]
    """Of the pairs of consecutive frames."""
    candidates: tuple[float, int]
    """In a frame: their mean number, and the largest."""


def statistics(dump: MinedDump) -> MiningStatistics:
    """Count what a dump holds."""
    numbers = np.bincount(dump.codes, minlength=len(CATEGORIES)).tolist()
    counts = dump.candidate_counts
    consecutive = max(len(dump.successive), 1)
    return MiningStatistics(
        sequences=len(dump.sequences),
        frames=len(dump),
        visible=int(dump.visible.sum()),
        categories={
            category: Count(number, number / len(dump)) for category, number in zip(CATEGORIES, numbers, strict=True)
        },
        pairs={name: Count(len(rows), len(rows) / consecutive) for name, rows in dump.pairs.items()},
        candidates=(float(counts.mean()), int(counts.max())),
    )
