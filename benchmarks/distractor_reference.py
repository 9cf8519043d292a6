"""What motion alone can tell on the distractor benchmark, for one who is given the exact boxes of everything."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import BoxTruth
from lockon.evaluation.tracks import Track

NAME = "motion, exact boxes"
_GATE, _WIDENING = 0.25, 0.03
"""Farthest that an object is taken for the one followed, in its sizes from where that should be, and how much farther
with every frame in which there was none."""
_SMOOTHING, _SLOWING = 0.5, 0.95
"""Share of the newest step in the velocity, and factor on it in frames without an object."""


def follow_by_motion(truth: BoxTruth) -> Track:
    """Follow the target at constant velocity: whichever object is nearest to where it should be is taken for it.

    It is given the boxes of the look-alikes, and of the target while that is visible, but not whose they are. It
    knows nothing of their looks, and never searches for whom it lost.
    """
    assert truth.look_alikes is not None, "a truth of the distractor test set has them"
    assert truth.visible is not None, "and knows when the target is visible"
    objects = np.concatenate([truth.boxes[None], truth.look_alikes])
    box, velocity, missed = truth.boxes[0].copy(), np.zeros(2), 0
    boxes = [box]
    for frame in range(1, len(truth.boxes)):
        there = objects[0 if truth.visible[frame] else 1 :, frame]
        expected = box + np.concatenate([velocity, np.zeros(2)])
        distances = np.linalg.norm(_centre(there) - _centre(expected), axis=-1) / np.sqrt(box[2:].prod())
        nearest = int(distances.argmin())
        if distances[nearest] < _GATE + _WIDENING * missed:
            step = _centre(there[nearest]) - _centre(box)
            velocity = (1 - _SMOOTHING) * velocity + _SMOOTHING * step
            box, missed = there[nearest], 0
        else:
            velocity, box, missed = _SLOWING * velocity, expected, missed + 1
        boxes.append(box)
    return Track(boxes=np.array(boxes))


def _centre(boxes: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 2"]:
    middle: Float[np.ndarray, "*n 2"] = boxes[..., :2] + boxes[..., 2:] / 2
    return middle
