"""Pairs of frames whose candidates are known to be the same, or known to be gone (KeepTrack, ICCV 2021, Sec. 3.6).

Three sources of truth. *Partial*: in two consecutive frames the annotation says which candidate is the target, and
nothing is known of the others. *Self*: one frame and a changed copy of it, where everything is known. *Exact*, beyond
the paper: two consecutive frames of data that know all look-alikes, such as the synthetic world.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator

from lockon.boxes import Box
from lockon.training.association.scores import vary_scores
from lockon.training.association.slots import Slots, fill, move, slots_of
from lockon.training.mining.categories import CORRECT, WRONG
from lockon.training.mining.frames import MinedFrame

ALONE = -1
"""The partner of a candidate that has none in the other frame."""
UNKNOWN = -2
"""Nobody knows the partner; the loss ignores the candidate."""
_JITTER = 100
"""The search area of the changed copy is off by up to a hundredth of its extent."""

Partners = Int[np.ndarray, "slots"]


class Pair(NamedTuple):
    """Candidates of two frames, and who is who."""

    previous: Slots
    current: Slots
    previous_partners: Partners
    """Slot of the same object in the current frame, `ALONE` or `UNKNOWN`."""
    current_partners: Partners
    """The same the other way."""


def self_supervised(
    frame: MinedFrame, area: Box, rng: Generator, *, slots: int, dropped: float, score_scale: float, artificial: int
) -> Pair:
    """A frame and its copy with other places and scores, in a search area that lies a little elsewhere.

    Args:
        frame: with one candidate at least.
        area: search area of the copy, see `jitter_area`.
        rng: source of the draws.
        slots: candidates of a frame, the artificial ones included.
        dropped: largest share of the candidates that one of the frames lacks: occlusions and re-detections.
        score_scale: see `vary_scores`.
        artificial: partner of the artificial candidates, `ALONE` or `UNKNOWN`.
    """
    whole = slots_of(frame, slots)
    present = np.flatnonzero(whole.real)
    count = round(dropped * len(present) * rng.random())
    gone = rng.choice(present, count, replace=False)
    copy = whole.seen_in(area)
    previous, current = (whole.without(gone), copy) if rng.random() < 0.5 else (whole, copy.without(gone))
    taken = whole.points[whole.real]
    previous, taken = fill(previous, taken, rng, score_scale=score_scale)
    current, _ = fill(current, taken, rng, score_scale=score_scale)
    scores = vary_scores(current.scores, current.real, rng, complete=count == 0, scale=score_scale)
    current = move(current.with_scores(scores), rng)
    both = previous.real & current.real
    own = np.where(both, np.arange(slots), ALONE)
    return Pair(previous, current, np.where(previous.real, own, artificial), np.where(current.real, own, artificial))


def partially_supervised(
    frames: tuple[MinedFrame, MinedFrame],
    rng: Generator,
    *,
    slots: int,
    dropped: float,
    score_scale: float,
) -> Pair | None:
    """Two consecutive frames, of whose candidates the target alone is known.

    Args:
        frames: previous and current frame.
        rng: source of the draws.
        slots: see `self_supervised`.
        dropped: probability that one of the frames lacks its target: then the target of the other has no partner.
        score_scale: of artificial candidates.

    Returns:
        None if the target is not among the candidates of both frames.
    """
    sides = [slots_of(frame, slots) for frame in frames]
    targets = [target_slot(frame, side) for frame, side in zip(frames, sides, strict=True)]
    if ALONE in targets:
        return None
    partners = [np.full(slots, UNKNOWN), np.full(slots, UNKNOWN)]
    lacking = int(rng.integers(2)) if rng.random() < dropped else None
    for side in range(2):
        if lacking is None:
            partners[side][targets[side]] = targets[1 - side]
        elif side != lacking:
            partners[side][targets[side]] = ALONE
    previous, current = (
        _completed(side, np.array([target] if number == lacking else [], np.int64), rng, score_scale)
        for number, (side, target) in enumerate(zip(sides, targets, strict=True))
    )
    return Pair(previous, current, *partners)


def exactly_supervised(
    frames: tuple[MinedFrame, MinedFrame],
    rng: Generator,
    *,
    slots: int,
    dropped: float,
    score_scale: float,
) -> Pair:
    """Two consecutive frames with all objects that are known in them.

    Args:
        frames: previous and current frame, with `identities`.
        rng: source of the draws.
        slots: see `self_supervised`.
        dropped: see `self_supervised`.
        score_scale: of artificial candidates.
    """
    sides = [slots_of(frame, slots) for frame in frames]
    which = int(rng.integers(2))
    present = np.flatnonzero(sides[which].real)
    gone = rng.choice(present, round(dropped * len(present) * rng.random()), replace=False)
    previous, current = (
        _completed(side, gone if number == which else gone[:0], rng, score_scale) for number, side in enumerate(sides)
    )
    return _linked(frames, previous, current)


def exact_pair(frames: tuple[MinedFrame, MinedFrame]) -> Pair:
    """Two consecutive frames as a tracker sees them: every candidate there is, and nothing else."""
    return _linked(frames, *(slots_of(frame, None) for frame in frames))


def _linked(frames: tuple[MinedFrame, MinedFrame], previous: Slots, current: Slots) -> Pair:
    sides = list(zip(frames, (previous, current), strict=True))
    objects = [identify(frame, side) for frame, side in sides]
    vague = [unclear(frame, side) for frame, side in sides]
    return Pair(
        previous,
        current,
        partners(objects[0], objects[1], vague[1]),
        partners(objects[1], objects[0], vague[0]),
    )


def _completed(slots: Slots, gone: Int[np.ndarray, "k"], rng: Generator, score_scale: float) -> Slots:
    """Without some candidates, and with artificial ones in all empty slots, not where the others were."""
    return fill(slots.without(gone), slots.points[slots.real], rng, score_scale=score_scale)[0]


def jitter_area(area: Box, rng: Generator) -> Box:
    """A search area with whole pixels added to place and extent, up to a hundredth of the extent."""

    def off(extent: float) -> int:
        return int(rng.integers(-math.ceil(extent / _JITTER), math.floor(extent / _JITTER), endpoint=True))

    return Box(area.x + off(area.w), area.y + off(area.h), area.w + off(area.w), area.h + off(area.h))


def target_slot(frame: MinedFrame, slots: Slots) -> int:
    """The candidate nearest to the annotated target, within `CORRECT` cells; `ALONE` if there is none."""
    if frame.target_cell is None or not frame.visible or not slots.real.any():
        return ALONE
    away = np.linalg.norm(slots.cells - np.array(frame.target_cell), axis=1)
    nearest = int(np.where(slots.real, away, np.inf).argmin())
    return nearest if away[nearest] <= CORRECT else ALONE


def identify(frame: MinedFrame, slots: Slots) -> Int[np.ndarray, "slots"]:
    """Which object each candidate is: 0 the target, k the k-th look-alike, `UNKNOWN` for anything else.

    Candidate and object are paired from the nearest couple on, one to one, within `CORRECT` cells. A hidden target is
    none.
    """
    away = _distances_to_objects(frame, slots)
    if not frame.visible:
        away[:, 0] = np.nan
    found = np.full(len(slots.cells), UNKNOWN)
    for flat in np.argsort(away, axis=None):  # NaN comes last
        slot, which = np.unravel_index(flat, away.shape)
        if not away[slot, which] <= CORRECT:
            break
        if found[slot] == UNKNOWN and which not in found:
            found[slot] = which
    return found


def unclear(frame: MinedFrame, slots: Slots) -> Int[np.ndarray, "_"]:
    """Objects that may have a candidate, or may not: one that is no other object lies within `WRONG` cells."""
    stray = identify(frame, slots) == UNKNOWN
    return np.flatnonzero((_distances_to_objects(frame, slots)[stray] <= WRONG).any(axis=0))


def _distances_to_objects(frame: MinedFrame, slots: Slots) -> Float[np.ndarray, "slots objects"]:
    """In cells, from candidates to the centres of the target and of the look-alikes; NaN where there is none."""
    target = frame.target_box or [np.nan] * 4
    boxes = np.concatenate([np.array([target]), frame.identities.reshape(-1, 4)])
    centres = (boxes[:, :2] + boxes[:, 2:] / 2)[:, ::-1]
    region = slots.region
    # Of the region's extent: its `w` and `h` count from pixel to pixel, so they lack one.
    places = (centres - [region.y, region.x]) / [region.h + 1, region.w + 1] * (slots.cells_a_side - 1)
    away: Float[np.ndarray, "slots objects"] = np.linalg.norm(slots.cells[:, None] - places[None], axis=-1)
    away[~slots.real] = np.nan
    return away


def partners(
    own: Int[np.ndarray, "m"], others: Int[np.ndarray, "n"], vague: Int[np.ndarray, "_"]
) -> Int[np.ndarray, "m"]:
    """For candidates of one frame, the slots of the same objects in the other.

    Args:
        own: object of each candidate, or `UNKNOWN`.
        others: those of the other frame.
        vague: objects of which nobody can say whether they are among the others, if they are not found.
    """
    same = (own[:, None] == others[None]) & (own != UNKNOWN)[:, None]
    absent = np.where(np.isin(own, vague), UNKNOWN, ALONE)
    found = np.where(same.any(axis=1), same.argmax(axis=1) if len(others) else 0, absent)
    return np.where(own == UNKNOWN, UNKNOWN, found)
