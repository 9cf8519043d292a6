"""Regions other than boxes: polygons and masks, as the VOT challenges have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lockon.boxes import Box


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed polygon."""

    points: Float[np.ndarray, "corners 2"]
    """Corners `(x, y)` in pixels."""

    @property
    def box(self) -> Box:
        """The smallest box around it."""
        (left, top), (right, bottom) = self.points.min(axis=0), self.points.max(axis=0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))


@dataclass(frozen=True, slots=True)
class MaskRegion:
    """The pixels of an object, cut out of the image."""

    left: int
    top: int
    """Column and row of the first pixel of `pixels` in the image."""
    pixels: Bool[np.ndarray, "height width"]

    @property
    def box(self) -> Box:
        """The box around `pixels`."""
        height, width = self.pixels.shape
        return Box(float(self.left), float(self.top), float(width), float(height))


Region = Box | Polygon | MaskRegion
