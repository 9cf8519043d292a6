"""A Ray cluster: jobs go wherever there is room, and those whose machine or process dies are begun again.

Every machine needs the same version of Lockon, and the images at the same place; results come back to the process
that gives the jobs, which alone writes them.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from lockon.errors import MissingExtraError, TrackerError
from lockon.evaluation.result_files import Outcome
from lockon.evaluation.running.environment import THREAD_VARIABLES, describe_environment
from lockon.evaluation.running.jobs import Batch
from lockon.evaluation.running.workers import (
    Advanced,
    Deaths,
    Event,
    Problem,
    ShouldStop,
    alone,
    attempt,
    conclusions,
)

POLL = 0.5
"""Seconds between two looks at whether to stop, and at how large the cluster is now."""


class Cluster:
    """Tasks on a Ray cluster.

    Args:
        address: of the cluster, such as `10.0.0.1:6379`; `auto` is the one of this machine.
        threads: of each job, each of which takes as many CPUs.
        gpus: that a job takes; a part of one lets jobs share it.

    Raises:
        MissingExtraError: Ray is not installed.
        TrackerError: there is no cluster at the address.
    """

    def __init__(self, address: str, *, threads: int = 1, gpus: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("running on a cluster", "cluster") from error
        self._ray: Any = ray
        self._threads = threads
        self._gpus = gpus
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise TrackerError(
                f"no Ray cluster answers at '{address}': {error}. Start one with `ray start --head`."
            ) from error

    def run(self, batches: Sequence[Batch], should_stop: ShouldStop) -> Iterator[Event]:
        """See `Workers`; jobs that are lost with their process or machine are begun again."""
        ray = self._ray
        waiting = deque(batches)
        deaths = Deaths()
        begun: dict[Any, Batch] = {}
        # We begin jobs again ourselves, to count and to tell; Ray would do so silently.
        task = ray.remote(
            num_cpus=self._threads,
            num_gpus=self._gpus,
            max_retries=0,
            runtime_env={"env_vars": dict.fromkeys(THREAD_VARIABLES, str(self._threads))},
        )(_do)
        try:
            while True:
                while waiting and not should_stop() and len(begun) < self._room():
                    batch = waiting.popleft()
                    begun[task.remote(batch)] = batch
                if not begun:
                    return
                ready, _ = ray.wait(list(begun), num_returns=1, timeout=POLL)
                yield Advanced(frames=0)
                for reference in ready:
                    yield from self._conclude(reference, begun.pop(reference), waiting, deaths)
        finally:
            for reference in begun:
                ray.cancel(reference, force=True)
            ray.shutdown()

    def _room(self) -> int:
        """Jobs for which there are CPUs now: machines come and go. Never none, so that a cluster can grow."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 0)) // self._threads)

    def _conclude(self, reference: Any, batch: Batch, waiting: deque[Batch], deaths: Deaths) -> Iterator[Event]:
        ray = self._ray
        try:
            answer, environment = ray.get(reference)
        except (ray.exceptions.RayTaskError, ray.exceptions.RayError) as error:
            lost, events = deaths.of(batch, f"the job was lost ({_reason(error)})")
            waiting.extendleft(lost)
            yield from events
            return
        yield Advanced(frames=sum(len(job.sequence) for job in batch))
        yield from conclusions(batch, answer, environment)
        waiting.extendleft(alone(batch, answer))


def _reason(error: Exception) -> str:
    """Kind of an error, and the last line of its text: of a module that a machine lacks, which one it is."""
    *_, last = ["", *str(error).strip().splitlines()]
    return f"{type(error).__name__}: {last}" if last else type(error).__name__


def _knock(address: str) -> None:
    """Find out soon that nobody is there: Ray itself goes on trying for minutes.

    Raises:
        OSError: nobody answers.
        ValueError: the port is no number.
    """
    host, colon, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _do(batch: Batch) -> tuple[list[Outcome] | Problem, dict[str, str]]:
    """A task, on some machine of the cluster."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    return attempt(batch, lambda: None), describe_environment()
