"""The training loop: one for a processor core, a graphics card, and many of them on many machines.

Steps are counted, and sample numbers with them, so a run can be stopped or killed anywhere and goes on from its last
checkpoint with the very numbers it would have seen.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, nullcontext
from math import ceil, inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lockon.errors import OutputError, TrainingError
from lockon.training import peers
from lockon.training.averaging import WeightAverage
from lockon.training.batch_norm import synchronise
from lockon.training.checkpoints import Checkpoints, decode
from lockon.training.loader import LoaderMeter, worker_deaths_explained
from lockon.training.loop import LoopConfig, autocasts, steps_per_epoch
from lockon.training.monitor import Monitor
from lockon.training.nonfinite import NonFiniteError, SeenBatch, keep_batches
from lockon.training.provenance import Provenance, check_same
from lockon.training.randomness import own_randomness, random_states, restore_random_states
from lockon.training.schedules import Position, Schedule
from lockon.training.tasks.base import Losses, Task
from lockon.training.validation import Validates

CHECKPOINTS = "checkpoints"
NON_FINITE = "nonfinite"

Stream = Callable[[int], Generator[Any]]
"""Batches of this process from a given one on; batch b of process r of p has the samples (b p + r) B … + B − 1."""


class Outcome(NamedTuple):
    """How a run ended."""

    finished: bool
    """False: it was asked to stop, and can go on."""
    position: Position
    history: list[dict[str, float]]
    """Figures of each validation, with `step` and `epoch`."""
    weights: dict[str, Tensor]
    """Of the task: the average where the run keeps one."""


class Trainer:
    """One training run. Under `torchrun` every process has one, and they work together.

    Args:
        task: network and loss; it is moved to the device and trained in place.
        stream: training batches.
        loop: see `LoopConfig`.
        schedule: of the learning rate.
        folder: gets checkpoints, and batches whose loss is not finite.
        provenance: kept in checkpoints.
        device: of this process (`lockon.training.peers.joined`).
        seed: of random numbers that the network draws.
        validation: None: the model is never validated.
        monitor: told of all that happens.
        meter: that of the stream.
    """

    def __init__(
        self,
        task: Task,
        stream: Stream,
        *,
        loop: LoopConfig,
        schedule: Schedule,
        folder: Path,
        provenance: Provenance,
        device: torch.device,
        seed: int = 0,
        validation: Validates | None = None,
        monitor: Monitor | None = None,
        meter: LoaderMeter | None = None,
    ) -> None:
        self._loop, self._schedule, self._device, self._seed = loop, schedule, device, seed
        self._stream, self._provenance, self._validation = stream, provenance, validation
        self._monitor = monitor or Monitor()
        self._folder = folder
        self._checkpoints = Checkpoints(folder / CHECKPOINTS, keep_last=loop.keep_last, tell=self._monitor.tell)
        self._task = task.to(device)
        task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = task.parameter_groups()
        self._peaks = [group["lr"] for group in groups]
        if loop.sync_batch_norm:
            synchronise(task)
        kind = torch.optim.Adam if loop.optimizer == "adam" else torch.optim.AdamW
        self._optimizer = kind(groups, weight_decay=loop.weight_decay)
        self._average = None if loop.ema_decay is None else WeightAverage(task, loop.ema_decay)
        self._model: Task | DistributedDataParallel = task
        self._autocast = autocasts(loop, device)
        self._steps_per_epoch = steps_per_epoch(loop)
        self._step = 0
        self._drawn = 0
        self._history: list[dict[str, float]] = []
        self._unlogged: Counter[str] = Counter()
        self._skipped = 0
        self._meter = meter or LoaderMeter()
        self._saved_at = time.monotonic()

    @property
    def _position(self) -> Position:
        return Position(self._step, self._loop.epochs * self._steps_per_epoch, self._steps_per_epoch)

    def run(
        self, *, resume: bool = False, force: bool = False, should_stop: Callable[[], bool] = lambda: False
    ) -> Outcome:
        """Train to the end, or until asked to stop.

        Args:
            resume: go on from the newest checkpoint that is whole; without one, begin.
            force: go on even if recipe, data or number of processes have changed.
            should_stop: asked after every step; the step is finished, and a checkpoint saved.

        Raises:
            TrainingError: the folder holds a run and `resume` is not given, or one with another recipe or data; or
                the loss is not finite, and retries are used up.
            DataError: samples cannot be made.
            OutputError: the first or the last checkpoint cannot be written.
            CheckpointError: all checkpoints are damaged.
        """
        with own_randomness(self._seed, self._device), worker_deaths_explained():
            self._begin(resume, force)
            try:
                for retries_left in range(self._loop.retries, -1, -1):
                    try:
                        finished = self._train(should_stop)
                        break
                    except NonFiniteError as error:
                        self._go_around(error, retries_left)
            except torch.OutOfMemoryError as error:
                raise TrainingError(
                    f"{self._device} has too little memory: {str(error).partition('. ')[0]}. Use smaller batches and "
                    "more of them to a step: --set loop.batch=… loop.accumulate=…"
                ) from error
            finally:
                self._monitor.close()
        average = self._average
        weights = self._task.state_dict() if average is None else average.values
        return Outcome(finished, self._position, self._history, weights)

    # ------------------------------------------------------------------------------------------- steps and epochs

    def _train(self, should_stop: Callable[[], bool]) -> bool:
        """Take steps; whether the run came to its end."""
        with closing(self._stream(self._drawn)) as batches:
            self._meter.reset()
            while self._step < self._position.steps:
                stop, save = self._take_step(batches, should_stop())
                if self._step % self._steps_per_epoch == 0:
                    self._end_epoch()
                elif save or stop:
                    self._save(must=stop)
                if stop:
                    return self._step == self._position.steps
        return True

    def _take_step(self, batches: Generator[Any], wants_stop: bool) -> tuple[bool, bool]:
        """One step of the optimiser; whether the processes agree to stop, and to save."""
        rate = self._schedule.rate(self._position)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * rate
        seen, skipped = self._propagate(batches)
        norm = self._gradient_norm()
        wishes = [float(wants_stop), float(self._checkpoint_is_due()), float(len(skipped))]
        means, (stop, save, skips) = self._agree(seen, norm, wishes)
        if not all(isfinite(means[name]) for name in ("loss", "norm")):
            self._report_non_finite(seen, means)
        self._optimizer.step()
        self._step += 1
        if self._average is not None:
            self._average.update(self._task, self._step)
        self._skipped += int(skips)
        if skipped:
            self._monitor.skipped(self._position, skipped)
        self._log(means, rate)
        return stop > 0, save > 0

    def _propagate(self, batches: Generator[Any]) -> tuple[list[SeenBatch], list[str]]:
        """Gradients of the mean loss of all batches of a step."""
        self._optimizer.zero_grad()
        seen: list[SeenBatch] = []
        skipped: list[str] = []
        for number in range(self._loop.accumulate):
            batch = to_device(next(batches), self._device)
            if number == 0 and self._step % self._steps_per_epoch == 0:
                self._monitor.batch(self._position, self._task, batch)
            with self._exchange(number == self._loop.accumulate - 1):
                losses = self._losses(batch)
                (losses.total / self._loop.accumulate).backward()
            first = (self._drawn * peers.count() + peers.rank()) * self._loop.batch
            seen.append(SeenBatch(batch, first, self._loop.batch, {"loss": losses.total.detach(), **losses.parts}))
            skipped += getattr(batch, "skipped", ())
            self._drawn += 1
        return seen, skipped

    def _losses(self, batch: Any) -> Losses:
        batch = to_device(batch, self._device)
        model = self._model if self._task.training else self._task
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            losses: Losses = model(batch)
        return losses

    def _exchange(self, now: bool) -> AbstractContextManager[None]:
        """Gradients go to the other processes with the last batch of a step only."""
        if now or not isinstance(self._model, DistributedDataParallel):
            return nullcontext()
        return self._model.no_sync()

    def _gradient_norm(self) -> Tensor:
        """Of all parameters together; gradients are clipped if the run clips."""
        parameters = [each for group in self._optimizer.param_groups for each in group["params"]]
        limit = inf if self._loop.clip_norm is None else self._loop.clip_norm
        if limit < inf:
            return nn.utils.clip_grad_norm_(parameters, limit)
        return nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])

    def _agree(
        self, seen: list[SeenBatch], norm: Tensor, wishes: list[float]
    ) -> tuple[dict[str, float], list[float]]:
        """Mean figures of a step and summed wishes, over all processes: one message, one wait for the device."""
        own = torch.stack([torch.stack(list(one.figures.values())) for one in seen]).float().mean(dim=0)
        message = torch.cat([own, norm.float()[None], torch.tensor(wishes, device=self._device)])
        sums = peers.total(message).tolist()
        names = [*seen[0].figures, "norm"]
        means = {name: value / peers.count() for name, value in zip(names, sums, strict=False)}
        return means, sums[len(names) :]

    def _log(self, means: dict[str, float], rate: float) -> None:
        self._unlogged.update(means)
        self._unlogged["steps"] += 1
        if self._step % self._loop.log_every:
            return
        steps = self._unlogged.pop("steps")
        figures = {name: value / steps for name, value in self._unlogged.items()}
        self._unlogged.clear()
        figures |= {
            "rate": rate,
            "skipped": self._skipped,
            "samples_per_second": self._meter.samples_per_second * peers.count(),
            "wait_share": self._meter.wait_share,
        }
        self._monitor.train(self._position, figures)
        self._meter.reset()

    def _end_epoch(self) -> None:
        last = self._step == self._position.steps
        due = last or self._position.epoch % self._loop.validate_every == 0
        self._save(must=last, merit=self._validate() if due else None)
        self._meter.reset()

    def _validate(self) -> float | None:
        """Figures of merit of the weights that the run would give; the one that counts, the higher the better."""
        if self._validation is None:
            return None
        with nullcontext() if self._average is None else self._average.in_place_of(self._task):
            figures = self._validation(self._task, self._losses, self._device)
        self._history.append({"step": self._step, "epoch": self._position.epoch, **figures})
        self._monitor.validation(self._position, figures)
        merit = figures.get("auc", -figures["loss"] if "loss" in figures else None)
        return merit if merit is not None and isfinite(merit) else None

    # ------------------------------------------------------------------------------------------------ checkpoints

    def _begin(self, resume: bool, force: bool) -> None:
        saved = self._newest()
        if saved is not None:
            if not resume:
                raise TrainingError(
                    f"{self._folder} holds a run, at step {saved['step']}. Go on with it (--resume), or begin "
                    "another in another folder (--out)."
                )
            for line in check_same(saved["provenance"], self._provenance, force=force):
                self._monitor.tell(f"changed: {line}")
            self._restore(saved)
            self._monitor.tell(f"going on after step {self._step} of {self._position.steps}")
        self._monitor.begin(self._position)
        if peers.count() > 1:
            cards = [self._device] if self._device.type == "cuda" else None
            # Parameters may take no part in a step: those of layers that no tracker evaluates.
            self._model = DistributedDataParallel(self._task, device_ids=cards, find_unused_parameters=True)
        if saved is None:
            self._save(must=True)  # a disk that is full is better found now
            merit = self._validate()
            if merit is not None:
                self._save(must=True, merit=merit)

    def _newest(self) -> dict[str, Any] | None:
        data = peers.first_says(self._checkpoints.newest() if peers.rank() == 0 else None, self._device)
        return None if data is None else decode(data)

    def _checkpoint_is_due(self) -> bool:
        """After the step in work."""
        steps = self._loop.checkpoint_steps
        by_steps = steps is not None and (self._step + 1) % steps == 0
        by_time = time.monotonic() - self._saved_at > 60 * self._loop.checkpoint_minutes
        return by_steps or (by_time and peers.rank() == 0)

    def _save(self, *, must: bool, merit: float | None = None) -> None:
        """Save a checkpoint; one that must be saved raises an error if it cannot, another is tried again later."""
        self._saved_at = time.monotonic()
        random = random_states(self._device)
        if peers.rank() > 0:
            return
        content = {
            "model": self._task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": None if self._average is None else self._average.values,
            "step": self._step,
            "steps_per_epoch": self._steps_per_epoch,
            "samples": self._drawn * self._loop.batch * peers.count(),
            "random": random,
            "history": self._history,
            "unlogged": dict(self._unlogged),
            "skipped": self._skipped,
            "provenance": self._provenance.plain(),
        }
        self._monitor.flush()
        try:
            self._checkpoints.save(content, step=self._step, epoch=self._position.epoch, merit=merit)
        except OutputError as error:
            last = next(self._checkpoints.labels(), None)
            intact = "" if last is None else f" The checkpoint of step {last.step} is intact."
            if must:
                raise OutputError(f"{error}{intact}") from error
            self._monitor.tell(f"{error}{intact} Training goes on, and the next checkpoint is tried when it is due.")

    def _restore(self, saved: dict[str, Any]) -> None:
        try:
            self._task.load_state_dict(saved["model"])
            self._optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"the checkpoint does not fit the model of this recipe: {error}. Begin another run (--out)."
            ) from error
        if self._average is not None:
            self._average = WeightAverage(self._task, self._loop.ema_decay or 0.0)
            self._average.load(saved["average"] or self._task.state_dict())
        # Another number of processes, or another batch, makes other steps of the same samples.
        self._step = round(saved["step"] * self._steps_per_epoch / saved["steps_per_epoch"])
        self._drawn = ceil(saved["samples"] / (self._loop.batch * peers.count()))
        self._history, self._skipped = list(saved["history"]), saved["skipped"]
        self._unlogged = Counter(saved["unlogged"])
        restore_random_states(saved["random"], self._device)

    # ------------------------------------------------------------------------------------------------- not finite

    def _report_non_finite(self, seen: list[SeenBatch], means: dict[str, float]) -> None:
        own_is_finite = all(isfinite(value) for one in seen for value in one.figures.values())
        if not own_is_finite or isfinite(means["loss"]):  # of a gradient nobody knows whose it is
            try:
                keep_batches(seen, self._step + 1, self._folder / NON_FINITE)
            except OutputError as error:
                self._monitor.tell(str(error))
        raise NonFiniteError(self._step + 1, means)

    def _go_around(self, error: NonFiniteError, retries_left: int) -> None:
        """Back to the last checkpoint, and on with the samples after those that did it."""
        beyond, saved = self._drawn, self._newest()
        assert saved is not None
        kept = f"its samples are in {self._folder / NON_FINITE}, and the checkpoint of step {saved['step']} is intact"
        if not retries_left:
            raise TrainingError(
                f"{error}; {kept}. Lower the learning rates (groups), clip gradients (--set loop.clip_norm=10), "
                "train in fp32 (--set loop.precision=fp32), or go around such samples (--set loop.retries=10); a "
                "change needs --resume --force."
            ) from error
        self._restore(saved)
        self._drawn = beyond
        self._monitor.begin(self._position)
        self._monitor.tell(f"{error}; {kept}. Going on from there with later samples.")


def to_device(value: Any, device: torch.device) -> Any:
    """Nested named tuples with their tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(part, device) for part in value))
    return value
