"""Precise RoI pooling: the exact mean of a feature map over boxes with real-valued corners.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection", ECCV 2018, Sec. 3.3. The feature
map is read as the continuous surface f(y, x) = sum_ij F[i, j] hat(y - i) hat(x - j), hat(t) = max(0, 1 - |t|), zero
outside the map. Because the hat is separable, so is its integral over a box: pooling is one small weight matrix per
axis and box, and its derivatives by the box are those of the weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

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


class MovingBoxes:
    """Pooling of boxes that move, on maps that stay, and its pullback to the boxes in closed form.

    A bin overlaps a handful of cells, so its mean is a short weighted sum of feature vectors: an embedding bag. The
    bins of all maps share one set of tensors, because small operations cost by their number.

    Args:
        maps: feature maps, cheapest in channels-last memory.
        origins_xy: image coordinates (x, y) of the first cell of every map.
        bins: per map, parts per side of a box.
        strides: per map, distance of its cells in image pixels.
    """

    def __init__(
        self,
        maps: Sequence[Float[Tensor, "images channels _ _"]],
        origins_xy: Sequence[Float[Tensor, "#images 1 2"]],
        bins: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        self._tables = [c.permute(0, 2, 3, 1).flatten(0, 2) for c in maps]
        self._bins = tuple(bins)
        like = origins_xy[0]

        def per_bin(values: Iterable[Tensor]) -> Tensor:
            """A column for every bin of every map: what has one column is the same for all bins of a map."""
            return torch.cat([v.to(like).expand(*v.shape[:-1], n) for v, n in zip(values, bins, strict=True)], dim=-1)

        self._parts, stride = (per_bin(torch.tensor([n]) for n in values) for values in (bins, strides))
        self._scale = 1 / stride
        self._rank = per_bin(torch.arange(n) for n in bins)
        self._edges = torch.stack([self._rank, self._rank + 1], dim=-1) / (self._parts * stride)[:, None]
        self._origin = per_bin(origin.mT for origin in origins_xy)[:, None] / stride
        self._sizes = per_bin(torch.tensor([[c.shape[3]], [c.shape[2]]]) for c in maps)
        # The row of a table that holds a cell is the sum of one part per axis.
        self._pitch = per_bin(torch.tensor([[1], [c.shape[3]]]) for c in maps)[..., None]
        area, image = self._sizes.prod(dim=0), torch.arange(len(maps[0])).to(like)
        self._first = torch.stack([torch.zeros_like(area), area]) * image[:, None, None]
        self._first = self._first[:, None, ..., None]

    def pool(
        self, boxes: Float[Tensor, "images boxes 4"]
    ) -> tuple[list[Float[Tensor, "images boxes channels _ _"]], Callable[[Sequence[Tensor]], Tensor]]:
        """`prroi_pool` on every map, and its pullback.

        The pullback takes the gradients of a scalar by the pooled values and returns its gradient by the boxes
        `(x, y, w, h)`; all have the shapes of what they are gradients of.
        """
        low, length = (part[..., None] for part in boxes.unflatten(-1, (2, 2)).unbind(-2))
        density = torch.where(length > 0, length.reciprocal(), 0.0)
        edges = torch.addcmul((low * self._scale - self._origin)[..., None], length[..., None], self._edges)
        # An interval of n cells touches up to n + 2, wherever it lies. Those it would touch outside the map are
        # replaced by others inside, of weight 0. Unlike minimum, fmin and fmax give valid indices for any box.
        spans = (length.amax(dim=(0, 1)).clamp(min=0) * (self._scale / self._parts)).ceil().add(2).fmin(self._sizes)
        starts = edges[..., 0].floor().fmax(torch.zeros_like(spans)).fmin(self._sizes - spans)
        cells = starts[..., None] + torch.arange(int(spans.amax()), dtype=boxes.dtype, device=boxes.device)
        hat, integral = _hat_and_integral((edges[..., None] - cells[..., None, :]).clamp(-1, 1))
        weights = (integral[..., 1, :] - integral[..., 0, :]) * (density * (self._parts / (2 * self._scale)))[
            ..., None
        ]
        rows = torch.addcmul(self._first, cells, self._pitch).int()

        firsts = list(itertools.accumulate(self._bins[:-1], initial=0))
        bags = [
            _Bags(table, rows[..., first : first + n, :], weights[..., first : first + n, :], spans[:, first])
            for table, n, first in zip(self._tables, self._bins, firsts, strict=True)
        ]

        def pullback(cotangents: Sequence[Tensor]) -> Tensor:
            by_weights = torch.zeros_like(weights)
            for bag, cotangent, n, first in zip(bags, cotangents, self._bins, firsts, strict=True):
                bag.pull_back(cotangent, by_weights[..., first : first + n, :])
            # Per length, w = (H(b) - H(a)) / (b - a) with H' = hat and edges a, b at low + length k / bins changes by
            # (hat(b) - hat(a)) bins with low, by (k + 1) hat(b) - k hat(a) - w with length.
            by_low = hat[..., 1, :] - hat[..., 0, :]
            by_length = torch.addcmul(hat[..., 1, :] - weights, by_low, self._rank[:, None])
            changes = torch.stack([by_low * self._parts[:, None], by_length], dim=2)
            return ((changes * by_weights[:, :, None]).sum(dim=(-2, -1)) * density.mT).flatten(2)

        return [bag.pool() for bag in bags], pullback


class _Bags:
    """The bins of boxes on one map: which cells they overlap and with what weights, separately per axis."""

    def __init__(self, table: Tensor, rows: Tensor, weights: Tensor, spans: Tensor) -> None:
        cols, lines = (int(n) for n in spans.tolist())
        (self._x, self._y) = weights[:, :, 0, :, :cols], weights[:, :, 1, :, :lines]
        self._x, self._y = (
            self._x[:, :, None, :, None, :].to(table.dtype),
            self._y[..., None, :, None].to(table.dtype),
        )
        self._table, self._taps = table, cols * lines
        row = rows[:, :, 1, :, None, :lines, None] + rows[:, :, 0, None, :, None, :cols]
        self._shape, self._rows = row.shape, row.flatten()
        count = len(self._rows) // self._taps
        self._bag = torch.arange(count, dtype=row.dtype, device=row.device)
        self._starts = self._bag * self._taps

    def pool(self) -> Tensor:
        weights = (self._y * self._x).flatten()
        pooled = torch.embedding_bag(self._table, self._rows, self._starts, False, 0, False, weights)[0]
        return pooled.view(*self._shape[:4], -1).permute(0, 1, 4, 2, 3)

    def pull_back(self, cotangent: Tensor, out: Tensor) -> None:
        """From the gradient by the pooled values to that by the weights of both axes."""
        flat = cotangent.permute(0, 1, 3, 4, 2).contiguous().view(-1, cotangent.shape[2]).to(self._table.dtype)
        bags = self._bag[:, None].expand(-1, self._taps).flatten()
        by_products = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            flat, self._table, self._rows, self._starts, bags, 0
        ).view(self._shape)
        out[:, :, 0, :, : self._shape[5]] = (by_products * self._y).sum(dim=(2, 4))
        out[:, :, 1, :, : self._shape[4]] = (by_products * self._x).sum(dim=(3, 5))
