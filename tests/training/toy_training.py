"""A task that trains in milliseconds, and a program that trains it: `python toy_training.py FOLDER [LOOP=VALUE]`."""

import functools
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lockon.training import peers
from lockon.training.loader import LoaderMeter, batches
from lockon.training.logs import read_log
from lockon.training.loop import LoopConfig
from lockon.training.monitor import LOG, Monitor, RunMonitor
from lockon.training.provenance import Provenance
from lockon.training.samples import TrackingSample
from lockon.training.schedules import Cosine, Schedule
from lockon.training.tasks.base import Group, Losses, Task
from lockon.training.trainer import Trainer

SIZE = 12
LOOP = LoopConfig(epochs=2, samples_per_epoch=48, batch=4, workers=0, checkpoint_steps=5, ema_decay=0.9)
WARM_UP = Cosine(warmup_steps=3)
PROVENANCE = Provenance(recipe={"name": "toy", "lr": 0.01}, data={"numbers": "abc"}, processes=1, code="1")


class ToySamples(torch.utils.data.Dataset):
    """Sample n: two noisy pictures of a bright square, and its box."""

    def __init__(self, bad: int | None = None, unreadable: int | None = None) -> None:
        self._bad, self._unreadable = bad, unreadable

    def __getitem__(self, index: int) -> TrackingSample:
        rng = np.random.default_rng([7, index])
        images = rng.integers(0, 120, (2, SIZE, SIZE, 3), dtype=np.uint8)
        corners = rng.integers(0, SIZE - 5, (2, 2))
        for image, (x, y) in zip(images, corners, strict=True):
            image[y : y + 5, x : x + 5] = 255
        boxes = torch.cat([torch.from_numpy(corners), torch.full((2, 2), 5)], dim=1).float()
        if index == self._bad:
            boxes[0, 0] = float("nan")
        skipped = ("cannot read the image 'x.jpg'",) if index == self._unreadable else ()
        return TrackingSample(torch.from_numpy(images), boxes, None, skipped)


class ToyTask(Task):
    """Find the corner of the square; with dropout, so that random numbers matter."""

    def __init__(self, dropout: float = 0.2) -> None:
        with torch.random.fork_rng():
            net = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Flatten(),
                nn.Linear(8 * SIZE * SIZE // 4, 2),
            )
        generator = torch.Generator().manual_seed(3)
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.1, generator=generator)
        super().__init__(net, [Group(name="all", prefixes=("",), lr=0.01)])

    def forward(self, batch: TrackingSample) -> Losses:
        images = batch.images.flatten(0, 1).movedim(-1, 1).float() / 255
        corners = batch.boxes.flatten(0, 1)[:, :2] / SIZE
        loss = (self.net(images) - corners).square().mean()
        return Losses(loss, {"square": loss.detach()})


def toy_trainer(
    folder: Path,
    loop: LoopConfig = LOOP,
    *,
    task: Task | None = None,
    samples: ToySamples | None = None,
    monitor: Monitor | None = None,
    provenance: Provenance = PROVENANCE,
    device: str = "cpu",
    schedule: Schedule = WARM_UP,
    **more: object,
) -> Trainer:
    meter = LoaderMeter()
    folder.mkdir(parents=True, exist_ok=True)
    stream = functools.partial(
        _stream, samples or ToySamples(), loop.batch, peers.rank(), peers.count(), loop.workers or 0, meter
    )
    return Trainer(
        task or ToyTask(),
        stream,
        loop=loop,
        schedule=schedule,
        folder=folder,
        provenance=replace(provenance, processes=peers.count()),
        device=torch.device(device),
        monitor=monitor or (RunMonitor(folder, "toy") if peers.rank() == 0 else None),
        meter=meter,
        **more,
    )


def _stream(samples, batch, rank, ranks, workers, meter, first):
    return batches(samples, batch=batch, first_step=first, rank=rank, ranks=ranks, workers=workers, meter=meter)


def losses(folder: Path) -> dict[int, float]:
    """The training losses that the log of a run holds, by step; a step that is there twice is an error."""
    lines = [entry for entry in read_log(folder / LOG) if entry["kind"] == "train"]
    assert len({line["step"] for line in lines}) == len(lines)
    return {line["step"]: line["loss"] for line in lines}


def main(folder: str, *options: str) -> None:
    """Options: fields of the loop as JSON; `stop=N`: after so many steps; `kill=N`: die after so many batches."""
    values = {name: json.loads(value) for name, value in (option.split("=", 1) for option in options)}
    kill, stop, resume = values.pop("kill", None), iter(range(values.pop("stop", 1000))), values.pop("resume", False)
    dropout = values.pop("dropout", 0.2)
    samples = ToySamples()
    with peers.joined("cpu") as device:
        task = ToyTask(dropout)
        if kill is not None:
            calls = iter(range(kill))

            def die(*_: object) -> None:
                if next(calls, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            task.register_forward_pre_hook(die)
        trainer = toy_trainer(Path(folder), replace(LOOP, **values), task=task, samples=samples, device=str(device))
        trainer.run(resume=resume, should_stop=lambda: next(stop, None) is None)


if __name__ == "__main__":
    main(*sys.argv[1:])
