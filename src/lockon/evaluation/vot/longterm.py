"""The long-term protocol of VOT: a tracker says how confident it is that the target is there at all.

Lukežič et al., "Now You See Me: Evaluating Performance in Long-Term Visual Tracking", 2018. At every threshold of
confidence, precision is the overlap in the frames that the tracker reports, recall that in the frames that show the
target; the F-score is the best over thresholds, for all sequences together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Measure, Plot
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled, parts_by_attribute, ratio
from lockon.evaluation.precision_recall import PRECISION_RECALL, f_score
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Code, RegionTrack, Results, Track
from lockon.evaluation.vot.raster import Bounds, Overlaps, matlab_overlaps, toolkit_overlaps
from lockon.evaluation.vot.runs import UNBOUNDED, overlaps_of_run, size_of_images
from lockon.regions import Region

RESOLUTION = 98
"""Thresholds that are taken from the confidences; one above and one below all of them are added."""

MEASURES = (
    Measure(name="F", unit="share", meaning="best harmonic mean of precision and recall over all thresholds"),
    Measure(name="Precision", unit="share", meaning="overlap in reported frames, at the threshold of the best F"),
    Measure(name="Recall", unit="share", meaning="overlap in frames that show the target, at the same threshold"),
)
F_OVER_THRESHOLDS = Plot(
    name="f_plot",
    title="F-score by threshold",
    x_label="Normalised threshold index",
    y_label="F-score",
    x_range=(0, 1),
    y_range=(0, 1),
    unit="share",
)
"""From the threshold above all confidences to the one below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What toolkits do differently."""

    name: str
    summary: str
    overlap: Overlaps
    border: int
    """Added to the size of the image where boxes are cut off."""
    ascending: bool
    """In which order confidences are sorted before thresholds are picked from them."""
    missing_is_zero: bool
    """Whether thresholds are also picked from the 0 that stands for confidences that are not stored."""
    zero_is_unreported: bool
    """Whether frames of confidence 0 are not even reported at the threshold below all."""
    pooled: bool
    """Whether the frames of all sequences make one precision and recall; else these are means over sequences."""


RULES: Mapping[str, Rules] = {
    rules.name: rules
    for rules in (
        Rules(
            name="vot_toolkit",
            summary="raster of the Python toolkit, means over sequences",
            overlap=toolkit_overlaps,
            border=0,
            ascending=False,
            missing_is_zero=True,
            zero_is_unreported=False,
            pooled=False,
        ),
        Rules(
            name="pysot",
            summary="raster of the MATLAB toolkit's C code, means over sequences",
            overlap=matlab_overlaps,
            border=0,
            ascending=True,
            missing_is_zero=False,
            zero_is_unreported=True,
            pooled=False,
        ),
        Rules(
            name="matlab",
            summary="raster of the MATLAB toolkit's C code, the frames of all sequences pooled",
            overlap=matlab_overlaps,
            border=-1,
            ascending=False,
            missing_is_zero=True,
            zero_is_unreported=False,
            pooled=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Confidences:
    """What one run on a sequence comes to."""

    overlaps: Float[np.ndarray, "frames"]
    """0 in the first frame and where the target is absent."""
    scores: Float[np.ndarray, "frames"]
    """NaN where none is stored."""
    visible: int
    """Frames that show the target."""


def thresholds_of(scores: Float[np.ndarray, "frames"], *, ascending: bool) -> Float[np.ndarray, "thresholds"]:
    """Thresholds from above to below all confidences, evenly spaced in their order."""
    ordered = np.sort(scores)
    count = len(ordered)
    if count > RESOLUTION:
        step = count // RESOLUTION
        if ascending:
            ordered = ordered[np.floor(np.linspace(step - 1, count - step, RESOLUTION) + 0.5).astype(np.int64)]
        else:
            ordered = ordered[::-1][np.rint(np.linspace(step, count - step, RESOLUTION)).astype(np.int64)][::-1]
    return np.concatenate([[np.inf], ordered[::-1], [-np.inf]])


def reported(
    run: Confidences, thresholds: Float[np.ndarray, "thresholds"], *, zero_is_unreported: bool
) -> tuple[Float[np.ndarray, "thresholds"], Float[np.ndarray, "thresholds"]]:
    """Overlap in the reported frames, summed, and their number, at every threshold."""
    scores = np.nan_to_num(run.scores, nan=0.0)
    order = np.argsort(scores)[::-1]
    overlaps = np.concatenate([[0.0], run.overlaps[order].cumsum()])
    counts = np.searchsorted(-scores[order], -thresholds, side="right")
    if zero_is_unreported:
        counts[np.isneginf(thresholds)] = np.count_nonzero(scores > 0)
    return overlaps[counts], counts.astype(np.float64)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Precision, recall and F-score of every tracker.

    Args:
        test_set: sequences annotated with boxes, NaN where the target is absent.
        results: a `Track` or `RegionTrack` with scores per run and sequence; what is said of frame 0 does not count.
        rules: name in `RULES`; "vot_toolkit" unless given.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: annotation or a track is not fit for the protocol.
    """
    if (rules or "vot_toolkit") not in RULES:
        raise UnknownNameError("rules of long-term VOT", rules or "", RULES)
    chosen = RULES[rules or "vot_toolkit"]
    sequences, exclusions = select_sequences(test_set, results)
    truths = [_truth(sequence, test_set) for sequence in sequences]
    sizes = [size_of_images(sequence) for sequence in sequences]
    members = attribute_members(test_set, sequences)
    scores = []
    for tracker, runs in results.items():
        judged = [
            [
                judge(truth, run[sequence.name], chosen, size, f"the result of '{tracker}' on '{sequence.name}'")
                for sequence, truth, size in zip(sequences, truths, sizes, strict=True)
            ]
            for run in runs
        ]
        tracks = [track for run in runs for track in run.values() if isinstance(track, Track | RegionTrack)]
        scores.append(_scores(tracker, chosen, judged, members, frames_per_second(tracks)))
    return assess_pooled(
        test_set,
        sequences,
        scores,
        protocol="vot_longterm",
        rules=chosen.name,
        measures=MEASURES,
        plots=(PRECISION_RECALL, F_OVER_THRESHOLDS),
        exclusions=exclusions,
        notes=(f"Rules '{chosen.name}': {chosen.summary}.", *([UNBOUNDED] if None in sizes else [])),
    )


def judge(truth: BoxTruth, track: object, rules: Rules, size: Bounds | None, label: str) -> Confidences:
    """Overlaps and confidences of one run on a sequence.

    Raises:
        DataError: the track is no track, incomplete, or without confidences.
    """
    if not isinstance(track, Track | RegionTrack):
        raise DataError(f"{label} has neither boxes nor regions; assess it by the protocol it was made for.")
    label += f" ({track.path})" if track.path else ""
    regions: Sequence[Region | Code] = (
        track.regions if isinstance(track, RegionTrack) else [Box(*map(float, box)) for box in track.boxes]
    )
    if len(regions) != len(truth.boxes):
        raise DataError(
            f"{label} has {len(regions)} lines where the sequence has {len(truth.boxes)} frames. "
            "Is it complete, and of this sequence? Delete it and repeat the run."
        )
    if track.scores is None or len(track.scores) != len(regions):
        count = "no" if track.scores is None else f"{len(track.scores)}"
        raise DataError(f"{label} has {count} confidences for {len(regions)} frames; the protocol needs one a frame.")
    absent = np.isnan(truth.boxes).any(axis=1)
    unknown = absent | np.array([isinstance(each, Box) and np.isnan(each).any() for each in regions])
    unknown[0] = True
    known = [Code.SKIPPED if nothing else region for nothing, region in zip(unknown, regions, strict=True)]
    annotated = [Box(*map(float, box)) for box in truth.boxes]
    bounds = None if size is None else (size[0] + rules.border, size[1] + rules.border)
    overlaps = np.nan_to_num(overlaps_of_run(annotated, known, rules.overlap, bounds, label))
    scores = track.scores.astype(np.float64)
    scores[0] = np.nan
    return Confidences(overlaps, scores, int((~absent).sum()))


def _truth(sequence: TestSequence, test_set: TestSet) -> BoxTruth:
    truth = sequence.truth
    if not isinstance(truth, BoxTruth) or len(truth.boxes) != len(sequence):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} is not annotated with a box in each of its {len(sequence)} "
            f"frames; assess it by the protocol '{test_set.protocol}'."
        )
    return truth


def _pooled_rates(
    sums: Summed,
) -> tuple[Float[np.ndarray, "*sets thresholds"], Float[np.ndarray, "*sets thresholds"]]:
    """Precision and recall of summed overlaps, numbers of reported frames, and of visible ones."""
    overlaps, counts = np.split(sums[..., :-1], 2, axis=-1)
    visible = np.broadcast_to(sums[..., -1:], overlaps.shape)
    precision = np.where(counts > 0, ratio(overlaps, counts), 1.0)
    return precision, np.nan_to_num(ratio(overlaps, visible), nan=0.0)


def _mean_rates(
    sums: Summed,
) -> tuple[Float[np.ndarray, "*sets thresholds"], Float[np.ndarray, "*sets thresholds"]]:
    """Precision and recall of their sums over sequences and the number of these."""
    precision, recall = np.split(sums[..., :-1], 2, axis=-1)
    sequences = np.broadcast_to(sums[..., -1:], precision.shape)
    return ratio(precision, sequences), ratio(recall, sequences)


def _scores(
    tracker: str,
    rules: Rules,
    judged: Sequence[Sequence[Confidences]],
    members: Mapping[str, np.ndarray],
    speed: float | None,
) -> PooledScores:
    rates = _pooled_rates if rules.pooled else _mean_rates

    def measure(sums: Summed) -> Values:
        precision, recall = rates(sums)
        f = f_score(precision, recall)
        best = f.argmax(axis=-1)[..., None]
        at_best = (np.take_along_axis(each, best, axis=-1)[..., 0] for each in (f, precision, recall))
        return dict(zip([each.name for each in MEASURES], at_best, strict=True))

    parts = np.array([_parts(run, rules) for run in judged])
    precision, recall = (each.mean(axis=0) for each in rates(parts.sum(axis=1)))
    f = f_score(precision, recall)
    best = int(f.argmax())
    lines = {PRECISION_RECALL: (recall, precision), F_OVER_THRESHOLDS: (np.linspace(0, 1, len(f)), f)}
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=measure,
        attribute_parts=parts_by_attribute(parts, members),
        curves={
            plot.name: Curve(x=x, y=y, score=float(f[best]), marked=(float(x[best]), float(y[best])))
            for plot, (x, y) in lines.items()
        },
        frames_per_second=speed,
    )


def _parts(run: Sequence[Confidences], rules: Rules) -> Float[np.ndarray, "sequences parts"]:
    scores = np.concatenate([each.scores for each in run])
    stored = np.nan_to_num(scores, nan=0.0) if rules.missing_is_zero else scores[~np.isnan(scores)]
    thresholds = thresholds_of(stored, ascending=rules.ascending)
    rows = []
    for each in run:
        overlaps, counts = reported(each, thresholds, zero_is_unreported=rules.zero_is_unreported)
        sums = np.concatenate([overlaps, counts, [each.visible]])
        rows.append(sums if rules.pooled else np.concatenate([*_pooled_rates(sums), [1.0]]))
    return np.array(rows)
