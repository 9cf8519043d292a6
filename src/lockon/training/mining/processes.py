"""Shards made by several processes at the same time, each with a tracker and its share of the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path

from lockon.errors import LockonError, OutputError, TrainingError
from lockon.evaluation.running.environment import thread_limit, threads_each
from lockon.training.mining.miner import Event, Miner, MiningConfig, Tell


@dataclass(frozen=True, slots=True)
class _Made:
    """A shard is done."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a process gives up."""

    text: str
    no_room: bool
    """It could not write."""


def make_in_processes(
    config: MiningConfig, device: str, root: Path, shards: Sequence[int], processes: int, tell: Tell
) -> None:
    """Make shards, and end all processes whatever happens.

    Args:
        config: what is mined.
        device: where the trackers run.
        root: folder of the dump.
        shards: their numbers.
        processes: how many work at the same time.
        tell: called with what happens.

    Raises:
        OutputError: a shard cannot be written.
        TrainingError: a process died.
    """
    waiting = deque(shards)
    context = multiprocessing.get_context("spawn")
    workers: list[_Worker] = []
    try:
        with thread_limit(threads_each(processes)):
            for _ in range(min(processes, len(shards))):
                workers.append(_Worker(context, config, device, root))
                workers[-1].give(waiting.popleft())
        busy = {worker.connection: worker for worker in workers}
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection), "that is what was waited for"
                message = busy[connection].hear()
                if isinstance(message, _Failed):
                    raise (OutputError if message.no_room else TrainingError)(message.text)
                if not isinstance(message, _Made):
                    tell(message)
                elif waiting:
                    busy[connection].give(waiting.popleft())
                else:
                    del busy[connection]
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process of its own, so that threads and devices are in a clean state."""

    def __init__(self, context: SpawnContext, config: MiningConfig, device: str, root: Path) -> None:
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_work, args=(theirs, config, device, root), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, shard: int) -> None:
        """Let it make a shard."""
        with suppress(OSError):  # it has died; that is heard of when it is listened to
            self.connection.send(shard)

    def hear(self) -> Event | _Made | _Failed:
        """What it says next.

        Raises:
            TrainingError: it has died.
        """
        try:
            message: Event | _Made | _Failed = self.connection.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            code = self._process.exitcode
            raise TrainingError(
                f"a process that mines died (exit status {code}; -9 is a kill, as when memory is short). What is "
                "whole is kept: give the same command again to go on, with fewer --processes if memory was short."
            ) from error
        return message

    def end(self) -> None:
        """End the process, whatever it does: an unfinished shard goes on from its last whole sequence."""
        self.connection.close()
        self._process.kill()
        self._process.join()


def _work(connection: Connection, config: MiningConfig, device: str, root: Path) -> None:
    """The life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the shards
    try:
        miner = Miner(config, device)
        while True:
            miner.make(connection.recv(), root, lambda event: _say(connection, event))
            _say(connection, _Made())
    except EOFError:  # nobody gives any more
        return
    except LockonError as error:
        _say(connection, _Failed(str(error), isinstance(error, OutputError)))


def _say(connection: Connection, message: Event | _Made | _Failed) -> None:
    try:
        connection.send(message)
    except OSError:  # nobody is there to hear it: the process that gives the shards has died
        os._exit(1)
