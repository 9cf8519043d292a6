"""Batches of samples made ahead of time by worker processes, and how long the trainer waits for them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lockon.errors import DataError, LockonError
from lockon.training.samples import collate

_AHEAD = 4
"""Batches each worker makes before they are asked for."""

T = TypeVar("T")


@dataclass(slots=True)
class LoaderMeter:
    """How fast samples come, and what share of the time is spent waiting for them, since the last reset."""

    samples: int = 0
    """Samples handed over to this process."""
    waited: float = 0.0
    """Seconds in which nothing was done but wait for a batch."""
    _since: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        """Seconds since the last reset."""
        return time.perf_counter() - self._since

    @property
    def wait_share(self) -> float:
        """Share of the time spent waiting, in [0, 1]."""
        return self.waited / max(self.elapsed, 1e-9)

    @property
    def samples_per_second(self) -> float:
        """Samples handed over per second, by everything that the loop does."""
        return self.samples / max(self.elapsed, 1e-9)

    def reset(self) -> None:
        """Start anew."""
        self.samples, self.waited, self._since = 0, 0.0, time.perf_counter()


def batches(
    samples: Dataset[Any],
    *,
    collate: Callable[[Sequence[Any]], Any] = collate,
    batch: int,
    first_step: int = 0,
    rank: int = 0,
    ranks: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
    meter: LoaderMeter | None = None,
) -> Generator[Any, None, None]:
    """Endless batches; what is in them depends on the step and the rank alone.

    Step s holds the samples from `(s · ranks + rank) · batch` on, so that the batches of all ranks follow each other
    and one process with the batch of all of them sees the same.

    Args:
        samples: where they come from.
        collate: makes a batch of samples, a named tuple with `skipped`; by default of those of a tracker.
        batch: samples of a step in this process.
        first_step: where to go on after a run was stopped.
        rank: number of this process among `ranks` that train together.
        ranks: how many processes train together.
        workers: processes that make samples ahead, each with one thread; 0 makes them when they are asked for.
        pin_memory: put batches where they can be copied to a GPU while it computes.
        meter: is told of every batch.

    Raises:
        DataError: samples cannot be made, or a worker process died.
    """
    loader = DataLoader(
        _Steps(samples, collate, batch, rank, ranks),
        batch_size=None,
        sampler=_CountFrom(first_step),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=_leave_the_session,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # else every loader would draw a number from the global one
    )
    meter = meter or LoaderMeter()
    iterator = iter(loader)
    try:
        while True:
            asked = time.perf_counter()
            with worker_deaths_explained():
                made = next(iterator)
            meter.waited += time.perf_counter() - asked
            if isinstance(made, LockonError):
                raise made
            meter.samples += batch
            yield made._replace(skipped=tuple(made.skipped))  # pinning makes a list of it
    finally:
        del iterator  # ends the workers; the garbage collector would do it late and in the wrong order


@contextmanager
def worker_deaths_explained() -> Iterator[None]:
    """Say what to do when a worker dies: PyTorch interrupts the main process by a bare error, wherever that is.

    Raises:
        DataError: a worker process died.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataError(
            f"a process that makes training samples died, killed or short of memory; use fewer workers. {error}"
        ) from error


class _Steps(Dataset[Any]):
    """Whole batches by step. An error is handed over as a value: raised in a worker, it would lose its message."""

    def __init__(
        self,
        samples: Dataset[Any],
        collate: Callable[[Sequence[Any]], Any],
        batch: int,
        rank: int,
        ranks: int,
    ) -> None:
        self._samples, self._collate = samples, collate
        self._batch, self._rank, self._ranks = batch, rank, ranks

    def __getitem__(self, step: int) -> Any:
        first = (step * self._ranks + self._rank) * self._batch
        try:
            return self._collate([self._samples[number] for number in range(first, first + self._batch)])
        except LockonError as error:
            return error


class _CountFrom(Sampler[int]):
    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return count(self._first)


def _as_it_is(made: T) -> T:
    return made


def _leave_the_session(worker: int) -> None:  # noqa: ARG001 - what DataLoader calls
    """Ctrl-C in the terminal reaches every process of the session; the trainer finishes its step before it ends."""
    if sys.platform != "win32":
        os.setsid()
