"""What a user sees while trackers are evaluated: sequences, frames a second, time to go, failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lockon.evaluation.running.jobs import Job, Plan
from lockon.evaluation.running.workers import Advanced, Event, Failed, Finished, Retried

LINES = 10
"""Lines of progress where there is no terminal to draw a bar on."""


class EvalProgress:
    """A bar on a terminal, and some lines elsewhere; a context manager.

    Args:
        plan: what is done.
        stopping: whether the user has asked to stop.
        console: where to write; standard error unless given.
    """

    def __init__(self, plan: Plan, stopping: Callable[[], bool], console: Console | None = None) -> None:
        self.failures: list[Failed] = []
        self.finished = 0
        self._jobs = len(plan.jobs)
        self._frames_finished = 0
        self._frames_seen = 0
        self._stopping = stopping
        self._said_stopping = False
        self._began = time.monotonic()
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.fields[sequences]}"),
            BarColumn(),
            TextColumn("{task.fields[speed]:.1f} FPS"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failures]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        total = sum(len(job.sequence) for job in plan.jobs)
        self._task = self._progress.add_task("", total=total, sequences="", speed=0.0, failures="")

    @property
    def frames_per_second(self) -> float:
        """Of all workers together, since the start."""
        frames = max(self._frames_seen, self._frames_finished)
        return frames / max(time.monotonic() - self._began, 1e-9)

    def show(self, event: Event) -> None:
        """Take notice of what has happened."""
        if isinstance(event, Advanced):
            self._frames_seen += event.frames
        elif isinstance(event, Retried):
            self._say(f"again: {_title(event.job)}: {event.problem}")
        else:
            self._conclude(event)
        if self._stopping() and not self._said_stopping:
            self._said_stopping = True
            self._say("stopping: what is begun is finished; press Ctrl-C again to leave it")
        self._draw()

    def _conclude(self, event: Finished | Failed) -> None:
        self._frames_finished += len(event.job.sequence)
        if isinstance(event, Failed):
            self.failures.append(event)
            self._say(f"failed: {_title(event.job)}: {event.problem}")
        else:
            self.finished += 1
        done = self.finished + len(self.failures)
        if not self._console.is_terminal and done * LINES // self._jobs > (done - 1) * LINES // self._jobs:
            self._say(f"{self._sequences()} at {self.frames_per_second:.1f} FPS")

    def _draw(self) -> None:
        total = self._progress.tasks[0].total or 0
        self._progress.update(
            self._task,
            completed=max(self._frames_finished, min(self._frames_seen, total)),
            sequences=self._sequences(),
            speed=self.frames_per_second,
            failures=f"{len(self.failures)} failed" if self.failures else "",
        )

    def _sequences(self) -> str:
        return f"{self.finished + len(self.failures)} of {self._jobs} sequences"

    def _say(self, line: str) -> None:
        self._console.print(escape(line), soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def _title(job: Job) -> str:
    return f"{job.key.tracker} on {job.key.test_set}/{job.key.sequence}, run {job.key.run}"
