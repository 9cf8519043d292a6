"""Whom a tracker follows where look-alikes are about: the target, one of them, or nobody; and how it gets back.

A box is on an object that it overlaps by `HELD` or more. On more than one at a time, as where a look-alike passes
before the target, nobody can say whom the tracker follows: such a frame is undecided, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import Aggregation, Scores, frames_per_second
from lockon.evaluation.assessment import Assessment, Measure
from lockon.evaluation.geometry import Boxes, overlap
from lockon.evaluation.one_pass import score_track
from lockon.evaluation.one_pass.cases import box_case, box_truth
from lockon.evaluation.presence import false_presence
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Results, Said, Track

HELD = 0.5
"""Overlap from which on a box is on an object."""
TARGET, NOBODY, UNDECIDED = 0, -1, -2
"""What `identities` says, beside the numbers of look-alikes from 1 on."""
_ROUNDING = 1e-9
Identities = Int[np.ndarray, "frames"]

MEASURES = (
    Measure(
        name="Switches",
        unit="count",
        higher_is_better=False,
        meaning="identity switches a sequence: from the target, or a look-alike, to another look-alike",
    ),
    Measure(name="AUC", meaning="mean of the success curve over the frames that show the target"),
    Measure(name="On look-alike", higher_is_better=False, meaning="share of the frames on a look-alike"),
    Measure(
        name="Recovery",
        unit="count",
        higher_is_better=False,
        meaning="median of the frames from a loss, or the target's reappearance, until it is held (Kaplan-Meier)",
    ),
    Measure(name="Never", higher_is_better=False, meaning="share of the losses after which it is never held again"),
    Measure(name="False presence", higher_is_better=False, meaning="share of absent frames that are called present"),
)


def identities(target: Boxes, look_alikes: Sequence[Boxes], predicted: Boxes) -> Identities:
    """Whom the tracker follows in every frame: `TARGET`, k for the k-th look-alike, `NOBODY` or `UNDECIDED`.

    Args:
        target: its full box in all frames, hidden or not; NaN where nothing is known.
        look_alikes: the same of each.
        predicted: what the tracker says; NaN is on nobody.
    """
    overlaps = np.nan_to_num([overlap(boxes, predicted) for boxes in (target, *look_alikes)])
    reached = overlaps >= HELD
    alone: Identities = np.where(reached.any(axis=0), reached.argmax(axis=0), NOBODY)
    return np.where(reached.sum(axis=0) > 1, UNDECIDED, alone)


def switches(followed: Identities) -> int:
    """How often the tracker went to a look-alike, from the target or from another one.

    Frames in which it is on nobody, or undecided, lie between and count for nothing. To return to the target is none.
    """
    held = np.concatenate([[TARGET], followed[followed >= 0]])
    return int(((held[1:] != held[:-1]) & (held[1:] != TARGET)).sum())


class Recovery(NamedTuple):
    """One loss of the target, and how long it lasted."""

    frames: int
    """That showed the target since it was lost or, if it was away meanwhile, since it reappeared."""
    recovered: bool
    """Whether it was held again; else the sequence ended first."""


def recoveries(followed: Identities, visible: Bool[np.ndarray, "frames"]) -> tuple[Recovery, ...]:
    """All losses of the target in the order of time.

    The target is lost from a frame on in which the tracker is on somebody else or nobody, until one in which it is on
    the target alone; undecided frames change nothing. A loss during which the target never shows is none.
    """
    found: list[Recovery] = []
    lost, waited, shown = False, 0, False
    before = True
    for who, seen in zip(followed.tolist(), visible.tolist(), strict=True):
        if seen and not before:
            waited = 0
        if who == TARGET:
            if lost and (shown or seen):
                found.append(Recovery(waited, recovered=True))
            lost, waited, shown = False, 0, False
        elif who != UNDECIDED:
            lost = True
        if lost and seen:
            waited, shown = waited + 1, True
        before = seen
    return (*found, Recovery(waited, recovered=False)) if lost and shown else tuple(found)


def recovered_within(losses: Sequence[Recovery]) -> tuple[Int[np.ndarray, "times"], Float[np.ndarray, "times"]]:
    """Numbers of frames from 0 to the longest of one or more losses, and the share of them that are over by then.

    Losses that last to the end of their sequence are censored there (Kaplan and Meier, 1958).
    """
    frames = np.array([loss.frames for loss in losses])
    over = np.array([loss.recovered for loss in losses])
    times = np.arange(frames.max() + 1)
    ended = np.bincount(frames[over], minlength=len(times))
    lasting = np.array([(frames >= time).sum() for time in times])
    return times, 1 - np.cumprod(1 - ended / lasting)


def median_recovery(losses: Sequence[Recovery]) -> float:
    """Frames within which half of the losses are over; infinite where fewer ever are, NaN without losses."""
    if not losses:
        return float("nan")
    times, over = recovered_within(losses)
    reached = over >= 0.5 - _ROUNDING
    return float(times[reached.argmax()]) if reached.any() else float("inf")


def never_share(losses: Sequence[Recovery]) -> float:
    """Share of the losses in percent after which the target is never held again; NaN without losses."""
    return 100 * float(np.mean([not loss.recovered for loss in losses])) if losses else float("nan")


class Following(NamedTuple):
    """One track among look-alikes."""

    followed: Identities
    switches: int
    on_look_alike: float
    """Share of the frames in percent."""
    losses: tuple[Recovery, ...]
    auc: float
    """In percent, over the frames that show the target."""
    false_presence: float
    """Share of the absent frames in percent; NaN without such frames, or where the tracker decides nothing."""


def follow(truth: BoxTruth, track: Track) -> Following:
    """Judge a track, which is as long as its sequence.

    Raises:
        DataError: the look-alikes are not annotated.
    """
    if truth.look_alikes is None or truth.visible is None:
        raise DataError(
            "identities need boxes of the look-alikes and the frames that show the target, as the test set "
            "'distractors' has them; assess the results by another protocol."
        )
    followed = identities(truth.boxes, list(truth.look_alikes), track.boxes)
    shown = np.where(truth.visible[:, None], truth.boxes, np.nan)
    absent = None if track.present is None else false_presence(truth.visible, track.present)
    return Following(
        followed=followed,
        switches=switches(followed),
        on_look_alike=100 * float((followed > TARGET).mean()),
        losses=recoveries(followed, truth.visible),
        auc=score_track(shown, track.boxes)["AUC"],
        false_presence=float("nan") if absent is None else 100 * absent,
    )


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Identities of every tracker; switches, AUC and shares are means over sequences, losses of all are in one pool.

    Raises:
        UnknownNameError: rules other than Lockon's own.
        DataError: look-alikes are not annotated, or tracks are incomplete.
    """
    if rules not in (None, "lockon"):
        raise UnknownNameError("rule set of identity", str(rules), ["lockon"])
    sequences, exclusions = select_sequences(test_set, results)
    aggregation = Aggregation(test_set, sequences, MEASURES)
    scores = []
    for tracker, runs in results.items():
        judged = [[_judge(test_set, sequence, tracker, run) for sequence in sequences] for run in runs]
        tracks = [run[sequence.name] for run in runs for sequence in sequences]
        scores.append(_scores(tracker, judged, frames_per_second([t for t in tracks if isinstance(t, Track)])))
    return Assessment(
        test_set=test_set.name,
        protocol="identity",
        rules="lockon",
        measures=MEASURES,
        trackers=tuple(aggregation.tracker(each) for each in scores),
        sequences={sequence.name: len(sequence) for sequence in sequences},
        exclusions=tuple(exclusions),
        comparisons=aggregation.comparisons(scores),
        notes=(f"A box is on what it overlaps by {HELD} or more; frames in which that is several do not decide.",),
    )


def _judge(test_set: TestSet, sequence: TestSequence, tracker: str, run: Mapping[str, Said]) -> Following:
    case = box_case(test_set, sequence, tracker, run)
    case.require_length("identity")
    return follow(box_truth(test_set, sequence), case.track)


def _scores(tracker: str, judged: Sequence[Sequence[Following]], speed: float | None) -> Scores:
    columns = {
        "Switches": [[float(each.switches) for each in run] for run in judged],
        "AUC": [[each.auc for each in run] for run in judged],
        "On look-alike": [[each.on_look_alike for each in run] for run in judged],
        "False presence": [[each.false_presence for each in run] for run in judged],
    }
    losses = [loss for run in judged for each in run for loss in each.losses]
    overall = {"Recovery": median_recovery(losses), "Never": never_share(losses)}
    return Scores(
        tracker=tracker,
        values={name: np.array(values) for name, values in columns.items() if not np.isnan(values).all()},
        overall={name: value for name, value in overall.items() if np.isfinite(value)},
        frames_per_second=speed,
    )
