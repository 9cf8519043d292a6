"""Precision, recall and F over confidence, with the frames of all sequences in one pool, as pytracking draws them.

This is not the measure of the VOT long-term challenge, which averages over sequences at common thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lockon.evaluation.assessment import Curve, Measure
from lockon.evaluation.geometry import Boxes
from lockon.evaluation.one_pass.cases import Case
from lockon.evaluation.one_pass.pytracking import judge
from lockon.evaluation.precision_recall import f_score
from lockon.evaluation.tracks import Track

F_MEASURE = Measure(name="F", unit="share", meaning="best F over confidence, frames of all sequences in one pool")
DRAWN_POINTS = 1000


class PooledCurve(NamedTuple):
    """Precision and recall of the most confident frames, for every number of them; the first point is (1, 0)."""

    precision: Float[np.ndarray, "points"]
    recall: Float[np.ndarray, "points"]
    thresholds: Float[np.ndarray, "points"]
    """The largest confidence that is not among them: they are the frames whose confidence exceeds it."""

    @property
    def f(self) -> Float[np.ndarray, "points"]:
        """Harmonic mean of precision and recall; 0 where both are."""
        return f_score(self.precision, self.recall)

    @property
    def best(self) -> int:
        """The point of the largest F."""
        return int(self.f.argmax())


def pool(cases: Sequence[Case], every: int = 1) -> PooledCurve:
    """The curve of one tracker.

    The rules are applied to all tracks end to end, as if to one. A track without confidence has 1 throughout, and one
    without it in frame 0 has 1 there; elsewhere a missing one is 0.

    Args:
        cases: its tracks.
        every: of every how many frames of a sequence, from the first on, one counts (`anno_period`).

    Raises:
        DataError: the rules reject a track.
    """
    truth = np.concatenate([case.truth[::every] for case in cases])
    frames = judge(
        Case(
            truth=truth,
            track=Track(boxes=np.concatenate([_boxes(case)[::every] for case in cases])),
            visible=np.concatenate(
                [
                    (np.ones(len(case.truth), bool) if case.visible is None else case.visible)[::every]
                    for case in cases
                ]
            ),
            benchmark=cases[0].benchmark,
            label=cases[0].label,
        )
    )
    scores = np.concatenate([_confidence(case)[::every] for case in cases])
    valid = frames.overlaps >= 0
    order = np.argsort(-scores, kind="stable")
    gained = np.cumsum(np.where(valid, frames.overlaps, 0)[order])
    return PooledCurve(
        precision=np.concatenate([[1.0], gained / np.arange(1, len(gained) + 1)]),
        recall=np.concatenate([[0.0], gained / max(int(valid.sum()), 1)]),
        thresholds=np.concatenate([scores[order], [-np.inf]]),
    )


def drawn(curve: PooledCurve) -> Curve:
    """The line of a plot, thinned to `DRAWN_POINTS`."""
    points = np.unique(np.linspace(0, len(curve.recall) - 1, DRAWN_POINTS).round().astype(int))
    best = curve.best
    return Curve(
        x=curve.recall[points],
        y=curve.precision[points],
        score=float(curve.f[best]),
        marked=(float(curve.recall[best]), float(curve.precision[best])),
    )


def _boxes(case: Case) -> Boxes:
    frames, rows = len(case.truth), len(case.track.boxes)
    return np.concatenate([case.track.boxes[:frames], np.zeros((max(frames - rows, 0), 4))])


def _confidence(case: Case) -> Float[np.ndarray, "frames"]:
    given = case.track.scores
    if given is None:
        return np.ones(len(case.truth))
    scores = np.zeros(len(case.truth))
    rows = min(len(scores), len(given))
    scores[:rows] = np.nan_to_num(given[:rows], nan=0.0)
    if np.isnan(given[0]):
        scores[0] = 1.0
    return scores
