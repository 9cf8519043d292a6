"""What the toolkits of the supervised protocol make of the overlaps and failures of runs.

Every sequence adds a row of numbers to a sum, `SequenceSums`, and measures are taken of the sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.evaluation.assessment import Measure
from lockon.evaluation.pooling import Summed, Values, ratio
from lockon.evaluation.vot import expected_overlap as eao
from lockon.evaluation.vot.raster import Overlaps, matlab_overlaps, toolkit_overlaps

SENSITIVITY = 30
"""S of the A-R plot: reliability over so many frames."""
TAG_ACCURACY = Measure(
    name="Tag accuracy", unit="share", meaning="mean of the accuracies of the tags, weighted by their frames"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """One run on a sequence; overlaps are NaN where the run has a code in place of a region."""

    overlaps: Float[np.ndarray, "frames"]
    accuracy_overlaps: Float[np.ndarray, "frames"]
    """Those that count for accuracy: without the frames after starts, and cut off at a border of their own."""
    starts: Int[np.ndarray, "starts"]
    failures: Int[np.ndarray, "failures"]


# What a sequence adds to the sums: six numbers, then numerators and denominators of the curve.
_ACCURACY, _COUNTED, _FAILURES, _WEIGHTED_FAILURES, _FRAMES, _SEQUENCES = range(6)
NUMBERS = 6
"""How many come before the curve."""


def tag_accuracy(sums: Float[np.ndarray, "*sets tags numbers"]) -> Float[np.ndarray, "*sets"]:
    """`TAG_ACCURACY`, as in the reports of the challenges; a frame counts as often as it has tags.

    Args:
        sums: the `NUMBERS` of every tag. A tag without a frame that counts has no weight.
    """
    accuracy = ratio(sums[..., _ACCURACY], sums[..., _COUNTED])
    weights = np.where(np.isnan(accuracy), 0.0, sums[..., _FRAMES])
    return ratio((weights * np.nan_to_num(accuracy)).sum(axis=-1), weights.sum(axis=-1))


@dataclass(frozen=True, kw_only=True)
class Rules(ABC):
    """What toolkits do differently."""

    name: str
    summary: str
    robustness: str
    """What the number of that name is."""
    overlap: Overlaps
    border: int
    """Added to the size of the image where regions are cut off."""
    accuracy_border: int
    """The same for accuracy."""
    first_length: int
    """The length that the first number of the curve is for."""
    weighs_tags: bool = False
    """Whether `TAG_ACCURACY` is reported as well."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is reported."""
        measures = (
            Measure(name="EAO", unit="share", meaning="expected average overlap"),
            Measure(name="Accuracy", unit="share", meaning="mean overlap while tracking"),
            Measure(name="Robustness", unit="share", higher_is_better=False, meaning=self.robustness),
            Measure(name="Lost", unit="count", higher_is_better=False, meaning="failures, mean over repetitions"),
            Measure(name="R_S", unit="share", meaning=f"chance to track {SENSITIVITY} frames without a failure"),
        )
        return (*measures, TAG_ACCURACY) if self.weighs_tags else measures

    def parts(
        self, repetitions: Sequence[Repetition], chosen: Bool[np.ndarray, "frames"], length: int
    ) -> Float[np.ndarray, "parts"]:
        """What the chosen frames of a sequence add to the sums.

        Args:
            repetitions: all runs on the sequence.
            chosen: the frames, such as those with a tag.
            length: of the curve.
        """
        frames = float(chosen.sum())
        failures = float(np.mean([chosen[each.failures].sum() for each in repetitions]))
        sums, totals = np.zeros((2, length))
        for each in repetitions:
            fragments = self.fragments(each)
            added = eao.curve_sums(fragments, length, eao.shares(fragments, chosen))
            sums, totals = sums + added[0], totals + added[1]
        weight = self.fragment_weight(len(repetitions))
        numbers = (*self.accuracy(repetitions, chosen), failures, failures * frames, frames, 1.0)
        return np.concatenate([numbers, weight * sums, weight * totals])

    def curve(self, sums: Summed) -> Float[np.ndarray, "*sets lengths"]:
        """The expected overlap by length."""
        length = (sums.shape[-1] - NUMBERS) // 2
        return self.curve_of(sums[..., NUMBERS : NUMBERS + length], sums[..., NUMBERS + length :])

    def measure(self, sums: Summed, interval: eao.Interval) -> Values:
        """All measures but `TAG_ACCURACY`, of sums over sequences."""
        lost_share = self.failures_per_frame(sums)
        return {
            "EAO": eao.score(self.curve(sums), interval, self.first_length),
            "Accuracy": ratio(sums[..., _ACCURACY], sums[..., _COUNTED]),
            "Robustness": self.reported_robustness(sums),
            "Lost": sums[..., _FAILURES],
            "R_S": np.exp(-SENSITIVITY * lost_share),
        }

    @abstractmethod
    def accuracy(self, repetitions: Sequence[Repetition], chosen: Bool[np.ndarray, "frames"]) -> tuple[float, float]:
        """Numerator and denominator."""

    @abstractmethod
    def fragments(self, run: Repetition) -> list[eao.Fragment]:
        """The run, cut at its starts."""

    @abstractmethod
    def fragment_weight(self, repetitions: int) -> float:
        """Weight of a fragment by the number of repetitions of its sequence."""

    @abstractmethod
    def curve_length(self, repetitions: Sequence[Sequence[Repetition]]) -> int:
        """How far the curve reaches."""

    @abstractmethod
    def curve_of(
        self, sums: Float[np.ndarray, "*sets lengths"], totals: Float[np.ndarray, "*sets lengths"]
    ) -> Float[np.ndarray, "*sets lengths"]:
        """The curve, of its numerators and denominators."""

    @abstractmethod
    def failures_per_frame(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """Expected failures in a frame."""

    @abstractmethod
    def reported_robustness(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """The number that is called robustness."""


@dataclass(frozen=True, kw_only=True)
class MatlabRules(Rules):
    """The MATLAB toolkit and PySOT."""

    start_after_end: bool
    """Whether a fragment may begin one frame after the end: empty, but the one before it then counts as lost."""

    def accuracy(self, repetitions: Sequence[Repetition], chosen: Bool[np.ndarray, "frames"]) -> tuple[float, float]:
        """Of every frame the mean over repetitions, and of those the mean."""
        overlaps = np.array([each.accuracy_overlaps[chosen] for each in repetitions])
        known = ~np.isnan(overlaps)
        means = ratio(np.where(known, overlaps, 0).sum(axis=0), known.sum(axis=0))
        return float(np.nansum(means)), float(known.any(axis=0).sum())

    def fragments(self, run: Repetition) -> list[eao.Fragment]:
        """Each reaches to the first frame of the next."""
        last = len(run.overlaps) - (0 if self.start_after_end else 1)
        return eao.matlab_fragments(run.overlaps, run.failures, last_start=last)

    def fragment_weight(self, repetitions: int) -> float:
        """The repetitions of a sequence share the weight of one."""
        return 1 / repetitions

    def curve_length(self, repetitions: Sequence[Sequence[Repetition]]) -> int:
        """To the end of the longest run."""
        return max(len(each.overlaps) for runs in repetitions for each in runs)

    def curve_of(
        self, sums: Float[np.ndarray, "*sets lengths"], totals: Float[np.ndarray, "*sets lengths"]
    ) -> Float[np.ndarray, "*sets lengths"]:
        """1 at the first length, and 0 where no fragment is defined."""
        curve: Float[np.ndarray, "*sets lengths"] = np.nan_to_num(ratio(sums, totals), nan=0.0)
        curve[..., 0] = 1
        return curve

    def failures_per_frame(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """Failures by frames."""
        return ratio(sums[..., _FAILURES], sums[..., _FRAMES])

    def reported_robustness(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """Failures per 100 frames."""
        return 100 * self.failures_per_frame(sums)


@dataclass(frozen=True, kw_only=True)
class ToolkitRules(Rules):
    """The Python toolkit."""

    def accuracy(self, repetitions: Sequence[Repetition], chosen: Bool[np.ndarray, "frames"]) -> tuple[float, float]:
        """Of every repetition the mean over frames, 0 where none counts; sequences are weighted by their frames."""
        overlaps = [each.accuracy_overlaps[chosen] for each in repetitions]
        known = [each[~np.isnan(each)] for each in overlaps]
        frames = float(chosen.sum())
        return frames * float(np.mean([each.mean() if each.size else 0.0 for each in known])), frames

    def fragments(self, run: Repetition) -> list[eao.Fragment]:
        """Each ends before the failure."""
        return eao.toolkit_fragments(run.overlaps, run.failures, run.starts)

    def fragment_weight(self, repetitions: int) -> float:  # noqa: ARG002 - here it does not depend on them
        """All weigh the same."""
        return 1.0

    def curve_length(self, repetitions: Sequence[Sequence[Repetition]]) -> int:
        """To the end of the longest fragment."""
        return max(
            len(fragment.overlaps) for runs in repetitions for each in runs for fragment in self.fragments(each)
        )

    def curve_of(
        self, sums: Float[np.ndarray, "*sets lengths"], totals: Float[np.ndarray, "*sets lengths"]
    ) -> Float[np.ndarray, "*sets lengths"]:
        """Unknown where no fragment is defined."""
        return ratio(sums, totals)

    def failures_per_frame(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """Mean failures by mean length."""
        mean_length = ratio(sums[..., _FRAMES], sums[..., _SEQUENCES])
        return ratio(self.reported_robustness(sums), mean_length)

    def reported_robustness(self, sums: Summed) -> Float[np.ndarray, "*sets"]:
        """Failures per sequence, weighted by its length."""
        return ratio(sums[..., _WEIGHTED_FAILURES], sums[..., _FRAMES])


RULES: Mapping[str, Rules] = {
    rules.name: rules
    for rules in (
        MatlabRules(
            name="pysot",
            summary="raster of the MATLAB toolkit's C code, accuracy pooled over frames, EAO over lengths from 1",
            robustness="failures per 100 frames",
            overlap=matlab_overlaps,
            border=-1,
            accuracy_border=0,
            first_length=1,
            start_after_end=True,
        ),
        MatlabRules(
            name="matlab",
            summary="as PySOT, but one border for accuracy and EAO, and no fragments that begin after the end",
            robustness="failures per 100 frames",
            overlap=matlab_overlaps,
            border=-1,
            accuracy_border=-1,
            first_length=1,
            start_after_end=False,
            weighs_tags=True,
        ),
        ToolkitRules(
            name="vot_toolkit",
            summary="raster of the Python toolkit, sequences weighted by length, EAO over lengths from 0",
            robustness="failures per sequence, weighted by its length",
            overlap=toolkit_overlaps,
            border=0,
            accuracy_border=0,
            first_length=0,
        ),
    )
}
"""What challenges up to VOT2019 published is what "pysot" and "matlab" give."""
