"""One box a line, one line a frame: `groundtruth.txt` of OTB, LaSOT, GOT-10k, VOT, and of Lockon's own sequences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lockon.boxes import Box
from lockon.data.datasets.annotations.base import Annotation, Observation, parse_box, parse_number, read_text
from lockon.errors import DataError

BOX_COLUMNS = 4
POLYGON_COLUMNS = 8
"""Corners of a rotated rectangle (VOT), of which the enclosing box is taken."""


def split_numbers(line: str) -> list[str]:
    """The values of a line, set apart by commas, semicolons, tabs or blanks."""
    return re.split(r"\s*[,;]\s*|\s+", line.strip().rstrip(","))


def read_box_lines(path: Path) -> Annotation:
    """Read the boxes of one object, `x,y,w,h` a line, the first line being frame 0.

    NaN, or four zeros, says that the object is absent.

    Raises:
        DataError: the file is empty, or a line does not hold a box.
    """
    lines = read_text(path).rstrip().splitlines()
    if not lines:
        raise DataError(f"'{path}' is empty; expected one line x,y,w,h per frame.")
    found = []
    for number, line in enumerate(lines):
        where = f"'{path}', line {number + 1}"
        box = _parse(split_numbers(line), where)
        if box is not None:
            found.append(Observation(where, None, number, None, "0", None, box, box.w > 0 and box.h > 0))
    return Annotation(path=path, observations=tuple(found), lengths={None: len(lines)})


def _parse(values: list[str], where: str) -> Box | None:
    if len(values) == BOX_COLUMNS:
        return parse_box(values, where)
    if len(values) == POLYGON_COLUMNS:
        corners = np.array([parse_number(value, where) for value in values]).reshape(4, 2)
        return parse_box([*corners.min(axis=0), *np.ptp(corners, axis=0)], where)
    raise DataError(f"{where}: expected x,y,w,h (or the 8 numbers of a polygon); got {len(values)} values.")
