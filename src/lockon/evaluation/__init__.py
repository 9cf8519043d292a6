"""Measures of tracking quality: pure functions of annotation and prediction, whatever made the prediction."""

from lockon.evaluation.measures import (
    NORMALISED_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    OnePassScores,
    absent_frames,
    centre_error,
    false_presence_rate,
    mean_scores,
    normalised_centre_error,
    one_pass_scores,
    overlap,
)

__all__ = [
    "NORMALISED_THRESHOLDS",
    "PRECISION_THRESHOLDS",
    "SUCCESS_THRESHOLDS",
    "OnePassScores",
    "absent_frames",
    "centre_error",
    "false_presence_rate",
    "mean_scores",
    "normalised_centre_error",
    "one_pass_scores",
    "overlap",
]
