"""What the rule sets of one-pass evaluation (OPE) have in common, and where they may differ.

Wu, Lim and Yang, "Object Tracking Benchmark", PAMI 2015 (success and precision); Müller et al., "TrackingNet", ECCV
2018 (normalised precision). A rule set repairs or rejects a track, decides which frames count, and gives overlap and
centre errors per frame; shares of frames over thresholds are then the same arithmetic for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.evaluation.assessment import Measure
from lockon.evaluation.geometry import Boxes, PerFrame
from lockon.evaluation.one_pass.cases import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a rule set makes of a case. Values that are NaN reach no threshold; errors of -1 reach all."""

    overlaps: PerFrame
    errors: PerFrame
    """Centre errors in pixels."""
    normalised_errors: PerFrame
    """Centre errors in target sizes."""
    count: int
    """Frames that shares are taken of; there may be more or fewer of them than values."""
    extra: Mapping[str, float] = field(default_factory=dict)
    """Further measures of the rule set, in percent."""
    remark: str | None = None
    """What was cut or filled up, for the list of exclusions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Shares of frames in [0, 1] by threshold, of one track or of many."""

    success: Float[np.ndarray, "*tracks overlaps"]
    precision: Float[np.ndarray, "*tracks pixels"]
    normalised_precision: Float[np.ndarray, "*tracks sizes"]


def values_at_thresholds(curves: Curves) -> dict[str, Float[np.ndarray, "*tracks"]]:
    """The scores of OTB and LaSOT in percent: the mean of the success values, and shares at given thresholds."""
    steps = curves.success.shape[-1] - 1
    return {
        "AUC": 100 * curves.success.mean(axis=-1),
        "OP50": 100 * curves.success[..., steps // 2],
        "OP75": 100 * curves.success[..., 3 * steps // 4],
        "Precision": 100 * curves.precision[..., 20],
        "Norm Precision": 100 * curves.normalised_precision[..., 20],
    }


MEASURES = (
    Measure(name="AUC", meaning="mean of the success curve (frames with overlap > T) over 21 thresholds T, 0 to 1"),
    Measure(name="OP50", meaning="share of frames with overlap > 0.5"),
    Measure(name="OP75", meaning="share of frames with overlap > 0.75"),
    Measure(name="Precision", meaning="share of frames with centre error ≤ 20 pixels"),
    Measure(name="Norm Precision", meaning="share of frames with centre error ≤ 0.2 target sizes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """How one toolkit scores one-pass evaluation."""

    name: str
    summary: str
    """What sets these rules apart, in a line."""
    judge: Callable[[Case], Frames]
    """Raises DataError for tracks that the toolkit rejects."""
    measures: tuple[Measure, ...] = MEASURES
    values: Callable[[Curves], dict[str, Float[np.ndarray, "*tracks"]]] = values_at_thresholds
    """Linear in the curves, so that the mean over sequences may be taken before or after."""
    # Multiplied, not divided, as the toolkits do: an overlap may lie exactly on a threshold.
    overlap_thresholds: Float[np.ndarray, "overlaps"] = field(default_factory=lambda: np.arange(21) * 0.05)
    pixel_thresholds: Float[np.ndarray, "pixels"] = field(default_factory=lambda: np.arange(51.0))
    size_thresholds: Float[np.ndarray, "sizes"] = field(default_factory=lambda: np.arange(51) / 100)
    pooled: frozenset[str] = frozenset()
    """Measures that are means over frames instead of sequences."""
    ties_succeed: bool = False
    """Whether an overlap that equals the threshold counts."""
    missing_is_zero: bool = False
    """Whether a sequence without result counts as lost, instead of being left out for all trackers."""
    drops_zero_curves: bool = False
    """Whether sequences whose whole curve is zero are left out of means."""
    pools_confidence: bool = False
    """Whether precision and recall over confidence are part of the rules."""
    pool_every: int = 1
    """Of every how many frames one counts for them."""
    fewest_for_attribute: int = 1
    """Attributes that fewer sequences have are left out."""

    def curves(self, frames: Frames) -> Curves:
        """Shares of frames by threshold."""
        # Sorted once instead of compared with every threshold; NaN sorts last and is never counted.
        side: Literal["left", "right"] = "right" if self.ties_succeed else "left"
        reached = np.searchsorted(np.sort(-frames.overlaps), -self.overlap_thresholds, side)
        return Curves(
            success=reached / frames.count,
            precision=_within(frames.errors, self.pixel_thresholds) / frames.count,
            normalised_precision=_within(frames.normalised_errors, self.size_thresholds) / frames.count,
        )


def _within(errors: PerFrame, thresholds: Float[np.ndarray, "thresholds"]) -> Int[np.ndarray, "thresholds"]:
    return np.searchsorted(np.sort(errors), thresholds, side="right")


def repeat_last_good(
    predicted: Float[np.ndarray, "rows 4"], bad: Bool[np.ndarray, "rows"]
) -> Float[np.ndarray, "rows 4"]:
    """Boxes with every bad one replaced by the last one before it that is not; row 0 stays."""
    if not bad.any():
        return predicted
    rows = np.where(bad, 0, np.arange(len(predicted)))
    return predicted[np.maximum.accumulate(rows)]


def start_as_annotated(truth: Boxes, predicted: Boxes) -> Boxes:
    """The track with the given box in frame 0, whatever it holds there."""
    return np.concatenate([truth[:1], predicted[1:]])
