"""When a target model learns, and from which frames (ATOM, Sec. 3.3; DiMP and KeepTrack references)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from lockon.tracking.learners.confidence import confidence
from lockon.tracking.learners.memory import MemoryConfig
from lockon.tracking.selectors import Selection
from lockon.types import Status


class LearningPlan(NamedTuple):
    """What one frame gives T targets to remember and to learn."""

    chosen: Int64[Tensor, "chosen"]
    """The targets whose samples are stored."""
    rates: Float32[Tensor, "chosen"]
    confidences: Float32[Tensor, "chosen"] | None
    pending: Int64[Tensor, "targets"]
    """Solver iterations due before the next frame."""


def plan_learning(selections: Sequence[Selection], frame: int, config: MemoryConfig) -> LearningPlan:
    """Say what to remember of a frame, and how much to learn.

    Args:
        selections: what was selected of each target.
        frame: its number, from 0.
        config: see `MemoryConfig`.
    """
    statuses = [selection.status for selection in selections]
    learned = torch.tensor([status in (Status.FOUND, Status.HARD_NEGATIVE) for status in statuses])
    hard = torch.tensor([status is Status.HARD_NEGATIVE for status in statuses]) & config.learn_hard_negatives
    due = learned | config.update_when_lost if frame % config.interval == 0 else torch.zeros_like(learned)
    pending = torch.where(due, config.iterations, 0)
    urgent = torch.full_like(pending, config.hard_negative_iterations)
    chosen = learned.nonzero()[:, 0]
    confidences = None
    if config.confidence is not None:
        peaks = np.array([selection.peak for selection in selections])
        initial = np.array([selection.initial for selection in selections])
        certain, threshold = config.confidence.certain, config.confidence.threshold
        confidences = torch.from_numpy(confidence(peaks, initial, certain)).float()[chosen]
        confidences = torch.where(confidences < threshold, 0, confidences)
        urgent[torch.from_numpy(peaks / certain < threshold)] = 0
    rates = torch.where(hard, config.hard_negative_learning_rate, config.learning_rate)[chosen]
    return LearningPlan(chosen, rates, confidences, torch.where(hard, urgent, pending))
