"""How good an association network is while it trains: loss and matches on pairs of frames of held-out sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from lockon.networks.association import LogAssignment, read_matches
from lockon.training import peers
from lockon.training.association.accuracy import MatchCounts, count_matches
from lockon.training.association.drawing import MinedSource
from lockon.training.association.samples import AssociationSample, collate, real_sample
from lockon.training.tasks.association import AssociationTask
from lockon.training.tasks.base import Losses, Task
from lockon.training.trainer import to_device
from lockon.training.validation import evaluating


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationValidationConfig:
    """How much to validate on."""

    pairs: int = 512
    """Pairs of consecutive frames, at most."""


class PairCounts(NamedTuple):
    """Matches of all candidates whose partner is known, and of the target alone."""

    everything: MatchCounts = MatchCounts()
    target: MatchCounts = MatchCounts()

    def plus(self, other: PairCounts) -> PairCounts:
        """Both together."""
        return PairCounts(self.everything + other.everything, self.target + other.target)

    def figures(self) -> dict[str, float]:
        """For a log."""
        return {
            "f1": self.everything.f1,
            "precision": self.everything.precision,
            "recall": self.everything.recall,
            "target_f1": self.target.f1,
        }


def compare(said: Int[Tensor, "batch n"], batch: AssociationSample) -> PairCounts:
    """What is said of the partners of the current candidates, beside what is known."""
    true, valid = batch.partners[:, 1], batch.valid[:, 1]
    is_target = torch.arange(true.shape[1], device=true.device) == batch.targets[:, 1:]
    return PairCounts(count_matches(said, true, valid), count_matches(said, true, valid & is_target))


def said_by(log_assignment: LogAssignment, batch: AssociationSample) -> Int[Tensor, "batch n"]:
    """Partners of the current candidates that a network says, as a tracker reads them."""
    return read_matches(log_assignment, batch.valid[:, 0], batch.valid[:, 1]).partners


def instructive_pairs(source: MinedSource, gap: int = 1) -> Int[np.ndarray, "pairs"]:
    """Positions of frames that have a candidate, as the one `gap` frames later does, and one of them several."""
    first = source.followed(gap)
    counts = np.stack([source.dump.candidate_counts[first], source.dump.candidate_counts[first + gap]])
    chosen: Int[np.ndarray, "pairs"] = first[(counts.min(axis=0) > 0) & (counts.max(axis=0) > 1)]
    return chosen


def real_batches(
    pairs: Sequence[tuple[MinedSource, int]], batch: int, device: torch.device, gap: int = 1
) -> Iterator[AssociationSample]:
    """Pairs of frames, `gap` frames apart, with all their candidates, in batches."""
    for start in range(0, len(pairs), batch):
        chosen = pairs[start : start + batch]
        samples = collate([real_sample(source.two(row, gap), source.dump.sample_size) for source, row in chosen])
        on_device: AssociationSample = to_device(samples, device)
        yield on_device


class AssociationValidation:
    """Loss and matches on pairs of consecutive frames with several candidates; the processes share the work.

    Args:
        sources: held-out frames.
        pairs: how many, at most, evenly spread.
        batch: how many at a time.
    """

    def __init__(self, sources: Sequence[MinedSource], pairs: int, batch: int) -> None:
        everything = [(source, int(row)) for source in sources for row in instructive_pairs(source)]
        places = np.linspace(0, len(everything) - 1, min(pairs, len(everything))).round().astype(int)
        self._pairs, self._batch = [everything[place] for place in places], batch

    def __len__(self) -> int:
        return len(self._pairs)

    def __call__(
        self,
        task: Task,
        loss: Callable[[Any], Losses],  # noqa: ARG002 - one pass of the network gives matches and loss
        device: torch.device,
    ) -> dict[str, float]:
        """The mean loss of a pair, and precision and recall of the matches."""
        assert isinstance(task, AssociationTask)
        total, counts = 0.0, PairCounts()
        with evaluating(task, device):
            for batch in real_batches(self._pairs[peers.rank() :: peers.count()], self._batch, device):
                log_assignment = task.assign(batch)
                total += float(task.losses(log_assignment, batch).total.sum())
                counts = counts.plus(compare(said_by(log_assignment, batch), batch))
        own = [total, *(number for part in counts for number in (part.correct, part.said, part.true))]
        loss_sum, *numbers = peers.total(torch.tensor(own, dtype=torch.float64, device=device)).tolist()
        whole = [round(number) for number in numbers]
        together = PairCounts(MatchCounts(*whole[:3]), MatchCounts(*whole[3:]))
        return {"loss": loss_sum / max(len(self._pairs), 1), **together.figures()}
