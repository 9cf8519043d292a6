"""Random numbers as a function of (seed, frame, purpose): same seed, same track, on any batch size.

A counter-based generator needs no state between frames: saving, cloning and resuming a track only keeps its seed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

SEEDS = 2**128
"""How many seeds there are, from 0: the key of the generator has 128 bits."""


class Purpose(IntEnum):
    """What a number is drawn for; each purpose has its own stream."""

    SHIFT = 1
    DROPOUT = 2
    PROJECTION = 3
    FILTER = 4
    BOX_JITTER = 5


@runtime_checkable
class Randomness(Protocol):
    """Source of the random numbers of tracking."""

    def uniform(self, seed: int, frame: int, purpose: Purpose, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """Uniform numbers in [0, 1), float32."""

    def normal(self, seed: int, frame: int, purpose: Purpose, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """Standard-normal numbers, float32."""

    def keep(self, seed: int, frame: int, shape: tuple[int, int], drop: float) -> Bool[Tensor, "copies channels"]:
        """Which channels survive channel dropout."""


class CounterRandomness:
    """Philox: a counter-based generator, keyed by the seed and started at (frame, purpose)."""

    @staticmethod
    def _generator(seed: int, frame: int, purpose: Purpose) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, int(purpose), frame]))

    def uniform(self, seed: int, frame: int, purpose: Purpose, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """See `Randomness`."""
        return torch.from_numpy(self._generator(seed, frame, purpose).random(shape, np.float32))

    def normal(self, seed: int, frame: int, purpose: Purpose, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """See `Randomness`."""
        return torch.from_numpy(self._generator(seed, frame, purpose).standard_normal(shape, np.float32))

    def keep(self, seed: int, frame: int, shape: tuple[int, int], drop: float) -> Bool[Tensor, "copies channels"]:
        """See `Randomness`."""
        return self.uniform(seed, frame, Purpose.DROPOUT, shape) >= drop
