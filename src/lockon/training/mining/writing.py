"""Writing a shard sequence by sequence; one that was cut off goes on after the last whole sequence."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lockon.files import cannot_write
from lockon.training.mining.frames import MinedFrame
from lockon.training.mining.shards import MinedShard, samples, write_frame


class ShardWriter:
    """A shard while it is written, as `NAME.part`; a context manager.

    Args:
        path: of the finished shard.
        threshold: of the candidates in its index.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, threshold: float) -> None:
        self.path, self._threshold = path, threshold
        self._part = path.with_name(path.name + ".part")
        try:
            self._part.touch()
            self._file: BinaryIO = self._part.open("r+b")
        except OSError as error:
            raise cannot_write(self._part, error) from error
        self.done, end = _whole_sequences(self._file)
        """Numbers of the sequences that are in it."""
        self._file.truncate(end)
        self._file.seek(end)
        self._archive = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, sequence: int, frames: Iterable[MinedFrame]) -> int:
        """Write the frames of a sequence as they come, and return their number.

        Args:
            sequence: its number in the data set.
            frames: in the order of time.

        Raises:
            OutputError: they cannot be written.
        """
        count = 0
        waiting: MinedFrame | None = None
        for frame in frames:
            if waiting is not None:
                self._write(sequence, waiting, last=False)
            waiting = frame
            count += 1
        if waiting is not None:
            self._write(sequence, waiting, last=True)
        return count

    def _write(self, sequence: int, frame: MinedFrame, last: bool) -> None:
        try:
            write_frame(self._archive, sequence, frame, last)
        except OSError as error:
            raise cannot_write(self._part, error) from error

    def finish(self) -> None:
        """Close the shard, give it its name and make its index.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._archive.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise cannot_write(self._part, error) from error
        MinedShard.open(self.path, self._threshold)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what is buffered may not fit on the disk
            self._file.close()


def _whole_sequences(file: BinaryIO) -> tuple[frozenset[int], int]:
    """The sequences of which a file, perhaps cut off, has all frames, and where the last of them ends."""
    done, end = set(), 0
    with suppress(tarfile.TarError, ValueError, KeyError):  # from there on it is cut off
        for sample in samples(file):
            if sample.about["last"]:
                done.add(sample.about["sequence"])
                end = sample.end
    return frozenset(done), end
