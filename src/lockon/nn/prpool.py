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

    A bin overlaps a handful of cells, so its mean is a short weighted sum of feature vectors: an embedding bag. All
    maps, of equally many channels, share one set of tensors, because small operations cost by their number.

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
        self._table = torch.cat([c.permute(0, 2, 3, 1).flatten(0, 2) for c in maps])
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
        # The row of the table that holds a cell is the sum of one part per axis.
        self._pitch = per_bin(torch.tensor([[1], [c.shape[3]]]) for c in maps)[..., None]
        firsts = itertools.accumulate((c[:, 0].numel() for c in maps[:-1]), initial=0)
        first_rows = per_bin(
            torch.arange(len(c))[:, None] * c[0, 0].numel() + n for c, n in zip(maps, firsts, strict=True)
        )
        self._first = torch.stack([torch.zeros_like(first_rows), first_rows], dim=1)[:, None, ..., None]
        # Bags are the bins of each map, row by row; this is where their columns and rows stand among all intervals.
        intervals = torch.arange(sum(bins), device=like.device).split(self._bins)
        y, x = torch.cat([torch.cartesian_prod(n, n) for n in intervals]).unbind(-1)
        self._axes = torch.cat([x, y + len(self._rank)])

    def _of_bags(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """From values per axis and interval to those of the columns and of the rows of every bin."""
        columns, rows = values.flatten(-3, -2).index_select(-2, self._axes).chunk(2, dim=-2)
        return columns, rows

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
        # An interval of n cells touches up to n + 2, wherever it lies. Unlike min, fmin and fmax ignore NaN.
        longest = (length.amax() * self._scale / self._parts).amax().ceil() + 2
        span = int(longest.fmin(self._sizes.amax()).clamp(min=1))
        starts = edges[..., :1].floor().fmax(torch.zeros_like(self._scale[0])).fmin(self._sizes[..., None] - 1)
        cells = starts + torch.arange(span, dtype=boxes.dtype, device=boxes.device)
        outside = cells >= self._sizes[..., None]
        distances = edges[..., None] - cells.masked_fill(outside, torch.inf)[..., None, :]
        hat, integral = _hat_and_integral(distances.clamp(-1, 1))
        weights = (integral[..., 1, :] - integral[..., 0, :]) * (density * (self._parts / (2 * self._scale)))[
            ..., None
        ]

        places = torch.addcmul(self._first, cells.fmin(self._sizes[..., None] - 1), self._pitch).int()
        place_x, place_y = self._of_bags(places)
        x, y = (w.to(self._table.dtype) for w in self._of_bags(weights))
        rows = (place_y[..., None] + place_x[..., None, :]).flatten()
        bags = torch.arange(len(rows) // span**2, dtype=rows.dtype, device=rows.device)
        bag_starts, bag_weights = bags * span**2, (y[..., None] * x[..., None, :]).flatten()
        pooled = torch.embedding_bag(self._table, rows, bag_starts, False, 0, False, bag_weights)[0]

        def pullback(cotangents: Sequence[Tensor]) -> Tensor:
            cotangent = torch.cat([c.permute(0, 1, 3, 4, 2).flatten(2, 3) for c in cotangents], dim=2).flatten(0, 2)
            by_weights: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                cotangent.to(pooled.dtype), self._table, rows, bag_starts, bags.repeat_interleave(span**2), 0
            ).view(*x.shape, span)
            by_axes = torch.stack(
                [(by_weights * y[..., None]).sum(-2), (by_weights * x[..., None, :]).sum(-1)], dim=2
            )
            # Per length, w = (H(b) - H(a)) / (b - a) with H' = hat and edges a, b at low + length k / bins changes by
            # (hat(b) - hat(a)) bins with low, by (k + 1) hat(b) - k hat(a) - w with length.
            by_low = hat[..., 1, :] - hat[..., 0, :]
            by_length = torch.addcmul(hat[..., 1, :] - weights, by_low, self._rank[:, None])
            changes = torch.stack([by_low * self._parts[:, None], by_length], dim=2)
            changes = changes.flatten(3, 4).index_select(3, self._axes).unflatten(3, (2, -1))
            by_low_and_length: Tensor = (changes * by_axes[:, :, None]).sum(dim=(-2, -1)) * density.mT
            return by_low_and_length.flatten(2)

        per_map = pooled.view(*boxes.shape[:2], -1, pooled.shape[-1]).split([n * n for n in self._bins], dim=2)
        return [
            p.unflatten(2, (n, n)).permute(0, 1, 4, 2, 3) for p, n in zip(per_map, self._bins, strict=True)
        ], pullback
