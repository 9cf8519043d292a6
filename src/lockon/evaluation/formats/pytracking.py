"""pytracking's raw results: `TRACKER/PARAMETERS[_RUN]/SEQUENCE.txt`, with times and presence scores beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.base import TestSequence
from lockon.evaluation.formats.base import NUMBERED_RUN, ResultFile, files_in, result_texts
from lockon.evaluation.formats.text import read_box_rows, read_column
from lockon.evaluation.tracks import Track

SCORES_SUFFIX = "_object_presence_scores.txt"


def find_pytracking(root: Path) -> Iterator[ResultFile]:
    """In the folder of results, of one tracker, or of one set of parameters.

    The tracker is called `TRACKER_PARAMETERS`. Folders whose names end with a number of three digits are its runs;
    the others only count where they lie two deep, or have times.
    """
    near = (folder for folder in (root, *subfolders(root)) if _is_run(folder))
    far = (inner for outer in subfolders(root) for inner in subfolders(outer) if not _is_run(outer))
    for folder in (*near, *far):
        where = folder.resolve()
        numbered = NUMBERED_RUN.fullmatch(where.name)
        parameters, run = (numbered["name"], int(numbered["run"])) if numbered else (where.name, 0)
        for path in result_texts(folder):
            yield ResultFile(tracker=f"{where.parent.name}_{parameters}", run=run, sequence=path.stem, path=path)


def _is_run(folder: Path) -> bool:
    """Whether a folder can be told from one of plain text: it has a number, or times lie beside the boxes."""
    numbered = NUMBERED_RUN.fullmatch(folder.resolve().name) is not None
    return numbered or any(path.stem.endswith("_time") for path in files_in(folder, ".txt"))


def read_pytracking(file: ResultFile, _sequence: TestSequence) -> Track:
    """Boxes, or the smallest ones around polygons, with the times and presence scores that lie beside them.

    Raises:
        DataError: a file is empty, or a line has other numbers than it should.
    """
    boxes, around_polygons = read_box_rows(file.path)
    return Track(
        boxes=boxes,
        scores=_beside(file.path, SCORES_SUFFIX),
        seconds=_beside(file.path, "_time.txt"),
        path=file.path,
        around_polygons=around_polygons,
    )


def _beside(path: Path, suffix: str) -> Float[np.ndarray, "frames"] | None:
    other = path.with_name(path.stem + suffix)
    return read_column(other) if other.is_file() else None
