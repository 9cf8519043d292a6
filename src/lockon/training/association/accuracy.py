"""How good matches are, where the truth is known: precision and recall, of all candidates and of the target.

A match is a pair (candidate of the previous frame, candidate of the current frame); candidates of which nobody knows
what they are do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lockon.training.association.supervision import UNKNOWN


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """Numbers of matches."""

    correct: int = 0
    """That are said, and true."""
    said: int = 0
    true: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(self.correct + other.correct, self.said + other.said, self.true + other.true)

    @property
    def precision(self) -> float:
        """Share of the said matches that are true; NaN where none is said."""
        return self.correct / self.said if self.said else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true matches that are said; NaN where none is true."""
        return self.correct / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.correct / (self.said + self.true) if self.said + self.true else float("nan")


def count_matches(said: Int[Tensor, "*n"], true: Int[Tensor, "*n"], counted: Bool[Tensor, "*n"]) -> MatchCounts:
    """Compare what is said of candidates of the current frame with the truth.

    Args:
        said: partner of each candidate in the previous frame; negative where it has none.
        true: the same as it is; `UNKNOWN` ones are left out.
        counted: the candidates to look at.
    """
    known = counted & (true != UNKNOWN)
    matched = known & (said >= 0)
    counts = torch.stack([(matched & (said == true)).sum(), matched.sum(), (known & (true >= 0)).sum()])
    return MatchCounts(*counts.tolist())
