"""Whether a tracker knows that it has the target: calibration of its confidence, and its calls on absent frames.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (reliability, expected calibration error); Brier,
"Verification of forecasts expressed in terms of probability", 1950.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.data.testsets.base import BoxTruth
from lockon.errors import DataError
from lockon.evaluation.assessment import Measure

HIT = 0.5
"""Overlap from which on a box is on the target, as OxUvA has it."""
BINS = 10
MEASURES = (
    Measure(name="ECE", unit="share", higher_is_better=False, meaning="mean distance of confidence and rate of hits"),
    Measure(name="Brier", unit="share", higher_is_better=False, meaning="mean square distance of confidence and hit"),
    Measure(name="Absent F", unit="share", meaning="F of calling the target absent"),
    Measure(
        name="False presence", higher_is_better=False, meaning="share of absent frames in which it is called present"
    ),
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
        gaps = np.abs(self.confidence - self.hits)[filled]
        return float(np.average(gaps, weights=self.counts[filled])) if filled.any() else float("nan")


def reliability(
    confidence: Float[np.ndarray, "frames"], hits: Bool[np.ndarray, "frames"], bins: int = BINS
) -> Reliability:
    """Sort frames into bins by confidence.

    Raises:
        DataError: a confidence outside [0, 1], which is no probability.
    """
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DataError(
            f"calibration needs confidences from 0 to 1; they go from {confidence.min():g} to {confidence.max():g}. "
            "Give the tracker's probability of presence instead of a raw score."
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
    called, absent = int((~present).sum()), int((~shown).sum())
    return 2 * right / (called + absent) if called + absent else None


def false_presence(shown: Bool[np.ndarray, "frames"], present: Bool[np.ndarray, "frames"]) -> float | None:
    """Share of the absent frames that are called present; None where there are none."""
    return float(present[~shown].mean()) if not shown.all() else None


def shown_frames(truth: BoxTruth) -> Bool[np.ndarray, "frames"]:
    """Frames in which the target can be seen: annotated with a box that is not empty, and not flagged absent."""
    boxes = truth.boxes
    shown: Bool[np.ndarray, "frames"] = (boxes[:, 2:] > 0).all(axis=1) & np.isfinite(boxes).all(axis=1)
    return shown if truth.visible is None else shown & truth.visible
