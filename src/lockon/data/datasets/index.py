"""A data set is looked through once; what was found is kept in one file and mapped into memory from then on.

The file holds boxes, visibility and frame numbers of all frames end to end, where each sequence starts, and texts:
names, categories, patterns of file names. Opening it takes milliseconds at any size of the data set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from lockon.data.datasets.building import IndexBuilder
from lockon.data.datasets.columns import write_columns
from lockon.data.datasets.fingerprints import annotation_digest
from lockon.data.datasets.indexed import IndexedDataset
from lockon.data.datasets.layout import check_options
from lockon.data.datasets.records import Clip, Issue, Record, Scan
from lockon.errors import DataError
from lockon.files import cannot_write, lockon_home, one_at_a_time, replacing, user_path

Progress = Callable[[int, int], None]
"""Called with the number of clips that were read, and of all."""

FORMAT = 2
"""Of the index files; to be raised when they change, or when a reader reads the same files differently."""
_READING_THREADS = 16
"""Reading is mostly waiting for the disk or the network; more threads than cores pay."""
_READ_AHEAD = 64
"""Clips that were read and wait to be added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How one kind of data set is read."""

    name: str
    splits: tuple[str, ...]
    """The first is the one meant where none is named."""
    scan: Callable[..., Scan]
    """Called with root, split and options; raises DataError where the layout is not the one expected, and
    UnknownNameError for a split that there is not."""
    recognises: Callable[[Path], bool]
    """Whether a folder has the files that tell this layout from others."""
    options: tuple[str, ...] = ()
    """Names of what `scan` takes beside root and split."""


def open_indexed(
    reader: Reader,
    root: str | Path,
    split: str | None = None,
    *,
    options: Mapping[str, str | Path] | None = None,
    rebuild: bool = False,
    progress: Progress | None = None,
) -> IndexedDataset:
    """Open a data set by its index, which is made where there is none or where the data set has changed.

    The index is a file in `lockon.files.lockon_home()`, one for each folder, reader, split and set of options.
    Processes that want the same one at the same time wait for the first to make it.

    Args:
        reader: of this kind of data set.
        root: its folder.
        split: one of the reader's; by default the first of them.
        options: of the reader.
        rebuild: look through the data set again, even if nothing seems to have changed.
        progress: called while the index is made.

    Raises:
        DataError: the folder is missing, is not laid out as expected, or no sequence in it can be used.
        UnknownNameError: there is no such split.
        OutputError: the index cannot be written.
    """
    place = user_path(root).resolve()
    if not place.exists():
        raise DataError(f"there is no folder '{place}'; give the folder in which {reader.name} lies.")
    check_options(reader.name, options or {}, reader.options)
    texts = {name: str(value) for name, value in (options or {}).items()}
    request = _Request(reader, place, split or reader.splits[0], texts)
    path = request.path
    if not rebuild and (dataset := _up_to_date(path)):
        return dataset
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    with one_at_a_time(path.with_suffix(".lock")):
        if not rebuild and (dataset := _up_to_date(path)):
            return dataset
        _build(request, progress)
        return IndexedDataset.read(path)


@dataclass(frozen=True, slots=True)
class _Request:
    reader: Reader
    root: Path
    split: str
    options: dict[str, str]

    @property
    def path(self) -> Path:
        """Where the index is; the name begins with what a user may look for."""
        key = json.dumps([FORMAT, self.reader.name, os.fsencode(self.root).hex(), self.split, self.options])
        name = f"{self.reader.name}-{self.split}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
        return lockon_home() / "indices" / name


def _up_to_date(path: Path) -> IndexedDataset | None:
    try:
        dataset = IndexedDataset.read(path)
    except DataError:
        return None
    watched = {dataset.root / name: stamp for name, stamp in dataset.about["watched"].items()}
    return dataset if _stamps(watched) == watched else None


def _stamps(paths: Sequence[Path] | Mapping[Path, Any]) -> dict[Path, list[int]]:
    """Size in bytes and time of the last change in nanoseconds; nothing for what is not there."""
    stamps: dict[Path, list[int]] = {}
    for path in paths:
        try:
            status = path.stat()
            stamps[path] = [status.st_size, status.st_mtime_ns]
        except OSError:
            stamps[path] = []
    return stamps


def _build(request: _Request, progress: Progress | None) -> None:
    scan = request.reader.scan(request.root, request.split, **request.options)
    stamps = _stamps(scan.watched)
    builder = IndexBuilder()
    for done, (clip, findings) in enumerate(_read(scan.clips), start=1):
        issues = [issue for finding in findings for issue in builder.add(finding)]
        if issues:
            stamps |= _stamps(clip.paths)
        if progress:
            progress(done, len(scan.clips))
    if not builder.names:
        reason = f" The first of {len(builder.issues)} reasons: {builder.issues[0].text}" if builder.issues else ""
        raise DataError(
            f"no sequence of {request.reader.name}/{request.split} in '{request.root}' can be used.{reason}"
        )
    columns = builder.columns()
    about: dict[str, Any] = {
        "reader": request.reader.name,
        "split": request.split,
        "root": str(request.root),
        "is_video": scan.is_video,
        "watched": {os.path.relpath(path, request.root): stamp for path, stamp in stamps.items()},
        "issues": [asdict(issue) for issue in builder.issues],
    }
    about["fingerprint"] = annotation_digest(IndexedDataset(request.path, columns, about))
    # A name of its own: where the file system has no locks, another process may be writing the same index.
    own = request.path.with_suffix(f".{uuid4().hex}")
    with replacing(own) as part:
        write_columns(part, columns, about)
    own.replace(request.path)


def _read(clips: Sequence[Clip]) -> Iterator[tuple[Clip, list[Record | Issue]]]:
    """Read clips in several threads, and hand them over in order."""
    pool = ThreadPoolExecutor(_READING_THREADS)
    pending: deque[tuple[Clip, Future[list[Record | Issue]]]] = deque()
    try:
        for clip in clips:
            pending.append((clip, pool.submit(_read_one, clip)))
            if len(pending) > _READ_AHEAD:
                first, findings = pending.popleft()
                yield first, findings.result()
        for first, findings in pending:
            yield first, findings.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_one(clip: Clip) -> list[Record | Issue]:
    try:
        return list(clip.read())
    except DataError as error:
        return [Issue(clip.name, "left out", 1, str(error))]
