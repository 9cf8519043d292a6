"""Frames of a data set with what is annotated in them, on one picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image as PillowImage

from lockon.boxes import Box
from lockon.data.datasets.base import SequenceDataset, TargetSequence
from lockon.errors import DataError
from lockon.images import Image
from lockon.video import draw_box, draw_mask

COLUMNS, ROWS = 6, 4
TILE = (320, 240)
"""Width and height in pixels."""
_GROUND = 24
"""Grey level between the pictures."""


def contact_sheet(dataset: SequenceDataset) -> Image:
    """`COLUMNS` × `ROWS` frames, spread evenly over the sequences and the frames in which their targets are visible.

    A frame that cannot be read stays empty.
    """
    width, height = TILE
    sheet = np.full((ROWS * height, COLUMNS * width, 3), _GROUND, np.uint8)
    rows = 0
    for place, (number, index) in enumerate(_chosen(dataset, COLUMNS * ROWS)):
        row, column = divmod(place, COLUMNS)
        rows = row + 1
        tile = _tile(dataset[number], index)
        y, x = row * height + (height - tile.shape[0]) // 2, column * width + (width - tile.shape[1]) // 2
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet[: max(rows, 1) * height]


def _chosen(dataset: SequenceDataset, tiles: int) -> Iterator[tuple[int, int]]:
    total = len(dataset)
    for number in range(total):
        share = (number + 1) * tiles // total - number * tiles // total
        frames = np.flatnonzero(dataset[number].visible if share else [])
        places = (np.arange(share) + 0.5) * len(frames) / max(share, 1)
        for place in dict.fromkeys(int(place) for place in places):
            if place < len(frames):
                yield number, int(frames[place])


def _tile(sequence: TargetSequence, index: int) -> Image:
    try:
        image = sequence.frame(index)
        mask = sequence.mask(index)
    except DataError:
        return np.zeros((1, 1, 3), np.uint8)
    height, width = image.shape[:2]
    scale = min(TILE[0] / width, TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tile: Image = np.asarray(PillowImage.fromarray(image).resize(size, PillowImage.Resampling.LANCZOS))
    if mask is not None:
        small = PillowImage.fromarray(mask).resize(size, PillowImage.Resampling.NEAREST)
        tile = draw_mask(tile, np.asarray(small))
    box = np.asarray(sequence.boxes[index], np.float64) * np.tile(np.divide(size, (width, height)), 2)
    return draw_box(tile, Box(*box.tolist()), label=f"{sequence.name} {index}")
