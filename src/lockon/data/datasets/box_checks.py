"""What looks wrong with the boxes of one target. Every check is a guess: real targets do odd things, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

LONGEST_CONSTANT = 300
"""Frames for which a box may stay the same to the last digit."""
_JUMP = 5.0
"""Box sizes by which a centre may move, and factor by which an area may change, from a frame to the next."""
_FEW = 5
"""Boxes needed before their pattern says anything."""
_MOST = 0.5

Boxes = Float[np.ndarray, "n 4"]
Frames = Int[np.ndarray, "n"]


class Suspicion(NamedTuple):
    """Something odd, and where."""

    kind: str
    text: str
    frames: tuple[int, ...]
    """Frame numbers from 0."""


def suspicious_boxes(
    boxes: Float[np.ndarray, "frames 4"], visible: Bool[np.ndarray, "frames"], size: tuple[int, int] | None
) -> Iterator[Suspicion]:
    """Look at one target over time.

    Args:
        boxes: `(x, y, w, h)` in pixels per frame; NaN where there is none.
        visible: frames of which the boxes count.
        size: width and height of the images, where known.
    """
    frames = np.flatnonzero(visible)
    seen = np.asarray(boxes, np.float64)[frames]
    for check in (_tiny, _constant, _jumps):
        yield from check(seen, frames)
    if size is not None:
        if _are_corners(seen, size):
            text = "most boxes leave the image, and all would fit as corners: x1,y1,x2,y2 read as x,y,w,h?"
            yield Suspicion("corners", text, ())
        else:
            yield from _outside(seen, frames, size)


def _tiny(boxes: Boxes, frames: Frames) -> Iterator[Suspicion]:
    at = frames[(boxes[:, 2:] <= 1).any(axis=1)]
    if len(at):
        yield Suspicion("tiny", f"{_count(at, 'box', 'boxes')} of one pixel or less", _numbers(at))


def _constant(boxes: Boxes, frames: Frames) -> Iterator[Suspicion]:
    if len(boxes) < LONGEST_CONSTANT:
        return
    changes = np.flatnonzero((boxes[1:] != boxes[:-1]).any(axis=1)) + 1
    bounds = np.concatenate([[0], changes, [len(boxes)]])
    runs = np.diff(bounds)
    longest = int(runs.argmax())
    if runs[longest] >= LONGEST_CONSTANT:
        first = int(frames[bounds[longest]])
        text = f"the box is the same in {runs[longest]} frames from frame {first} on: was it annotated?"
        yield Suspicion("constant", text, (first,))


def _jumps(boxes: Boxes, frames: Frames) -> Iterator[Suspicion]:
    if len(boxes) < 2:
        return
    before, after = boxes[:-1], boxes[1:]
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    areas = boxes[:, 2:].prod(axis=1)
    side = np.sqrt(np.maximum(areas[:-1], areas[1:]))
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=1) > _JUMP * side
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = after[:, 2:].prod(axis=1) / before[:, 2:].prod(axis=1)
    resized = (ratio > _JUMP) | (ratio < 1 / _JUMP)
    at = frames[1:][(moved | resized) & (np.diff(frames) == 1)]
    if len(at):
        yield Suspicion("jump", f"the box jumps {_count(at, 'time', 'times')}", _numbers(at))


def _outside(boxes: Boxes, frames: Frames, size: tuple[int, int]) -> Iterator[Suspicion]:
    at = frames[((boxes[:, :2] >= size) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)]
    if len(at):
        text = f"{_count(at, 'box', 'boxes')} outside of the image ({size[0]}×{size[1]})"
        yield Suspicion("outside", text, _numbers(at))


def _are_corners(boxes: Boxes, size: tuple[int, int]) -> bool:
    """Whether x, y, w, h would be the corners of boxes on the image, while as sizes most are too large for it."""
    if len(boxes) < _FEW:
        return False
    ordered = (boxes[:, 2:] > boxes[:, :2]).all() and (boxes[:, 2:] <= size).all() and (boxes[:, :2] >= 0).all()
    too_large = (boxes[:, :2] + boxes[:, 2:] > size).any(axis=1).mean()
    return bool(ordered and too_large > _MOST)


class CountingFromOne:
    """Evidence, over a data set, that pixels were counted from 1: boxes start there at least, and end one late."""

    def __init__(self) -> None:
        self._boxes = self._at_start = self._late = 0
        self._possible = True

    def add(self, boxes: Float[np.ndarray, "n 4"], size: tuple[int, int]) -> None:
        """Take in the boxes of one target on images of a size (width, height)."""
        if not len(boxes) or not self._possible:
            return
        inside = (boxes[:, :2] >= 1).all() and (boxes[:, :2] + boxes[:, 2:] <= np.add(size, 1)).all()
        self._possible = bool(inside and (boxes == np.round(boxes)).all())
        self._boxes += len(boxes)
        self._at_start += int((boxes[:, :2] == 1).any(axis=1).sum())
        self._late += int((boxes[:, :2] + boxes[:, 2:] == np.add(size, 1)).any(axis=1).sum())

    def suspicion(self) -> Suspicion | None:
        """What the evidence says, if anything."""
        if not (self._possible and self._at_start and self._late):
            return None
        text = (
            f"pixels seem to be counted from 1: of {self._boxes} boxes none starts before 1, and {self._late} end "
            "one pixel beyond the image. Take 1 from x and y."
        )
        return Suspicion("counted from 1", text, ())


def _count(at: Frames, one: str, many: str) -> str:
    return f"{len(at)} {one if len(at) == 1 else many}"


def _numbers(at: Frames) -> tuple[int, ...]:
    return tuple(at.tolist())
