"""One training loop: fixed wall-clock budget, exact data order, averaged weights, checkpoints, a log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lockon.files import replacing
from lockon.training import peers

_LOG_EVERY = 20
"""Steps between lines of the log."""


class Task(Protocol):
    """What is trained and on what: the seam between the loop and a model."""

    @property
    def model(self) -> nn.Module:
        """All that is trained, and averaged and saved."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for the optimiser, each with its peak learning rate."""

    def dataset(self) -> Dataset[Any]:
        """Training samples; sample n is the same in every run."""

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Loss to descend, and figures for the log."""

    def validate(self) -> dict[str, float]:
        """Figures of merit of the model, in evaluation mode, on held-out data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """How long and how to train."""

    minutes: float
    """Wall-clock budget; the learning rate follows the share of it that is spent."""
    batch: int
    """Samples of a step in each training process."""
    workers: int = 0
    """Processes that make training samples; 0 makes them in the training process."""
    warmup: float = 0.03
    """Share of the budget over which the learning rate rises."""
    final_lr: float = 0.01
    """Learning rate at the end, relative to the peak; a cosine leads there."""
    clip_norm: float = 5.0
    """Largest norm of the gradient of all parameters."""
    average_decay: float = 0.998
    """Per-step decay of the averaged weights (shorter at the beginning)."""
    checkpoint_minutes: float = 4.0
    validate_minutes: float = 12.0


def learning_rate_factor(progress: float, config: LoopConfig) -> float:
    """Relative learning rate after a share `progress` of the budget: linear rise, then a cosine."""
    if progress < config.warmup:
        return max(progress / config.warmup, 0.02)
    share = min(1.0, (progress - config.warmup) / (1 - config.warmup))
    return config.final_lr + (1 - config.final_lr) * 0.5 * (1 + math.cos(math.pi * share))


class WeightAverage:
    """Exponential moving average of parameters and buffers."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights after a step into the average."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average = self.values[name]
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)


class _Order:
    """Endless batches of consecutive sample numbers; the peers' batches of a step follow each other."""

    def __init__(self, batch: int, first_step: int) -> None:
        self._batch, self._first = batch, first_step

    def __iter__(self) -> Iterator[list[int]]:
        step = self._first
        while True:
            first = (step * peers.count() + peers.rank()) * self._batch
            yield list(range(first, first + self._batch))
            step += 1


def train(task: Task, config: LoopConfig, folder: Path) -> dict[str, Tensor]:
    """Train until the budget is spent, going on from the checkpoint in `folder` if there is one.

    Under `torchrun` every process takes its own batches, and gradients are averaged.

    Writes `checkpoint.pt` and `log.jsonl` into `folder`. Returns the averaged weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(task, config, folder)
    run.resume()
    peers.copy_state(task.model)
    if peers.agree(run.progress()) < 1:
        loader = DataLoader(
            task.dataset(),
            batch_sampler=_Order(config.batch, run.step),
            num_workers=config.workers,
            prefetch_factor=4 if config.workers else None,
        )
        run.loop(loader)
    return run.average.values


class _Run:
    """The state of one run: optimiser, average, counters."""

    def __init__(self, task: Task, config: LoopConfig, folder: Path) -> None:
        self._task, self._config, self._folder = task, config, folder
        self._optimizer = torch.optim.AdamW(task.parameter_groups(), weight_decay=1e-4)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self.average = WeightAverage(task.model, config.average_decay)
        self.step = 0
        self._spent, self._since = 0.0, time.monotonic()

    def progress(self) -> float:
        """Share of the budget that is spent."""
        return (self._spent + time.monotonic() - self._since) / (60 * self._config.minutes)

    def loop(self, batches: Iterable[Any]) -> None:
        saved = validated = time.monotonic()
        for batch in batches:
            figures = self._descend(batch)
            if self.step % _LOG_EVERY == 0 and peers.rank() == 0:
                self._log({"kind": "train", **figures})
            now, done = time.monotonic(), peers.agree(self.progress()) >= 1
            if peers.rank() > 0:
                if done:
                    return
                continue
            if done or now - validated > 60 * self._config.validate_minutes:
                self._validate()
                validated = time.monotonic()
            if done or now - saved > 60 * self._config.checkpoint_minutes:
                self._save()
                saved = now
            if done:
                return

    def _descend(self, batch: Any) -> dict[str, float]:
        factor = learning_rate_factor(peers.agree(self.progress()), self._config)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._optimizer.zero_grad()
        loss, figures = self._task.loss(batch)
        loss.backward()
        peers.average_gradients(self._task.model.parameters())
        norm = nn.utils.clip_grad_norm_(self._task.model.parameters(), self._config.clip_norm)
        if torch.isfinite(norm):
            self._optimizer.step()
        self.step += 1
        self.average.update(self._task.model, self.step)
        return {"loss": loss.item(), **figures, "norm": norm.item(), "lr": factor}

    def _validate(self) -> None:
        model = self._task.model
        current = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.average.values)
        model.eval()
        self._log({"kind": "validation", **self._task.validate()})
        model.train()
        model.load_state_dict(current)

    def _log(self, figures: Mapping[str, float | str]) -> None:
        minutes = self.progress() * self._config.minutes
        line = {"step": self.step, "minutes": round(minutes, 2), **figures}
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()), flush=True)

    def _save(self) -> None:
        now = time.monotonic()
        self._spent, self._since = self._spent + now - self._since, now
        state = {
            "model": self._task.model.state_dict(),
            "average": self.average.values,
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "seconds": self._spent,
        }
        with replacing(self._folder / "checkpoint.pt") as part:
            torch.save(state, part)

    def resume(self) -> None:
        """Take up the run where the checkpoint in the folder left it."""
        path = self._folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self._task.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average.values = state["average"]
        self.step, self._spent = state["step"], state["seconds"]
