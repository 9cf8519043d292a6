"""Predicted densities on frames: where the target's centre may be, and how sure its box is.

PrDiMP, supplement Sec. 4 and Fig. 3, on one picture: the density of the centre lies as a heat map over the search
region, the two slices through the density of the box stand in a corner. Ellipse and entropies are an extension.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as PilImage

from lockon.images import Image, as_rgb8
from lockon.types import BoxDensity, Result
from lockon.video.drawing import draw_trail, target_color
from lockon.video.labels import Color, fitting_label

Levels = UInt8[np.ndarray, "rows cols"]

_OPACITY = (0.3, 0.8)
"""Of the heat map, where the density is zero and where it is highest."""
_DEVIATIONS = 2.0
"""Of the box centre, that the ellipse spans."""
_SMALLEST, _LEGIBLE = 16, 80
"""Pixels: smaller slices are left out, and have no labels on their axes."""
_PLATE: Color = (24, 24, 24)
_AXIS: Color = (170, 170, 170)


def draw_density(image: Image, result: Result, *, inset: int = 0) -> Image:
    """Draw the densities of a result on its frame, as a new image; `annotate` draws the boxes over them.

    - The density of the centre of every target: a heat map over its search region.
    - The spread of every box centre: an ellipse of two standard deviations, in the colour of the target.
    - The slices of the box density over position and size, and the entropies in nats, of one target: in the lower
      corner on the other side of the image.

    The colours run over the square root of the density, relative to its peak, so that a second mode is seen early.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        result: of one target or of T; without densities (the start of a track) nothing is drawn.
        inset: number of the target whose slices are shown.
    """
    canvas = as_rgb8(image).copy()
    densities = [target.density for target in result if target.density is not None]
    if not densities:
        return canvas
    _draw_heat_maps(canvas, densities)
    for target, density in enumerate(densities):
        canvas = draw_trail(canvas, _ellipse(density), color=target_color(target))
    _draw_panels(canvas, densities[inset], target_color(inset))
    return canvas


@lru_cache(maxsize=1)
def colormap() -> UInt8[np.ndarray, "256 3"]:
    """From black over purple, red and orange to white, in steps that look equal.

    An arc through OKLab (Ottosson, 2020): lightness rises evenly, hue turns evenly, chroma is a half sine.
    """
    t = np.linspace(0, 1, 256)
    hue, chroma, lightness = np.radians(175 * t - 70), 0.175 * np.sin(np.pi * t), 0.1 + 0.9 * t
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    to_lms = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (to_linear @ (to_lms @ lab) ** 3).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colors: UInt8[np.ndarray, "256 3"] = np.round(255 * encoded.T).astype(np.uint8)
    colors.setflags(write=False)
    return colors


def _levels(density: Float[np.ndarray, "rows cols"]) -> Levels:
    """Square root of the density relative to its peak, from 1 on: 0 is left for what is not covered."""
    levels: Levels = np.round(1 + 254 * np.sqrt(density / density.max())).astype(np.uint8)
    return levels


# ---------------------------------------------------------------------------------------------- on the search region


class _Patch(NamedTuple):
    """Levels of a heat map on the pixels of the image that it covers."""

    left: int
    top: int
    levels: Levels


def _draw_heat_maps(canvas: Image, densities: Sequence[BoxDensity]) -> None:
    height, width = canvas.shape[:2]
    patches = [patch for density in densities if (patch := _heat_map(density, width, height))]
    if not patches:
        return
    left, top = min(patch.left for patch in patches), min(patch.top for patch in patches)
    right = max(patch.left + patch.levels.shape[1] for patch in patches)
    bottom = max(patch.top + patch.levels.shape[0] for patch in patches)
    levels = np.zeros((bottom - top, right - left), np.uint8)
    for patch in patches:
        rows, columns = patch.levels.shape
        covered = levels[patch.top - top :, patch.left - left :][:rows, :columns]
        np.maximum(covered, patch.levels, out=covered)
    least, most = _OPACITY
    opacity = np.round(255 * np.linspace(least, most, 256))
    opacity[0] = 0
    heat = PilImage.fromarray(levels)
    mask = heat.point(opacity.astype(int).tolist())
    heat.putpalette(colormap().tobytes())
    region = PilImage.fromarray(canvas[top:bottom, left:right])
    region.paste(heat.convert("RGB"), mask=mask)
    canvas[top:bottom, left:right] = np.asarray(region)


def _heat_map(density: BoxDensity, width: int, height: int) -> _Patch | None:
    """The density of the centre between its outermost cells, which is the search region; None off the image."""
    first, last = density.centre_grid_xy[0, 0], density.centre_grid_xy[-1, -1]
    left, top = (int(value) for value in np.ceil(np.clip(first, 0, (width, height))))
    right, bottom = (int(value) for value in np.floor(np.clip(last, 0, (width, height))))
    if left >= right or top >= bottom:
        return None
    cell = density.centre_grid_xy[1, 1] - first
    start, stop = ((np.array(corner) - first) / cell + 0.5 for corner in ((left, top), (right, bottom)))
    cells = PilImage.fromarray(_levels(density.centre_map))
    levels = cells.resize((right - left, bottom - top), PilImage.Resampling.BICUBIC, box=(*start, *stop))
    return _Patch(left, top, np.maximum(np.asarray(levels), 1))


def _ellipse(density: BoxDensity) -> list[tuple[float, float]]:
    variances, axes = np.linalg.eigh(density.box_covariance[:2, :2])
    angles = np.linspace(0, 2 * np.pi, 65)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    radii = _DEVIATIONS * np.sqrt(variances.clip(min=0))
    points = density.box_mean[:2, None] + (axes * radii) @ circle
    return [(float(x), float(y)) for x, y in points.T]


# ------------------------------------------------------------------------------------------------------ in a corner


def _draw_panels(canvas: Image, density: BoxDensity, color: Color) -> None:
    height, width = canvas.shape[:2]
    short_side = min(height, width)
    # Where a quarter of the image is too little for letters, the panels take up to half of it.
    side = max(short_side // 4, min(60, short_side // 2))
    if side < _SMALLEST:
        return
    position, size = (float(value) for value in density.box_entropy)
    panels = np.concatenate(
        [
            _panel(density.position_slice, f"position {position:.2f}", ("-{}", "0", "+{}"), side),
            _panel(density.size_slice, f"size {size:.2f}", ("{}/3", "{}", "3{}"), side),
        ],
        axis=1,
    )
    caption = f"entropy (nats): centre {float(density.centre_entropy):.2f}"
    title = _row(caption, _letter_size(side), color, panels.shape[1])
    inset = np.concatenate([title, panels])[-height:, :width]
    rows, columns = inset.shape[:2]
    left = 0 if density.box_mean[0] > width / 2 else width - columns
    canvas[height - rows :, left : left + columns] = inset


def _letter_size(side: int) -> int:
    return max(8, side // 9)


def _panel(density: Float[np.ndarray, "rows cols"], title: str, ticks: Sequence[str], side: int) -> Image:
    """A slice under its title; where there is room, its rows are labelled on the left and its columns below."""
    size = _letter_size(side)
    panel = np.concatenate([_row(title, size, _PLATE, side), _slice(density, side)])
    line, gap = panel.shape[0] - side, side // 16
    if side >= _LEGIBLE:
        left = _scale([tick.format("h") for tick in ticks], size, (side, 2 * line), axis=0)
        below = _scale([tick.format("w") for tick in ticks], size, (line, side), axis=1)
        left = np.pad(left, ((line, line), (0, gap // 2), (0, 0)), constant_values=_PLATE[0])
        panel = np.concatenate([left, np.concatenate([panel, below])], axis=1)
    return np.pad(panel, ((0, gap), (0, gap), (0, 0)), constant_values=_PLATE[0])


def _scale(labels: Sequence[str], size: int, shape: tuple[int, int], axis: int) -> Image:
    """Labels at both ends and in the middle of an axis."""
    strip = np.full((*shape, 3), _PLATE, np.uint8)
    for share, text in zip((0, 0.5, 1), labels, strict=True):
        label = fitting_label(text, size, _PLATE, shape[1], shape[0])
        if label is not None:
            place = [shape[0] - label.shape[0], shape[1] - label.shape[1]]
            place[axis] = round(share * place[axis])
            strip[place[0] :, place[1] :][: label.shape[0], : label.shape[1]] = label
    return strip


def _row(text: str, size: int, color: Color, width: int) -> Image:
    """A line of text on a plate as wide as asked for, and as high for all texts of a size."""
    row = np.full((7 * size // 4 + 2, width, 3), color, np.uint8)
    label = fitting_label(text, size, color, width, row.shape[0])
    if label is not None:
        top = (row.shape[0] - label.shape[0]) // 2
        row[top : top + label.shape[0], : label.shape[1]] = label
    return row


def _slice(density: Float[np.ndarray, "rows cols"], side: int) -> Image:
    """The slice in colours, with dotted axes through the current box."""
    cells = PilImage.fromarray(_levels(density)).resize((side, side), PilImage.Resampling.BICUBIC)
    colors: Image = colormap()[np.asarray(cells)]
    width = max(1, side // 150)
    axis = slice((side - width) // 2, (side - width) // 2 + width)
    dots = np.arange(side) % (5 * width) < width
    colors[axis, dots] = colors[dots, axis] = _AXIS
    return colors
