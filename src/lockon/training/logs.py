"""What a run leaves behind to be read: a log of one JSON object a line, and TensorBoard's files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from lockon.errors import MissingExtraError
from lockon.files import replacing
from lockon.images import Image

Tell = Callable[[str], None]


class JsonLog:
    """A file that grows by a line at a time, each a JSON object with a `step`.

    Where the disk is full, lines wait in memory for better times: a log must not stop a run.

    Args:
        path: continued if it exists.
        tell: called with a sentence when lines have to wait.
    """

    def __init__(self, path: Path, tell: Tell = print) -> None:
        self._path, self._tell = path, tell
        self._waiting: list[bytes] = []

    def cut(self, last_step: int) -> None:
        """Remove lines of later steps, and what a killed process did not finish: those steps are taken again."""
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if (entry := _parsed(line)) is not None and entry["step"] <= last_step]
        if len(kept) < len(lines):
            with replacing(self._path) as part:
                part.write_text("".join(kept), encoding="utf-8")

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write a line; numbers that are not finite, which JSON has not, become null."""
        plain = {
            name: None if isinstance(value, float) and not isfinite(value) else value for name, value in entry.items()
        }
        self._waiting.append((json.dumps(plain) + "\n").encode())
        try:
            self._write_waiting()
        except OSError as error:
            if len(self._waiting) == 1:
                self._tell(f"cannot write to {self._path}: {error.strerror}. Its lines are kept until it can.")

    def _write_waiting(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            data = b"".join(self._waiting)
            try:
                written = file.write(data)
                if written < len(data):  # the disk took a part; the rest of the error comes with the next write
                    file.write(data[written:])
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
        self._waiting.clear()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log that are whole."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [entry for line in lines if (entry := _parsed(line)) is not None]


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.endswith("\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "step" in entry else None


class Board:
    """TensorBoard's files.

    Args:
        folder: where they go.
        after_step: steps after this one that earlier processes wrote are hidden; None for a new run.

    Raises:
        MissingExtraError: the package `tensorboard` is not installed.
    """

    def __init__(self, folder: Path, after_step: int | None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("TensorBoard", "train") from error
        purge = None if after_step is None else after_step + 1
        self._writer = SummaryWriter(str(folder), purge_step=purge)

    def figures(self, kind: str, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def picture(self, name: str, step: int, image: Image) -> None:
        """Add a picture."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def flush(self) -> None:
        """Write what is in memory."""
        self._writer.flush()

    def close(self) -> None:
        """End the files."""
        with suppress(OSError):
            self._writer.close()
