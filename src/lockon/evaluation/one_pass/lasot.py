"""The rules of the MATLAB toolkit of LaSOT: those of OTB, and absent frames are failures in every measure."""

from __future__ import annotations

import numpy as np

from lockon.evaluation.one_pass.base import Frames, RuleSet
from lockon.evaluation.one_pass.cases import Case
from lockon.evaluation.one_pass.otb import compare


def judge(case: Case) -> Frames:
    """Absent frames are taken out before anything else, and stay in the number that shares are taken of.

    Raises:
        DataError: the track is shorter than the annotation.
    """
    case.require_length("lasot")
    frames = len(case.truth)
    kept = np.ones(frames, dtype=bool) if case.visible is None else case.visible
    return compare(case.truth[kept], case.track.boxes[:frames][kept], frames, None)


LASOT = RuleSet(
    name="lasot",
    summary="as otb, and frames flagged absent are failures in success and in both precisions",
    judge=judge,
    drops_zero_curves=True,
    fewest_for_attribute=2,
)
