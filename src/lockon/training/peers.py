"""The processes that train one model together, as `torchrun` starts them; a process on its own is its only peer."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def join() -> None:
    """Join the other processes, if `torchrun` started some."""
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")


def leave() -> None:
    """Part from the other processes; without it a process may abort when it ends."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def agree(value: float) -> float:
    """The value that the first process has."""
    if count() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return shared.item()


def copy_state(model: nn.Module) -> None:
    """Take over parameters and buffers of the first process."""
    if count() > 1:
        for value in model.state_dict().values():
            dist.broadcast(value, 0)


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace gradients by their mean over the processes, in one message."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    joint = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(joint)
    joint /= count()
    for gradient, mean in zip(gradients, joint.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
