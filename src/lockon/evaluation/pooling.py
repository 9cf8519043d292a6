"""Measures taken of sums over all sequences: counts, overlaps or curves are added up, and measured once at the end.

The measure of one sequence, of the sequences of an attribute or of a resampled test set is the same function of
smaller sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.evaluation.aggregation import SEED
from lockon.evaluation.assessment import Assessment, Curve, Exclusion, Measure, Plot, TrackerAssessment
from lockon.evaluation.statistics import compare, confidence_interval, draw_sequences

Summed = Float[np.ndarray, "*sets parts"]
Values = Mapping[str, Float[np.ndarray, "*sets"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledScores:
    """What the sequences add to the sums of one tracker."""

    tracker: str
    parts: Float[np.ndarray, "runs sequences parts"]
    measure: Callable[[Summed], Values]
    """The measures by name, of sums over some sequences; NaN where nothing can be said."""
    attribute_parts: Mapping[str, Float[np.ndarray, "runs sequences parts"]] = field(default_factory=dict)
    """By attribute: `parts` of those frames, or sequences, that have it."""
    runs: int | None = None
    """Where repetitions are already put together in `parts`, how many there were."""
    deviations: Mapping[str, float] = field(default_factory=dict)
    """Over such repetitions; of runs in `parts` they are computed."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    by_object: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    """As in `TrackerAssessment`."""
    frames_per_second: float | None = None


def assess_pooled(
    test_set: TestSet,
    sequences: Sequence[TestSequence],
    scores: Sequence[PooledScores],
    *,
    protocol: str,
    rules: str,
    measures: Sequence[Measure],
    plots: Sequence[Plot] = (),
    exclusions: Sequence[Exclusion] = (),
    notes: Sequence[str] = (),
) -> Assessment:
    """The numbers of all trackers, and every pair of them by the first measure.

    Args:
        test_set: what was tracked.
        sequences: those that count, in the order of `parts`.
        scores: of all trackers.
        protocol: for the assessment, as are `rules`, `plots`, `exclusions` and `notes`.
        rules: whose rules made the scores.
        measures: what is reported, of all that `PooledScores.measure` gives; the first ranks the trackers.
        plots: of the curves of the scores.
        exclusions: what does not count.
        notes: for readers.
    """
    draws = draw_sequences(len(sequences), np.random.default_rng(SEED)) if len(sequences) > 1 else None
    names = [measure.name for measure in measures]
    trackers, resampled = [], {}
    for each in scores:
        intervals = {}
        if draws is not None:
            drawn = _mean_over_runs(each.measure, draws.astype(np.float64) @ each.parts)
            resampled[each.tracker] = drawn[names[0]]
            intervals = {name: confidence_interval(drawn[name]) for name in names if np.isfinite(drawn[name]).any()}
        trackers.append(_tracker(each, names, [sequence.name for sequence in sequences], intervals))
    values = {tracker.tracker: tracker.values[names[0]] for tracker in trackers}
    return Assessment(
        test_set=test_set.name,
        protocol=protocol,
        rules=rules,
        measures=tuple(measures),
        trackers=tuple(trackers),
        sequences={sequence.name: len(sequence) for sequence in sequences},
        plots=tuple(plots),
        exclusions=tuple(exclusions),
        comparisons=compare(measures[0], values, resampled) if resampled else (),
        notes=tuple(notes),
    )


def _tracker(
    scores: PooledScores, names: Sequence[str], sequences: Sequence[str], intervals: Mapping[str, tuple[float, float]]
) -> TrackerAssessment:
    per_run = scores.measure(scores.parts.sum(axis=1))
    alone = _mean_over_runs(scores.measure, scores.parts)
    by_attribute = {
        attribute: _mean_over_runs(scores.measure, parts.sum(axis=1))
        for attribute, parts in scores.attribute_parts.items()
    }
    runs = scores.runs or len(scores.parts)
    computed = {name: float(np.std(per_run[name], ddof=1)) for name in names} if len(scores.parts) > 1 else {}
    return TrackerAssessment(
        tracker=scores.tracker,
        values={name: float(per_run[name].mean()) for name in names},
        by_sequence={
            name: {
                sequence: float(value)
                for sequence, value in zip(sequences, alone[name], strict=True)
                if not np.isnan(value)
            }
            for name in names
        },
        by_attribute={
            name: {
                attribute: float(values[name])
                for attribute, values in by_attribute.items()
                if np.isfinite(values[name])
            }
            for name in names
        },
        by_object=scores.by_object,
        curves=scores.curves,
        runs=runs,
        deviations=scores.deviations or computed,
        intervals=intervals,
        frames_per_second=scores.frames_per_second,
    )


def _mean_over_runs(measure: Callable[[Summed], Values], parts: Float[np.ndarray, "runs *sets parts"]) -> Values:
    return {name: np.asarray(value).mean(axis=0) for name, value in measure(parts).items()}


def parts_by_attribute(
    parts: Float[np.ndarray, "runs sequences parts"], members: Mapping[str, Bool[np.ndarray, "sequences"]]
) -> dict[str, Float[np.ndarray, "runs sequences parts"]]:
    """`PooledScores.attribute_parts` where sequences have attributes, not frames."""
    return {name: parts * having[:, None] for name, having in members.items()}


def ratio(
    numerator: Float[np.ndarray, "*sets"], denominator: Float[np.ndarray, "*sets"]
) -> Float[np.ndarray, "*sets"]:
    """Share of one sum in another; NaN where the other is 0."""
    share: Float[np.ndarray, "*sets"] = np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0
    )
    return share
