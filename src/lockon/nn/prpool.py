"""Precise RoI pooling: the exact mean of a feature map over boxes with real-valued corners.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection", ECCV 2018, Sec. 3.3. The feature
map is read as the continuous surface f(y, x) = sum_ij F[i, j] hat(y - i) hat(x - j), hat(t) = max(0, 1 - |t|), zero
outside the map. Because the hat is separable, so is its integral over a box: pooling is one small weight matrix per
axis and box, and autograd through the weights gives the exact derivatives by the box, to any order.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def _hat_integral(t: Tensor) -> Tensor:
    """Integral of the hat function from -inf to t: from 0 for t <= -1 to 1 for t >= 1."""
    s = t.clamp(-1, 1)
    return 0.5 + s - 0.5 * s * s.abs()


def bin_weights(low: Float[Tensor, "*n"], high: Float[Tensor, "*n"], bins: int, size: int) -> Float[Tensor, "*n b s"]:
    """Weights of the `size` samples of a row for the mean over each of `bins` equal parts of [low, high].

    Args:
        low: start of the interval in sample coordinates (sample i sits at coordinate i, no half-cell shift).
        high: end of the interval; where it does not exceed `low`, all weights are 0 and no gradient flows.
        bins: number of equal parts of the interval.
        size: number of samples; samples outside 0..size-1 count as 0, so rows sum to less than 1 near the border.
    """
    valid = high > low
    low, high = torch.where(valid, low, 0.0), torch.where(valid, high, 1.0)
    fractions = torch.arange(bins + 1, dtype=low.dtype, device=low.device) / bins
    edges = low[..., None] + (high - low)[..., None] * fractions
    samples = torch.arange(size, dtype=low.dtype, device=low.device)
    integral = _hat_integral(edges[..., None] - samples)
    weights = (integral[..., 1:, :] - integral[..., :-1, :]) * (bins / (high - low))[..., None, None]
    return torch.where(valid[..., None, None], weights, 0.0)


def prroi_pool(
    features: Float[Tensor, "images channels height width"],
    boxes: Float[Tensor, "images boxes 4"],
    output_size: tuple[int, int],
    scale: float,
) -> Float[Tensor, "images boxes channels rows cols"]:
    """Mean of the features over the `rows` × `cols` equal parts of every box.

    Args:
        features: maps whose cell (row i, column j) sits at image coordinate (x, y) = (j, i) / scale.
        boxes: `(x, y, w, h)` in image pixels; a box without positive width and height gives 0 and no gradient.
        output_size: (rows, cols).
        scale: cells per image pixel, 1 / stride.

    Differentiable by features and boxes. The weights are computed in the precision of the boxes, at least float32,
    and applied in that of the features. The result is a view in channels-last order: cheapest where the features
    are in channels-last memory.
    """
    images, channels, height, width = features.shape
    rows, cols = output_size
    low = boxes.to(torch.promote_types(boxes.dtype, torch.float32)) * scale
    x, y, w, h = low.unbind(-1)
    row_weights = bin_weights(y, y + h, rows, height).to(features.dtype)
    col_weights = bin_weights(x, x + w, cols, width).to(features.dtype)
    lines = features.permute(0, 2, 3, 1).reshape(images, height, width * channels)
    bands = (row_weights.flatten(1, 2) @ lines).view(images, -1, rows, width, channels)
    return (col_weights[:, :, None] @ bands).permute(0, 1, 4, 2, 3)
