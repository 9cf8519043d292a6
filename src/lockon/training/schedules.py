"""How the learning rate changes in the course of a run: a factor on the peak rate of every parameter group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """Where a run stands."""

    step: int
    """Steps of the optimiser taken so far."""
    steps: int
    """Of the whole run."""
    steps_per_epoch: int

    @property
    def epoch(self) -> int:
        """Number of the epoch that the next step belongs to, from 0."""
        return self.step // self.steps_per_epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class StepDecay:
    """A factor every few epochs, as ATOM, DiMP and PrDiMP are trained."""

    every_epochs: int = 15
    factor: float = 0.2

    def rate(self, position: Position) -> float:
        """Learning rate of the next step, relative to the peak."""
        return float(self.factor ** (position.epoch // self.every_epochs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Cosine:
    """A linear rise, then half a cosine down to the end of the run."""

    warmup_steps: int = 0
    """Steps of the rise; the last of them has the peak rate."""
    final: float = 0.01
    """Rate at the end, relative to the peak."""

    def rate(self, position: Position) -> float:
        """Learning rate of the next step, relative to the peak."""
        if position.step < self.warmup_steps:
            return (position.step + 1) / self.warmup_steps
        share = (position.step - self.warmup_steps) / max(1, position.steps - self.warmup_steps)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


Schedule = StepDecay | Cosine
