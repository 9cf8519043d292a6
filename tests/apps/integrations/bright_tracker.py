"""A tracker of bright squares on dark ground, and videos for it; run as a program, it serves the VOT toolkit."""

import sys
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage

from lockon.boxes import Box
from lockon.data.testsets.base import box_of
from lockon.evaluation.trackers import Observation
from lockon.images import Image
from lockon.regions import MaskRegion, Region

WIDTH, HEIGHT, SIDE = 96, 72, 16


class BrightTracker:
    """Puts a box around all bright pixels; the random shift of a seed makes runs differ."""

    def __init__(self, seed: int, jitter: float = 0.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._jitter = jitter
        self._last = Box(0, 0, 1, 1)

    def start(self, image: Image, region: Region) -> Observation | None:
        self._last = box_of(region)
        return Observation(region, score=1.0)

    def step(self, image: Image) -> Observation:
        bright = image.mean(axis=2) > 128
        if bright.any():
            x, y, w, h = MaskRegion.of(bright).box
            dx, dy = self._rng.uniform(-self._jitter, self._jitter, 2)
            self._last = Box(x + dx, y + dy, w, h)
        return Observation(self._last, score=float(image.max()) / 255, mask=bright)


def square_at(index: int, speed: tuple[float, float], start: tuple[float, float]) -> Box:
    """Where the square is in a frame: on a line, thrown back at the border of the image."""
    place = []
    for begin, step, side in zip(start, speed, (WIDTH, HEIGHT), strict=True):
        room = side - SIDE
        turned = (begin + step * index) % (2 * room)
        place.append(float(round(turned if turned <= room else 2 * room - turned)))
    return Box(*place, SIDE, SIDE)


def frame_of(box: Box | None) -> UInt8[np.ndarray, "height width 3"]:
    image = np.full((HEIGHT, WIDTH, 3), 30, dtype=np.uint8)
    if box is not None:
        x, y, w, h = (int(value) for value in box)
        image[y : y + h, x : x + w] = 220
    return image


def save_frame(path: Path, box: Box | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(frame_of(box)).save(path, quality=95)
    return path


if __name__ == "__main__":
    from lockon.apps.integrations.vot_toolkit import RegionForm, serve

    jitter = float(sys.argv[2])
    serve(lambda seed: BrightTracker(seed, jitter), name="bright", form=cast(RegionForm, sys.argv[1]))
