"""Checkpoints of a run: written whole or not at all, verified when they are read, the last few and the best kept.

A checkpoint is a file of tensors and plain data (PyTorch's format, read without executing anything) and a small JSON
file beside it, written after it, that says how long it is, its SHA-256, and how good the model was.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lockon.errors import CheckpointError
from lockon.files import cannot_write, replacing


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What the JSON file beside a checkpoint says."""

    file: str
    step: int
    epoch: int
    merit: float | None
    """Of the model in validation, the higher the better; None where it was not validated at this step."""
    size: int
    """Bytes."""
    sha256: str


class Checkpoints:
    """The checkpoints in a folder.

    Args:
        folder: made when the first checkpoint is saved.
        keep_last: how many to keep; the best one is kept beside them.
        tell: called with a sentence when something is amiss that does not stop the run.
    """

    def __init__(self, folder: Path, *, keep_last: int, tell: Callable[[str], None] = print) -> None:
        self._folder, self._keep_last, self._tell = folder, keep_last, tell

    def save(self, content: Mapping[str, Any], *, step: int, epoch: int, merit: float | None = None) -> Path:
        """Write a checkpoint, and remove those that need not be kept.

        Args:
            content: tensors and plain data.
            step: of the optimiser.
            epoch: as people count.
            merit: see `Label`.

        Raises:
            OutputError: it cannot be written. Those that exist are as they were.
        """
        data = encode(content)
        path = self._folder / f"step-{step:08d}.pt"
        label = Label(
            file=path.name,
            step=step,
            epoch=epoch,
            merit=merit,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        # Its label last: without it a checkpoint does not count.
        with replacing(path.with_suffix(".json")) as labelled, replacing(path) as part:
            _write(labelled, (json.dumps(asdict(label), indent=1) + "\n").encode())
            _write(part, data)
        self._prune()
        return path

    def newest(self) -> bytes | None:
        """The content of the newest checkpoint that is whole, for `decode`; None if there is no checkpoint.

        Damaged ones are put aside under another name.

        Raises:
            CheckpointError: there are some, and all of them are damaged.
        """
        labels = list(self.labels())
        for label in labels:
            path = self._folder / label.file
            data = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(data).hexdigest() == label.sha256:
                return data
            what = f"{len(data)} of {label.size} bytes" if len(data) != label.size else "its contents have changed"
            self._tell(f"the checkpoint {path} is damaged ({what}); going on from the one before it.")
            self._put_aside(path)
        if labels:
            raise CheckpointError(
                f"all checkpoints in {self._folder} are damaged. Start anew in another folder (--out)."
            )
        return None

    def labels(self) -> Iterator[Label]:
        """Labels of the checkpoints, the newest first."""
        for path in sorted(self._folder.glob("step-*.json"), reverse=True):
            try:
                yield Label(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                self._tell(f"{path} is damaged, so the checkpoint beside it cannot be verified and is left out.")

    def _put_aside(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            path.replace(path.with_suffix(".pt.damaged"))
        path.with_suffix(".json").unlink()

    def _prune(self) -> None:
        labels = list(self.labels())
        rated = [label for label in labels if label.merit is not None]
        kept = {label.file for label in labels[: self._keep_last]}
        if rated:
            kept.add(max(rated, key=lambda label: label.merit or 0.0).file)
        for path in self._folder.glob("step-*.pt"):
            if path.name not in kept:
                # The label first: without it the other is no checkpoint.
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink()
        for path in self._folder.glob("step-*.part"):  # of a process that was killed
            path.unlink()


def encode(content: Mapping[str, Any]) -> bytes:
    """Tensors and plain data as bytes."""
    # In memory first: where a disk is full, PyTorch's own writer ends the process instead of raising an error.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()


def decode(data: bytes) -> dict[str, Any]:
    """The tensors (on the CPU) and plain data in a checkpoint; nothing in it is executed."""
    content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # a machine that loses power must not have the new name and the old nothing
