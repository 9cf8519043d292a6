"""Where the time of a frame goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, Protocol, runtime_checkable

import torch

Stage = Literal[
    "decode",
    "crop",
    "backbone",
    "localise",
    "candidates",
    "embed",
    "associate",
    "sinkhorn",
    "estimate",
    "learn",
    "draw",
]


@runtime_checkable
class Timer(Protocol):
    """Anything that can time a named stage."""

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Context in which time counts for the stage."""


class NoTimer:
    """Times nothing, at no cost."""

    def stage(self, name: Stage) -> AbstractContextManager[None]:  # noqa: ARG002 - the protocol's signature
        """An empty context."""
        return nullcontext()


class StageTimer:
    """Adds up seconds and calls per stage; waits for the device at the end of each.

    Args:
        device: where the work happens; only a CUDA device has to be waited for.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds: dict[Stage, float] = defaultdict(float)
        self.calls: dict[Stage, int] = defaultdict(int)
        self._device = torch.device(device)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Context in which time counts for the stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            self.seconds[name] += time.perf_counter() - start
            self.calls[name] += 1
