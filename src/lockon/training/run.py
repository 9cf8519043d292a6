"""A whole training run: from a recipe to a model that tracks, in one folder."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import torch

from lockon.errors import CheckpointError, TrainingError
from lockon.files import cannot_write, replacing
from lockon.training import peers
from lockon.training.association.recipe import AssociationModel
from lockon.training.jobs import prepare, stream
from lockon.training.loader import LoaderMeter
from lockon.training.loop import steps_per_epoch
from lockon.training.monitor import Monitor, RunMonitor
from lockon.training.provenance import Provenance, code_version
from lockon.training.recipe import AnyRecipe, as_plain, from_plain
from lockon.training.sources import ProgressOf, unseen
from lockon.training.trainer import CHECKPOINTS, Outcome, Trainer
from lockon.zoo import Card, find_entry, write_model

ABOUT = "run.json"
MODEL = "model.safetensors"
_PLACES = frozenset({"root", "photos"})
"""Of data: what they are is known by their fingerprints, wherever they lie."""
_HABITS = frozenset({"workers", "log_every", "checkpoint_minutes", "checkpoint_steps", "keep_last", "retries"})
"""Fields of the loop that change nothing of what is learned."""


class StopRequest(Protocol):
    """Somebody may ask a run to stop."""

    received: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What came of a run."""

    outcome: Outcome
    model: Path | None
    """The trained model; None where the run was asked to stop before its end."""


def train(
    recipe: AnyRecipe,
    folder: Path,
    device: str = "cpu",
    *,
    resume: bool = False,
    force: bool = False,
    listen: Callable[[], AbstractContextManager[StopRequest | None]] = nullcontext,
    progress: ProgressOf = unseen,
) -> Finished:
    """Train by a recipe; under `torchrun` together with the other processes.

    Args:
        recipe: with the folders of its data sets (`lockon.training.sources.with_data`).
        folder: gets checkpoints, log, pictures, and in the end the model.
        device: `cpu`, `cuda` (of several processes, each has its own card), or `auto`.
        resume: go on with the run in the folder.
        force: see `Trainer.run`.
        listen: called when training begins, for the time of it; once a request is received, the run stops.
        progress: of reading the data sets.

    Raises:
        LockonError: before the first step where recipe, data, weights or folder do not fit; see `Trainer.run` also.
    """
    if peers.is_first():  # folders need not be shared among machines
        check_folder(folder, resume=resume)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    with peers.joined(device) as own:
        steps_per_epoch(recipe.loop)  # there must be one
        job = prepare(recipe, own, progress if peers.rank() == 0 else unseen)
        provenance = Provenance(
            recipe=identity(recipe), data=job.fingerprints, processes=peers.count(), code=code_version()
        )
        monitor: Monitor = Monitor()
        if peers.rank() == 0:
            _write_about(folder, recipe, provenance, begin=not resume or force)
            monitor = RunMonitor(folder, recipe.name)
            for line in job.about:
                monitor.tell(line)
        meter = LoaderMeter()
        trainer = Trainer(
            job.task,
            stream(job, recipe.loop, own, meter),
            loop=recipe.loop,
            schedule=recipe.schedule,
            folder=folder,
            provenance=provenance,
            device=own,
            seed=recipe.seed,
            validation=job.validation,
            monitor=monitor,
            meter=meter,
        )
        with listen() as request:
            outcome = trainer.run(
                resume=resume, force=force, should_stop=lambda: request is not None and request.received
            )
        model = folder / MODEL
        if outcome.finished and peers.rank() == 0:
            export(recipe, outcome, provenance, model)
    return Finished(outcome=outcome, model=model if outcome.finished else None)


def check_folder(folder: Path, *, resume: bool) -> None:
    """Check that a run can begin in a folder, or go on.

    Raises:
        TrainingError: a run is there and is not to go on, or is not there and is.
    """
    there = any((folder / CHECKPOINTS).glob("step-*.json"))
    if there and not resume:
        raise TrainingError(
            f"{folder} holds a run. Go on with it (--resume), or begin another in another folder (--out)."
        )
    if resume and not there and not (folder / ABOUT).exists():
        raise TrainingError(f"there is no run in {folder} to go on with. Check --out, or begin one without --resume.")


def recipe_of(folder: Path) -> AnyRecipe:
    """The recipe of the run in a folder.

    Raises:
        TrainingError: there is none.
        CheckpointError: it cannot be read.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise TrainingError(f"there is no run in {folder}: it has no {ABOUT}. Check --out.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}. Name the recipe on the command line.") from error
    return from_plain(values)


def identity(recipe: AnyRecipe) -> dict[str, Any]:
    """What of a recipe decides what is learned."""
    plain = as_plain(recipe)
    for name in ("data", "validation_data"):
        plain[name] = [{key: value for key, value in each.items() if key not in _PLACES} for each in plain[name]]
    plain["loop"] = {key: value for key, value in plain["loop"].items() if key not in _HABITS}
    return plain


def export(recipe: AnyRecipe, outcome: Outcome, provenance: Provenance, path: Path) -> None:
    """Write the network as a model that `lockon track --tracker PATH` takes, with a card that says how it was made.

    Raises:
        OutputError: it cannot be written.
    """
    prefix = "net."
    weights = {
        name.removeprefix(prefix): value.cpu() for name, value in outcome.weights.items() if name.startswith(prefix)
    }
    card = Card(
        constructor=recipe.model.constructor,
        arguments=recipe.model.arguments,
        tracker=recipe.tracker,
        licence="yours to say; mind the terms of the training data and of the weights that training began with",
        origin=f"trained with Lockon {provenance.code} by the recipe '{recipe.name}'",
        details={
            "trained": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "steps": outcome.position.step,
            "weights": "average" if recipe.loop.ema_decay is not None else "last step",
            "began_with": _beginning(recipe),
            "data": provenance.data,
            "validation": [
                {name: value if isfinite(value) else None for name, value in figures.items()}
                for figures in outcome.history
            ],
            "processes": provenance.processes,
            "recipe": as_plain(recipe),
        },
    )
    write_model(path, weights, card)


def _beginning(recipe: AnyRecipe) -> str:
    model = recipe.model
    if isinstance(model, AssociationModel):
        return f"random weights, on the features of {model.base}"
    if model.finetune is not None:
        entry = find_entry(recipe.tracker)
        return f"{model.finetune} ({entry.weights.origin}; licence: {entry.weights.licence})"
    return "random weights" if model.pretrained is None else f"backbone from {model.pretrained.name}"


def _write_about(folder: Path, recipe: AnyRecipe, provenance: Provenance, *, begin: bool) -> None:
    path = folder / ABOUT
    if path.exists() and not begin:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    about: Mapping[str, Any] = {**provenance.plain(), "recipe": as_plain(recipe)}
    with replacing(path) as part:
        part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
