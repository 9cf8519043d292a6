"""The rules of the MATLAB toolkit of LaSOT: those of OTB, and absent frames are failures in every measure."""

from __future__ import annotations

import numpy as np

from lockon.evaluation.one_pass.base import Case, Frames, RuleSet
from lockon.evaluation.one_pass.otb import compare


def judge(case: Case) -> Frames:
    """Absent frames are taken out before anything else, and stay in the number that shares are taken of.

    Raises:
        DataError: the track is shorter than the annotation.
    """
    frames, rows = len(case.truth), len(case.predicted)
    if rows < frames:
        raise case.error(f"has {rows} boxes for {frames} frames, which the rules 'lasot' reject. Repeat the run.")
    kept = np.ones(frames, dtype=bool) if case.visible is None else case.visible
    return compare(case.truth[kept], case.predicted[:frames][kept], frames, None)


LASOT = RuleSet(
    name="lasot",
    summary="as otb, and frames flagged absent are failures in success and in both precisions",
    judge=judge,
    drops_zero_curves=True,
    fewest_for_attribute=2,
)
