"""From a recipe to the parts that a run is made of: what learns, from which samples, and how it is judged."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch.utils.data import Dataset

from lockon.data.datasets import SequenceDataset
from lockon.tracking import PRESETS
from lockon.training import peers
from lockon.training.association.building import build_association_task
from lockon.training.association.recipe import AssociationRecipe
from lockon.training.association.samples import AssociationSamples
from lockon.training.association.samples import collate as collate_pairs
from lockon.training.association.sources import describe_mined, open_mined
from lockon.training.association.validation import AssociationValidation
from lockon.training.building import build_task
from lockon.training.loader import LoaderMeter, batches
from lockon.training.loop import LoopConfig
from lockon.training.recipe import AnyRecipe, Recipe
from lockon.training.samples import TrackingSample, TrackingSamples, collate
from lockon.training.sampling import Source
from lockon.training.sources import ProgressOf, open_sources
from lockon.training.tasks.base import Task
from lockon.training.trainer import Stream
from lockon.training.validation import Validates, Validation, hold_out

_COUNTABLE = 20_000
"""Sequences whose frames are counted before training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a recipe comes to."""

    task: Task
    samples: Dataset[Any]
    collate: Callable[[Sequence[Any]], Any]
    """Makes a batch of samples."""
    fingerprints: dict[str, str]
    """Of each data set."""
    about: tuple[str, ...]
    """What the data sets gave, and what of them could not be used."""
    validation: Validates | None


def prepare(recipe: AnyRecipe, device: torch.device, progress: ProgressOf) -> Job:
    """Build the network and open the data; the first process goes ahead, and leaves what it indexed to the others.

    Raises:
        LockonError: recipe, data and weights do not fit.
    """
    if isinstance(recipe, AssociationRecipe):
        return _association(recipe, device, progress)
    return _tracking(recipe, device, progress)


def _tracking(recipe: Recipe, device: torch.device, progress: ProgressOf) -> Job:
    task = build_task(recipe)
    with peers.first_goes_ahead(device):
        training, validation = open_sources(recipe.data, progress), open_sources(recipe.validation_data, progress)
    named = {"training": training, "validation": validation}
    return Job(
        task=task,
        samples=TrackingSamples(training, recipe.samples, seed=recipe.seed),
        collate=collate,
        fingerprints={
            f"{part}.{number}.{source.dataset.name}": source.dataset.fingerprint
            for part, sources in named.items()
            for number, source in enumerate(sources)
        },
        about=tuple(
            line for part, sources in named.items() for source in sources for line in _describe(source.dataset, part)
        ),
        validation=_validation(recipe, validation, device),
    )


def _describe(dataset: SequenceDataset, part: str) -> Generator[str]:
    """Say what a data set gave, and what of it could not be used."""
    count = len(dataset)
    frames = f", {sum(len(dataset[i]) for i in range(count))} frames" if count <= _COUNTABLE else ""
    yield f"{part}: {count} sequence{'' if count == 1 else 's'}{frames} of {dataset.name}"
    for note in getattr(dataset, "notes", ()):
        yield f"  {note}"
    issues = getattr(dataset, "issues", ())
    if issues:
        yield f"  {len(issues)} problems, such as: {issues[0].text} All of them: lockon data check FOLDER"


def _validation(recipe: Recipe, sources: list[Source], device: torch.device) -> Validation | None:
    config = recipe.validation
    if not sources or not (config.samples or config.sequences):
        return None
    samples = TrackingSamples(sources, recipe.samples, seed=recipe.seed, augment=False)
    endless = _stream(samples, collate, recipe.loop, device, None)
    number = -(-config.samples // (recipe.loop.batch * peers.count()))
    held_out = hold_out([source.dataset for source in sources], config)

    def some() -> Generator[TrackingSample]:
        yield from islice(endless(0), number)

    return Validation(some, held_out, PRESETS[recipe.tracker], recipe.tracker)


def _association(recipe: AssociationRecipe, device: torch.device, progress: ProgressOf) -> Job:
    task = build_association_task(recipe)
    with peers.first_goes_ahead(device):
        training, validation = open_mined(recipe.data, progress), open_mined(recipe.validation_data, progress)
    judge = AssociationValidation(validation, recipe.validation.pairs, recipe.loop.batch)
    named = {"training": training, "validation": validation}
    return Job(
        task=task,
        samples=AssociationSamples(training, recipe.samples, seed=recipe.seed),
        collate=collate_pairs,
        fingerprints={
            f"{part}.{number}": source.fingerprint
            for part, sources in named.items()
            for number, source in enumerate(sources)
        },
        about=tuple(f"{part}: {describe_mined(source)}" for part, sources in named.items() for source in sources),
        validation=judge if len(judge) else None,
    )


def stream(job: Job, loop: LoopConfig, device: torch.device, meter: LoaderMeter) -> Stream:
    """Batches of this process from a given one on."""
    return _stream(job.samples, job.collate, loop, device, meter)


def _stream(
    samples: Dataset[Any],
    collate: Callable[[Sequence[Any]], Any],
    loop: LoopConfig,
    device: torch.device,
    meter: LoaderMeter | None,
) -> Stream:
    def from_(first: int) -> Generator[Any]:
        return batches(
            samples,
            collate=collate,
            batch=loop.batch,
            first_step=first,
            rank=peers.rank(),
            ranks=peers.count(),
            workers=_workers(loop),
            pin_memory=device.type == "cuda",
            meter=meter,
        )

    return from_


def _workers(loop: LoopConfig) -> int:
    """Processes that make samples for this one."""
    if loop.workers is not None:
        return loop.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, max(1, cores // peers.on_this_machine()))
