"""Drawing: sprites and ground sampled straight at the resolution asked for, then what a camera does to an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lockon.data.synthetic.motion import Path, Pose, Wave, tilt_points, unbend_points
from lockon.data.synthetic.sprites import Levels, Sprite

_EXPOSURE = 0.4
"""Share of the frame interval during which the shutter is open."""
_MAX_SUBFRAMES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A sprite, its motion and its light."""

    sprite: Sprite
    path: Path
    gain: Wave
    """Factor on red, green and blue."""


@dataclass(frozen=True, slots=True)
class View:
    """Image coordinates of the centres of the pixels to draw: columns `x`, rows `y`, both ascending."""

    x: Float[Tensor, "width"]
    y: Float[Tensor, "height"]
    step: float
    """Image pixels per drawn pixel."""

    def part(self, low: Float[np.ndarray, "2"], high: Float[np.ndarray, "2"]) -> tuple[slice, slice]:
        """Rows and columns of the pixels whose centres lie between two image points (x, y)."""
        x, y = self.x.numpy(), self.y.numpy()
        columns = slice(int(np.searchsorted(x, low[0])), int(np.searchsorted(x, high[0], side="right")))
        return slice(int(np.searchsorted(y, low[1])), int(np.searchsorted(y, high[1], side="right"))), columns


def outline_box(sprite: Sprite, pose: Pose) -> Float[np.ndarray, "4"]:
    """Box `(x, y, w, h)` of a sprite's object in image pixels, whatever hides it."""
    points = tilt_points(unbend_points(sprite.outline, pose.bend), pose.tilt)
    points = points @ pose.axes(sprite.half_extent).T + pose.centre
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low])


def _sample(
    levels: Levels,
    axes: Float[np.ndarray, "2 2"],
    pose: Pose,
    view: View,
    rows: slice,
    columns: slice,
    padding: str,
) -> Float[Tensor, "channels rows columns"]:
    """Read the pyramid level that matches the view's resolution at the given pixels of the view."""
    inverse = np.linalg.inv(axes)
    x = view.x[columns] - float(pose.centre[0])
    y = view.y[rows, None] - float(pose.centre[1])
    u = float(inverse[0, 0]) * x + float(inverse[0, 1]) * y
    v = float(inverse[1, 0]) * x + float(inverse[1, 1]) * y
    if pose.tilt.any():
        depth = 1 + float(pose.tilt[0]) * u + float(pose.tilt[1]) * v
        u, v = u / depth, v / depth
    if pose.bend.any():
        half, full = math.pi / 2, math.pi
        a, b, c, d = (float(value) for value in pose.bend)
        u, v = (
            u + a * torch.sin(half * v) + b * torch.sin(full * v),
            v + c * torch.sin(half * u) + d * torch.sin(full * u),
        )
    texel = 2 * np.linalg.norm(axes, axis=0) / np.array([levels[0].shape[2], levels[0].shape[1]])
    level = round(max(0.0, math.log2(max(view.step / texel.max(), 1e-6))))
    texture = levels[min(level, len(levels) - 1)]
    grid = torch.stack([u, v], dim=-1)[None]
    return F.grid_sample(texture[None], grid, padding_mode=padding, align_corners=False)[0]


def _sprite_part(sprite: Sprite, pose: Pose, view: View) -> tuple[slice, slice]:
    axes = pose.axes(sprite.half_extent)
    reach = np.abs(axes).sum(axis=1) * (1 + np.abs(pose.bend).sum()) / (1 - np.abs(pose.tilt).sum())
    return view.part(pose.centre - reach, pose.centre + reach)


def sample_sprite(
    sprite: Sprite, pose: Pose, view: View
) -> tuple[slice, slice, Float[Tensor, "5 rows columns"]] | None:
    """Colour, coverage and mask of a sprite, with the rows and columns of the view they belong to; None off-view."""
    rows, columns = _sprite_part(sprite, pose, view)
    if rows.start == rows.stop or columns.start == columns.stop:
        return None
    return rows, columns, _sample(sprite.levels, pose.axes(sprite.half_extent), pose, view, rows, columns, "zeros")


def draw_ground(levels: Levels, pose: Pose, view: View) -> Float[Tensor, "3 height width"]:
    """The ground texture, mirrored beyond its edges, in every pixel of the view."""
    height, width = levels[0].shape[1:]
    axes = pose.axes(np.array([width, height]) / (2 * np.sqrt(width * height)))
    return _sample(levels, axes, pose, view, slice(None), slice(None), "reflection")


def draw_layer(canvas: Float[Tensor, "3 height width"], layer: Layer, time: float, view: View) -> None:
    """Paint a layer onto the canvas in place, blurred by its motion while the shutter is open."""
    start, end = layer.path.position(time - _EXPOSURE / 2), layer.path.position(time + _EXPOSURE / 2)
    travel = float(np.hypot(*(end - start))) / view.step
    count = min(_MAX_SUBFRAMES, 1 + int(travel / 2))
    gain = torch.from_numpy(layer.gain(time)).float()[:, None, None]
    if count == 1:
        _blend(canvas, sample_sprite(layer.sprite, layer.path(time), view), gain)
        return
    total = torch.zeros(5, *canvas.shape[1:])
    for shift in np.linspace(-_EXPOSURE / 2, _EXPOSURE / 2, count):
        sample = sample_sprite(layer.sprite, layer.path(time + shift), view)
        if sample is not None:
            total[:, sample[0], sample[1]] += sample[2] / count
    _blend(canvas, (slice(None), slice(None), total), gain)


def _blend(
    canvas: Float[Tensor, "3 height width"],
    sample: tuple[slice, slice, Float[Tensor, "5 rows columns"]] | None,
    gain: Float[Tensor, "3 1 1"],
) -> None:
    if sample is None:
        return
    rows, columns, pixels = sample
    canvas[:, rows, columns] *= 1 - pixels[3]
    canvas[:, rows, columns] += pixels[:3] * gain


def blur(
    canvas: Float[Tensor, "3 height width"], sigma: float, smear: Float[np.ndarray, "2"]
) -> Float[Tensor, "3 height width"]:
    """Defocus (Gaussian, `sigma` pixels) and camera shake (a line of length and direction `smear`, pixels)."""
    if sigma > 0.3:
        radius = math.ceil(2.5 * sigma)
        kernel = torch.exp(-torch.arange(-radius, radius + 1).square() / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
        canvas = F.conv2d(F.pad(canvas[None], [radius] * 4, mode="replicate"), kernel, groups=3)[0]
        canvas = F.conv2d(canvas[None], kernel.transpose(2, 3), groups=3)[0]
    length = float(np.hypot(*smear))
    if length > 1:
        taps = math.ceil(length)
        reach = math.ceil(length / 2)
        kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
        for share in np.linspace(-0.5, 0.5, taps + 1):
            kernel[reach + round(share * float(smear[1])), reach + round(share * float(smear[0]))] += 1
        kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
        canvas = F.conv2d(F.pad(canvas[None], [reach] * 4, mode="replicate"), kernel, groups=3)[0]
    return canvas
