"""Predictions for OxUvA: a csv file a task, `VIDEO_OBJECT.csv`, without a header.

Columns: video, object, frame, present, score, xmin, xmax, ymin, ymax; boxes relative to the image.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lockon.data.testsets.base import TestSequence
from lockon.errors import DataError
from lockon.evaluation.formats.base import ResultFile, files_in, tracker_folders
from lockon.evaluation.formats.text import REMEDY, result_lines
from lockon.evaluation.tracks import Track

_PRESENT = {"t": True, "true": True, "y": True, "yes": True, "1": True} | {
    "f": False,
    "false": False,
    "n": False,
    "no": False,
    "0": False,
}
"""What the official reader takes; the words present and absent are documented, but it refuses them."""
_COLUMNS = 9


def find_oxuva(root: Path) -> Iterator[ResultFile]:
    """`TRACKER/VIDEO_OBJECT.csv`, or the files in the folder of the tracker itself."""
    for name, folder in tracker_folders(root):
        for path in files_in(folder, ".csv"):
            yield ResultFile(tracker=name, sequence=path.stem, path=path)


def read_oxuva(file: ResultFile, sequence: TestSequence) -> Track:
    """Boxes, scores and presence; boxes in pixels where the image size is known, else relative to it.

    Frames that the file leaves out, and frame 0, have NaN boxes and scores, and are not present.

    Raises:
        DataError: the file is empty, or a line is no prediction, or is one for a frame that had one or that is none.
    """
    boxes, scores = np.full((len(sequence), 4), np.nan), np.full(len(sequence), np.nan)
    present = np.zeros(len(sequence), dtype=bool)
    for number, row in enumerate(csv.reader(result_lines(file.path)), start=1):
        where = f"'{file.path}', line {number}"
        frame, there, score, box = _prediction(row, where)
        index = frame - sequence.first_number
        if not 0 < index < len(sequence):
            raise DataError(f"{where}: frame {frame} is not in '{sequence.name}' after its start. {REMEDY}")
        if not np.isnan(boxes[index, 0]):
            raise DataError(f"{where}: a second prediction for frame {frame}. {REMEDY}")
        boxes[index], scores[index], present[index] = box, score, there
    boxes *= np.tile(sequence.image_size or (1, 1), 2)
    return Track(boxes=boxes, scores=scores, present=present, path=file.path)


def _prediction(row: list[str], where: str) -> tuple[int, bool, float, tuple[float, float, float, float]]:
    if len(row) != _COLUMNS:
        raise DataError(
            f"{where}: expected {_COLUMNS} columns (video, object, frame, present, score, xmin, xmax, ymin, ymax), "
            f"got {len(row)}. {REMEDY}"
        )
    present = _PRESENT.get(row[3].strip().lower())
    if present is None:
        raise DataError(f"{where}: '{row[3]}' should say whether the target is present, as true or false. {REMEDY}")
    try:
        frame = int(row[2])
        score, left, right, top, bottom = (float(value) if value.strip() else 0.0 for value in row[4:])
    except ValueError as error:
        raise DataError(f"{where}: {error}. {REMEDY}") from None
    return frame, present, score, (left, top, right - left, bottom - top)
