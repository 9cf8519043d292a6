"""Text on images: small rasters, made once for each text, size and colour."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from lockon.images import Image

Color = tuple[int, int, int]

_SMALLEST_SIZE = 8
"""Pixels: below, letters cannot be told apart."""

_LONGEST_TEXT = 200


def fitting_label(text: str, size: int, color: Color, width: int, height: int) -> Image | None:
    """A label of at most `width` × `height` pixels: with smaller letters, then fewer; None if not even one fits.

    Args:
        text: one line; what the font has no glyph for shows as a box.
        size: of the letters, in pixels, where there is room.
        color: of the plate under the letters.
    """

    def fits(text: str, size: int) -> bool:
        needed = _extent(text, size)
        return needed[0] <= width and needed[1] <= height

    text = " ".join(text.encode("utf-8", "replace").decode().split())[:_LONGEST_TEXT]
    size = next((smaller for smaller in range(size, _SMALLEST_SIZE, -1) if fits(text, smaller)), _SMALLEST_SIZE)
    while not fits(text, size):
        if len(text) < 2:
            return None
        text = text.rstrip("…")[:-1].rstrip() + "…"
    return _raster(text, size, color)


def _padding(size: int) -> int:
    return max(1, size // 6)


def _stroke(size: int) -> int:
    return max(1, size // 12)


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The letters of all labels, as high as `size` pixels."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _extent(text: str, size: int) -> tuple[int, int]:
    """Width and height of a label; the height is the same for all texts."""
    letters, margin = font(size), 2 * (_padding(size) + _stroke(size))
    return round(letters.getlength(text)) + margin, sum(letters.getmetrics()) + margin


@lru_cache(maxsize=64)
def _raster(text: str, size: int, color: Color) -> Image:
    """White letters with a black outline, which can be read on any colour; not to be written to."""
    image = PilImage.new("RGB", _extent(text, size), color)
    at = _padding(size) + _stroke(size)
    ImageDraw.Draw(image).text(
        (at, at), text, fill="white", font=font(size), stroke_width=_stroke(size), stroke_fill="black"
    )
    pixels = np.array(image)
    pixels.setflags(write=False)
    return pixels
