"""Photographs in memory: backgrounds, and objects that can be cut out of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from numpy.random import Generator
from PIL import Image, ImageDraw
from torch.nn import functional as F

from lockon.data.synthetic.sprites import Levels, Sprite, make_sprite, pyramid
from lockon.errors import DataError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_SMALLEST_OBJECT = 28
"""Objects with a shorter side than this many pixels are too coarse to be enlarged."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph and the masks of objects in it."""

    pixels: UInt8[np.ndarray, "height width 3"]
    masks: tuple[Bool[np.ndarray, "height width"], ...] = ()


class ImageBank:
    """Photographs, decoded once and kept in memory as bytes; worker processes share it after a fork.

    A folder is searched recursively for images. An image in a folder `images` takes its object masks from a sibling
    folder: `masks/<name>.png` (non-zero is object) or `labels/<name>.txt` (one YOLO polygon a line: class, then
    x y pairs relative to the image size). Other images serve as backgrounds.
    """

    def __init__(self, photos: Iterable[Photo]) -> None:
        self.photos = tuple(photos)
        self._objects = [(i, k) for i, photo in enumerate(self.photos) for k in range(len(photo.masks))]

    @classmethod
    def load(cls, folders: Sequence[Path], longest_side: int = 288, *, held_out: float | None = None) -> ImageBank:
        """Read every image under `folders`, shrunk to at most `longest_side` pixels.

        Args:
            folders: searched in this order.
            longest_side: in pixels.
            held_out: read only the part of this share that `split` holds out, which takes so much less time.

        Raises:
            DataError: a folder without images.
        """
        files: list[Path] = []
        for folder in folders:
            found = sorted(
                path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.parent.name != "masks"
            )
            if not found:
                raise DataError(f"no images under '{folder}'; give a folder with .jpg or .png files.")
            files += found
        step = 1 if held_out is None else round(1 / held_out)
        return cls(_read_photo(path, longest_side) for path in files[::step])

    def split(self, held_out: float) -> tuple[ImageBank, ImageBank]:
        """Two banks of different photographs: all but every n-th, and every n-th (`held_out` is the share 1/n)."""
        step = round(1 / held_out)
        return (
            ImageBank(photo for i, photo in enumerate(self.photos) if i % step),
            ImageBank(photo for i, photo in enumerate(self.photos) if i % step == 0),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all pixels and masks."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update(repr((photo.pixels.shape, len(photo.masks))).encode())
            digest.update(photo.pixels.tobytes())
            for mask in photo.masks:
                digest.update(np.packbits(mask).tobytes())
        return digest.hexdigest()

    @property
    def has_objects(self) -> bool:
        """Whether any photograph has a usable object mask."""
        return bool(self._objects)

    def background(self, rng: Generator) -> Levels:
        """A random photograph as a texture."""
        photo = self.photos[int(rng.integers(len(self.photos)))]
        return pyramid(torch.from_numpy(photo.pixels).permute(2, 0, 1).float().div_(255))

    def cutout(self, rng: Generator) -> Sprite:
        """A random object without its surroundings."""
        photo, mask = self._draw(rng)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        window = np.s_[max(rows[0] - 2, 0) : rows[-1] + 3, max(columns[0] - 2, 0) : columns[-1] + 3]
        inside = mask[window]
        soft = F.avg_pool2d(torch.from_numpy(inside).float()[None, None], 3, 1, 1)[0, 0].numpy()
        return make_sprite(photo.pixels[window], soft, inside)

    def scene(self, rng: Generator) -> Sprite:
        """A random object in its surroundings: the whole photograph, opaque up to a soft rim."""
        photo, mask = self._draw(rng)
        height, width = mask.shape
        rim = float(rng.uniform(1, 10))
        fade_y = np.minimum(np.arange(height) + 0.5, height - np.arange(height) - 0.5)
        fade_x = np.minimum(np.arange(width) + 0.5, width - np.arange(width) - 0.5)
        coverage = np.clip(fade_y / rim, 0, 1)[:, None] * np.clip(fade_x / rim, 0, 1)
        return make_sprite(photo.pixels, coverage, mask)

    def _draw(self, rng: Generator) -> tuple[Photo, Bool[np.ndarray, "height width"]]:
        index, which = self._objects[int(rng.integers(len(self._objects)))]
        return self.photos[index], self.photos[index].masks[which]


def _read_photo(path: Path, longest_side: int) -> Photo:
    with Image.open(path) as image:
        image.draft("RGB", (longest_side, longest_side))
        rgb = image.convert("RGB")
    scale = min(1.0, longest_side / max(rgb.size))
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    if size != rgb.size:
        rgb = rgb.resize(size, Image.Resampling.BOX)
    return Photo(np.array(rgb), tuple(mask for mask in _read_masks(path, size) if _is_usable(mask)))


def _read_masks(path: Path, size: tuple[int, int]) -> list[Bool[np.ndarray, "height width"]]:
    if path.parent.name != "images":
        return []
    mask_file = path.parent.parent / "masks" / f"{path.stem}.png"
    if mask_file.exists():
        with Image.open(mask_file) as mask:
            return [np.array(mask.convert("L").resize(size, Image.Resampling.BILINEAR)) > 127]
    label_file = path.parent.parent / "labels" / f"{path.stem}.txt"
    return [_polygon_mask(line, size) for line in label_file.read_text().splitlines()] if label_file.exists() else []


def _polygon_mask(line: str, size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    values = np.array([float(value) for value in line.split()[1:]])
    canvas = Image.new("1", size)
    if len(values) >= 6:
        points = (values.reshape(-1, 2) * size).ravel().tolist()
        ImageDraw.Draw(canvas).polygon(points, fill=1)
    return np.array(canvas)


def _is_usable(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Large enough, not most of the picture, and cut by at most one border."""
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    if rows.sum() < _SMALLEST_OBJECT or columns.sum() < _SMALLEST_OBJECT or mask.mean() > 0.6:
        return False
    return sum(bool(border.any()) for border in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) <= 1
