"""What a track writes: where it goes by default, checks before any work, and the files while they grow."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import numpy as np

from lockon.errors import OutputError, StateError
from lockon.files import check_writable, user_path
from lockon.tracking import State
from lockon.tracking.search_region import centre_to_box
from lockon.trajectory import Header, TrajectoryWriter, check_path, open_writer, read_csv, read_json
from lockon.types import Frame, Result
from lockon.video import FrameSink, annotate, draw_candidates, draw_density

DEFAULT_FOLDER = Path("outputs")
WAY = 12
"""Frames that the lines behind candidates go back."""
RESUMABLE = (".json", ".csv")
"""Trajectories that hold all that is said of a frame."""


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The files of one track."""

    trajectories: tuple[Path, ...]
    """One of them at least is JSON or CSV."""
    video: Path | None
    state: Path

    @classmethod
    def choose(
        cls, source: str, *, save: Sequence[Path], video: Path | None, no_video: bool, state: Path | None
    ) -> Self:
        """Fill in what the user left open; files by default names are new ones.

        OTB text cannot be resumed, so a JSON trajectory is written beside it.

        Raises:
            OutputError: a trajectory has no file name.
        """
        if nameless := [path for path in save if not path.name]:
            raise OutputError(f"--save needs the name of a file; got '{nameless[0]}'.")
        stem = next(name for name in _numbered(_stem(source)) if not any(DEFAULT_FOLDER.glob(f"{name}.*")))
        trajectories = tuple(map(user_path, save)) or (DEFAULT_FOLDER / f"{stem}.json",)
        if not any(path.suffix.lower() in RESUMABLE for path in trajectories):
            trajectories += (trajectories[0].with_suffix(".json"),)
        return cls(
            trajectories=trajectories,
            video=None if no_video else user_path(video or DEFAULT_FOLDER / f"{stem}.mp4"),
            state=user_path(state or trajectories[0].with_suffix(".state.safetensors")),
        )

    def check(self, source: str) -> None:
        """Make sure that everything can be written, before any work is done.

        Raises:
            OutputError: a folder is missing or not writable, two outputs share a file, or one is the source.
            UnknownNameError: a suffix names no format.
        """
        paths = [*self.trajectories, self.state, *([self.video] if self.video else [])]
        if any(path.parent == DEFAULT_FOLDER for path in paths):
            _make_folder(DEFAULT_FOLDER)
        for path in self.trajectories:
            check_path(path)
        check_writable(self.state)
        if self.video and self.video.suffix:  # a folder of images is made where it is missing
            check_writable(self.video)
        resolved = [path.resolve() for path in (*paths, user_path(source))]
        for path in paths:
            if resolved.count(path.resolve()) > 1:
                raise OutputError(f"{path} is given twice, as an output and as the source or another output.")

    def read_past(self, state: State) -> tuple[Result, ...]:
        """The results up to a saved state, from the first JSON or CSV trajectory.

        Raises:
            DataError: the trajectory is missing or malformed.
            StateError: it is not of the track that the state belongs to.
        """
        path = next(path for path in self.trajectories if path.suffix.lower() in RESUMABLE)
        results = read_json(path).results if path.suffix.lower() == ".json" else read_csv(path)
        box = centre_to_box(state.position, state.size).numpy()
        if (
            len(results) <= state.frame
            or len(results[0]) != state.targets
            or not np.allclose(results[state.frame].box, box, atol=0.01)
        ):
            raise StateError(
                f"{path} is not the trajectory of the saved track, which has {state.targets} targets and "
                f"{state.frame + 1} frames. Give the one written with it as --save."
            )
        return results[: state.frame + 1]


def _stem(source: str) -> str:
    """A file name after a path, or after the last part of an address, which may hold a password."""
    is_address = "://" in source and not source.startswith("file://")
    path = Path(urlsplit(source).path) if is_address else user_path(source)
    if not is_address and path.exists():
        path = path.resolve()  # "." and ".." have names, too
    return re.sub(r"[^\w.-]+", "_", path.stem).strip("_") or "track"


def _numbered(stem: str) -> Iterable[str]:
    return itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {folder.resolve()}: {error.strerror}. Use --save.") from error


class Outputs:
    """The open files of a track; a context manager.

    Args:
        trajectories: their paths.
        sink: takes the annotated frames, if any are wanted.
        header: how the track came to be.
        past: results of a track that goes on; they are written to the trajectories at once.
    """

    def __init__(
        self, trajectories: Sequence[Path], sink: FrameSink | None, header: Header, past: Sequence[Result]
    ) -> None:
        self._written_until = past[-1].frame if past else -1
        self._sink = sink
        self._latest: deque[Result] = deque(maxlen=WAY)
        self._writers: list[TrajectoryWriter] = []
        for path in trajectories:
            self._writers.append(open_writer(path, header, past))

    @property
    def paths(self) -> list[Path]:
        """All files, the trajectories first."""
        paths = [path for writer in self._writers for path in writer.paths]
        return paths + ([self._sink.path] if self._sink else [])

    def write(self, frame: Frame, result: Result) -> None:
        """Add a frame: to the trajectories unless it is past, and to the video.

        Raises:
            OutputError: a file cannot be written.
        """
        if result.frame > self._written_until:
            for writer in self._writers:
                writer.write(result)
        if self._sink:
            image = draw_density(frame.image, result) if result.density else frame.image
            image = draw_candidates(image, result, past=self._latest) if result.candidates is not None else image
            self._sink.write(annotate(image, result), frame.time)
            self._latest.append(result)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.close()
        if self._sink:
            self._sink.close()


class StateKeeper:
    """Saves the state of a track now and then, so that it can go on even after a crash.

    Steps are taken in place, so a state is whole only until the next step begins. If that one fails, a copy is saved.

    Args:
        path: of the state file.
        seconds: between two times that the state is saved.
        copy_seconds: between two times that it is copied, which takes longer than a small step.
    """

    def __init__(self, path: Path, seconds: float = 60.0, copy_seconds: float = 1.0) -> None:
        self.path = path
        self._seconds, self._copy_seconds = seconds, copy_seconds
        self._due, self._copy_due = time.monotonic() + seconds, -math.inf
        self._saved = False
        self._latest: State | None = None
        self._copy: State | None = None

    def offer(self, state: State) -> None:
        """Take the state after a frame, before the next step."""
        self._latest, now = state, time.monotonic()
        if now >= self._copy_due:
            self._copy, self._copy_due = state.clone(), now + self._copy_seconds
        if now >= self._due:
            self.save()
            self._due = now + self._seconds

    def save(self) -> bool:
        """Save the latest state, if there is one, and say whether there is.

        Raises:
            OutputError: it cannot be written.
        """
        if self._latest is None:
            return False
        self._latest.save(self.path)
        self._saved = True
        return True

    def rescue(self) -> bool:
        """Save the latest copy of a state, like `save`, when a failed step may have spoilt the state itself."""
        self._latest = self._copy
        return self.save()

    def discard(self) -> None:
        """Delete what was saved."""
        if self._saved:
            self.path.unlink(missing_ok=True)
