"""The rules of the toolkit of PySOT (STVIR)."""

from __future__ import annotations

import numpy as np

from lockon.evaluation.geometry import PerFrame, Points, all_columns, centres, distance, overlap
from lockon.evaluation.one_pass.base import Frames, RuleSet
from lockon.evaluation.one_pass.cases import Case

TINY = 1e-16


def judge(case: Case) -> Frames:
    """The track counts as it is, frame 0 too. Flags take frames out of the numerator alone.

    Raises:
        DataError: the track is shorter than the annotation.
    """
    case.require_length("pysot")
    frames = len(case.truth)
    kept = np.ones(frames, dtype=bool) if case.visible is None else case.visible
    truth, predicted = case.truth[kept], case.track.boxes[:frames][kept]
    sizes = truth[:, 2] + TINY, truth[:, 3] + TINY
    shown = all_columns(truth[:, 2:] > 0)
    return Frames(
        overlaps=np.where(shown, overlap(truth, predicted), -1.0),
        errors=_errors(centres(truth), centres(predicted)),
        normalised_errors=_errors(centres(truth).scaled(*sizes), centres(predicted).scaled(*sizes)),
        count=frames,
    )


def _errors(truth: Points, predicted: Points) -> PerFrame:
    # A centre that is not inside the positive quadrant means "not annotated", and is a hit.
    return np.where((truth.x > 0) & (truth.y > 0), distance(predicted, truth), -1.0)


PYSOT = RuleSet(
    name="pysot",
    summary="frame 0 as tracked; nothing is repaired; frames without annotation are hits in precision",
    judge=judge,
)
