"""The rules of TrackingNet's evaluation server (Müller et al., ECCV 2018)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lockon.evaluation.assessment import Measure
from lockon.evaluation.geometry import centre_error, intersection_and_union, scaled_centre_error
from lockon.evaluation.one_pass.base import Curves, Frames, RuleSet, start_as_annotated
from lockon.evaluation.one_pass.cases import Case

MEASURES = (
    Measure(name="AUC", meaning="area under the success curve (share of frames with overlap ≥ T), T from 0 to 1"),
    Measure(name="Precision", meaning="area under the precision curve, 0 to 50 pixels, as a share of the largest"),
    Measure(name="Norm Precision", meaning="area under the normalised precision curve, 0 to 0.5 target sizes"),
    Measure(name="Coverage", meaning="share of frames with a box"),
)


def judge(case: Case) -> Frames:
    """Both sides are rounded to whole pixels. Frames without a box are misses even at overlap 0."""
    frames = len(case.truth)
    predicted = np.full((frames, 4), np.nan)
    rows = min(frames, len(case.track.boxes))
    predicted[:rows] = case.track.boxes[:rows]
    truth = np.round(case.truth)
    predicted = start_as_annotated(truth, np.round(predicted))
    intersection, union = intersection_and_union(truth, predicted)
    with np.errstate(divide="ignore", invalid="ignore"):
        overlaps = intersection / union
    return Frames(
        overlaps=overlaps,
        errors=centre_error(truth, predicted),
        normalised_errors=scaled_centre_error(truth, predicted, truth[:, 2], truth[:, 3]),
        count=frames,
        extra={"Coverage": 100 * float((predicted @ np.ones(4) > 0).mean())},
        remark=f"{frames - rows} of {frames} frames have no box; they count as lost" if rows < frames else None,
    )


def values(curves: Curves) -> dict[str, Float[np.ndarray, "*tracks"]]:
    """Areas under the curves in percent, by the trapezoid rule, over thresholds scaled to [0, 1]."""
    return {
        "AUC": _area(curves.success),
        "Precision": _area(curves.precision),
        "Norm Precision": _area(curves.normalised_precision),
    }


def _area(curves: Float[np.ndarray, "*tracks thresholds"]) -> Float[np.ndarray, "*tracks"]:
    area: Float[np.ndarray, "*tracks"] = 50 * (curves[..., 1:] + curves[..., :-1]).mean(axis=-1)
    return area


TRACKINGNET = RuleSet(
    name="trackingnet",
    summary="whole pixels; overlaps that equal a threshold count; all scores are areas under 21-point curves",
    judge=judge,
    measures=MEASURES,
    values=values,
    pixel_thresholds=np.arange(21) * 2.5,
    size_thresholds=np.arange(21) * 0.025,
    pooled=frozenset({"Coverage"}),
    ties_succeed=True,
    missing_is_zero=True,
)
