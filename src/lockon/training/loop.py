"""How long, on how much, and how to train: the numbers of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from lockon.errors import RecipeError, TrainingError
from lockon.training import peers

_LEAST = {
    0: ("workers", "retries", "weight_decay", "checkpoint_minutes"),
    1: (
        *("epochs", "samples_per_epoch", "batch", "accumulate", "log_every"),
        *("validate_every", "keep_last", "checkpoint_steps"),
    ),
}
"""What fields of the loop must be at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """What the loop is told by a recipe."""

    epochs: int = 50
    samples_per_epoch: int
    """Seen by all processes together; what does not fill a step is left out."""
    batch: int
    """Samples of each process at a time."""
    accumulate: int = 1
    """Batches whose gradients make one step."""
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    clip_norm: float | None = None
    """Largest norm of the gradient of all parameters; None lets it be, as in the papers."""
    ema_decay: float | None = None
    """Per-step decay of averaged weights, which are then what is validated and exported; None: no average."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16 runs the networks under autocast; auto does on graphics cards that compute in it."""
    sync_batch_norm: bool = False
    """Take the statistics of batch normalisation over all processes."""
    workers: int | None = None
    """Processes that make samples, for each process that trains; None: its share of the cores, at most 8."""
    log_every: int = 1
    """Steps between lines of the log, which are means over these steps."""
    validate_every: int = 5
    """Epochs between validations; the last epoch has one anyway."""
    checkpoint_minutes: float = 10.0
    """Longest time between checkpoints; every epoch ends with one, too."""
    checkpoint_steps: int | None = None
    """Steps between checkpoints, beside the rhythm of minutes."""
    keep_last: int = 2
    """Checkpoints that are kept, beside the best one."""
    retries: int = 0
    """How often to go back to the last checkpoint, and around the batch, when the loss is not finite."""

    def __post_init__(self) -> None:
        for bound, names in _LEAST.items():
            for name in names:
                value = getattr(self, name)
                if value is not None and value < bound:
                    raise RecipeError(f"loop.{name} is {value}; it must be at least {bound}.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise RecipeError(f"loop.clip_norm is {self.clip_norm}; it must be positive, or none.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise RecipeError(f"loop.ema_decay is {self.ema_decay}; it must be at least 0 and below 1, or none.")


def steps_per_epoch(loop: LoopConfig) -> int:
    """Steps of the optimiser in an epoch, of all processes together.

    Raises:
        TrainingError: an epoch does not have the samples of a single step.
    """
    together = loop.batch * loop.accumulate * peers.count()
    if loop.samples_per_epoch < together:
        raise TrainingError(
            f"an epoch of {loop.samples_per_epoch} samples is shorter than a step of {together} "
            f"({peers.count()} × {loop.accumulate} batches of {loop.batch}). Use smaller batches: --set loop.batch=…"
        )
    return loop.samples_per_epoch // together


def autocasts(loop: LoopConfig, device: torch.device) -> bool:
    """Whether the networks run in bfloat16 on a device."""
    if loop.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return loop.precision == "bf16"
