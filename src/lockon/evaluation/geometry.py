"""Overlap and distance of boxes, frame by frame, in float64: what every protocol on boxes is made of.

Boxes are `(x, y, w, h)` in pixels. NaN in either box gives NaN, and NaN reaches no threshold.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

Boxes = Float[np.ndarray, "frames 4"]
PerFrame = Float[np.ndarray, "frames"]
EPSILON = float(np.finfo(np.float64).eps)


def intersection_and_union(a: Boxes, b: Boxes) -> tuple[PerFrame, PerFrame]:
    """Areas in square pixels. The inclusive arithmetic of MATLAB toolkits (`x + w - 1`) gives the same numbers."""
    left, top = np.maximum(a[:, 0], b[:, 0]), np.maximum(a[:, 1], b[:, 1])
    right = np.minimum(a[:, 0] + a[:, 2], b[:, 0] + b[:, 2])
    bottom = np.minimum(a[:, 1] + a[:, 3], b[:, 1] + b[:, 3])
    intersection = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    return intersection, a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - intersection


def overlap(a: Boxes, b: Boxes) -> PerFrame:
    """Intersection over union; 0 where both boxes are empty."""
    intersection, union = intersection_and_union(a, b)
    shares: PerFrame = np.divide(intersection, union, out=np.zeros_like(union), where=union != 0)
    return shares


def overlap_up_to_one(a: Boxes, b: Boxes) -> PerFrame:
    """Intersection over union as the GOT-10k toolkit has it, in [0, 1]; 0 where both boxes are empty."""
    intersection, union = intersection_and_union(a, b)
    shares: PerFrame = np.clip(intersection / (union + EPSILON), 0, 1)
    return shares


class Points(NamedTuple):
    """A point a frame."""

    x: PerFrame
    y: PerFrame

    def scaled(self, widths: PerFrame, heights: PerFrame) -> Points:
        """The points in units of widths and heights; infinite or NaN where those are 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return Points(self.x / widths, self.y / heights)


def centres(boxes: Boxes) -> Points:
    """Centres of pixels, `(x + (w - 1) / 2, y + (h - 1) / 2)`.

    The half pixel cancels in distances, but not in distances divided by a size, where it decides ties.
    """
    x, y, w, h = boxes.T
    return Points(x + (w - 1) / 2, y + (h - 1) / 2)


def distance(a: Points, b: Points) -> PerFrame:
    """Euclidean distance."""
    # As the toolkits do: np.hypot rounds differently, which moves errors that lie exactly on a threshold.
    with np.errstate(invalid="ignore"):
        lengths: PerFrame = np.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2)
    return lengths


def centre_error(truth: Boxes, predicted: Boxes) -> PerFrame:
    """Distance of the centres in pixels."""
    return distance(centres(predicted), centres(truth))


def normalised_centre_error(truth: Boxes, predicted: Boxes) -> PerFrame:
    """Distance of the centres in units of the annotated width and height (Müller et al., TrackingNet, ECCV 2018).

    Each centre is divided before they are subtracted, as most toolkits do: the other order rounds ties differently.
    """
    sizes = truth[:, 2], truth[:, 3]
    return distance(centres(predicted).scaled(*sizes), centres(truth).scaled(*sizes))


def scaled_centre_error(truth: Boxes, predicted: Boxes, widths: PerFrame, heights: PerFrame) -> PerFrame:
    """Distance of the centres in units of `widths` and `heights`, subtracted before divided."""
    wanted, found = centres(truth), centres(predicted)
    offsets = Points(found.x - wanted.x, found.y - wanted.y).scaled(widths, heights)
    return distance(offsets, Points(np.zeros(len(truth)), np.zeros(len(truth))))


def unknown(boxes: Boxes) -> Bool[np.ndarray, "frames"]:
    """Frames in which a number is NaN."""
    return any_column(np.isnan(boxes))


def any_column(mask: Bool[np.ndarray, "frames n"]) -> Bool[np.ndarray, "frames"]:
    """Rows with a true value; numpy's own reduction over a few columns takes several times as long."""
    return functools.reduce(np.logical_or, mask.T)


def all_columns(mask: Bool[np.ndarray, "frames n"]) -> Bool[np.ndarray, "frames"]:
    """Rows without a false value."""
    return functools.reduce(np.logical_and, mask.T)
