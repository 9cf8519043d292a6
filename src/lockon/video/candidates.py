"""The candidates of a tracker with association on frames: every object in its own colour (KeepTrack, Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image as PilImage
from PIL import ImageDraw

from lockon.images import Image, as_rgb8
from lockon.types import Candidates, Result
from lockon.video.drawing import FARTHEST, letter_size, line_width, target_color
from lockon.video.labels import Color, font

_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)


def draw_candidates(image: Image, result: Result, *, past: Sequence[Result] = ()) -> Image:
    """Draw the candidates of a result on its frame, as a new image; `annotate` draws the boxes over them.

    - Every candidate: a circle with the id of its object, filled the more the higher its score is.
    - The selected one: a white ring around it.
    - Where its object was in the frames before: a line.

    An object has one colour in all frames (`object_color`); the one that a track starts with has that of its box.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        result: of one target or of T; without candidates (the start of a track) nothing is drawn.
        past: results of the frames before, the latest last, through which the lines go back.
    """
    pixels = as_rgb8(image)
    canvas = PilImage.fromarray(pixels)
    pen = ImageDraw.Draw(canvas, "RGBA")
    width, letters = line_width(pixels), letter_size(pixels)
    sets, earlier = _sets(result), [_sets(one) for one in reversed(past)]
    for target, now in enumerate(sets):
        before = [frame[target] for frame in earlier if frame]
        for index, color in _drawn_in_order(now, target, len(sets)):
            _draw_way(pen, _way(now, index, before), color, width)
    for target, now in enumerate(sets):
        for index, color in _drawn_in_order(now, target, len(sets)):
            ring = 2 * width if index == now.selected else 0
            _draw_disc(pen, now.points_xy[index], letters * 2 // 3, color, _opacity(now, index), ring)
            _draw_number(pen, now.points_xy[index], int(now.ids[index]), letters)
    return np.array(canvas)


def object_color(id: int, target: int = 0, targets: int = 1) -> Color:
    """The colour of an object among the candidates of one of T targets; object 0, the target, has the target's."""
    return target_color(target + id * targets)


def _sets(result: Result) -> list[Candidates]:
    """The candidates of each target; none at the start of a track."""
    return [one.candidates for one in result if isinstance(one.candidates, Candidates)]


def _drawn_in_order(candidates: Candidates, target: int, targets: int) -> Iterator[tuple[int, Color]]:
    """Those that can be drawn, the lowest score first and the selected one last, over all others."""
    drawable = np.flatnonzero(np.isfinite(candidates.points_xy).all(axis=1))[::-1]
    for index in sorted(drawable.tolist(), key=lambda index: index == candidates.selected):
        yield index, object_color(int(candidates.ids[index]), target, targets)


def _way(now: Candidates, index: int, before: Sequence[Candidates]) -> list[Float[np.ndarray, "2"]]:
    """Where the object of a candidate is and was, as far back as it goes without a gap."""
    way = [now.points_xy[index]]
    for candidates in before:
        same = np.flatnonzero(candidates.ids == now.ids[index])
        if not len(same) or not np.isfinite(candidates.points_xy[same[0]]).all():
            break
        way.append(candidates.points_xy[same[0]])
    return way


def _opacity(candidates: Candidates, index: int) -> float:
    """Of the inside of a disc: the score, relative to the highest of the frame."""
    return min(max(float(candidates.scores[index]) / max(float(candidates.scores.max()), 1e-9), 0.0), 1.0)


def _draw_way(pen: ImageDraw.ImageDraw, way: Sequence[Float[np.ndarray, "2"]], color: Color, width: int) -> None:
    if len(way) > 1:
        pen.line([_pixel(point) for point in way], fill=color, width=width, joint="curve")


def _draw_disc(
    pen: ImageDraw.ImageDraw, point: Float[np.ndarray, "2"], radius: int, color: Color, opacity: float, ring: int
) -> None:
    x, y = _pixel(point)

    def circle(radius: int, **style: Any) -> None:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), **style)

    circle(radius, fill=(*color, round(255 * opacity)), outline=color, width=max(2, radius // 4))
    if ring:
        circle(radius + ring, outline=_WHITE, width=ring)
    circle(radius + ring + 1, outline=_BLACK)


def _draw_number(pen: ImageDraw.ImageDraw, point: Float[np.ndarray, "2"], number: int, size: int) -> None:
    pen.text(
        _pixel(point), str(number), fill=_WHITE, stroke_fill=_BLACK, stroke_width=1, font=font(size), anchor="mm"
    )


def _pixel(point: Float[np.ndarray, "2"]) -> tuple[float, float]:
    """The number of the pixel whose centre lies there; near enough for PIL's integers."""
    x, y = np.clip(point, -FARTHEST, FARTHEST) - 0.5
    return float(x), float(y)
