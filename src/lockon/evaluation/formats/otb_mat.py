"""Results in OTB's MATLAB files: `TRACKER/SEQUENCE.mat` or `SEQUENCE_TRACKER.mat`, with a cell `results`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import TestSequence
from lockon.errors import DataError, MissingExtraError
from lockon.evaluation.formats.base import ResultFile, files_in, tracker_folders
from lockon.evaluation.formats.text import REMEDY
from lockon.evaluation.tracks import Track


def find_otb_mat(root: Path) -> Iterator[ResultFile]:
    """`TRACKER/SEQUENCE.mat`, or in one folder `SEQUENCE_TRACKER.mat` of several trackers."""
    for folder_name, folder in tracker_folders(root):
        for path in files_in(folder, ".mat"):
            yield ResultFile(tracker=folder_name, sequence=path.stem, path=path)
            parts = path.stem.split("_")
            for count in range(len(parts) - 1, 0, -1):
                yield ResultFile(tracker="_".join(parts[count:]), sequence="_".join(parts[:count]), path=path)


def read_otb_mat(file: ResultFile, _sequence: TestSequence) -> Track:
    """Boxes of the first entry of `results`; speeds from its `fps`.

    Raises:
        DataError: the file is no such MATLAB file, or its results are not boxes.
        MissingExtraError: SciPy is not installed.
    """
    entry = _first_result(file.path)
    kind = str(getattr(entry, "type", "rect"))
    if kind != "rect":
        raise DataError(
            f"'{file.path}' has results of type '{kind}'; only boxes ('rect') can be read. Convert them first."
        )
    boxes = np.atleast_2d(np.asarray(entry.res, dtype=np.float64))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DataError(f"'{file.path}' has results of shape {boxes.shape}; expected a box a frame. {REMEDY}")
    fps = getattr(entry, "fps", None)
    return Track(boxes=boxes, seconds=_seconds(fps, len(boxes)), path=file.path)


def _seconds(fps: Any, frames: int) -> Float[np.ndarray, "frames"] | None:
    speed = float(fps) if np.size(fps) == 1 and fps is not None else 0.0
    return np.full(frames, 1 / speed) if speed > 0 else None


def _first_result(path: Path) -> Any:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise MissingExtraError("reading MATLAB files", "formats") from error
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise DataError(f"cannot read '{path}' as a MATLAB file: {error}. {REMEDY}") from error
    if "results" not in content:
        raise DataError(f"'{path}' has no variable 'results'. Is it a result of OTB's toolkit?")
    results = np.atleast_1d(content["results"])
    if not results.size or not hasattr(results.flat[0], "res"):
        raise DataError(f"'{path}' has no boxes ('results' has no field 'res'). {REMEDY}")
    return results.flat[0]
