"""One-pass evaluation of a test set under one of the rule sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.aggregation import Aggregation, Scores, frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Exclusion, Plot
from lockon.evaluation.one_pass.base import Case, Curves, RuleSet
from lockon.evaluation.one_pass.rules import rule_set
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Results, Track

DEFAULT_RULES = {"trackingnet": "trackingnet"}
"""By test set; pytracking's for all others, as the papers of its trackers report them."""
SUCCESS, PRECISION, NORM_PRECISION = (
    Plot(
        name="success_plot",
        title="Success",
        x_label="Overlap threshold",
        y_label="Overlap Precision [%]",
        x_range=(0, 1),
        y_range=(0, 100),
    ),
    Plot(
        name="precision_plot",
        title="Precision",
        x_label="Location error threshold [pixels]",
        y_label="Distance Precision [%]",
        x_range=(0, 50),
        y_range=(0, 100),
    ),
    Plot(
        name="norm_precision_plot",
        title="Normalised precision",
        x_label="Location error threshold [target sizes]",
        y_label="Distance Precision [%]",
        x_range=(0, 0.5),
        y_range=(0, 100),
    ),
)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Success, precision and normalised precision of every tracker.

    Args:
        test_set: sequences annotated with boxes.
        results: a `Track` of every run and sequence.
        rules: name in `RULE_SETS`; the default depends on the test set.

    Raises:
        UnknownNameError: there is no such rule set.
        DataError: the annotation is secret, or a track is one that the rules reject.
    """
    chosen = rule_set(rules or DEFAULT_RULES.get(test_set.name, "pytracking"))
    sequences, exclusions = select_sequences(test_set, results, missing_allowed=chosen.missing_is_zero)
    aggregation = Aggregation(test_set, sequences, chosen.measures, chosen.fewest_for_attribute)
    scores = []
    for tracker, runs in results.items():
        judged = [[judge(chosen, test_set, sequence, tracker, run) for sequence in sequences] for run in runs]
        scores.append(_scores(chosen, tracker, judged, _track_speeds(runs, sequences)))
        exclusions += _remarks(tracker, sequences, judged)
    return Assessment(
        test_set=test_set.name,
        protocol="one_pass",
        rules=chosen.name,
        measures=chosen.measures,
        trackers=tuple(aggregation.tracker(each) for each in scores),
        sequences={sequence.name: len(box_truth(sequence, test_set).boxes) for sequence in sequences},
        plots=(SUCCESS, PRECISION, NORM_PRECISION),
        exclusions=tuple(exclusions),
        comparisons=aggregation.comparisons(scores),
        notes=(f"Rules '{chosen.name}': {chosen.summary}.",),
    )


class Judged(NamedTuple):
    """One track under a rule set."""

    curves: Curves
    extra: Mapping[str, float]
    frames: int
    remark: str | None


def judge(
    rules: RuleSet, test_set: TestSet, sequence: TestSequence, tracker: str, run: Mapping[str, object]
) -> Judged:
    """Score what one run has of a sequence.

    Raises:
        DataError: it is no track of boxes, is empty, or the rules reject it.
    """
    truth = box_truth(sequence, test_set)
    label = f"the result of '{tracker}' on '{sequence.name}'"
    # Only rule sets that make zeros of what is missing get here without a result.
    track = run.get(sequence.name, Track(boxes=np.zeros_like(truth.boxes)))
    if not isinstance(track, Track):
        raise DataError(f"{label} has no boxes, which one-pass evaluation needs; use the protocol it was made for.")
    label += f" ({track.path})" if track.path else ""
    if not len(track.boxes):
        raise DataError(f"{label} is empty. Delete it and repeat the run.")
    case = Case(
        truth=truth.boxes,
        predicted=track.boxes,
        visible=truth.visible,
        benchmark=benchmark_of(test_set, sequence),
        label=label,
    )
    frames = rules.judge(case)
    return Judged(rules.curves(frames), frames.extra, frames.count, frames.remark)


def box_truth(sequence: TestSequence, test_set: TestSet) -> BoxTruth:
    """The boxes of a sequence.

    Raises:
        DataError: it is annotated otherwise, in secret, or not throughout.
    """
    truth = sequence.truth
    if not isinstance(truth, BoxTruth):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} is not annotated with boxes in every frame; "
            f"assess it by the protocol '{test_set.protocol}'."
        )
    if len(truth.boxes) == 1 < len(sequence):
        raise DataError(
            f"the annotation of {test_set.title} is secret but for first frames; "
            "write a submission and send it to the benchmark's server."
        )
    if truth.visible is not None and len(truth.visible) != len(truth.boxes):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} has {len(truth.boxes)} annotated boxes and "
            f"{len(truth.visible)} flags of visibility; its files do not fit each other. Unpack the data set anew."
        )
    return truth


def benchmark_of(test_set: TestSet, sequence: TestSequence) -> str:
    """The benchmark that a sequence comes from; in a set of several, the prefix of its name says so."""
    return "uav123" if sequence.name.startswith("uav_") else test_set.name


def _scores(rules: RuleSet, tracker: str, judged: Sequence[Sequence[Judged]], speed: float | None) -> Scores:
    success, precision, normalised = (
        _stack([[getattr(each.curves, kind) for each in run] for run in judged], drop_zero=rules.drops_zero_curves)
        for kind in ("success", "precision", "normalised_precision")
    )
    values = rules.values(Curves(success=success, precision=precision, normalised_precision=normalised))
    for name in judged[0][0].extra:
        values[name] = np.array([[each.extra[name] for each in run] for run in judged])
    frames = np.array([each.frames for each in judged[0]], dtype=np.float64)
    means = {name: float(np.nanmean(value)) for name, value in values.items()}
    curves = {
        SUCCESS.name: _curve(rules.overlap_thresholds, success, means["AUC"]),
        PRECISION.name: _curve(rules.pixel_thresholds, precision, means["Precision"]),
        NORM_PRECISION.name: _curve(rules.size_thresholds, normalised, means["Norm Precision"]),
    }
    return Scores(
        tracker=tracker,
        values=values,
        weights=dict.fromkeys(rules.pooled, frames),
        curves=curves,
        frames_per_second=speed,
    )


def _stack(
    curves: Sequence[Sequence[Float[np.ndarray, "thresholds"]]], *, drop_zero: bool
) -> Float[np.ndarray, "runs sequences thresholds"]:
    stacked = np.array(curves)
    if drop_zero:
        stacked[:, stacked.sum(axis=(0, 2)) <= np.finfo(np.float64).eps] = np.nan
    return stacked


def _curve(
    thresholds: Float[np.ndarray, "thresholds"],
    shares: Float[np.ndarray, "runs sequences thresholds"],
    score: float,
) -> Curve:
    return Curve(x=thresholds, y=100 * np.nanmean(shares, axis=(0, 1)), score=score)


def _remarks(tracker: str, sequences: Sequence[TestSequence], judged: Sequence[Sequence[Judged]]) -> list[Exclusion]:
    return [
        Exclusion(sequence=sequence.name, tracker=tracker, reason=each.remark)
        for run in judged
        for sequence, each in zip(sequences, run, strict=True)
        if each.remark
    ]


def _track_speeds(runs: Sequence[Mapping[str, object]], sequences: Sequence[TestSequence]) -> float | None:
    tracks = [run.get(sequence.name) for run in runs for sequence in sequences]
    return frames_per_second([track for track in tracks if isinstance(track, Track)])
