"""Whether a tracker knows that it has the target: calibration of its confidence, and its calls on absent frames.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (reliability, expected calibration error); Brier,
"Verification of forecasts expressed in terms of probability", 1950.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.data.testsets.base import BoxTruth, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment, Curve, Measure, Plot, TrackerAssessment
from lockon.evaluation.geometry import overlap
from lockon.evaluation.one_pass import Case
from lockon.evaluation.one_pass.cases import box_case, box_truth
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Results

HIT = 0.5
"""Overlap above which a box is on the target."""
BINS = 10
MEASURES = (
    Measure(
        name="ECE", unit="share", higher_is_better=False, meaning="mean distance of confidence and share of hits"
    ),
    Measure(name="Brier", unit="share", higher_is_better=False, meaning="mean square distance of confidence and hit"),
    Measure(name="Absent F", unit="share", meaning="F measure of calling the target absent"),
    Measure(name="False presence", higher_is_better=False, meaning="share of absent frames that are called present"),
)
PLOT = Plot(
    name="reliability_plot",
    title="Reliability",
    x_label="Confidence",
    y_label="Share of hits",
    x_range=(0, 1),
    y_range=(0, 1),
    unit="share",
)


class Reliability(NamedTuple):
    """Confidence against what came of it, in bins of equal width over [0, 1]."""

    confidence: Float[np.ndarray, "bins"]
    """Mean confidence of a bin; NaN where it is empty."""
    hits: Float[np.ndarray, "bins"]
    """Share of its frames with a hit; NaN where it is empty."""
    counts: Int[np.ndarray, "bins"]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of the two, weighted by the frames of the bins."""
        filled = self.counts > 0
        return float(np.average(np.abs(self.confidence - self.hits)[filled], weights=self.counts[filled]))


def reliability(
    confidence: Float[np.ndarray, "frames"], hits: Bool[np.ndarray, "frames"], bins: int = BINS
) -> Reliability:
    """Sort frames into bins by confidence; there is at least one.

    Raises:
        DataError: a confidence lies outside [0, 1] and is no probability.
    """
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DataError(
            f"calibration needs confidences from 0 to 1; they go from {confidence.min():g} to {confidence.max():g}. "
            "Store the probability that the target is there instead of a raw score."
        )
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(places, weights=confidence, minlength=bins) / counts
        rates = np.bincount(places, weights=hits, minlength=bins) / counts
    return Reliability(means, rates, counts)


def brier_score(confidence: Float[np.ndarray, "frames"], hits: Bool[np.ndarray, "frames"]) -> float:
    """Mean square distance of confidence and outcome: 0 is perfect, and 0.25 is what a constant 0.5 gets."""
    return float(((confidence - hits) ** 2).mean())


def absent_f(shown: Bool[np.ndarray, "frames"], present: Bool[np.ndarray, "frames"]) -> float | None:
    """F measure of calling the target absent; None where it is never absent, nor called so."""
    right = int((~shown & ~present).sum())
    both = int((~present).sum()) + int((~shown).sum())
    return 2 * right / both if both else None


def false_presence(shown: Bool[np.ndarray, "frames"], present: Bool[np.ndarray, "frames"]) -> float | None:
    """Share of the absent frames that are called present; None where there are none."""
    return float(present[~shown].mean()) if not shown.all() else None


def shown_frames(truth: BoxTruth) -> Bool[np.ndarray, "frames"]:
    """Frames in which the target can be seen: annotated with a box that is not empty, and not flagged absent."""
    shown: Bool[np.ndarray, "frames"] = np.isfinite(truth.boxes).all(axis=1) & (truth.boxes[:, 2:] > 0).all(axis=1)
    return shown if truth.visible is None else shown & truth.visible


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Calibration and absent frames, with the frames of all sequences and runs in one pool; frame 0 does not count.

    Trackers that give no confidence, or no decision, have no value of the measures that need it; the notes say so.

    Raises:
        UnknownNameError: rules other than Lockon's own.
        DataError: tracks that are incomplete.
    """
    if rules not in (None, "lockon"):
        raise UnknownNameError("rule set of presence", str(rules), ["lockon"])
    sequences, exclusions = select_sequences(test_set, results)
    shown = [shown_frames(box_truth(test_set, sequence)) for sequence in sequences]
    trackers, notes = [], [f"A hit is a box that overlaps a visible target by more than {HIT}."]
    for tracker, runs in results.items():
        cases = [box_case(test_set, sequence, tracker, run) for run in runs for sequence in sequences]
        said = _pool(cases, shown * len(runs))
        try:
            calibration, curves = _calibration(said)
        except DataError as error:
            calibration, curves = {}, {}
            notes.append(f"{tracker} has no calibration: {error}")
        trackers.append(
            TrackerAssessment(tracker=tracker, values=calibration | _decisions(said), curves=curves, runs=len(runs))
        )
    return Assessment(
        test_set=test_set.name,
        protocol="presence",
        rules="lockon",
        measures=MEASURES,
        trackers=tuple(trackers),
        sequences={sequence.name: len(frames) for sequence, frames in zip(sequences, shown, strict=True)},
        plots=(PLOT,),
        exclusions=tuple(exclusions),
        notes=tuple(notes),
    )


class _Said(NamedTuple):
    """All frames but the first of every sequence, end to end."""

    shown: Bool[np.ndarray, "frames"]
    hits: Bool[np.ndarray, "frames"]
    confidence: Float[np.ndarray, "frames"]
    """NaN where the tracker gives none."""
    present: Bool[np.ndarray, "frames"] | None
    """None where it decides nothing."""


def _pool(cases: Sequence[Case], shown: Sequence[Bool[np.ndarray, "frames"]]) -> _Said:
    hits, confidence, present = [], [], []
    for case, visible in zip(cases, shown, strict=True):
        case.require_length("presence")
        track, frames = case.track, len(case.truth)
        hits.append((visible & (overlap(case.truth, track.boxes[:frames]) > HIT))[1:])
        scores = np.full(frames, np.nan) if track.scores is None else track.scores[:frames]
        confidence.append(scores[1:])
        present.append(None if track.present is None else track.present[1:frames])
    decisions = [each for each in present if each is not None]
    return _Said(
        shown=np.concatenate([visible[1:] for visible in shown]),
        hits=np.concatenate(hits),
        confidence=np.concatenate(confidence),
        present=np.concatenate(decisions) if len(decisions) == len(present) else None,
    )


def _calibration(said: _Said) -> tuple[dict[str, float], dict[str, Curve]]:
    known = ~np.isnan(said.confidence)
    if not known.any():
        raise DataError("its results hold no confidence.")
    confidence, hits = said.confidence[known], said.hits[known]
    bins = reliability(confidence, hits)
    error = bins.expected_calibration_error
    filled = bins.counts > 0
    curve = Curve(x=bins.confidence[filled], y=bins.hits[filled], score=error)
    return {"ECE": error, "Brier": brier_score(confidence, hits)}, {PLOT.name: curve}


def _decisions(said: _Said) -> dict[str, float]:
    if said.present is None:
        return {}
    share = false_presence(said.shown, said.present)
    percent = None if share is None else 100 * share
    values = {
        "Absent F": absent_f(said.shown, said.present),
        "False presence": percent,
    }
    return {name: value for name, value in values.items() if value is not None}
