"""A program that is measured as a tracker: it is told frames, and answers in lines.

The line protocol of a program, on its standard input and output (`docs/evaluation.md` has an example):

    program     ready
    Lockon      start SEED REGION PATH          the target in the first frame
    program     region REGION [SCORE [PRESENT]]
    Lockon      step PATH                       every following frame
    program     region REGION [SCORE [PRESENT]]
    Lockon      quit

REGION is a box `x,y,w,h`, a polygon or a mask as `lockon.regions` reads them, without blanks; SCORE a number, or `-`;
PRESENT 1 or 0; PATH the rest of the line, absolute. `error MESSAGE` ends the sequence. Lines that begin with none of
the program's words are taken for chatter and ignored. `start` may come again at any time.
"""

from __future__ import annotations

import os
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from PIL import Image as PillowImage

from lockon.errors import DataError, TrackerError
from lockon.evaluation.trackers import Observation, TrackerSpec
from lockon.images import Image
from lockon.regions import Region, format_region, parse_region

REMEMBERED_LINES = 12
"""Of what a program last wrote, for messages."""


def external_tracker(
    name: str, command: str, *, answer_within: float = 60.0, ready_within: float = 300.0
) -> TrackerSpec:
    """A program as a tracker.

    Args:
        name: in reports.
        command: the command line that starts the program.
        answer_within: seconds that the program may take for a frame.
        ready_within: seconds that it may take until it is ready.

    Raises:
        DataError: the command is empty or its quotes do not match.
    """
    try:
        arguments = tuple(shlex.split(command))
    except ValueError as error:
        raise DataError(f"cannot read the command of tracker '{name}': {error}. Got: {command}") from error
    if not arguments:
        raise DataError(f"the command of tracker '{name}' is empty.")
    create = partial(ExternalTracker, arguments, answer_within=answer_within, ready_within=ready_within)
    return TrackerSpec(name=name, create=create, provenance={"command": list(arguments)})


class ExternalTracker:
    """A program that tracks, started at the first frame and ended by `close`; the protocol is that of the module.

    Args:
        command: the program and its arguments.
        seed: told to the program at every start.
        answer_within: seconds that it may take for a frame.
        ready_within: seconds that it may take until it is ready.
    """

    def __init__(
        self, command: Sequence[str], seed: int = 0, *, answer_within: float = 60.0, ready_within: float = 300.0
    ) -> None:
        self._command = tuple(command)
        self._seed = seed
        self._answer_within = answer_within
        self._ready_within = ready_within
        self._program: _Program | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self, image: Image, region: Region) -> Observation:
        """Learn the target; the program is given the pixels in a file.

        Raises:
            TrackerError: the program cannot be started, is silent, has ended, or answers what is no region.
        """
        return self.start_file(self._written(image), region)

    def step(self, image: Image) -> Observation:
        """Track into the next frame; raises as `start`."""
        return self.step_file(self._written(image))

    def start_file(self, path: Path, region: Region) -> Observation:
        """Learn the target in an image file; raises as `start`."""
        if self._program is None:
            self._program = _Program(self._command)
            self._program.read("ready", self._ready_within)
        return self._ask(f"start {self._seed} {format_region(region)} {_one_line(path)}")

    def step_file(self, path: Path) -> Observation:
        """Track into an image file; raises as `start`."""
        return self._ask(f"step {_one_line(path)}")

    def close(self) -> None:
        """End the program."""
        if self._program is not None:
            self._program.end()
            self._program = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _ask(self, line: str) -> Observation:
        if self._program is None:
            raise TrackerError("start comes before step.")
        self._program.write(line)
        answer = self._program.read("region", self._answer_within)
        try:
            return _parse_answer(answer)
        except ValueError as error:
            raise self._program.problem(f"answered 'region {answer}', which is not understood ({error})") from error

    def _written(self, image: Image) -> Path:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="lockon-")
        path = Path(self._folder.name) / "frame.png"
        PillowImage.fromarray(image).save(path, compress_level=1)
        return path


def _parse_answer(text: str) -> Observation:
    region, *rest = text.split()
    if len(rest) > 2:
        raise ValueError("expected region REGION [SCORE [PRESENT]]")
    score = None if not rest or rest[0] == "-" else float(rest[0])
    if len(rest) == 2 and rest[1] not in ("0", "1"):
        raise ValueError("PRESENT is 1 or 0")
    return Observation(parse_region(region), score, rest[1] == "1" if len(rest) == 2 else None)


def _one_line(path: Path) -> str:
    text = str(path.absolute())
    if "\n" in text or "\r" in text:
        raise TrackerError(f"{text!r} has a line break in its name, which a tracker program cannot be told.")
    return text


class _Program:
    """A running program that is spoken with in lines."""

    def __init__(self, command: Sequence[str]) -> None:
        self._name = shlex.join(command)
        try:
            # In a session of its own, so that Ctrl-C in the terminal does not end it in the middle of a sequence.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                bufsize=1,
                start_new_session=True,
            )
        except OSError as error:
            raise TrackerError(
                f"cannot start '{self._name}': {error.strerror or error}. Check the command."
            ) from error
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
        assert self._process.stdout is not None, "it is a pipe"
        assert self._process.stderr is not None, "it is a pipe"
        self._listeners = [
            threading.Thread(target=self._listen, args=(self._process.stdout, self._answers), daemon=True),
            threading.Thread(target=self._listen, args=(self._process.stderr, None), daemon=True),
        ]
        for listener in self._listeners:
            listener.start()

    def _listen(self, stream: IO[str], answers: queue.SimpleQueue[str | None] | None) -> None:
        for line in stream:
            word = line.split(maxsplit=1)[:1]
            if answers is not None and word and word[0] in ("ready", "region", "error"):
                answers.put(line.strip())
            elif line.strip():
                self._last_lines.append(line.rstrip())
        if answers is not None:
            answers.put(None)

    def write(self, line: str) -> None:
        assert self._process.stdin is not None, "it is a pipe"
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self.problem(f"has ended {self._how_it_ended()}") from error

    def read(self, word: str, within: float) -> str:
        """What follows `word` in the next answer."""
        try:
            answer = self._answers.get(timeout=within)
        except queue.Empty:
            raise self.problem(f"has not said '{word}' within {within:g} s") from None
        if answer is None:
            raise self.problem(f"has ended {self._how_it_ended()}")
        first, _, rest = answer.partition(" ")
        if first == "error":
            raise self.problem(f"reports: {rest or 'an error'}")
        if first != word:
            raise self.problem(f"said '{answer}' where '{word} …' was due")
        return rest

    def problem(self, what: str) -> TrackerError:
        """The error to raise; with what the program last wrote."""
        lines = "".join(f"\n  {line}" for line in self._last_lines)
        return TrackerError(
            f"the tracker program '{self._name}' {what}." + (f" It last wrote:{lines}" if lines else "")
        )

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(timeout=1)
            for listener in self._listeners:
                listener.join(timeout=1)
            return f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return "its output"

    def end(self) -> None:
        """Ask it to quit, and kill it and what it has started if it does not."""
        with suppress(OSError):
            assert self._process.stdin is not None, "it is a pipe"
            self._process.stdin.write("quit\n")
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        if sys.platform == "win32":
            self._process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
