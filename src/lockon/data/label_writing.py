"""Label images as files, in the colours that data sets of label images have."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage


def label_png(labels: UInt8[np.ndarray, "height width"]) -> bytes:
    """A PNG file whose pixels are numbers of objects, each shown in a colour of its own."""
    image = PillowImage.fromarray(labels)
    image.putpalette(_PALETTE)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _palette() -> bytes:
    """The colours of PASCAL VOC: bit 3k + c of the number is bit 7 - k of channel c."""
    numbers, channels, k = np.ix_(np.arange(256), np.arange(3), np.arange(8))
    colours: UInt8[np.ndarray, "256 3"] = (((numbers >> (3 * k + channels)) & 1) << (7 - k)).sum(-1, np.uint8)
    return colours.tobytes()


_PALETTE = _palette()
