"""One-pass evaluation of a test set under one of the rule sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.aggregation import Aggregation, Scores, frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Exclusion, Plot
from lockon.evaluation.geometry import EPSILON, Boxes
from lockon.evaluation.one_pass.base import Curves, RuleSet
from lockon.evaluation.one_pass.cases import Case, box_case, box_truth
from lockon.evaluation.one_pass.got10k import GOT10K
from lockon.evaluation.one_pass.pooled import F_MEASURE, drawn, pool
from lockon.evaluation.one_pass.rules import rule_set
from lockon.evaluation.precision_recall import PRECISION_RECALL
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
PLOTS = (SUCCESS, PRECISION, NORM_PRECISION)


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
        cases = [[box_case(test_set, sequence, tracker, run) for sequence in sequences] for run in runs]
        judged = [[_judge(chosen, case) for case in run] for run in cases]
        scores.append(_scores(chosen, tracker, cases, judged))
        exclusions += _remarks(chosen, tracker, sequences, judged)
    pooled = any(F_MEASURE.name in each.overall for each in scores)
    return Assessment(
        test_set=test_set.name,
        protocol="one_pass",
        rules=chosen.name,
        measures=(*chosen.measures, *((F_MEASURE,) if pooled else ())),
        trackers=tuple(aggregation.tracker(each) for each in scores),
        sequences={sequence.name: len(box_truth(test_set, sequence).boxes) for sequence in sequences},
        plots=(*PLOTS, *((PRECISION_RECALL,) if pooled else ())),
        exclusions=tuple(exclusions),
        comparisons=aggregation.comparisons(scores),
        notes=(
            f"Rules '{chosen.name}': {chosen.summary}.",
            f"Results over {len(sequences)} of {len(test_set) + len(test_set.excluded)} sequences.",
        ),
    )


def score_track(truth: Boxes, predicted: Boxes, *, rules: RuleSet = GOT10K) -> dict[str, float]:
    """The measures of a single track, in percent.

    Args:
        truth: `(x, y, w, h)` per frame; under the default rules, frames with NaN count nowhere.
        predicted: the track; NaN is a miss under the default rules, and frame 0 counts as annotated.
        rules: of one toolkit.

    Raises:
        DataError: the two differ in shape, or the rules reject the track.
    """
    if truth.shape != predicted.shape:
        raise DataError(
            f"annotation and track need the same shape (frames, 4); got {truth.shape} and {predicted.shape}. "
            "Is the track complete, and of this sequence?"
        )
    judged = _judge(rules, Case(truth=truth, track=Track(boxes=predicted)))
    curves = Curves(
        success=judged.curves.success[None],
        precision=judged.curves.precision[None],
        normalised_precision=judged.curves.normalised_precision[None],
    )
    return {name: float(value[0]) for name, value in rules.values(curves).items()} | dict(judged.extra)


class _Judged(NamedTuple):
    """One track under a rule set."""

    curves: Curves
    extra: Mapping[str, float]
    frames: int
    remark: str | None


def _judge(rules: RuleSet, case: Case) -> _Judged:
    frames = rules.judge(case)
    surplus = len(case.track.boxes) - len(case.truth)
    remark = f"{surplus} boxes after the last of {len(case.truth)} frames are cut" if surplus > 0 else frames.remark
    return _Judged(rules.curves(frames), frames.extra, frames.count, remark)


def _scores(
    rules: RuleSet, tracker: str, cases: Sequence[Sequence[Case]], judged: Sequence[Sequence[_Judged]]
) -> Scores:
    success, precision, normalised = (
        _stack([[getattr(each.curves, kind) for each in run] for run in judged], drop_zero=rules.drops_zero_curves)
        for kind in ("success", "precision", "normalised_precision")
    )
    values = rules.values(Curves(success=success, precision=precision, normalised_precision=normalised))
    for name in judged[0][0].extra:
        values[name] = np.array([[each.extra[name] for each in run] for run in judged])
    means = {name: float(np.nanmean(value)) for name, value in values.items()}
    curves = {
        SUCCESS.name: _curve(rules.overlap_thresholds, success, means["AUC"]),
        PRECISION.name: _curve(rules.pixel_thresholds, precision, means["Precision"]),
        NORM_PRECISION.name: _curve(rules.size_thresholds, normalised, means["Norm Precision"]),
    }
    overall = {}
    tracks = [case for run in cases for case in run]
    if rules.pools_confidence and any(case.track.scores is not None for case in tracks):
        confidence = pool(tracks, rules.pool_every)
        curves[PRECISION_RECALL.name] = drawn(confidence)
        overall[F_MEASURE.name] = float(confidence.f.max())
    return Scores(
        tracker=tracker,
        values=values,
        weights=dict.fromkeys(rules.pooled, np.array([float(each.frames) for each in judged[0]])),
        overall=overall,
        curves=curves,
        frames_per_second=frames_per_second([case.track for case in tracks]),
    )


def _stack(
    curves: Sequence[Sequence[Float[np.ndarray, "thresholds"]]], *, drop_zero: bool
) -> Float[np.ndarray, "runs sequences thresholds"]:
    stacked = np.array(curves)
    if drop_zero:
        stacked[:, stacked.sum(axis=(0, 2)) <= EPSILON] = np.nan
    return stacked


def _curve(
    thresholds: Float[np.ndarray, "thresholds"],
    shares: Float[np.ndarray, "runs sequences thresholds"],
    score: float,
) -> Curve:
    return Curve(x=thresholds, y=100 * np.nanmean(shares, axis=(0, 1)), score=score)


def _remarks(
    rules: RuleSet, tracker: str, sequences: Sequence[TestSequence], judged: Sequence[Sequence[_Judged]]
) -> list[Exclusion]:
    exclusions = [
        Exclusion(sequence=sequence.name, tracker=tracker, reason=each.remark)
        for run in judged
        for sequence, each in zip(sequences, run, strict=True)
        if each.remark
    ]
    if rules.drops_zero_curves:
        reason = "not a frame succeeds: left out of the mean of success"
        exclusions += [
            Exclusion(sequence=sequence.name, tracker=tracker, reason=reason)
            for place, sequence in enumerate(sequences)
            if all(run[place].curves.success.sum() <= EPSILON for run in judged)
        ]
    return exclusions
