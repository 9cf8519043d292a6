"""The rules of the MATLAB toolkit of OTB."""

from __future__ import annotations

import numpy as np

from lockon.evaluation.geometry import (
    Boxes,
    all_columns,
    any_column,
    centre_error,
    normalised_centre_error,
    overlap,
    unknown,
)
from lockon.evaluation.one_pass.base import Frames, RuleSet, repeat_last_good, start_as_annotated
from lockon.evaluation.one_pass.cases import Case


def judge(case: Case) -> Frames:
    """Frames whose annotated numbers are not all positive: no success, but within every error.

    Raises:
        DataError: the track is empty.
    """
    frames = min(len(case.truth), len(case.track.boxes))
    missing = len(case.truth) - frames
    remark = f"{missing} of {len(case.truth)} frames have no box; both were cut" if missing else None
    return compare(case.truth[:frames], case.track.boxes[:frames], frames, remark)


def compare(truth: Boxes, predicted: Boxes, count: int, remark: str | None) -> Frames:
    """Repair bad boxes, and compare; shares are of `count` frames."""
    bad = any_column(~np.isfinite(predicted)) | any_column(predicted[:, 2:] <= 0)
    repaired = repeat_last_good(predicted, bad & ~unknown(truth))
    repaired = start_as_annotated(truth, repaired)
    valid = all_columns(truth > 0)
    return Frames(
        overlaps=np.where(valid, overlap(truth, repaired), -1.0),
        errors=np.where(valid, centre_error(truth, repaired), -1.0),
        normalised_errors=np.where(valid, normalised_centre_error(truth, repaired), -1.0),
        count=count,
        remark=remark,
    )


OTB = RuleSet(
    name="otb",
    summary="bad boxes repeat the last good one; frames without a valid annotation are hits in precision",
    judge=judge,
    drops_zero_curves=True,
    fewest_for_attribute=2,
)
