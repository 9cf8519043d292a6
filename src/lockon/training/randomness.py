"""Random numbers that a network draws while it trains (dropout): from the seed of the run, and saved with it.

PyTorch's layers know the global generators only. A run lends them its own states and gives the old ones back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Generator, Tensor

from lockon.training import peers


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Begin with states that follow from the seed and the number of the process; end with those of before."""
    number = int(np.random.SeedSequence([seed, peers.rank()]).generate_state(1)[0])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.set_rng_state(Generator().manual_seed(number).get_state())
        if device.type == "cuda":
            torch.cuda.set_rng_state(Generator(device).manual_seed(number).get_state(), device)
        yield


def random_states(device: torch.device) -> dict[str, list[Tensor]]:
    """The states of all processes, by kind of device and rank."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return {kind: [each.cpu() for each in peers.gathered(own.to(device))] for kind, own in states.items()}


def restore_random_states(states: Mapping[str, Sequence[Tensor]], device: torch.device) -> None:
    """Take up the states of this process; one that was not there before keeps its own."""
    rank = peers.rank()
    if rank < len(states["cpu"]):
        torch.set_rng_state(states["cpu"][rank])
    if device.type == "cuda" and rank < len(states.get("cuda", ())):
        torch.cuda.set_rng_state(states["cuda"][rank], device)
