"""Precise RoI pooling: the exact mean of a feature map over boxes with real-valued corners.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection", ECCV 2018, Sec. 3.3. The feature
map is read as the continuous surface f(y, x) = sum_ij F[i, j] hat(y - i) hat(x - j), hat(t) = max(0, 1 - |t|), zero
outside the map. Because the hat is separable, so is its integral over a box: pooling is one small weight matrix per
axis and box, and its derivatives by the box are those of the weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
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


class _Plan(NamedTuple):
    """What the pooling of moving boxes needs to know of the maps; an interval is a column or a row of bins."""

    to_edges: Float[Tensor, "4 edges"]
    """From boxes `(x, y, w, h)` to both ends of every interval, per axis and bin, in cells."""
    half_density: Float[Tensor, "bins"]
    """Half the number of intervals per cell, for a box one pixel long."""
    signed_density: Float[Tensor, "bins 2"]
    """Minus and plus the number of intervals per cell."""
    low: Float[Tensor, ""]
    """The last cell before a map."""
    high: Float[Tensor, "2 bins 1"]
    """The first cell behind it, per axis."""
    pitch: Float[Tensor, "2 bins 1"]
    first: Float[Tensor, "images 1 2 bins 1"]
    """A cell is in row `first + pitch * cell` of the table, summed over both axes."""


@lru_cache(maxsize=128)
def _plan(
    bins: tuple[int, ...],
    strides: tuple[int, ...],
    sizes: tuple[tuple[int, int], ...],
    images: int,
    dtype: torch.dtype,
    device: torch.device,
) -> _Plan:
    def per_bin(values: Iterable[float]) -> Tensor:
        return torch.tensor([v for v, n in zip(values, bins, strict=True) for _ in range(n)], dtype=dtype)

    rank = torch.cat([torch.arange(n, dtype=dtype) for n in bins])
    parts, scale = per_bin(bins), 1 / per_bin(strides)
    to_edges = torch.zeros(4, 2, len(rank), 2, dtype=dtype)
    for axis in range(2):
        to_edges[axis, axis] = scale[:, None]
        to_edges[2 + axis, axis] = torch.stack([rank, rank + 1], dim=1) * (scale / parts)[:, None]
    rows, cols = (per_bin(size[axis] for size in sizes) for axis in (0, 1))
    areas = [(h + 2) * (w + 2) for h, w in sizes]
    starts = itertools.accumulate((images * area for area in areas[:-1]), initial=0)
    first_rows = torch.arange(images, dtype=dtype)[:, None] * per_bin(areas) + per_bin(starts) + cols + 2
    first = torch.stack([torch.ones_like(first_rows), first_rows], dim=1)[:, None, ..., None]
    pitch = torch.stack([torch.ones_like(cols), cols + 2])[..., None]
    density = parts / scale
    plan = _Plan(
        to_edges.flatten(1),
        density / 2,
        torch.stack([-density, density], dim=1),
        torch.tensor(-1.0, dtype=dtype),
        torch.stack([cols, rows])[..., None],
        pitch,
        first,
    )
    return _Plan(*(tensor.to(device) for tensor in plan))


class _Bags(NamedTuple):
    """Which intervals every bin of every box is made of; the bins of one map follow those of another."""

    intervals: Int[Tensor, "2*bags"]
    """The column of every bag, then the row of every bag."""
    members: Int[Tensor, "2*bags"]
    """The inverse: where each interval occurs in `intervals`, one interval after the other."""
    starts: Int[Tensor, "intervals"]
    """Where the members of each interval begin."""


@lru_cache(maxsize=128)
def _bags(bins: tuple[int, ...], boxes: int, device: torch.device) -> _Bags:
    box = torch.arange(boxes)[:, None] * (2 * sum(bins))
    columns, rows = [], []
    for interval in torch.arange(sum(bins)).split(bins):
        row, column = torch.cartesian_prod(interval, interval).unbind(-1)
        columns.append((box + column).flatten())
        rows.append((box + row + sum(bins)).flatten())
    intervals = torch.cat(columns + rows)
    starts = intervals.bincount().cumsum(0).roll(1)
    starts[0] = 0
    return _Bags(*(t.int().to(device) for t in (intervals, intervals.argsort(stable=True), starts)))


@lru_cache(maxsize=128)
def _bag_ends(bags: int, entries: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each of equally large bags starts, and which bag each entry is in."""
    starts = torch.arange(bags, dtype=torch.int32, device=device)
    return starts * entries, starts.repeat_interleave(entries)


def _cell_table(maps: Sequence[Tensor], gains: Sequence[Tensor | None], dtype: torch.dtype) -> Tensor:
    """The feature vectors of all cells, times gains; a ring of zeros stands for everything outside of a map."""
    channels = maps[0].shape[1]
    areas = [len(c) * (c.shape[2] + 2) * (c.shape[3] + 2) for c in maps]
    table = maps[0].new_zeros(sum(areas), channels, dtype=dtype)
    for c, gain, rows in zip(maps, gains, table.split(areas), strict=True):
        inside = rows.view(len(c), c.shape[2] + 2, c.shape[3] + 2, channels)[:, 1:-1, 1:-1]
        if gain is None:
            inside.copy_(c.permute(0, 2, 3, 1))
        else:
            torch.mul(c.permute(0, 2, 3, 1), gain[:, None, None].to(dtype), out=inside)
    return table


class MovingBoxes:
    """Pooling of boxes that move, on maps that stay, and its pullback to the boxes in closed form.

    A bin overlaps a handful of cells, so its mean is a short weighted sum of feature vectors: an embedding bag. All
    maps, of equally many channels, share one set of tensors, because small operations cost by their number.

    Args:
        maps: feature maps, cheapest in channels-last memory.
        gains: per map, factors on its channels, or None.
        origins_xy: image coordinates (x, y) of the first cell of every map.
        bins: per map, parts per side of a box.
        strides: per map, distance of its cells in image pixels.
    """

    def __init__(
        self,
        maps: Sequence[Float[Tensor, "images channels _ _"]],
        gains: Sequence[Float[Tensor, "images channels"] | None],
        origins_xy: Sequence[Float[Tensor, "#images 1 2"]],
        bins: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        self._bins, self._strides = tuple(bins), tuple(strides)
        self._sizes = tuple((c.shape[2], c.shape[3]) for c in maps)
        dtype = torch.promote_types(maps[0].dtype, torch.float32)
        self._plan = _plan(self._bins, self._strides, self._sizes, len(maps[0]), dtype, maps[0].device)
        self._table = _cell_table(maps, gains, dtype)
        origins = (
            (origin.to(dtype) / stride).mT.expand(-1, -1, n)
            for origin, stride, n in zip(origins_xy, strides, bins, strict=True)
        )
        self._origins = torch.cat(list(origins), dim=-1)[:, None, ..., None]

    def _span(self, length: Tensor) -> int:
        """How many cells an interval touches at most; with a box of undefined size, all."""
        largest = [size + 2 for sizes in self._sizes for size in sizes]
        longest = float(length.amax())
        if not math.isfinite(longest):
            return max(largest)
        per_map = (longest / (n * stride) for n, stride in zip(self._bins, self._strides, strict=True))
        # An interval of n cells touches up to n + 2, wherever it lies.
        return max(1, min(max(largest), math.ceil(max(per_map)) + 2))

    def pool(
        self, boxes: Float[Tensor, "images boxes 4"]
    ) -> tuple[list[Float[Tensor, "images boxes _ _ channels"]], Callable[[Sequence[Tensor]], Tensor]]:
        """`prroi_pool` on every map, with the channels last, and its pullback.

        The pullback takes the gradients of a scalar by the pooled values, of any floating type, and returns its
        gradient by the boxes `(x, y, w, h)`; all have the shapes of what they are gradients of.
        """
        plan, images, count = self._plan, *boxes.shape[:2]
        length = boxes[..., 2:]
        span = self._span(length)
        edges = (boxes @ plan.to_edges).view(images, count, 2, -1, 2) - self._origins
        # Unlike min and max, fmin and fmax ignore NaN.
        cells = edges[..., :1].floor().fmax(plan.low) + torch.arange(span, dtype=boxes.dtype, device=boxes.device)
        hat, integral = _hat_and_integral((edges[..., None] - cells[..., None, :]).clamp(-1, 1))
        inverse = torch.where(length > 0, length.reciprocal(), 0.0)[..., None]
        weights = (integral[..., 1, :] - integral[..., 0, :]) * (inverse * plan.half_density)[..., None]
        places = torch.addcmul(plan.first, cells.fmin(plan.high), plan.pitch).int()

        bags = _bags(self._bins, images * count, boxes.device)
        place_x, place_y = places.view(-1, span).index_select(0, bags.intervals).chunk(2)
        x, y = weights.view(-1, span).index_select(0, bags.intervals).chunk(2)
        rows = (place_y[..., None] + place_x[:, None]).flatten()
        starts, membership = _bag_ends(len(x), span**2, boxes.device)
        shares = (y[..., None] * x[:, None]).flatten()
        pooled = torch.embedding_bag(self._table, rows, starts, False, 0, False, shares)[0]

        def pullback(cotangents: Sequence[Tensor]) -> Tensor:
            cotangent = torch.cat([c.flatten() for c in cotangents]).to(pooled.dtype).view(pooled.shape)
            by_shares: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                cotangent, self._table, rows, starts, membership, 0
            ).view(-1, span, span)
            by_members = torch.cat([(by_shares * y[..., None]).sum(1), (by_shares * x[:, None]).sum(2)])
            by_weights = torch.embedding_bag(by_members, bags.members, bags.starts)[0].view(weights.shape)
            # Between edges a and b, weight = (I(b) - I(a)) / (2 (b - a)) with I' = 2 hat.
            by_edges = ((hat - weights[..., None, :]) * by_weights[..., None, :]).sum(-1)
            by_boxes: Tensor = (by_edges * (inverse[..., None] * plan.signed_density)).flatten(2) @ plan.to_edges.T
            return by_boxes

        per_map = pooled.split([images * count * n**2 for n in self._bins])
        return [p.view(images, count, n, n, -1) for p, n in zip(per_map, self._bins, strict=True)], pullback
