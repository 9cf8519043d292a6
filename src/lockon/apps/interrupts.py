"""Ctrl-C as a request: the frame in work is finished first, and so are the files."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status of a program that ended on Ctrl-C, as shells have it."""


class StopRequest:
    """Whether the user, or the system, asked the program to end."""

    def __init__(self) -> None:
        self.received = False


@contextmanager
def deferred_interrupts() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second one acts as usual.

    Use it in the main thread, as Python's signal handlers demand.
    """
    request = StopRequest()

    def receive(number: int, _: FrameType | None) -> None:
        request.received = True
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
