"""How well a mask fits another: region similarity J and contour accuracy F.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016. As in the
code of DAVIS 2017; the morphology is exact, and done inside the box around the contours only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

BOUND = 0.008
"""Tolerance of contours, as a share of the image's diagonal."""

Mask = Bool[np.ndarray, "height width"]


def region_similarity(truth: Mask, found: Mask) -> float:
    """J: intersection over union in pixels; 1 where both masks are empty."""
    union = np.count_nonzero(truth | found)
    return np.count_nonzero(truth & found) / union if union else 1.0


def contour_accuracy(truth: Mask, found: Mask) -> float:
    """F: harmonic mean of the shares of one contour that lie close to the other; 1 where neither mask has one."""
    radius = math.ceil(BOUND * math.hypot(*truth.shape))
    rows, columns = (np.flatnonzero(truth.any(axis=axis) | found.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return 1.0
    # With one pixel around it, where the contour can lie.
    window = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))
    truth_contour, found_contour = contour(truth[window]), contour(found[window])
    if not truth_contour.any() or not found_contour.any():
        return float(truth_contour.any() == found_contour.any())
    precision = _share(found_contour, dilated(truth_contour, radius))
    recall = _share(truth_contour, dilated(found_contour, radius))
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def contour(mask: Mask) -> Mask:
    """Pixels that differ from the next one to the right, below, or to the right below.

    The last row has only a pixel to the right, the last column one below, and the last pixel none.
    """
    edges = np.zeros_like(mask)
    edges[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edges[:-1] |= mask[:-1] != mask[1:]
    edges[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edges


def dilated(mask: Mask, radius: int) -> Mask:
    """Pixels within a distance of `radius` of the mask; beyond the border there is nothing."""
    height, width = mask.shape
    wide = np.zeros((height, width + 2 * radius), dtype=np.bool_)
    wide[:, radius : radius + width] = mask
    spread, reached = mask.copy(), 0
    result = np.zeros((height + 2 * radius, width), dtype=np.bool_)
    for rise in range(radius, -1, -1):
        half_width = math.isqrt(radius**2 - rise**2)
        for step in range(reached + 1, half_width + 1):
            spread |= wide[:, radius - step : radius - step + width]
            spread |= wide[:, radius + step : radius + step + width]
        reached = half_width
        result[radius - rise : radius - rise + height] |= spread
        result[radius + rise : radius + rise + height] |= spread
    return result[radius : radius + height]


def _share(pixels: Mask, region: Mask) -> float:
    return float(np.count_nonzero(pixels & region) / np.count_nonzero(pixels))


class Statistics(NamedTuple):
    """Of the values of an object in the frames of a sequence."""

    mean: float
    recall: float
    """Share of the frames above 0.5."""
    decay: float
    """Mean of the first quarter less that of the last."""


def statistics(values: Sequence[float] | Float[np.ndarray, "frames"]) -> Statistics:
    """Mean, recall and decay, all NaN where there are no frames."""
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return Statistics(math.nan, math.nan, math.nan)
    # Quarters share their ends, and halves round up; the toolkit's numbers of one byte wrap at 256.
    edges = np.rint(np.linspace(1, len(numbers), 5) + 1e-10).astype(np.int64) - 1
    first, last = (numbers[low : high + 1] for low, high in (edges[:2] % 256, edges[3:] % 256))
    return Statistics(
        mean=float(numbers.mean()),
        recall=float((numbers > 0.5).mean()),
        decay=(float(first.mean()) if first.size else math.nan) - (float(last.mean()) if last.size else math.nan),
    )
