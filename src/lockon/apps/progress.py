"""What a user sees while a track runs, and what is said of it afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lockon.types import Result


class Meter:
    """Counts tracked frames and shows a progress bar on a terminal; a context manager.

    Args:
        title: shown before the bar.
        total: number of frames, None if nobody knows.
    """

    def __init__(self, title: str, total: int | None) -> None:
        self.frames = 0
        self._present: list[int] = []
        self._started = time.perf_counter()
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f} FPS"),
            TextColumn("score {task.fields[score]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, rate=0.0, score="-")

    def count(self, result: Result) -> None:
        """One more frame was tracked."""
        self.frames += 1
        present = [bool(one.present) for one in result]
        self._present = [a + b for a, b in zip(self._present or [0] * len(present), present, strict=True)]
        score = " ".join(f"{one.score:.2f}" for one in result)
        self._progress.update(self._task, completed=self.frames, score=score, rate=self.rate)

    @property
    def rate(self) -> float:
        """Frames per second since the start."""
        return self.frames / (time.perf_counter() - self._started)

    def summary(self, skipped: int) -> str:
        """Frames, speed, how often the targets were present, and how many frames could not be read."""
        shares = ", ".join(f"{count / self.frames:.0%}" for count in self._present)
        present = f", target present in {shares}" if shares else ""
        bad = f", {skipped} unreadable frames skipped" if skipped else ""
        return f"{self.frames} frames at {self.rate:.1f} FPS{present}{bad}"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; what it gives is called with what is done, and with the total."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
