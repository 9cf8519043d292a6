"""Sequences of the synthetic world as folders of images, as `lockon.data.sequences` reads them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from lockon.data.synthetic.sequence import SyntheticSequence
from lockon.files import cannot_write, make_folder, replacing

LEAST_VISIBILITY = 0.25
"""Share of a target below which a frame counts as one without it."""
_QUALITY = 95


def is_seen(sequence: SyntheticSequence, index: int) -> bool:
    """Whether enough of the target is visible in frame `index` (from 0)."""
    return sequence.visibility(index) >= LEAST_VISIBILITY


def write_sequence(sequence: SyntheticSequence, folder: Path) -> None:
    """Write frames, masks and then boxes, NaN where the target is not seen.

    Raises:
        OutputError: the folder cannot be written.
    """
    for name in ("frames", "masks"):
        make_folder(folder / name)
    lines = []
    try:
        for index in range(len(sequence)):
            frame = PillowImage.fromarray(sequence.frame(index))
            frame.save(folder / "frames" / f"{index:08d}.jpg", quality=_QUALITY)
            mask = PillowImage.fromarray(np.asarray(sequence.mask(index)))
            mask.save(folder / "masks" / f"{index:08d}.png")
            box = sequence.box(index) if is_seen(sequence, index) else [math.nan] * 4
            lines.append(",".join(f"{value:.2f}" for value in box))
    except OSError as error:
        raise cannot_write(folder, error) from error
    with replacing(folder / "groundtruth.txt") as part:
        part.write_text("\n".join(lines) + "\n")
