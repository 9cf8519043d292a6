"""Processes of this machine, each with its share of the cores; one that dies takes no more than its own job along.

A tracker may start processes of its own. A worker and all that it has started are one process group and end together:
with the work, when the worker dies, and when the process dies that gives the jobs.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess

from lockon.errors import DataError, TrackerError
from lockon.evaluation.result_files import Outcome
from lockon.evaluation.running.environment import describe_environment, thread_limit, threads_each
from lockon.evaluation.running.jobs import Batch, Job
from lockon.evaluation.running.workers import (
    Advanced,
    Deaths,
    Event,
    FrameCounter,
    Problem,
    ShouldStop,
    alone,
    attempt,
    conclusions,
)

POLL = 0.2
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """Frames that a worker has tracked since its last word."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The end of a batch."""

    answer: list[Outcome] | Problem
    environment: dict[str, str]


class Processes:
    """Worker processes that are started afresh, so that threads, GPUs and random numbers are in a clean state.

    Args:
        processes: how many.
        threads: of each; by default they share the cores.

    Raises:
        DataError: fewer than one.
    """

    def __init__(self, processes: int, threads: int | None = None) -> None:
        if processes < 1 or (threads is not None and threads < 1):
            raise DataError(f"there must be at least one process with one thread; got {processes} and {threads}.")
        self._count = processes
        self._threads = threads or threads_each(processes)

    def run(self, batches: Sequence[Batch], should_stop: ShouldStop) -> Iterator[Event]:
        """See `Workers`; jobs whose process dies are begun again up to three times."""
        waiting = deque(batches)
        deaths = Deaths()
        workers: list[_Worker] = []
        try:
            while True:
                while waiting and not should_stop() and (worker := self._idle(workers)):
                    worker.give(waiting.popleft())
                busy = {worker.connection: worker for worker in workers if worker.batch is not None}
                if not busy:
                    return
                yield Advanced(frames=0)  # so that whoever listens can look about, too
                ready = wait(list(busy), timeout=POLL)
                for connection, worker in busy.items():
                    if connection in ready or worker.has_died:
                        yield from self._hear(worker, waiting, deaths)
                    if not worker.alive:
                        workers.remove(worker)
        finally:
            for worker in workers:
                worker.end()

    def _idle(self, workers: list[_Worker]) -> _Worker | None:
        for worker in workers:
            if worker.batch is None:
                return worker
        if len(workers) == self._count:
            return None
        with thread_limit(self._threads):
            workers.append(_Worker(multiprocessing.get_context("spawn")))
        return workers[-1]

    def _hear(self, worker: _Worker, waiting: deque[Batch], deaths: Deaths) -> Iterator[Event]:
        batch = worker.batch
        assert batch is not None, "only busy workers are listened to"
        try:
            message = worker.hear()
        except (EOFError, OSError):
            again, events = deaths.of(batch, worker.bury())
            waiting.extendleft(again)
            yield from events
            return
        if isinstance(message, _Frames):
            yield Advanced(frames=message.count)
            return
        worker.batch = None
        yield from conclusions(batch, message.answer, message.environment)
        waiting.extendleft(alone(batch, message.answer))


class _Worker:
    """A process, and what it is busy with."""

    def __init__(self, context: SpawnContext) -> None:
        self.connection, theirs = context.Pipe()
        self.batch: Batch | None = None
        self.alive = True
        # No daemon, which might start no processes of its own; so we see to its end ourselves.
        self._process: SpawnProcess = context.Process(target=_work, args=(theirs,), daemon=False)
        self._process.start()
        atexit.register(self.end)
        theirs.close()

    @property
    def has_died(self) -> bool:
        """Whether it has ended; what a tracker has started may hold its connection open beyond that."""
        return not self._process.is_alive()

    def hear(self) -> _Frames | _Answer:
        """Its next message.

        Raises:
            EOFError: it has died, and there is none.
            OSError: likewise.
        """
        if self.has_died:
            self._kill_group()  # for what it has started may keep the connection open, and silent
        message: _Frames | _Answer = self.connection.recv()
        return message

    def give(self, batch: Batch) -> None:
        """Let it do a batch."""
        try:
            self.connection.send(batch)
        except OSError:
            pass  # it has died; that is heard of when it is listened to
        except Exception as error:  # pickling has no family of errors of its own
            raise TrackerError(
                f"tracker '{batch[0].tracker.name}' cannot be sent to another process ({error}). Make it by a "
                "function at the top of a module, or run it in this process."
            ) from error
        self.batch = batch

    def bury(self) -> str:
        """Say how it ended."""
        self.alive = False
        self.connection.close()
        self._process.join()
        atexit.unregister(self.end)
        code = self._process.exitcode or 0
        if code == -signal.SIGKILL:
            return "the process was killed (is there enough memory?)"
        return (
            f"the process died by {signal.Signals(-code).name}"
            if code < 0
            else f"the process ended with status {code}"
        )

    def end(self) -> None:
        """End the process and what it has started, whatever they do."""
        atexit.unregister(self.end)
        self.connection.close()
        self._process.terminate()
        self._process.join(timeout=5)
        self._kill_group()
        if self._process.is_alive():  # so early that it leads no group yet
            self._process.kill()
        self._process.join()

    def _kill_group(self) -> None:
        if sys.platform != "win32" and self._process.pid is not None:
            with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, of a group of zombies
                os.killpg(self._process.pid, signal.SIGKILL)


def _work(connection: Connection) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the jobs
    if sys.platform != "win32":
        os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    environment = describe_environment()
    counter = FrameCounter(lambda count: _say(connection, _Frames(count=count)))
    while True:
        try:
            batch: tuple[Job, ...] = connection.recv()
        except EOFError:
            return
        except Exception as error:  # what was sent cannot be made here: a module is missing
            problem = Problem(message=f"{type(error).__name__}: {error}", details=traceback.format_exc())
            _say(connection, _Answer(answer=problem, environment=environment))
            continue
        answer = attempt(batch, counter.count)
        counter.flush()
        _say(connection, _Answer(answer=answer, environment=environment))


def _end_with_parent() -> None:
    """Wait until the process that gives the jobs has died, and end all that works for it here."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by it"
    wait([parent.sentinel])
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _say(connection: Connection, message: _Frames | _Answer) -> None:
    try:
        connection.send(message)
    except OSError:  # nobody is there to hear it: the process that gives the jobs has died
        _end_with_parent()
