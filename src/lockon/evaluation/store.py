"""Results on disk: what trackers said, and from what it was made.

    ROOT/TEST SET/TRACKER/RUN/SEQUENCE.txt      a box a line, or a region with VOT's codes
    ROOT/TEST SET/TRACKER/RUN/SEQUENCE/*.txt    one file an anchor (multi-start), named by its frame
    ROOT/TEST SET/TRACKER/RUN/SEQUENCE/*.png    label images, named as the frames
    ROOT/TEST SET/TRACKER/RUN/SEQUENCE.json     the record: provenance, times, scores, and a digest of the files

The record is written last. A result counts if its record is there and fits the files, so a kill at any moment leaves
a result that counts or one that is made again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.result_files import READERS, Outcome, digest, written
from lockon.evaluation.tracks import Said
from lockon.files import cannot_write, claimed, make_folder, replacing, this_process

FORMAT = 1
LOCK = ".lock"
"""Held by the process that writes."""
LONGEST_NAME = 200
"""Bytes; file systems take 255, of which a few are for what we put behind it."""
REMEDY = "run `lockon eval` again, which makes it anew, or delete it"


class ResultKey(NamedTuple):
    """Which result."""

    test_set: str
    tracker: str
    run: int
    """From 0."""
    sequence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """From what a result was made; kept in its record."""

    seed: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Of the tracker, and of how it was run."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Machine and versions."""


class StoredRuns(NamedTuple):
    """All results of a tracker on a test set."""

    runs: tuple[Mapping[str, Said], ...]
    """By name of the sequence, one mapping a run."""
    problems: tuple[Exclusion, ...]
    """Results that are missing or damaged, each with the reason."""


class ResultStore:
    """Results in a folder.

    Args:
        root: the folder; made when the first result is saved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def test_sets(self) -> list[str]:
        """Names of the test sets that there are results on."""
        return _folders(self.root)

    def trackers(self, test_set: str) -> list[str]:
        """Names of the trackers that there are results of."""
        return _folders(self.root / test_set)

    def run_count(self, test_set: str, tracker: str) -> int:
        """One more than the highest number of a run."""
        numbers = [int(name) for name in _folders(self.root / test_set / tracker) if name.isdecimal()]
        return max(numbers, default=-1) + 1

    def load(self, test_set: TestSet, tracker: str) -> StoredRuns:
        """Read all results of a tracker; what is missing or damaged is listed, and left out."""
        runs: list[Mapping[str, Said]] = []
        problems: list[Exclusion] = []
        for run in range(self.run_count(test_set.name, tracker)):
            results: dict[str, Said] = {}
            for sequence in test_set.sequences:
                try:
                    result = self.read(ResultKey(test_set.name, tracker, run, sequence.name), sequence)
                except DataError as error:
                    problems.append(Exclusion(sequence=sequence.name, tracker=tracker, reason=str(error)))
                    continue
                if result is None:
                    reason = f"run {run} has no result of it; run `lockon eval` again."
                    problems.append(Exclusion(sequence=sequence.name, tracker=tracker, reason=reason))
                else:
                    results[sequence.name] = result
            runs.append(results)
        return StoredRuns(tuple(runs), tuple(problems))

    def read(self, key: ResultKey, sequence: TestSequence) -> Said | None:
        """One result; None where there is none.

        Raises:
            DataError: it is damaged, half-written, or of another sequence; the message names file and remedy.
        """
        record = self.record(key)
        if record is None:
            return None
        paths = [self._folder(key) / name for name in record["files"]]
        contents = [_read_bytes(path) for path in paths]
        if digest(contents) != record["sha256"]:
            where = paths[0] if len(paths) == 1 else self._path(key, "")
            raise DataError(f"'{where}' is not what its record says: half-written, or changed since; {REMEDY}.")
        if record["frames"] != len(sequence):
            raise DataError(
                f"'{self._path(key, '.json')}' is of {record['frames']} frames, but sequence '{sequence.name}' "
                f"has {len(sequence)}. Is it of another version of the test set? Choose another folder, or {REMEDY}."
            )
        try:
            return READERS[record["kind"]](record, dict(zip(paths, contents, strict=True)), sequence)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"'{self._path(key, '.json')}' cannot be understood ({error!r}); {REMEDY}.") from error

    def record(self, key: ResultKey) -> dict[str, Any] | None:
        """The record of a result; None where there is no result.

        Raises:
            DataError: it is damaged, or there are results without one.
        """
        path = self._path(key, ".json")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            left = [self._path(key, ".txt"), self._path(key, "")]
            for other in left:
                if other.exists():
                    raise DataError(
                        f"'{other}' has no record {path.name} beside it: half-written; {REMEDY}."
                    ) from None
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"'{path}' is damaged ({error}); {REMEDY}.") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise DataError(f"'{path}' is no record of a result (format {FORMAT}); {REMEDY}.")
        if not isinstance(record.get("files"), list) or not record.keys() >= {"kind", "frames", "sha256"}:
            raise DataError(f"'{path}' lacks files, kind, frames or sha256; {REMEDY}.")
        if record["kind"] not in READERS:
            raise DataError(f"'{path}' is of a kind that is not known, {record['kind']!r}; {REMEDY}.")
        return record

    def save(self, key: ResultKey, sequence: TestSequence, outcome: Outcome, making: Making) -> None:
        """Write a result; what was there of it before is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        kind, files, details = written(key.sequence, sequence, outcome)
        record = {
            "format": FORMAT,
            "kind": kind,
            **key._asdict(),
            "frames": len(sequence),
            "files": list(files),
            "sha256": digest(files.values()),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            **asdict(making),
            **details,
        }
        folder = self._folder(key)
        try:
            self._path(key, ".json").unlink(missing_ok=True)  # from here on the old result does not count
            shutil.rmtree(self._path(key, ""), ignore_errors=True)
            for name in files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        for name, content in files.items():
            with replacing(folder / name) as part:
                part.write_bytes(content)
        with replacing(self._path(key, ".json")) as part:
            part.write_text(json.dumps(record, allow_nan=False), encoding="utf-8")

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only process that writes; others may read.

        Raises:
            OutputError: another process writes here, or the folder cannot be made.
        """
        make_folder(self.root)
        with claimed(self.root / LOCK, this_process("writes results")):
            yield

    def _folder(self, key: ResultKey) -> Path:
        return self.root / key.test_set / key.tracker / f"{key.run:03d}"

    def _path(self, key: ResultKey, suffix: str) -> Path:
        return self._folder(key) / f"{key.sequence}{suffix}"


def check_name(kind: str, name: str) -> None:
    """Make sure that files and folders can be called so.

    Raises:
        DataError: they cannot.
    """
    if not name or name.startswith(".") or set(name) & set('/\\:*?"<>|\n\r\t'):
        raise DataError(
            f"{kind} '{name}' cannot be the name of a file; rename it: no slashes, colons or leading dots."
        )
    if len(name.encode()) > LONGEST_NAME:
        raise DataError(
            f"{kind} '{name}' is too long for the name of a file; rename it: {LONGEST_NAME} bytes at most."
        )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror}), but its record is there; {REMEDY}.") from error


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
