"""Where jobs are done: what workers of any kind tell, and the plain kind, which is this process."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lockon.errors import LockonError
from lockon.evaluation.result_files import Outcome
from lockon.evaluation.running.environment import describe_environment
from lockon.evaluation.running.jobs import Batch, Job, run_batch
from lockon.evaluation.store import ResultKey

ATTEMPTS = 3
"""Times that a job is begun whose worker died under it."""
REPORT_EVERY = 0.25
"""Seconds between two words of a worker on its progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Some more frames were tracked."""

    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A job is done."""

    job: Job
    outcome: Outcome
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A job cannot be done; the others go on."""

    job: Job
    problem: str
    """In one line."""
    details: str = ""
    """The traceback, where the problem does not explain itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A job is begun again."""

    job: Job
    problem: str


Event = Advanced | Finished | Failed | Retried
ShouldStop = Callable[[], bool]


class Workers(Protocol):
    """Somebody who does jobs."""

    def run(self, batches: Sequence[Batch], should_stop: ShouldStop) -> Iterator[Event]:
        """Do the batches, and tell what happens; once `should_stop()`, only finish what is begun."""
        ...


class Here:
    """This process, one batch after the other."""

    def run(self, batches: Sequence[Batch], should_stop: ShouldStop) -> Iterator[Event]:
        """See `Workers`."""
        environment = describe_environment()
        waiting = list(reversed(batches))
        while waiting and not should_stop():
            batch = waiting.pop()
            counter = FrameCounter()
            answer = attempt(batch, counter.count)
            yield Advanced(frames=counter.frames)
            yield from conclusions(batch, answer, environment)
            waiting.extend(reversed(alone(batch, answer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a tracker raised."""

    message: str
    details: str = ""
    """The traceback."""


def attempt(batch: Batch, on_frame: Callable[[], None]) -> list[Outcome] | Problem:
    """Do the jobs of a batch; what a tracker raises is a result, too."""
    try:
        return run_batch(batch, on_frame)
    except LockonError as error:
        return Problem(message=str(error))
    except Exception as error:
        return Problem(message=f"{type(error).__name__}: {error}", details=traceback.format_exc())


def conclusions(
    batch: Batch, answer: Sequence[Outcome] | Problem, environment: Mapping[str, str]
) -> Iterator[Finished | Failed | Retried]:
    """What an attempt at a batch means for its jobs; one in lock-step that failed is divided."""
    if not isinstance(answer, Problem):
        for job, outcome in zip(batch, answer, strict=True):
            yield Finished(job=job, outcome=outcome, environment={**environment, "lockstep": str(len(batch))})
    elif len(batch) == 1:
        yield Failed(job=batch[0], problem=answer.message, details=answer.details)
    else:
        for job in batch:
            yield Retried(job=job, problem=f"failed together with others, is tried alone: {answer.message}")


class Deaths:
    """Counts how often jobs were lost together with who did them."""

    def __init__(self) -> None:
        self._count: Counter[ResultKey] = Counter()

    def of(self, batch: Batch, how: str) -> tuple[list[Batch], list[Failed | Retried]]:
        """The jobs of a lost batch that are to be begun again, each by itself, and what to tell of all."""
        again: list[Batch] = []
        events: list[Failed | Retried] = []
        for job in batch:
            self._count[job.key] += 1
            if self._count[job.key] < ATTEMPTS:
                again.append((job,))
                events.append(Retried(job=job, problem=how))
            else:
                events.append(Failed(job=job, problem=f"{how}, {ATTEMPTS} times in a row"))
        return again, events


def alone(batch: Batch, answer: Sequence[Outcome] | Problem) -> list[Batch]:
    """The jobs of a batch in lock-step that failed, each by itself."""
    return [(job,) for job in batch] if isinstance(answer, Problem) and len(batch) > 1 else []


class FrameCounter:
    """Counts frames, and reports them from time to time.

    Args:
        report: called with the frames since the last time.
    """

    def __init__(self, report: Callable[[int], None] | None = None) -> None:
        self.frames = 0
        self._reported = 0
        self._report = report
        self._last = time.monotonic()

    def count(self) -> None:
        """One more frame."""
        self.frames += 1
        if self._report is not None and time.monotonic() - self._last >= REPORT_EVERY:
            self.flush()

    def flush(self) -> None:
        """Report what is not reported yet."""
        if self._report is not None:
            self._report(self.frames - self._reported)
            self._reported = self.frames
            self._last = time.monotonic()
