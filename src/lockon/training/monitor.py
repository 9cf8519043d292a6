"""What is seen of a run while it goes on, and afterwards: log, TensorBoard, pictures, progress on the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lockon.errors import MissingExtraError, OutputError
from lockon.training.logs import Board, JsonLog
from lockon.training.pictures import draw_curves, sample_grid, save_picture
from lockon.training.schedules import Position
from lockon.training.tasks.base import Task

LOG = "log.jsonl"
BOARD = "tensorboard"
PICTURES = "pictures"
_LINES_APART = 30.0
"""Seconds between lines of progress where the output is no terminal."""

_MOST_REASONS = 10
"""Skipped images that the terminal shows; all are in the log."""


class Monitor:
    """Told of all that happens in a run; this one, of all processes but the first, keeps nothing."""

    def begin(self, position: Position) -> None:
        """The run begins, goes on from, or goes back to a position; what was told of later steps is void."""

    def train(self, position: Position, figures: Mapping[str, float]) -> None:
        """Figures of the steps since the last call."""

    def validation(self, position: Position, figures: Mapping[str, float]) -> None:
        """Figures of merit."""

    def batch(self, position: Position, task: Task, batch: Any) -> None:
        """What the network is about to see."""

    def skipped(self, position: Position, reasons: Sequence[str]) -> None:
        """Samples were drawn anew because images could not be read."""

    def tell(self, sentence: str) -> None:
        """Something that people should know."""

    def flush(self) -> None:
        """Put on disk what was told so far."""

    def close(self) -> None:
        """The run ends or stops."""


class RunMonitor(Monitor):
    """Writes into the folder of a run, and shows progress on the terminal.

    Args:
        folder: gets `log.jsonl`, `tensorboard/` and `pictures/`.
        title: shown before the progress bar.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self._folder, self._title = folder, title
        self._console = Console(stderr=True)
        self._log = JsonLog(folder / LOG, self.tell)
        self._board: Board | None = None
        self._missing: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task(title, state="")
        self._printed = time.monotonic()
        self._unreadable = 0

    def begin(self, position: Position) -> None:
        """Cut the log after the position, and show it."""
        (self._folder / PICTURES).mkdir(parents=True, exist_ok=True)
        self._log.cut(position.step)
        self._end_files()
        try:
            self._board = Board(self._folder / BOARD, position.step)
        except MissingExtraError as error:
            self._do_without(error)
        self._progress.reset(self._bar, total=position.steps, completed=position.step)
        self._progress.start()

    def train(self, position: Position, figures: Mapping[str, float]) -> None:
        """A line of the log, a point of each curve, and progress."""
        self._record("train", position, figures)
        speed, waits = figures["samples_per_second"], figures["wait_share"]
        state = f"loss {figures['loss']:.4g}, {speed:.1f} samples/s, {waits:.0%} of the time waiting for data"
        self._progress.update(self._bar, completed=position.step, state=state)
        if self._progress.disable and time.monotonic() - self._printed > _LINES_APART:
            self._printed = time.monotonic()
            self.tell(f"step {position.step} of {position.steps}: {state}")

    def validation(self, position: Position, figures: Mapping[str, float]) -> None:
        """A line of the log and of the terminal, a point of each curve, and the curves as a picture."""
        self._record("validation", position, figures)
        merits = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.tell(f"validation after step {position.step}: {merits}")
        self._draw_curves()

    def batch(self, position: Position, task: Task, batch: Any) -> None:
        """A picture of the samples."""
        grid = sample_grid(task, batch)
        if self._board is not None:
            self._board.picture("samples", position.step, grid)
        try:
            save_picture(grid, self._folder / PICTURES / f"samples-step-{position.step:08d}.png")
        except OutputError as error:
            self._do_without(error)

    def skipped(self, position: Position, reasons: Sequence[str]) -> None:
        """A line of the log for each; the terminal shows the first few."""
        for reason in reasons:
            self._log.append({"kind": "skipped", "step": position.step, "epoch": position.epoch, "reason": reason})
            self._unreadable += 1
            if self._unreadable <= _MOST_REASONS:
                self.tell(f"skipped: {reason}")
            if self._unreadable == _MOST_REASONS:
                self.tell(f"More images that are skipped are counted, and listed in {self._folder / LOG}.")

    def tell(self, sentence: str) -> None:
        """A line of the terminal."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def flush(self) -> None:
        """Put on disk what TensorBoard has not written yet."""
        if self._board is not None:
            self._board.flush()

    def close(self) -> None:
        """Draw the curves; end the progress bar and TensorBoard's file."""
        self._draw_curves()
        self._end_files()

    def _draw_curves(self) -> None:
        try:
            draw_curves(self._folder / LOG, self._folder / PICTURES / "curves.png")
        except (MissingExtraError, OutputError) as error:
            self._do_without(error)

    def _end_files(self) -> None:
        self._progress.stop()
        if self._board is not None:
            self._board.close()

    def _record(self, kind: str, position: Position, figures: Mapping[str, float]) -> None:
        self._log.append({"kind": kind, "step": position.step, "epoch": position.epoch, **figures})
        if self._board is not None:
            self._board.figures(kind, position.step, figures)

    def _do_without(self, error: MissingExtraError | OutputError) -> None:
        """Say once what is missing; what is only looked at must not stop a run."""
        if str(error) not in self._missing:
            self._missing.add(str(error))
            self.tell(f"{error} Going on without.")
