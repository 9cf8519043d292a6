"""Box annotation as the benchmarks distribute it: read as it stands, with NaN, zeros and empty boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.boxes import Box
from lockon.data.datasets.layout import read_table
from lockon.errors import BoxError, DataError


def read_truth_boxes(path: Path, frames: int | None = None) -> Float[np.ndarray, "frames 4"]:
    """Boxes `(x, y, w, h)`, one a line; numbers are separated by commas, tabs or blanks, mixed or not.

    Args:
        path: the annotation file.
        frames: how many boxes there have to be; None where that is not known.

    Raises:
        DataError: the file is missing, malformed or has another length.
    """
    boxes = read_table(path, 4)
    if frames is not None and len(boxes) != frames:
        raise DataError(
            f"'{path}' has {len(boxes)} boxes; the benchmark has {frames}. Is it cut off, or of another version?"
        )
    return boxes


def start_box(boxes: Float[np.ndarray, "frames 4"], path: Path) -> Box:
    """The target in frame 0.

    Raises:
        DataError: there is none.
    """
    try:
        return Box.parse(boxes[0].tolist())
    except BoxError as error:
        raise DataError(f"'{path}', line 1: a tracker cannot start with this: {error}") from error
