"""How good a model is while it trains: its loss on validation samples, and held-out sequences it really tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from lockon.data.datasets import SequenceDataset, TargetSequence
from lockon.errors import BoxError, DataError
from lockon.evaluation.one_pass import score_track
from lockon.networks.tracker_net import TrackerNet
from lockon.tracking import Tracker
from lockon.tracking.config import TrackerConfig
from lockon.training import peers
from lockon.training.tasks.base import Losses, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationConfig:
    """How much to validate on."""

    samples: int = 0
    """Validation samples whose loss is taken."""
    sequences: int = 0
    """Held-out sequences that are tracked."""
    frames: int = 100
    """Of each of them, at most."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A part of a sequence, to be tracked from its first frame, which is annotated."""

    sequence: TargetSequence
    first: int
    length: int


def hold_out(datasets: Sequence[SequenceDataset], config: ValidationConfig) -> list[HeldOut]:
    """Sequences to track, evenly spread over the data sets, each from the first frame that shows the target.

    Raises:
        DataError: there is no video with a target to follow.
    """
    if not config.sequences:
        return []
    videos = [dataset for dataset in datasets if dataset.is_video]
    numbers = [(dataset, number) for dataset in videos for number in range(len(dataset))]
    chosen = []
    for place in np.linspace(0, len(numbers) - 1, min(config.sequences, len(numbers))).round().astype(int):
        dataset, number = numbers[place]
        sequence = dataset[number]
        shown = np.flatnonzero(sequence.visible)
        if len(shown) > 1:
            length = min(config.frames, len(sequence) - int(shown[0]))
            chosen.append(HeldOut(sequence, int(shown[0]), length))
    if not chosen:
        raise DataError(
            "validation by tracking needs a video whose target is visible in two frames, and the validation data "
            "have none. Give other data, or switch it off: --set validation.sequences=0"
        )
    return chosen


def track_auc(tracker: Tracker, held_out: HeldOut) -> float | None:
    """Success AUC of one track; frames that cannot be read or are not annotated do not count.

    Returns:
        None where there is no track to score: the first frame cannot be read, or its box lies outside of it.
    """
    frames = range(held_out.first, held_out.first + held_out.length)
    truth = np.array(held_out.sequence.boxes[frames.start : frames.stop], dtype=np.float64)
    truth[~(truth[:, 2:] > 0).all(axis=1)] = np.nan
    predicted = np.full_like(truth, np.nan)
    try:
        state = tracker.start(held_out.sequence.frame(held_out.first), truth[0])
    except (DataError, BoxError):
        return None
    for place, index in enumerate(frames[1:], start=1):
        try:
            image = held_out.sequence.frame(index)
        except DataError:
            truth[place] = np.nan
            continue
        state, result = tracker.step(state, image, inplace=True)
        predicted[place] = result.box
    return score_track(truth, predicted)["AUC"] / 100


class Validation:
    """Figures of merit of a task; the processes share the work.

    Args:
        batches: gives the validation batches of this process, as many as every process has.
        held_out: sequences to track, the same in every process.
        preset: how to track them.
        name: of the tracker.
    """

    def __init__(
        self, batches: Callable[[], Iterator[Any]], held_out: Sequence[HeldOut], preset: TrackerConfig, name: str
    ) -> None:
        self._batches, self._held_out, self._preset, self._name = batches, held_out, preset, name

    def __call__(self, task: Task, loss: Callable[[Any], Losses], device: torch.device) -> dict[str, float]:
        """The mean losses, and `auc` where there are sequences to track.

        Args:
            task: left as it was.
            loss: of a batch, as in training.
            device: where the tracker runs.
        """
        with evaluating(task, device):
            figures = self._losses(loss, device)
            if self._held_out:
                figures["auc"] = self._auc(task, device)
        return figures

    def _losses(self, loss: Callable[[Any], Losses], device: torch.device) -> dict[str, float]:
        rows, names = [], []
        for batch in self._batches():
            losses = loss(batch)
            names = ["loss", *losses.parts]
            rows.append(torch.stack([losses.total, *losses.parts.values()]).double())
        if not rows:
            return {}
        mean = peers.total(torch.stack(rows).mean(dim=0).to(device)) / peers.count()
        return dict(zip(names, mean.tolist(), strict=True))

    def _auc(self, task: Task, device: torch.device) -> float:
        tracker = Tracker(cast("TrackerNet", task.net), self._preset, name=self._name, device=device)
        scores = [track_auc(tracker, each) for each in self._held_out[peers.rank() :: peers.count()]]
        scored = [score for score in scores if score is not None]
        sums = torch.tensor([sum(scored), len(scored)], dtype=torch.float64, device=device)
        total, count = peers.total(sums).tolist()
        return total / count if count else 0.0


Validates = Callable[[Task, Callable[[Any], Losses], torch.device], dict[str, float]]
"""Gives figures of merit of a task: with the loss of a batch, as in training, and the device of the task."""


@contextmanager
def evaluating(task: Task, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards modes and random numbers are as they were."""
    modes = [(part, part.training) for part in task.modules()]
    cards = [device] if device.type == "cuda" else []
    task.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=cards):
            yield
    finally:
        for part, training in modes:
            part.training = training
