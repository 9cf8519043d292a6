"""Results of boxes, one text file a sequence: plain text, and the forms of PySOT, got10k's OPE and LaSOT's toolkit.

All of them have one line a frame, the first included, and differ in their folders alone. pytracking's, with runs and
scores, is in `pytracking`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lockon.data.testsets.base import TestSequence
from lockon.evaluation.formats.base import ResultFile, result_texts, tracker_folders
from lockon.evaluation.formats.text import read_box_rows, read_column
from lockon.evaluation.tracks import Track

LASOT_SUFFIX = "_tracking_result"
_TIME_PLACES = ("times/{}_time.txt", "{}_time.txt")


def find_boxes(root: Path) -> Iterator[ResultFile]:
    """`TRACKER/SEQUENCE.txt`, or `SEQUENCE.txt` in the folder of the tracker itself."""
    for name, folder in tracker_folders(root):
        for path in result_texts(folder):
            yield ResultFile(tracker=name, sequence=path.stem, path=path)


def find_lasot(root: Path) -> Iterator[ResultFile]:
    """`TRACKER_tracking_result/SEQUENCE.txt`, as the LaSOT toolkit has it."""
    for name, folder in tracker_folders(root):
        if name.endswith(LASOT_SUFFIX):
            for path in result_texts(folder):
                yield ResultFile(tracker=name.removesuffix(LASOT_SUFFIX), sequence=path.stem, path=path)


def read_boxes(file: ResultFile, _sequence: TestSequence) -> Track:
    """Boxes as they are written, NaN and negative sizes included, with times where got10k's file of them is there.

    Polygons become the smallest boxes around them.

    Raises:
        DataError: the file is empty, or a line has other than four numbers, or eight in a file of polygons.
    """
    times = (file.path.parent / place.format(file.path.stem) for place in _TIME_PLACES)
    seconds = next((read_column(path) for path in times if path.is_file()), None)
    boxes, around_polygons = read_box_rows(file.path)
    return Track(boxes=boxes, seconds=seconds, path=file.path, around_polygons=around_polygons)
