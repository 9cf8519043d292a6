"""The trackers a comparison runs: any that evaluation can measure, with the seed given at the start."""

from __future__ import annotations

from typing import Protocol

from lockon.boxes import Box
from lockon.evaluation.trackers import Observation, Preparing, TrackerSpec
from lockon.images import Image


class Competitor(Protocol):
    """One tracker on one target. `start` and `step` are timed, `prepare` is not."""

    label: str
    stochastic: bool
    """Whether another seed can give another track."""

    def prepare(self, image: Image) -> Image:
        """Bring an RGB frame into the channel order the tracker expects."""
        ...

    def start(self, image: Image, box: Box, seed: int) -> Observation:
        """Learn the target from the first frame."""
        ...

    def step(self, image: Image) -> Observation:
        """Track into the next frame and learn from it."""
        ...


class MeasuredCompetitor:
    """A tracker as evaluation measures it."""

    def __init__(self, spec: TrackerSpec) -> None:
        self.label = spec.name
        self.stochastic = spec.stochastic
        self._create = spec.create
        self._tracker = spec.create(0)

    def prepare(self, image: Image) -> Image:
        """Bring an RGB frame into the form the tracker expects."""
        return self._tracker.prepare(image) if isinstance(self._tracker, Preparing) else image

    def start(self, image: Image, box: Box, seed: int) -> Observation:
        """Learn the target from the first frame."""
        self._tracker = self._create(seed)
        return self._tracker.start(image, box) or Observation(box, present=True)

    def step(self, image: Image) -> Observation:
        """Track into the next frame and learn from it."""
        return self._tracker.step(image)
