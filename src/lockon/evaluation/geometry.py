"""Overlap and distance of boxes, frame by frame, in float64: what every protocol on boxes is made of.

Boxes are `(x, y, w, h)` in pixels. NaN in either box gives NaN, and NaN reaches no threshold.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Boxes = Float[np.ndarray, "frames 4"]
PerFrame = Float[np.ndarray, "frames"]


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


def centres(boxes: Boxes) -> Float[np.ndarray, "frames 2"]:
    """Centres of pixels, `(x + (w - 1) / 2, y + (h - 1) / 2)`.

    The half pixel cancels in distances, but not in distances divided by a size, where it decides ties.
    """
    return boxes[:, :2] + (boxes[:, 2:] - 1) / 2


def centre_error(truth: Boxes, predicted: Boxes) -> PerFrame:
    """Distance of the centres in pixels."""
    return _length(centres(predicted) - centres(truth))


def normalised_centre_error(
    truth: Boxes, predicted: Boxes, sizes: Float[np.ndarray, "frames 2"] | None = None
) -> PerFrame:
    """Distance of the centres in units of the annotated width and height (Müller et al., TrackingNet, ECCV 2018).

    Each centre is divided before they are subtracted, as the toolkits do: the other order rounds ties differently.

    Args:
        truth: the annotation.
        predicted: the track.
        sizes: widths and heights to divide by; those of `truth` unless given.
    """
    divisors = truth[:, 2:] if sizes is None else sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        return _length(centres(predicted) / divisors - centres(truth) / divisors)


def _length(vectors: Float[np.ndarray, "frames 2"]) -> PerFrame:
    # As the toolkits do: np.hypot rounds differently, which moves errors that lie exactly on a threshold.
    lengths: PerFrame = np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)
    return lengths
