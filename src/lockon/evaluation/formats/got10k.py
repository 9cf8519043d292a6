"""GOT-10k's own form: a folder a sequence, in it a file per repetition and the times of all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.base import TestSequence
from lockon.errors import DataError
from lockon.evaluation.formats.base import NUMBERED_RUN, ResultFile, result_texts, tracker_folders
from lockon.evaluation.formats.text import REMEDY, read_rows
from lockon.evaluation.tracks import Track


def find_got10k(root: Path) -> Iterator[ResultFile]:
    """`TRACKER/SEQUENCE/SEQUENCE_001.txt`; the folder of a tracker will do, too."""
    for name, folder in tracker_folders(root):
        for inner in subfolders(folder):
            for path in result_texts(inner):
                numbered = NUMBERED_RUN.fullmatch(path.stem)
                if numbered and numbered["name"] == inner.name:
                    yield ResultFile(tracker=name, run=int(numbered["run"]), sequence=inner.name, path=path)


def read_got10k(file: ResultFile, _sequence: TestSequence) -> Track:
    """Boxes of one repetition, and its column of the times.

    Raises:
        DataError: a file is empty, or a line has other numbers than it should.
    """
    return Track(boxes=read_rows(file.path, 4), seconds=_seconds(file), path=file.path)


def _seconds(file: ResultFile) -> Float[np.ndarray, "frames"] | None:
    path = file.path.with_name(f"{file.sequence}_time.txt")
    if not path.is_file():
        return None
    times = read_rows(path)
    if times.shape[1] == 1:  # pytracking's packer keeps those of the last repetition only
        return times[:, 0]
    if not 1 <= file.run <= times.shape[1]:
        raise DataError(f"'{path}' has times of {times.shape[1]} repetitions, but there is '{file.path}'. {REMEDY}")
    return times[:, file.run - 1]
