"""Precise RoI pooling: the exact mean of a feature map over boxes with real-valued corners.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection", ECCV 2018, Sec. 3.3. The feature
map is read as the continuous surface f(y, x) = sum_ij F[i, j] hat(y - i) hat(x - j), hat(t) = max(0, 1 - |t|), zero
outside the map. Because the hat is separable, so is its integral over a box: pooling is one small weight matrix per
axis and box, and its derivatives by the box are those of the weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def _edge_distances(low: Tensor, length: Tensor, bins: int, size: int) -> Tensor:
    """Signed distance of every bin edge (second to last dimension) from every sample (last), clamped to [-1, 1]."""
    fractions = torch.arange(bins + 1, dtype=low.dtype, device=low.device) / bins
    edges = torch.addcmul(low[..., None], length[..., None], fractions)
    return (edges[..., None] - torch.arange(size, dtype=low.dtype, device=low.device)).clamp(-1, 1)


def _hat_and_integral(t: Tensor) -> tuple[Tensor, Tensor]:
    """hat(t) and 2 H(t) - 1, where H is the integral of the hat from -inf, for t clamped to [-1, 1]."""
    hat = 1 - t.abs()
    return hat, torch.addcmul(t, t, hat)


def _difference(edges: Tensor) -> Tensor:
    return edges[..., 1:, :] - edges[..., :-1, :]


def bin_weights(low: Float[Tensor, "*n"], high: Float[Tensor, "*n"], bins: int, size: int) -> Float[Tensor, "*n b s"]:
    """Weights of the `size` samples of a row for the mean over each of `bins` equal parts of [low, high].

    Args:
        low: start of the interval in sample coordinates (sample i sits at coordinate i, no half-cell shift).
        high: end of the interval; where it does not exceed `low`, all weights are 0 and no gradient flows.
        bins: number of equal parts of the interval.
        size: number of samples; samples outside 0..size-1 count as 0, so rows sum to less than 1 near the border.
    """
    valid = high > low
    length = torch.where(valid, high - low, 1.0)
    _, integral = _hat_and_integral(_edge_distances(torch.where(valid, low, 0.0), length, bins, size))
    weights = _difference(integral) * (bins / (2 * length))[..., None, None]
    return torch.where(valid[..., None, None], weights, 0.0)


def bin_weight_derivatives(
    low: Float[Tensor, "*n"], length: Float[Tensor, "*n"], bins: int, size: int
) -> tuple[Float[Tensor, "*n b s"], Float[Tensor, "2 *n b s"]]:
    """`bin_weights(low, low + length, bins, size)`, and its derivatives by `low` and by `length`.

    With w = (H(b) - H(a)) / (b - a), H' = hat, and the edges a, b at low + length k / bins:
    dw/dlow = (hat(b) - hat(a)) bins / length and dw/dlength = ((k + 1) hat(b) - k hat(a) - w) / length.
    """
    hat, integral = _hat_and_integral(_edge_distances(low, length, bins, size))
    density = torch.where(length > 0, length.reciprocal(), 0.0)[..., None, None]
    weights = _difference(integral) * (density * (bins / 2))
    k = torch.arange(bins + 1, dtype=low.dtype, device=low.device)[:, None]
    return weights, torch.stack([_difference(hat) * bins, _difference(k * hat) - weights]) * density


def _pool_rows(features: Tensor, row_weights: Tensor) -> Tensor:
    """Contract the rows of the map: (images, boxes, rows, width, channels)."""
    images, channels, height, width = features.shape
    lines = features.permute(0, 2, 3, 1).reshape(images, height, width * channels)
    rows = row_weights.shape[2]
    return (row_weights.flatten(1, 2) @ lines).view(images, -1, rows, width, channels)


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
    rows, cols = output_size
    height, width = features.shape[2:]
    x, y, w, h = (boxes.to(torch.promote_types(boxes.dtype, torch.float32)) * scale).unbind(-1)
    row_weights = bin_weights(y, y + h, rows, height).to(features.dtype)
    col_weights = bin_weights(x, x + w, cols, width).to(features.dtype)
    bands = _pool_rows(features, row_weights)
    return (col_weights[:, :, None] @ bands).permute(0, 1, 4, 2, 3)


def prroi_pool_grid(
    features: Float[Tensor, "images channels height width"],
    columns: Float[Tensor, "images n 2"],
    rows: Float[Tensor, "images m 2"],
    bins: int,
    scale: float,
) -> Float[Tensor, "images m n channels bins bins"]:
    """`prroi_pool` to `bins` × `bins` for every pair of extents: each axis is pooled for n or m boxes only, not m n.

    Args:
        features: as for `prroi_pool`.
        columns: horizontal extents `(x, w)` in image pixels.
        rows: vertical extents `(y, h)`.
        bins: parts per side of a box.
        scale: cells per image pixel.
    """
    height, width = features.shape[2:]
    (x, w), (y, h) = (columns * scale).unbind(-1), (rows * scale).unbind(-1)
    row_weights = bin_weights(y, y + h, bins, height).to(features.dtype)
    col_weights = bin_weights(x, x + w, bins, width).to(features.dtype)
    bands = _pool_rows(features, row_weights).flatten(1, 2)
    pooled: Tensor = col_weights.flatten(1, 2)[:, None] @ bands
    pooled = pooled.unflatten(2, (-1, bins)).unflatten(1, (-1, bins))
    return pooled.permute(0, 1, 3, 5, 2, 4)


def prroi_pool_with_pullback(
    features: Float[Tensor, "images channels height width"],
    boxes: Float[Tensor, "images boxes 4"],
    bins: int,
    scale: float,
) -> tuple[Float[Tensor, "images boxes channels bins bins"], Callable[[Tensor], Tensor]]:
    """`prroi_pool` to `bins` × `bins`, and its pullback to the boxes, without autograd.

    The pullback takes the gradient of a scalar by the pooled values and returns its gradient by the boxes
    `(x, y, w, h)`; both have the shapes of what they are gradients of.
    """
    height, width = features.shape[2:]
    cells = boxes.to(torch.promote_types(boxes.dtype, torch.float32)) * scale
    # Both axes in one go: where these calls are many and small, their number is what costs.
    weights, derivatives = bin_weight_derivatives(cells[..., :2], cells[..., 2:], bins, max(height, width))
    col_weights, row_weights = weights.to(features.dtype).unbind(2)
    taps = col_weights[:, :, None, :, :width]
    bands = _pool_rows(features, row_weights[..., :height])

    def pullback(cotangent: Tensor) -> Tensor:
        cotangent = cotangent.permute(0, 1, 3, 4, 2).contiguous()
        by_cols = (cotangent @ bands.mT).sum(dim=2)
        by_bands = (taps.mT @ cotangent).flatten(3).flatten(1, 2)
        lines = features.permute(0, 2, 3, 1).reshape(len(features), height, -1)
        by_rows = (by_bands @ lines.mT).view(*boxes.shape[:2], bins, height)
        by_x_w = (by_cols * derivatives[:, :, :, 0, :, :width]).sum(dim=(-2, -1))
        by_y_h = (by_rows * derivatives[:, :, :, 1, :, :height]).sum(dim=(-2, -1))
        return torch.stack([by_x_w[0], by_y_h[0], by_x_w[1], by_y_h[1]], dim=-1) * scale

    return (taps @ bands).permute(0, 1, 4, 2, 3), pullback
