"""The processes that train one model together, as `torchrun` starts them; a process on its own is its only peer."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from lockon.tracking.precision import usable_device

_PATIENCE = datetime.timedelta(hours=2)
"""How long a process waits for the others: the first one writes checkpoints and draws pictures meanwhile."""


@contextmanager
def joined(device: str) -> Iterator[torch.device]:
    """Join the other processes, if `torchrun` started some, and part from them in the end.

    Args:
        device: `cpu` (the processes talk through gloo) or `cuda` (nccl), where each process gets the card of its
            number on its machine.

    Yields:
        The device of this process.

    Raises:
        DeviceError: PyTorch cannot use the device.
    """
    together = "WORLD_SIZE" in os.environ
    if together and device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    own = usable_device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    if not together:
        yield own
        return
    card = own if own.type == "cuda" else None
    dist.init_process_group("gloo" if card is None else "nccl", timeout=_PATIENCE, device_id=card)
    try:
        yield own
    finally:
        dist.destroy_process_group()  # without it a process may abort when it ends


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the first process, the one that talks; known before and after they are joined, too."""
    return os.environ.get("RANK", "0") == "0"


def on_this_machine() -> int:
    """How many of the processes share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def total(values: Tensor) -> Tensor:
    """Sum of a tensor over the processes; it must lie on the device that `joined` gave."""
    if count() == 1:
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values


def gathered(values: Tensor) -> list[Tensor]:
    """The tensors of all processes, by rank; of one shape, on the device that `joined` gave."""
    if count() == 1:
        return [values]
    everyone = [torch.empty_like(values) for _ in range(count())]
    dist.all_gather(everyone, values)
    return everyone


@contextmanager
def first_goes_ahead(device: torch.device) -> Iterator[None]:
    """Let the first process do something before the others do the same."""
    if rank() > 0:
        total(torch.zeros(1, device=device))
    yield
    if rank() == 0:
        total(torch.zeros(1, device=device))


def first_says(data: bytes | None, device: torch.device) -> bytes | None:
    """What the first process has, on all: folders need not be shared among machines."""
    if count() == 1:
        return data
    length = torch.tensor([-1 if data is None else len(data)], device=device)
    dist.broadcast(length, 0)
    if length.item() < 0:
        return None
    content = torch.empty(int(length.item()), dtype=torch.uint8, device=device)
    if data is not None and rank() == 0:
        content.copy_(torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy()))
    dist.broadcast(content, 0)
    return content.cpu().numpy().tobytes()
