"""Numbers in result files: separated by commas, blanks or both, sometimes mixed within one file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.annotations.base import read_text
from lockon.errors import DataError
from lockon.regions import Polygon

_SEPARATORS = re.compile(r"[,\s]+")
POLYGON_NUMBERS = 8
"""Numbers in the line of a polygon: four corners `x, y`."""
REMEDY = "Fetch or make this result again, or delete the file: its sequence then counts as missing."


def result_lines(path: Path) -> list[str]:
    """The lines of a result file; empty ones at the end are left out.

    Raises:
        DataError: it cannot be read, or is empty.
    """
    lines = read_text(path).rstrip().splitlines()
    if not lines:
        raise DataError(f"'{path}' is empty; the run that made it was probably stopped. {REMEDY}")
    return lines


def read_rows(path: Path, columns: int | None = None) -> Float[np.ndarray, "lines columns"]:
    """Numbers in lines of equal length, as float64; `nan` is a number.

    Args:
        path: the file.
        columns: numbers a line should have; None: as many as the first has.

    Raises:
        DataError: the file is empty, or a line has other than the expected numbers.
    """
    lines = result_lines(path)
    words = [line.replace(",", " ").split() for line in lines]
    columns = len(words[0]) if columns is None else columns
    for number, line in enumerate(words, start=1):
        if len(line) != columns:
            raise _wrong_count(path, number, lines, columns, len(line))
    try:
        return np.array([float(word) for line in words for word in line]).reshape(len(lines), columns)
    except ValueError:
        raise _no_number(path, lines) from None


def read_box_rows(path: Path) -> tuple[Float[np.ndarray, "lines 4"], bool]:
    """Boxes, one a line, and whether the file has polygons of four corners, in place of which these boxes are.

    What the first line has, the others must have as well.

    Raises:
        DataError: the file is empty, or a line has other than the expected numbers.
    """
    is_polygons = len(result_lines(path)[0].replace(",", " ").split()) == POLYGON_NUMBERS
    rows = read_rows(path, POLYGON_NUMBERS if is_polygons else 4)
    if not is_polygons:
        return rows, False
    return np.array([Polygon(corners).box for corners in rows.reshape(-1, 4, 2)]), True


def read_column(path: Path) -> Float[np.ndarray, "lines"]:
    """One number a line, or all of them in one line.

    Raises:
        DataError: the file is empty, or holds something else.
    """
    lines = result_lines(path)
    rows = read_rows(path, 1) if len(lines) > 1 else read_rows(path)
    return rows.reshape(-1)


def number_text(numbers: Iterable[float], style: str, separator: str = ",") -> str:
    """One line of numbers, each in a printf style such as `%.4f`."""
    return separator.join(style % number for number in numbers)


def _wrong_count(path: Path, number: int, lines: list[str], columns: int, count: int) -> DataError:
    cut = " The file ends there, so it was probably written by half." if number == len(lines) and number > 1 else ""
    line = lines[number - 1][:60]
    return DataError(f"'{path}', line {number}: expected {columns} numbers, got {count} ('{line}').{cut} {REMEDY}")


def _no_number(path: Path, lines: list[str]) -> DataError:
    for number, line in enumerate(lines, start=1):
        for word in filter(None, _SEPARATORS.split(line)):
            try:
                float(word)
            except ValueError:
                return DataError(f"'{path}', line {number}: '{word[:40]}' is no number. {REMEDY}")
    raise AssertionError("called for a file in which something is no number")
