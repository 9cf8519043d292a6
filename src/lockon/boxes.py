"""Axis-aligned boxes: one type, its conversions and its measures.

Everywhere outside the search-region code a box is `(x, y, w, h)` in pixels: floats, `x` to the right, `y` down,
`(x, y)` the continuous coordinates of the top-left corner, so the pixel in row 0 and column 0 covers [0, 1) × [0, 1).
Functions take tensors of shape `(..., 4)` and broadcast over the leading dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, SupportsFloat

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.errors import BoxError


class Box(NamedTuple):
    """One box `(x, y, w, h)` in pixels; a plain tuple of four floats with names."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def parse(cls, values: Sequence[SupportsFloat] | str) -> Box:
        """Read a box from four numbers or from text such as `"120,80,60,90"`.

        Raises:
            BoxError: not four finite numbers, or a width or height that is not positive.
        """
        parts: Sequence[SupportsFloat | str] = (
            values.replace(",", " ").split() if isinstance(values, str) else list(values)
        )
        if len(parts) != 4:
            raise BoxError(f"a box has four numbers x,y,w,h; got {len(parts)}: {values!r}.")
        try:
            box = Box(*(float(part) for part in parts))
        except (ValueError, TypeError) as error:
            raise BoxError(f"a box has four numbers x,y,w,h; got {values!r}.") from error
        if not all(math.isfinite(value) for value in box):
            raise BoxError(f"box {tuple(box)} has a value that is not finite; give four numbers x,y,w,h in pixels.")
        if box.w <= 0 or box.h <= 0:
            raise BoxError(f"box {tuple(box)} has no area; width and height must be positive (the order is x,y,w,h).")
        return box

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.w * self.h

    @property
    def center(self) -> tuple[float, float]:
        """Continuous centre `(x, y)`."""
        return self.x + self.w / 2, self.y + self.h / 2

    def overlaps(self, width: int, height: int) -> bool:
        """Whether any part of the box lies on an image of `width` × `height` pixels."""
        return self.x < width and self.y < height and self.x + self.w > 0 and self.y + self.h > 0


def xywh_to_xyxy(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """`(x, y, w, h)` to corners `(x1, y1, x2, y2)`."""
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-1)


def xyxy_to_xywh(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Corners `(x1, y1, x2, y2)` to `(x, y, w, h)`."""
    return torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], dim=-1)


def xywh_to_cxcywh(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """`(x, y, w, h)` to centre and size `(cx, cy, w, h)`."""
    return torch.cat([boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:]], dim=-1)


def cxcywh_to_xywh(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Centre and size `(cx, cy, w, h)` to `(x, y, w, h)`."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:]], dim=-1)


def area(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Area of `(x, y, w, h)` boxes; a negative width or height counts as zero."""
    return boxes[..., 2].clamp(min=0) * boxes[..., 3].clamp(min=0)


def _intersection_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    top_left = torch.maximum(a[..., :2], b[..., :2])
    bottom_right = torch.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    return intersection, area(a) + area(b) - intersection


def iou(a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n"]:
    """Intersection over union of `(x, y, w, h)` boxes, in [0, 1]; two boxes without area give 0."""
    intersection, union = _intersection_and_union(a, b)
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny)


def giou(a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n"]:
    """Generalised IoU (Rezatofighi et al., CVPR 2019), in [-1, 1]."""
    intersection, union = _intersection_and_union(a, b)
    top_left = torch.minimum(a[..., :2], b[..., :2])
    bottom_right = torch.maximum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    hull = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    tiny = torch.finfo(union.dtype).tiny
    return intersection / union.clamp(min=tiny) - (hull - union) / hull.clamp(min=tiny)


def clip(boxes: Float[Tensor, "*n 4"], width: float, height: float) -> Float[Tensor, "*n 4"]:
    """The part of `(x, y, w, h)` boxes that lies on a `width` × `height` image; size 0 where nothing does."""
    limit = boxes.new_tensor([width, height])
    corners = xywh_to_xyxy(boxes)
    top_left = torch.minimum(corners[..., :2].clamp(min=0), limit)
    bottom_right = torch.minimum(corners[..., 2:].clamp(min=0), limit)
    return torch.cat([top_left, (bottom_right - top_left).clamp(min=0)], dim=-1)
