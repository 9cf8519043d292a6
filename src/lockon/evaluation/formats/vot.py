"""Raw files of the VOT challenges, short-term with resets, multi-start, and long-term.

One line a frame: a region, or a code (0 skipped, 1 start, 2 failure); or a file as in `vot_binary`.
Toolkits of all years, PySOT and got10k agree on `TRACKER/EXPERIMENT/SEQUENCE/SEQUENCE_NUMBER.txt`; the number is
that of the repetition (three digits) or the frame the run starts in (eight).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.base import TestSequence
from lockon.errors import DataError
from lockon.evaluation.formats.base import ResultFile, files_in, result_texts
from lockon.evaluation.formats.text import REMEDY, read_rows, result_lines
from lockon.evaluation.formats.vot_binary import read_binary
from lockon.evaluation.tracks import Code, RegionTrack
from lockon.regions import Region, parse_region

_REPETITION, _ANCHOR = re.compile(r"(.+)_(\d{3})"), re.compile(r"(.+)_(\d{8})")
EXPERIMENTS = {"vot_supervised": "baseline", "vot_multistart": "baseline", "vot_longterm": "longterm"}
"""The folder of a protocol's main experiment."""
BINARY = ".bin"
_CODES = {str(code.value): code for code in Code}


def find_supervised(root: Path) -> Iterator[ResultFile]:
    """Repetitions of the baseline experiment of all trackers in a folder, or of the tracker whose folder it is."""
    for tracker, path, match in _files(root, ("baseline", "supervised"), _REPETITION):
        yield ResultFile(tracker=tracker, run=int(match[2]), sequence=match[1], path=path)


def find_longterm(root: Path) -> Iterator[ResultFile]:
    """Repetitions of the long-term experiment."""
    for tracker, path, match in _files(root, ("longterm", "unsupervised"), _REPETITION):
        yield ResultFile(tracker=tracker, run=int(match[2]), sequence=match[1], path=path)


def find_multistart(root: Path) -> Iterator[ResultFile]:
    """Runs of the baseline experiment of 2020 and later, each from its anchor."""
    for tracker, path, match in _files(root, ("baseline",), _ANCHOR):
        yield ResultFile(tracker=tracker, sequence=match[1], path=path, anchor=int(match[2]))


def _files(
    root: Path, experiments: tuple[str, ...], numbered: re.Pattern[str]
) -> Iterator[tuple[str, Path, re.Match[str]]]:
    for folder in (root, *subfolders(root)):
        for experiment in experiments:
            for inner in subfolders(folder / experiment):
                for path in (*result_texts(inner), *files_in(inner, BINARY)):
                    match = numbered.fullmatch(path.stem)
                    if match and match[1] == inner.name:
                        yield folder.resolve().name, path, match


def read_vot(file: ResultFile, _sequence: TestSequence) -> RegionTrack:
    """Regions and codes of one run, with confidences and times where their files are there.

    Raises:
        DataError: the file is empty, or a line is no region.
    """
    regions = read_binary(file.path) if file.path.suffix == BINARY else _read_text(file.path)
    return RegionTrack(
        regions=regions,
        scores=_values(file, "confidence", len(regions)),
        seconds=_seconds(file, len(regions)),
        path=file.path,
    )


def _read_text(path: Path) -> tuple[Region | Code, ...]:
    return tuple(_region(line, path, number) for number, line in enumerate(result_lines(path), start=1))


def _region(line: str, path: Path, number: int) -> Region | Code:
    code = _CODES.get(line.strip())
    if code is not None:
        return code
    try:
        return parse_region(line)
    except DataError as error:
        raise DataError(f"'{path}', line {number}: {error} {REMEDY}") from error


def _values(file: ResultFile, name: str, frames: int) -> Float[np.ndarray, "frames"] | None:
    """Numbers of a run beside its regions: one a line, which is blank where there is none."""
    path = file.path.with_name(f"{file.path.stem}_{name}.value")
    if not path.is_file():
        return None
    values = np.full(frames, np.nan)
    # Blank lines at both ends count: the first frame has no confidence, and the last may have none.
    lines = path.read_text(encoding="utf-8").split("\n")
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        if index >= frames:
            raise DataError(f"'{path}' has more lines than the {frames} of '{file.path.name}'. {REMEDY}")
        try:
            values[index] = float(line)
        except ValueError:
            raise DataError(f"'{path}', line {index + 1}: '{line.strip()[:40]}' is no number. {REMEDY}") from None
    return values


def _seconds(file: ResultFile, frames: int) -> Float[np.ndarray, "frames"] | None:
    """Times by the Python toolkit (a file a run), or by the MATLAB one (a column a repetition)."""
    values = _values(file, "time", frames)
    table = file.path.with_name(f"{file.sequence}_time.txt")
    if values is not None or file.anchor is not None or not table.is_file():
        return values
    times = read_rows(table)
    return times[:, file.run - 1] if 1 <= file.run <= times.shape[1] else None
