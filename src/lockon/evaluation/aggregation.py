"""From measures per run and sequence to the numbers of a tracker and the comparison of trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.evaluation.assessment import Comparison, Curve, Measure, TrackerAssessment
from lockon.evaluation.attributes import attribute_members, mean_by_attribute
from lockon.evaluation.statistics import compare, confidence_interval, draw_sequences, resampled_means
from lockon.evaluation.tracks import MaskTrack, RegionTrack, Track

SEED = 0
"""Of the resampling, so that the same results give the same report."""
PerRun = Float[np.ndarray, "runs sequences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What one tracker reached in every run on every sequence that counts."""

    tracker: str
    values: Mapping[str, PerRun]
    """By name of the measure; NaN where a sequence has none."""
    weights: Mapping[str, Float[np.ndarray, "sequences"]] = field(default_factory=dict)
    """Of the sequences in the mean, for those measures in which they are not equal."""
    overall: Mapping[str, float] = field(default_factory=dict)
    """Measures of the whole test set that are no means over sequences."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    frames_per_second: float | None = None


class Aggregation:
    """Means over runs and sequences, by attribute, with intervals and comparisons.

    A measure is taken per sequence as the mean over the runs, and then as the weighted mean over sequences.

    Args:
        test_set: names the attributes.
        sequences: those that count, in the order of the scores.
        measures: the first ranks the trackers.
        fewest_for_attribute: attributes that fewer sequences have are left out.
    """

    def __init__(
        self,
        test_set: TestSet,
        sequences: Sequence[TestSequence],
        measures: Sequence[Measure],
        fewest_for_attribute: int = 1,
    ) -> None:
        self._names = [sequence.name for sequence in sequences]
        self._measures = measures
        self._members = attribute_members(test_set, sequences, fewest_for_attribute)
        generator = np.random.default_rng(SEED)
        self._draws = draw_sequences(len(sequences), generator) if len(sequences) > 1 else None

    def tracker(self, scores: Scores) -> TrackerAssessment:
        """All numbers of one tracker."""
        values, by_sequence, by_attribute, intervals, deviations = {}, {}, {}, {}, {}
        runs = 1
        for name in [measure.name for measure in self._measures if measure.name in scores.values]:
            per_run, weights = scores.values[name], self._weights(scores, name)
            runs = len(per_run)
            means = per_run.mean(axis=0)
            values[name] = _mean(means, weights)
            by_sequence[name] = {
                sequence: float(value)
                for sequence, value in zip(self._names, means, strict=True)
                if not np.isnan(value)
            }
            by_attribute[name] = mean_by_attribute(means, self._members, weights)
            if self._draws is not None and not np.isnan(means).all():
                intervals[name] = confidence_interval(resampled_means(means, self._draws, weights))
            if runs > 1:
                deviations[name] = float(np.std([_mean(run, weights) for run in per_run], ddof=1))
        return TrackerAssessment(
            tracker=scores.tracker,
            values=values | dict(scores.overall),
            by_sequence=by_sequence,
            by_attribute=by_attribute,
            curves=scores.curves,
            runs=runs,
            deviations=deviations,
            intervals=intervals,
            frames_per_second=scores.frames_per_second,
        )

    def comparisons(self, scores: Sequence[Scores]) -> tuple[Comparison, ...]:
        """Every pair of trackers by the first measure; none where there is but one sequence."""
        if self._draws is None:
            return ()
        measure = self._measures[0]
        means = {each.tracker: each.values[measure.name].mean(axis=0) for each in scores}
        weights = {each.tracker: self._weights(each, measure.name) for each in scores}
        return compare(
            measure,
            {name: _mean(value, weights[name]) for name, value in means.items()},
            {name: resampled_means(value, self._draws, weights[name]) for name, value in means.items()},
        )

    def _weights(self, scores: Scores, measure: str) -> Float[np.ndarray, "sequences"]:
        return scores.weights.get(measure, np.ones(len(self._names)))


def _mean(values: Float[np.ndarray, "sequences"], weights: Float[np.ndarray, "sequences"]) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")


def frames_per_second(tracks: Sequence[Track | RegionTrack | MaskTrack]) -> float | None:
    """Mean over sequences of frames by seconds, without dropped frames (NaN); None where no track has times."""
    rates = [
        np.count_nonzero(~np.isnan(track.seconds)) / float(np.nansum(track.seconds))
        for track in tracks
        if track.seconds is not None and np.nansum(track.seconds) > 0
    ]
    return float(np.mean(rates)) if rates else None
