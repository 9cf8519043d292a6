"""Measure how many samples a second each recipe trains on, and what share of the time it waits for them.

The trainer, the loader and the recipe are the real ones; the batch is the same for all. Recipes of the papers read
JPEG files of 1280 × 720 pixels, the size of most training videos, which are made for the occasion; recipes on the
synthetic world draw it, procedurally unless photographs are given. The peer is the plainest loader there is, which
makes samples in the training process when they are needed (0 workers).

    python benchmarks/train_speed.py --recipes lockon_s dimp18 --precisions fp32 bf16 --workers 0 1 2
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Literal

import torch
import tyro
from PIL import Image
from rich.console import Console

from lockon.data.datasets.registry import open_dataset
from lockon.data.datasets.synthetic import SyntheticDataset
from lockon.data.synthetic import ImageBank
from lockon.errors import LockonError
from lockon.training.building import build_task
from lockon.training.loader import LoaderMeter, batches
from lockon.training.monitor import Monitor
from lockon.training.provenance import Provenance
from lockon.training.recipe import Recipe, SyntheticData
from lockon.training.recipes import find_recipe
from lockon.training.samples import TrackingSamples
from lockon.training.sampling import Source
from lockon.training.schedules import Position
from lockon.training.trainer import Trainer
from machine import describe_machine, limit_threads
from synthetic_video import SyntheticVideo
from text_tables import TextTable

Precision = Literal["fp32", "bf16"]
CLIPS, CLIP_LENGTH, CLIP_SIZE, JPEG_QUALITY = 4, 40, (1280, 720), 85


@dataclass(frozen=True)
class Options:
    """What to measure."""

    recipes: tuple[str, ...] = ("lockon_s", "dimp18")
    """Recipes of `lockon train`."""
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    """bf16 runs the networks under autocast."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Processes that make samples; 0 makes them in the training process."""
    batch: int = 8
    """Samples of a step, in place of the recipes' own."""
    steps: int = 20
    """Steps that count."""
    warm_up: int = 5
    """Steps before them: workers start, caches fill, and batches made ahead are used up."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 2
    """Threads of torch in the training process; a worker has one."""
    photos: tuple[Path, ...] = ()
    """Folders of photographs for the synthetic world."""
    out: Path = Path("outputs/train_speed")
    """Where train_speed.md and train_speed.json go."""

    def __post_init__(self) -> None:
        for name in self.recipes:
            find_recipe(name)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One recipe at one precision with one number of workers."""

    recipe: str
    precision: Precision
    workers: int
    samples_per_second: float
    """Trained on."""
    wait_share: float
    """Share of the time in which the trainer waited for samples."""
    made_per_second: float
    """What the loader gives when nothing else runs."""


@dataclass(slots=True)
class Clock(Monitor):
    """Adds up what the trainer tells of each step after the first few."""

    samples: int
    """Of a step."""
    warm_up: int
    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def train(self, position: Position, figures: Mapping[str, float]) -> None:
        """One step."""
        if position.step <= self.warm_up:
            return
        seconds = self.samples / figures["samples_per_second"]
        self.steps += 1
        self.seconds += seconds
        self.waited += figures["wait_share"] * seconds


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    machine = describe_machine(options.device, options.threads)
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.recipes:
            samples = open_samples(find_recipe(name), options.photos, Path(folder))
            made = {workers: measure_loader(samples, workers, options) for workers in options.workers}
            for precision, workers in itertools.product(options.precisions, options.workers):
                measurement = measure(name, precision, workers, samples, made[workers], options)
                console.print(describe(measurement), highlight=False)
                measurements.append(measurement)
    console.print(make_table(measurements).for_terminal())
    write_report(measurements, machine, options)
    console.print(f"Results are in '{options.out}'.", highlight=False)


def open_samples(recipe: Recipe, photos: Sequence[Path], folder: Path) -> TrackingSamples:
    """Samples as the recipe wants them, of data that cost as much as its own."""
    data = recipe.data[0]
    if isinstance(data, SyntheticData):
        images = ImageBank.load(photos) if photos else None
        dataset = SyntheticDataset(data.world, images, length=data.length)
        return TrackingSamples([Source(dataset)], recipe.samples, seed=recipe.seed)
    if not any(folder.iterdir()):
        write_clips(folder)
    return TrackingSamples([Source(open_dataset("folder", folder))], recipe.samples, seed=recipe.seed)


def write_clips(folder: Path) -> None:
    """A few clips of JPEG files with boxes."""
    width, height = CLIP_SIZE
    for number in range(CLIPS):
        video = SyntheticVideo(width=width, height=height, seed=number)
        clip = folder / f"clip{number}"
        (clip / "frames").mkdir(parents=True)
        boxes = [video.boxes(index)[0] for index in range(CLIP_LENGTH)]
        (clip / "groundtruth.txt").write_text("".join(",".join(map(str, box.tolist())) + "\n" for box in boxes))
        for index in range(CLIP_LENGTH):
            image = Image.fromarray(video.frame(index))
            image.save(clip / "frames" / f"{index + 1:08d}.jpg", quality=JPEG_QUALITY)


def measure_loader(samples: TrackingSamples, workers: int, options: Options) -> float:
    """Samples a second, taken as fast as they come."""
    stream = batches(samples, batch=options.batch, workers=workers)
    # Enough for the batches made ahead to be gone, however long the first took.
    for _ in range(1 + 4 * workers):
        next(stream)
    start, count = time.perf_counter(), max(options.steps // 2, 1)
    for _ in range(count):
        next(stream)
    rate = count * options.batch / (time.perf_counter() - start)
    stream.close()
    return rate


def measure(
    name: str, precision: Precision, workers: int, samples: TrackingSamples, made: float, options: Options
) -> Measurement:
    """Let the trainer take some steps from initial weights."""
    recipe = find_recipe(name)
    recipe = replace(
        recipe,
        model=replace(recipe.model, from_scratch=True, finetune=None),
        loop=replace(
            recipe.loop,
            epochs=1,
            samples_per_epoch=options.batch * (options.warm_up + options.steps),
            batch=options.batch,
            accumulate=1,
            precision=precision,
            log_every=1,
            checkpoint_minutes=inf,
        ),
    )
    meter, clock = LoaderMeter(), Clock(options.batch, options.warm_up)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            build_task(recipe),
            lambda first: batches(
                samples,
                batch=options.batch,
                first_step=first,
                workers=workers,
                pin_memory=device.type == "cuda",
                meter=meter,
            ),
            loop=recipe.loop,
            schedule=recipe.schedule,
            folder=Path(folder),
            provenance=Provenance(recipe={}, data={}, processes=1, code=""),
            device=device,
            monitor=clock,
            meter=meter,
        )
        trainer.run()
    return Measurement(
        recipe=name,
        precision=precision,
        workers=workers,
        samples_per_second=options.batch * clock.steps / clock.seconds,
        wait_share=clock.waited / clock.seconds,
        made_per_second=made,
    )


def describe(measurement: Measurement) -> str:
    """One line while it runs."""
    m = measurement
    return (
        f"{m.recipe}, {m.precision}, {m.workers} workers: {m.samples_per_second:.2f} samples/s, "
        f"{m.wait_share:.1%} of the time waiting for data"
    )


def make_table(measurements: Sequence[Measurement]) -> TextTable:
    """One line a measurement."""
    plain = {(m.recipe, m.precision): m.samples_per_second for m in measurements if m.workers == 0}
    lines = []
    for m in measurements:
        in_process = plain.get((m.recipe, m.precision))
        lines.append(
            (
                m.recipe,
                m.precision,
                str(m.workers),
                f"{m.samples_per_second:.2f}",
                f"{100 * m.wait_share:.1f}",
                "–" if in_process is None else f"{m.samples_per_second / in_process:.2f}",
                f"{m.made_per_second:.1f}",
            )
        )
    columns = ("recipe", "precision", "workers", "samples/s", "% waiting", "× 0 workers", "loader alone, samples/s")
    return TextTable("Training", columns, tuple(lines))


def write_report(measurements: Sequence[Measurement], machine: Mapping[str, str], options: Options) -> None:
    """Write the table as Markdown, and all numbers as JSON."""
    options.out.mkdir(parents=True, exist_ok=True)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    note = f"Batches of {options.batch}, {options.steps} steps each; measured with {facts}."
    (options.out / "train_speed.md").write_text("\n".join([make_table(measurements).as_markdown(), note, ""]))
    values = {
        "machine": dict(machine),
        "batch": options.batch,
        "steps": options.steps,
        "measurements": [asdict(measurement) for measurement in measurements],
    }
    (options.out / "train_speed.json").write_text(json.dumps(values, indent=1))


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
