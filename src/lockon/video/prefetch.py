"""Reading ahead in a thread, so that decoding overlaps with what is done with the frames."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.1
"""How often a blocked reader looks whether it should stop."""


def read_ahead(items: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """Iterate over `items` in a thread that keeps up to `depth` of them ready.

    Exceptions of `items` come out here, in order. Closing this generator (or leaving its loop) stops the thread and
    closes `items`.
    """
    queue: Queue[tuple[T] | BaseException | None] = Queue(maxsize=depth)
    stop = threading.Event()

    def put(entry: tuple[T] | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                queue.put(entry, timeout=_POLL_SECONDS)
                return

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if stop.is_set():
                    break
            put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            put(error)
        finally:
            items.close()

    worker = threading.Thread(target=work, name="lockon-read-ahead", daemon=True)
    worker.start()
    try:
        while (entry := queue.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        stop.set()
        with suppress(Empty):  # makes room, should the thread be waiting for it
            queue.get_nowait()
        worker.join()
