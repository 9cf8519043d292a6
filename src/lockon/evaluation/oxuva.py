"""The OxUvA long-term benchmark: in sparse frames, is the target there, and is the box on it?

Valmadre et al., "Long-term Tracking in the Wild: A Benchmark", ECCV 2018. True positives are frames in which the
target is present, said to be, and overlapped enough; true negatives are frames without the target that are said so.
Trackers are ranked by the geometric mean of the two rates, at its maximum over random guessing of "absent".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.data.testsets.base import SparseTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Measure, Plot
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.geometry import overlap
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled, parts_by_attribute, ratio
from lockon.evaluation.selection import secret_annotation, select_sequences
from lockon.evaluation.tracks import Results, Track

RULES = "oxuva"
OVERLAPS = (0.5, 0.3, 0.7)
"""What an overlap must reach; the first ranks."""
FRAMES_PER_SECOND = 30
TIME_STEP = 30
"""Seconds from one point of the curve over time to the next."""


def _measures() -> tuple[Measure, ...]:
    measures = []
    for least in OVERLAPS:
        mark = "" if least == OVERLAPS[0] else f" @{least}"
        measures += [
            Measure(name=f"MaxGM{mark}", unit="share", meaning="GM at its best over guessing 'absent' at random"),
            Measure(name=f"GM{mark}", unit="share", meaning="geometric mean of TPR and TNR"),
            Measure(
                name=f"TPR{mark}", unit="share", meaning=f"present frames found with an overlap of {least} or more"
            ),
        ]
        measures += [] if mark else [Measure(name="TNR", unit="share", meaning="absent frames said to be absent")]
    return tuple(measures)


MEASURES = _measures()
PRESENCE = Plot(
    name="presence_plot",
    title="Thresholds on the score",
    x_label="True negative rate",
    y_label="True positive rate",
    x_range=(0, 1),
    y_range=(0, 1),
    unit="share",
)
OVER_TIME = Plot(
    name="true_positive_rate_plot",
    title="True positives up to a time",
    x_label="Time [s]",
    y_label="True positive rate",
    y_range=(0, 1),
    unit="share",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a track says in the annotated frames after the first."""

    seconds: Float[np.ndarray, "annotated"]
    """Time since the first frame."""
    annotated: Bool[np.ndarray, "annotated"]
    """Whether the target is there."""
    predicted: Bool[np.ndarray, "annotated"]
    """Whether the track says so."""
    overlaps: Float[np.ndarray, "annotated"]
    """Overlap of the boxes, whatever was said; NaN where the target is absent."""
    scores: Float[np.ndarray, "annotated"] | None = None

    def true_positives(self, least: float) -> Bool[np.ndarray, "annotated"]:
        """Frames in which the target is found with an overlap of at least `least`."""
        hits: Bool[np.ndarray, "annotated"] = self.annotated & self.predicted & (self.overlaps >= least)
        return hits


class Counts(NamedTuple):
    """Sums over frames, from which all rates follow."""

    true_positives: Float[np.ndarray, "*sets"]
    present: Float[np.ndarray, "*sets"]
    true_negatives: Float[np.ndarray, "*sets"]
    absent: Float[np.ndarray, "*sets"]


class Rates(NamedTuple):
    """The measures at one overlap."""

    true_positive: Float[np.ndarray, "*sets"]
    true_negative: Float[np.ndarray, "*sets"]

    @property
    def gm(self) -> Float[np.ndarray, "*sets"]:
        """Geometric mean of both."""
        mean: Float[np.ndarray, "*sets"] = np.sqrt(self.true_positive * self.true_negative)
        return mean

    @property
    def max_gm(self) -> Float[np.ndarray, "*sets"]:
        """The best geometric mean, had a share q of the frames that are called present been called absent at random.

        That leaves `(1 - q) TPR` of the true positives and makes `(1 - q) TNR + q` of the true negatives; the product
        is a parabola in q, so its maximum over [0, 1] is at the vertex or at q = 0.
        """
        positive, negative = self
        with np.errstate(divide="ignore", invalid="ignore"):
            q = np.nan_to_num((1 - 2 * negative) / (2 * (1 - negative)), nan=0.0, neginf=0.0).clip(0, 1)
        best: Float[np.ndarray, "*sets"] = np.sqrt((1 - q) * positive * ((1 - q) * negative + q))
        return best


def rates(counts: Counts) -> Rates:
    """True positive and true negative rate; NaN where there is no such frame."""
    return Rates(ratio(counts.true_positives, counts.present), ratio(counts.true_negatives, counts.absent))


def count(outcomes: Sequence[Outcome], least: float) -> Counts:
    """Counts over all frames of several tracks."""
    return Counts(
        *(
            np.array(float(sum(int(values.sum()) for values in each)))
            for each in (
                [outcome.true_positives(least) for outcome in outcomes],
                [outcome.annotated for outcome in outcomes],
                [~outcome.annotated & ~outcome.predicted for outcome in outcomes],
                [~outcome.annotated for outcome in outcomes],
            )
        )
    )


def true_positive_rate(outcomes: Sequence[Outcome], least: float, after: float, until: float) -> float:
    """True positive rate of the frames later than `after` and no later than `until` seconds; NaN if there is none."""
    found = present = 0
    for outcome in outcomes:
        inside = outcome.annotated & (outcome.seconds > after) & (outcome.seconds <= until)
        present += int(inside.sum())
        found += int((inside & outcome.true_positives(least)).sum())
    return found / present if present else float("nan")


def threshold_curve(
    outcomes: Sequence[Outcome], least: float = OVERLAPS[0]
) -> tuple[Float[np.ndarray, "thresholds"], Rates]:
    """Rates for every threshold on the scores that makes a difference, after the fact; ascending.

    Raises:
        DataError: a track has no scores.
    """
    if any(outcome.scores is None for outcome in outcomes):
        raise DataError("thresholds need a score in every frame; some tracks have none.")
    scores = np.concatenate([outcome.scores for outcome in outcomes if outcome.scores is not None])
    thresholds = np.concatenate([[-np.inf], np.unique(scores)])
    found = np.concatenate([replace(each, predicted=each.annotated).true_positives(least) for each in outcomes])
    annotated = np.concatenate([outcome.annotated for outcome in outcomes])
    hits, nothing = np.sort(scores[found]), np.sort(scores[~annotated])
    counts = Counts(
        (len(hits) - np.searchsorted(hits, thresholds, side="right")).astype(np.float64),
        np.full(len(thresholds), float(annotated.sum())),
        np.searchsorted(nothing, thresholds, side="right").astype(np.float64),
        np.full(len(thresholds), float(len(nothing))),
    )
    return thresholds, rates(counts)


def best_threshold(test_set: TestSet, runs: Sequence[Mapping[str, object]]) -> float:
    """The threshold on the score above which to call a frame present, tuned for MaxGM on a test set (the dev set).

    Raises:
        DataError: the tracks do not fit the test set, or have no scores; or the target is in all frames, or in none.
    """
    sequences = [sequence for sequence in test_set.sequences if all(sequence.name in run for run in runs)]
    outcomes = [
        judge(sequence, test_set, run[sequence.name], f"the result on '{sequence.name}'")
        for run in runs
        for sequence in sequences
    ]
    if not outcomes:
        raise DataError(f"there are no results on {test_set.title} to tune a threshold on.")
    if not _can_be_tuned(outcomes):
        raise DataError(f"{test_set.title} needs frames with and without the target to tune a threshold on.")
    return _tuned(outcomes)[0]


def _can_be_tuned(outcomes: Sequence[Outcome]) -> bool:
    return {True, False} <= {bool(there) for outcome in outcomes for there in outcome.annotated}


def _tuned(outcomes: Sequence[Outcome]) -> tuple[float, Rates]:
    """The threshold on the score that is best for MaxGM, and the rates there."""
    thresholds, curve = threshold_curve(outcomes)
    best = int(np.nanargmax(curve.max_gm))
    return float(thresholds[best]), Rates(*(rate[best] for rate in curve))


def with_threshold(track: Track, threshold: float) -> Track:
    """The track, calling exactly those frames present whose score exceeds the threshold.

    Raises:
        DataError: it has no scores.
    """
    if track.scores is None:
        raise DataError(f"the track{f' {track.path}' if track.path else ''} has no scores to threshold.")
    return replace(track, present=track.scores > threshold)


def judge(sequence: TestSequence, test_set: TestSet, track: object, label: str) -> Outcome:
    """Compare a track with the sparse annotation.

    In an annotated frame without a prediction (NaN) the latest one before it counts.

    Args:
        sequence: with boxes relative to the image size.
        test_set: for messages.
        track: in pixels; relative too where the size of the images is not known. A track that decides on no frame
            whether the target is there says that it always is.
        label: name of the track, for messages.

    Raises:
        DataError: annotation or track are of another kind, differ in length, or the track begins too late.
    """
    truth = _truth(sequence, test_set)
    if not isinstance(track, Track):
        raise DataError(f"{label} has no boxes; assess it by the protocol it was made for.")
    label += f" ({track.path})" if track.path else ""
    if len(track.boxes) != len(sequence):
        raise DataError(
            f"{label} has {len(track.boxes)} rows where the sequence has {len(sequence)} frames. "
            "Is it complete, and of this sequence? Delete it and repeat the run."
        )
    chosen = truth.numbers > 0
    rows = _latest_prediction(track)[truth.numbers[chosen]]
    if (rows < 0).any():
        frame = sequence.first_number + int(truth.numbers[chosen][rows < 0][0])
        raise DataError(f"{label} has no prediction for frame {frame}, nor for one before it. Complete the run.")
    size = np.array(sequence.image_size or (1, 1), dtype=np.float64)
    predicted = _inside_image(track.boxes[rows] / np.tile(size, 2))
    present = np.ones(len(track.boxes), dtype=np.bool_) if track.present is None else track.present
    return Outcome(
        seconds=truth.numbers[chosen] / FRAMES_PER_SECOND,
        annotated=truth.present[chosen],
        predicted=present[rows],
        overlaps=overlap(_inside_image(truth.boxes[chosen]), predicted),
        scores=None if track.scores is None else track.scores[rows],
    )


def _truth(sequence: TestSequence, test_set: TestSet) -> SparseTruth:
    if not isinstance(sequence.truth, SparseTruth):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} has no sparse annotation of presence and boxes; "
            f"assess it by the protocol '{test_set.protocol}'."
        )
    return sequence.truth


def _latest_prediction(track: Track) -> Int[np.ndarray, "frames"]:
    """Row of the latest prediction up to every frame; -1 before the first. The start is none."""
    rows = np.where(np.isnan(track.boxes).any(axis=1), -1, np.arange(len(track.boxes)))
    rows[0] = -1
    return np.maximum.accumulate(rows)


def _inside_image(boxes: Float[np.ndarray, "frames 4"]) -> Float[np.ndarray, "frames 4"]:
    low, high = boxes[:, :2].clip(0, 1), (boxes[:, :2] + boxes[:, 2:]).clip(0, 1)
    return np.concatenate([low, high - low], axis=1)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """True positive and true negative rates of every tracker, and their means, at three overlaps.

    Args:
        test_set: sequences with sparse annotation.
        results: a `Track` per run and sequence; see `judge`.
        rules: "oxuva", the only ones.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: annotation or a track is not fit for the protocol.
    """
    if (rules or RULES) != RULES:
        raise UnknownNameError("rules of OxUvA", rules or "", [RULES])
    sequences, exclusions = select_sequences(test_set, results)
    if not any((_truth(sequence, test_set).numbers > 0).any() for sequence in sequences):
        raise secret_annotation(test_set, "first frames")
    members = attribute_members(test_set, sequences)
    scores, notes = [], []
    for tracker, runs in results.items():
        outcomes = [
            [
                judge(each, test_set, run[each.name], f"the result of '{tracker}' on '{each.name}'")
                for each in sequences
            ]
            for run in runs
        ]
        tracks = [track for run in runs for track in run.values() if isinstance(track, Track)]
        notes += list(_notes(tracker, tracks, [outcome for run in outcomes for outcome in run]))
        scores.append(_scores(tracker, outcomes, members, frames_per_second(tracks)))
    return assess_pooled(
        test_set,
        sequences,
        scores,
        protocol="oxuva",
        rules=RULES,
        measures=MEASURES,
        plots=(PRESENCE, OVER_TIME) if all(PRESENCE.name in each.curves for each in scores) else (OVER_TIME,),
        exclusions=exclusions,
        notes=notes,
    )


def _notes(tracker: str, tracks: Sequence[Track], outcomes: Sequence[Outcome]) -> Iterator[str]:
    if any(track.present is None for track in tracks):
        yield f"'{tracker}' does not say when the target is absent."
    if _have_scores(outcomes) and _can_be_tuned(outcomes):
        threshold, at = _tuned(outcomes)
        yield (
            f"'{tracker}' would be best by calling present what has a score above {threshold:.4g}: "
            f"MaxGM {at.max_gm:.3f}, TPR {at.true_positive:.3f}, TNR {at.true_negative:.3f}."
        )


def _have_scores(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.scores is not None and not np.isnan(outcome.scores).any() for outcome in outcomes)


def _scores(
    tracker: str,
    outcomes: Sequence[Sequence[Outcome]],
    members: Mapping[str, Bool[np.ndarray, "sequences"]],
    speed: float | None,
) -> PooledScores:
    parts = np.array([[_parts(outcome) for outcome in run] for run in outcomes])
    values = _measure(parts.sum(axis=1))
    everything = [outcome for run in outcomes for outcome in run]
    last = max(float(outcome.seconds.max(initial=0)) for outcome in everything)
    times = np.arange(TIME_STEP, last + TIME_STEP, TIME_STEP, dtype=np.float64)
    over_time = np.array([true_positive_rate(everything, OVERLAPS[0], 0, time) for time in times])
    curves = {OVER_TIME.name: Curve(x=times, y=over_time, score=float(values["TPR"].mean()))}
    if _have_scores(everything):
        _, after = threshold_curve(everything)
        curves[PRESENCE.name] = Curve(
            x=after.true_negative,
            y=after.true_positive,
            score=float(values["MaxGM"].mean()),
            marked=(float(values["TNR"].mean()), float(values["TPR"].mean())),
        )
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=_measure,
        attribute_parts=parts_by_attribute(parts, members),
        curves=curves,
        frames_per_second=speed,
    )


def _parts(outcome: Outcome) -> Float[np.ndarray, "parts"]:
    """True positives at every overlap, then present frames, true negatives and absent frames."""
    counts = [count([outcome], least) for least in OVERLAPS]
    return np.array([*(each.true_positives for each in counts), *counts[0][1:]])


def _measure(sums: Summed) -> Values:
    values: dict[str, Float[np.ndarray, "*sets"]] = {}
    for index, least in enumerate(OVERLAPS):
        mark = "" if index == 0 else f" @{least}"
        at = rates(Counts(sums[..., index], *np.moveaxis(sums[..., len(OVERLAPS) :], -1, 0)))
        values |= {f"MaxGM{mark}": at.max_gm, f"GM{mark}": at.gm, f"TPR{mark}": at.true_positive}
        values["TNR"] = at.true_negative
    return values
