"""Trajectory files: what a tracker said of every frame, as JSON, CSV or OTB text (formats: docs/file_formats.md).

A writer keeps its file complete after every frame, so a process that is killed leaves a file that can be read.
"""

from __future__ import annotations

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, cast

import numpy as np
from jaxtyping import Float

from lockon.boxes import Box
from lockon.errors import DataError, UnknownNameError
from lockon.files import cannot_write, check_writable, replacing
from lockon.types import Candidates, Result, Status

_Value = TypeVar("_Value")

JSON_FORMAT = "lockon-trajectory"
JSON_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """How a trajectory came to be: enough to tell two runs apart and to run one again."""

    tracker: str
    source: str
    image_size: tuple[int, int]
    """Width and height of the start frame in pixels."""
    fps: float | None
    start_frame: int
    """Index of the start frame in the source."""
    start_boxes: tuple[Box, ...]
    """One box per target."""
    seed: int
    weights_sha256: str | None = None
    lockon_version: str = field(default_factory=lambda: version("lockon"))


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory with everything Lockon knows of it."""

    header: Header
    results: tuple[Result, ...]


class _Row(NamedTuple):
    """One target in one frame: a line of a CSV file, a record of a JSON file."""

    frame: int
    time: float | None
    target: int
    box: Box
    score: float
    present: bool
    status: Status
    candidates: Candidates | None = None
    """In JSON alone."""


CSV_COLUMNS = ("frame", "time", "target", "x", "y", "w", "h", "score", "present", "status")


def _rows(result: Result) -> list[_Row]:
    return [
        _Row(
            one.frame,
            one.time,
            target,
            Box(*one.box),
            float(one.score),
            bool(one.present),
            cast(Status, one.status),
            cast(Candidates | None, one.candidates),
        )
        for target, one in enumerate(result)
    ]


def _results(rows: Iterable[_Row], path: Path) -> tuple[Result, ...]:
    """Join the rows of each frame; the inverse of `_rows`."""
    frames = [list(group) for _, group in groupby(rows, key=lambda row: row.frame)]
    for number, group in enumerate(frames):
        targets = len(frames[0])
        if [row.target for row in group] != list(range(targets)):
            raise DataError(f"{path}: frame {group[0].frame} does not list targets 0 to {targets - 1} in order.")
        if number and group[0].frame < frames[number - 1][0].frame:
            raise DataError(f"{path}: frame {group[0].frame} comes after frame {frames[number - 1][0].frame}.")
    return tuple(_join(group) for group in frames)


def _join(rows: Sequence[_Row]) -> Result:
    first = rows[0]
    if len(rows) == 1:
        return Result(
            first.frame,
            first.box,
            first.score,
            first.present,
            first.status,
            time=first.time,
            candidates=first.candidates,
        )
    candidates = tuple(row.candidates for row in rows if row.candidates is not None)
    return Result(
        frame=first.frame,
        box=np.array([row.box for row in rows]),
        score=np.array([row.score for row in rows]),
        present=np.array([row.present for row in rows]),
        status=tuple(row.status for row in rows),
        time=first.time,
        candidates=candidates if len(candidates) == len(rows) else None,
    )


class TrajectoryFile:
    """A text file that grows by one chunk at a time and is complete after each.

    Args:
        path: file to write; one that exists is replaced in one go.
        head: first text of the file.
        tail: text that closes the file; every chunk is written over it and followed by it anew.

    Raises:
        OutputError: the file cannot be created, or a write fails; the file then ends with the last whole chunk.
    """

    def __init__(self, path: Path, head: str, tail: str = "") -> None:
        self.path = path
        self._tail = tail.encode()
        content = head.encode()
        with replacing(path) as part:
            part.write_bytes(content + self._tail)
        try:
            self._file = io.FileIO(path, "r+")
        except OSError as error:
            raise cannot_write(path, error) from error
        self._end = len(content)

    def append(self, text: str) -> None:
        """Add one chunk of text."""
        chunk = text.encode()
        try:
            self._write(chunk + self._tail)
        except OSError as error:
            with suppress(OSError):
                self._write(self._tail)
                self._file.truncate(self._end + len(self._tail))
            raise cannot_write(self.path, error) from error
        self._end += len(chunk)

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TrajectoryWriter(ABC):
    """Writes one trajectory, frame by frame; a context manager. `open_writer` picks the format.

    Args:
        paths: the files of the trajectory.
        head, tail: what each file begins and ends with.
        past: results of a track that goes on.
    """

    def __init__(self, paths: Sequence[Path], head: str, tail: str, past: Iterable[Result]) -> None:
        texts = [[head] for _ in paths]
        for result in past:
            for text, chunk in zip(texts, self._chunks(result), strict=True):
                text.append(chunk)
        self._files = [TrajectoryFile(path, "".join(text), tail) for path, text in zip(paths, texts, strict=True)]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files written: one, or one per target in OTB text."""
        return tuple(file.path for file in self._files)

    def write(self, result: Result) -> None:
        """Append the result of one frame.

        Raises:
            OutputError: the disk is full or gone; the file keeps all frames before this one.
        """
        for file, chunk in zip(self._files, self._chunks(result), strict=True):
            file.append(chunk)

    @abstractmethod
    def _chunks(self, result: Result) -> Sequence[str]:
        """The text that a frame adds to each file."""

    def close(self) -> None:
        """Close the files, which are complete already."""
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JsonWriter(TrajectoryWriter):
    """A JSON object with the header's fields and `records`, one a line."""

    def __init__(self, path: Path, header: Header, past: Iterable[Result]) -> None:
        content = {"format": JSON_FORMAT, "version": JSON_VERSION, **asdict(header)}
        lines = [f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in content.items()]
        self._separator = "\n"
        super().__init__([path], "".join(["{\n", *lines, ' "records": [']), "\n ]\n}\n", past)

    def _chunks(self, result: Result) -> Sequence[str]:
        records = [json.dumps(_record(row), allow_nan=False) for row in _rows(result)]
        text = self._separator + ",\n".join(f"  {record}" for record in records)
        self._separator = ",\n"
        return [text]


def _record(row: _Row) -> dict[str, Any]:
    """A row as JSON writes it; without candidates it has none."""
    record = row._asdict()
    if row.candidates is None:
        del record["candidates"]
    else:
        columns = {item.name: getattr(row.candidates, item.name) for item in fields(Candidates)}
        record["candidates"] = {name: np.asarray(values).tolist() for name, values in columns.items()}
    return record


class CsvWriter(TrajectoryWriter):
    """A header line with `CSV_COLUMNS` and one line per target and frame."""

    def __init__(self, path: Path, header: Header, past: Iterable[Result]) -> None:  # noqa: ARG002 - no place for it
        super().__init__([path], ",".join(CSV_COLUMNS) + "\n", "", past)

    def _chunks(self, result: Result) -> Sequence[str]:
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        for row in _rows(result):
            lines.writerow([row.frame, row.time, row.target, *row.box, row.score, int(row.present), row.status])
        return [text.getvalue()]


class OtbWriter(TrajectoryWriter):
    """One line `x,y,w,h` per frame from the start frame on; one file per target when there are several.

    A frame that could not be decoded repeats the box before it: the format counts frames by lines.
    """

    def __init__(self, path: Path, header: Header, past: Iterable[Result]) -> None:
        self._next_frame = header.start_frame
        self._lines: list[str] = []
        super().__init__(otb_paths(path, len(header.start_boxes)), "", "", past)

    def _chunks(self, result: Result) -> Sequence[str]:
        skipped = result.frame - self._next_frame
        lines = [",".join(str(value) for value in row.box) + "\n" for row in _rows(result)]
        before = self._lines or lines
        self._lines, self._next_frame = lines, result.frame + 1
        return [repeated * skipped + line for repeated, line in zip(before, lines, strict=True)]


def otb_paths(path: Path, targets: int) -> list[Path]:
    """The files of an OTB trajectory: `path`, or `name_0.txt`, `name_1.txt`, … for several targets."""
    if targets == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{target}{path.suffix}") for target in range(targets)]


WRITERS: dict[str, Callable[[Path, Header, Iterable[Result]], TrajectoryWriter]] = {
    ".json": JsonWriter,
    ".csv": CsvWriter,
    ".txt": OtbWriter,
}


def check_path(path: Path) -> None:
    """Check that a trajectory can be written to `path`, without touching a file that exists.

    Raises:
        UnknownNameError: the suffix names no format.
        OutputError: the folder is missing or not writable, or `path` is a folder.
    """
    if path.suffix.lower() not in WRITERS:
        raise UnknownNameError("trajectory format", path.suffix or path.name, WRITERS)
    check_writable(path)


def open_writer(path: str | Path, header: Header, past: Iterable[Result] = ()) -> TrajectoryWriter:
    """Open a trajectory file for writing; the suffix (`.json`, `.csv`, `.txt`) is the format.

    Args:
        path: file to write; one that exists is replaced.
        header: how the track came to be.
        past: results of earlier frames, for a track that goes on.

    Raises:
        UnknownNameError: the suffix names no format.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    check_path(path)
    return WRITERS[path.suffix.lower()](path, header, past)


def read_json(path: str | Path) -> Trajectory:
    """Read a JSON trajectory.

    Raises:
        DataError: not JSON, not a trajectory, of a newer version, or with a malformed header or record.
    """
    path = Path(path)
    try:
        content = json.loads(_read_text(path))
    except ValueError as error:
        raise DataError(f"{path} is not a complete JSON file: {error}.") from error
    if not isinstance(content, dict) or content.get("format") != JSON_FORMAT:
        raise DataError(f'{path} is not a trajectory: there is no "format": "{JSON_FORMAT}" in it.')
    if content.get("version") != JSON_VERSION:
        found = content.get("version")
        raise DataError(f"{path} has trajectory version {found}; this Lockon reads {JSON_VERSION}. Upgrade Lockon.")
    header = _parse(_header, content, f"{path}, header")
    records = content.get("records")
    if not isinstance(records, list):
        raise DataError(f'{path} has no list "records".')
    rows = [_parse(_row, record, f"{path}, record {number}") for number, record in enumerate(records)]
    return Trajectory(header, _results(rows, path))


def read_csv(path: str | Path) -> tuple[Result, ...]:
    """Read a CSV trajectory: one result per frame.

    Raises:
        DataError: not text, other columns, or a malformed line.
    """
    path = Path(path)
    lines = csv.reader(_read_text(path).splitlines())
    columns = next(lines, [])
    if tuple(columns) != CSV_COLUMNS:
        raise DataError(f"{path} is not a trajectory: its first line must be {','.join(CSV_COLUMNS)}.")
    rows = [_parse(_csv_row, line, f"{path}, line {number}") for number, line in enumerate(lines, start=2)]
    return _results(rows, path)


def read_otb(path: str | Path) -> Float[np.ndarray, "frames 4"]:
    """Read boxes `(x, y, w, h)`, one a line, the numbers set apart by commas, tabs or spaces.

    Raises:
        DataError: not text, or a line without four finite numbers.
    """
    path = Path(path)
    lines = _read_text(path).splitlines()
    boxes = [_parse(_box, line.replace(",", " ").split(), f"{path}, line {n}") for n, line in enumerate(lines, 1)]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file.") from error


def _parse(parser: Callable[[Any], _Value], raw: Any, where: str) -> _Value:
    try:
        return parser(raw)
    except KeyError as error:
        raise DataError(f"{where}: {error} is missing.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: {error}.") from error


def _header(content: dict[str, Any]) -> Header:
    values = {item.name: content[item.name] for item in fields(Header)}
    width, height = values["image_size"]
    boxes = tuple(_box(box) for box in values["start_boxes"])
    return Header(**{**values, "image_size": (int(width), int(height)), "start_boxes": boxes})


def _row(record: dict[str, Any]) -> _Row:
    values = {name: record[name] for name in _Row._fields if name not in _Row._field_defaults}
    time, score = values["time"], _number(values["score"])
    if not isinstance(values["present"], bool):
        raise ValueError(f"present is true or false; got {values['present']!r}")
    return _Row(
        frame=int(values["frame"]),
        time=None if time is None else _number(time),
        target=int(values["target"]),
        box=_box(values["box"]),
        score=score,
        present=values["present"],
        status=Status(values["status"]),
        candidates=_candidates(record["candidates"]) if "candidates" in record else None,
    )


def _candidates(columns: dict[str, Any]) -> Candidates:
    count = len(columns["ids"])
    candidates = Candidates(
        points_xy=np.array(columns["points_xy"], dtype=np.float64).reshape(count, 2),
        scores=np.array(columns["scores"], dtype=np.float64),
        ids=np.array(columns["ids"], dtype=np.int64),
        selected=int(columns["selected"]),
        partners=np.array(columns["partners"], dtype=np.int64),
        probabilities=np.array(columns["probabilities"], dtype=np.float64),
    )
    if {len(candidates.scores), len(candidates.partners), len(candidates.probabilities)} != {count}:
        raise ValueError(f"the {count} candidates do not all have a score, a partner and a probability")
    if not all(np.isfinite(values).all() for values in (candidates.points_xy, candidates.scores)):
        raise ValueError("a candidate has a place or a score that is not a finite number")
    if not -1 <= candidates.selected < count:
        raise ValueError(f"candidate {candidates.selected} of {count} cannot be selected")
    return candidates


def _csv_row(line: Sequence[str]) -> _Row:
    if len(line) != len(CSV_COLUMNS):
        raise ValueError(f"expected {len(CSV_COLUMNS)} values; got {len(line)}")
    record = dict(zip(CSV_COLUMNS, line, strict=True))
    present = {"0": False, "1": True}.get(record["present"], record["present"])
    return _row({**record, "time": record["time"] or None, "box": line[3:7], "present": present})


def _box(values: Sequence[Any]) -> Box:
    numbers = [_number(value) for value in values]
    if len(numbers) != 4:
        raise ValueError(f"a box has four numbers; got {len(numbers)}")
    return Box(*numbers)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a finite number")
    return number
