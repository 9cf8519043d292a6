"""Boxes, masks, trails and labels on frames.

Every function gives a new image and touches only the pixels it changes. Sizes of lines and letters follow the
resolution; nothing is drawn outside the image, whatever the coordinates.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw

from lockon.boxes import Box
from lockon.errors import ImageError
from lockon.images import Image, as_rgb8
from lockon.types import Result
from lockon.video.labels import Color, fitting_label

_COLORS: tuple[Color, ...] = (
    (40, 220, 80),
    (255, 130, 0),
    (60, 130, 255),
    (240, 50, 230),
    (255, 225, 25),
    (70, 235, 235),
    (230, 25, 60),
    (150, 80, 230),
    (190, 245, 60),
    (250, 170, 190),
    (0, 140, 130),
    (165, 100, 40),
)
_GREY: Color = (160, 160, 160)
_BLACK: Color = (0, 0, 0)

_OPACITY = 0.4
"""Of the tint of a mask."""

FARTHEST = 1_000_000
"""Pixels: coordinates beyond are as good as infinite."""


def target_color(target: int) -> Color:
    """The colour of target number `target`: the same in every frame, and another for each target."""
    if target < len(_COLORS):
        return _COLORS[target]
    # Steps of the golden ratio on the colour wheel never come back to a hue.
    hue = target * (math.sqrt(5) - 1) / 2 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.45, 0.7, 1.0)[target % 3], (1.0, 0.85)[target % 2])
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_box(
    image: Image,
    box: Box,
    *,
    color: Color = _COLORS[0],
    label: str = "",
    score: float | None = None,
    dashed: bool = False,
) -> Image:
    """Draw one box `(x, y, w, h)` with its label; a box that is not finite is left out.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        box: in pixels; may lie outside the image in part or in whole.
        color: RGB of the line and of the plate under the label.
        label: name of the target.
        score: confidence in [0, 1], written after the name.
        dashed: for a box that is a guess.
    """
    canvas = as_rgb8(image).copy()
    _draw_box(canvas, box, color, _label(label, score), dashed)
    return canvas


def draw_mask(image: Image, mask: NDArray[Any], *, color: Color = _COLORS[0], opacity: float = _OPACITY) -> Image:
    """Tint the pixels of a mask and outline it.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        mask: `(H, W)`, true or non-zero where the target is.
        color: RGB.
        opacity: of the tint, from 0 (only the outline) to 1.

    Raises:
        ImageError: the mask is not of the size of the image.
    """
    canvas = as_rgb8(image).copy()
    _draw_mask(canvas, mask, color, opacity)
    return canvas


def draw_trail(image: Image, points: Sequence[tuple[float, float]], *, color: Color = _COLORS[0]) -> Image:
    """Draw the way a target came: a line through points `(x, y)` in pixels, those left out that are not finite."""
    canvas = as_rgb8(image).copy()
    _draw_trail(canvas, points, color)
    return canvas


def annotate(
    image: Image,
    result: Result,
    *,
    names: str | Sequence[str] = (),
    trails: Sequence[Sequence[tuple[float, float]]] = (),
) -> Image:
    """Draw a tracking result on its frame: masks, trails, boxes with name and score.

    Each target has its own colour (`target_color`). The box of one that is not present is dashed and greyed.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        result: of one target or of T.
        names: of the targets; where there is none several targets are numbered from 1.
        trails: for each target the points `(x, y)` where it was, in pixels.

    Raises:
        ImageError: a mask is not of the size of the image.
    """
    canvas = as_rgb8(image).copy()
    given = [names] if isinstance(names, str) else names
    targets = list(result)
    for index, target in enumerate(targets):
        if target.mask is not None:
            _draw_mask(canvas, target.mask, target_color(index), _OPACITY)
    for index, points in enumerate(trails):
        _draw_trail(canvas, points, target_color(index))
    for index, target in enumerate(targets):
        name = given[index] if index < len(given) else f"#{index + 1}" if len(targets) > 1 else ""
        color = target_color(index) if target.present else _faded(target_color(index))
        _draw_box(canvas, tuple(target.box), color, _label(name, float(target.score)), dashed=not target.present)
    return canvas


def _label(name: str, score: float | None) -> str:
    return name if score is None or math.isnan(score) else f"{name} {score:.2f}".strip()


def _faded(color: Color) -> Color:
    red, green, blue = ((value + 3 * grey) // 4 for value, grey in zip(color, _GREY, strict=True))
    return red, green, blue


def line_width(image: Image) -> int:
    """Pixels that follow the resolution."""
    return max(1, round(_short_side(image) / 240))


def letter_size(image: Image) -> int:
    """Pixels that follow the resolution, and can be read on small images."""
    return max(10, round(_short_side(image) / 32))


def _short_side(image: Image) -> int:
    return min(int(image.shape[0]), int(image.shape[1]))


def _draw_box(canvas: Image, box: Sequence[float], color: Color, label: str, dashed: bool) -> None:
    x, y, w, h = (float(value) for value in box)
    if not all(map(math.isfinite, (x, y, w, h))):
        return
    left, top, right, bottom = (
        round(min(max(value, -FARTHEST), FARTHEST)) for value in (x, y, max(x + w, x + 1), max(y + h, y + 1))
    )
    width = line_width(canvas)
    dash = 4 * width if dashed else None
    rim = width // 2  # sets the line off from a background of its colour
    if rim:
        _draw_frame(canvas, (left - rim, top - rim, right + rim, bottom + rim), width + 2 * rim, _BLACK, dash)
    _draw_frame(canvas, (left, top, right, bottom), width, color, dash)
    if label:
        _draw_label(canvas, (left, top - rim, bottom + rim), label, color)


def _draw_frame(
    canvas: Image, corners: tuple[int, int, int, int], width: int, color: Color, dash: int | None
) -> None:
    left, top, right, bottom = corners
    rows, columns = canvas.swapaxes(0, 1), canvas  # a column of the image is a row of its transpose
    _draw_bar(columns, (top, top + width), (left, right), color, dash)
    _draw_bar(columns, (bottom - width, bottom), (left, right), color, dash)
    _draw_bar(rows, (left, left + width), (top, bottom), color, dash)
    _draw_bar(rows, (right - width, right), (top, bottom), color, dash)


def _draw_bar(
    canvas: NDArray[np.uint8], across: tuple[int, int], along: tuple[int, int], color: Color, dash: int | None
) -> None:
    start, stop = (max(0, min(end, canvas.shape[1])) for end in along)
    bar = canvas[max(0, across[0]) : max(0, across[1]), start:stop]
    if dash is None:
        bar[:] = color
    else:
        bar[:, np.arange(start, stop) % (2 * dash) < dash] = color


def _draw_label(canvas: Image, anchor: tuple[int, int, int], text: str, color: Color) -> None:
    """Above the box, or below it where there is no room above, or inside; always on the image."""
    height, width = canvas.shape[:2]
    label = fitting_label(text, letter_size(canvas), color, width, height)
    if label is None:
        return
    left, above, below = anchor
    rows, columns = label.shape[:2]
    y = above - rows
    if y < 0 and below + rows <= height:
        y = below
    x, y = max(0, min(left, width - columns)), max(0, min(y, height - rows))
    canvas[y : y + rows, x : x + columns] = label


def _draw_mask(canvas: Image, mask: NDArray[Any], color: Color, opacity: float) -> None:
    inside = np.asarray(mask).astype(bool)
    if inside.shape != canvas.shape[:2]:
        raise ImageError(f"a mask has the size of its image, {canvas.shape[:2]}; got {inside.shape}.")
    if not inside.any():
        return
    margin = line_width(canvas)
    rows, columns = (_span(np.any(inside, axis=axis), margin) for axis in (1, 0))
    inside, region = inside[rows, columns], canvas[rows, columns]
    outline = inside & ~_eroded(inside, margin)
    levels = np.arange(256)
    for channel, value in enumerate(color):
        tinted = np.round(levels + (value - levels) * opacity).astype(np.uint8)
        plane = region[..., channel]
        np.copyto(plane, tinted[plane], where=inside)
        np.copyto(plane, np.uint8(value), where=outline)


def _span(touched: Any, margin: int) -> slice:
    """From the first to the last true element, and some more."""
    indices = np.flatnonzero(touched)
    return slice(max(0, indices[0] - margin), indices[-1] + margin + 1)


def _eroded(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """What is left of a mask after `by` pixels in from its edge; the border of the image is none."""
    for _ in range(by):
        padded = np.pad(mask, 1, mode="edge")
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _draw_trail(canvas: Image, points: Sequence[tuple[float, float]], color: Color) -> None:
    finite = [point for point in points if all(map(math.isfinite, point))]
    if len(finite) < 2:
        return
    line = np.clip(np.array(finite), -FARTHEST, FARTHEST)
    width = line_width(canvas)
    margin = 2 * width + 1
    (left, top), (right, bottom) = (
        np.clip(corner, 0, canvas.shape[1::-1]).astype(int)
        for corner in (np.floor(line.min(axis=0)) - margin, np.ceil(line.max(axis=0)) + margin)
    )
    if left >= right or top >= bottom:
        return
    crop = PilImage.fromarray(canvas[top:bottom, left:right])
    draw, path = ImageDraw.Draw(crop), [(float(x - left), float(y - top)) for x, y in line]
    draw.line(path, fill=_BLACK, width=width + 2 * (width // 2), joint="curve")
    draw.line(path, fill=color, width=width, joint="curve")
    canvas[top:bottom, left:right] = np.asarray(crop)
