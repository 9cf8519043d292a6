"""The support set: a fixed number of weighted samples per target, in one buffer.

Weights age geometrically; the initial samples may be guaranteed a share (ATOM, Sec. 3.3 and reference). Beside its
age α a sample may have a confidence β that it shows the target (KeepTrack, Sec. 3.8 and reference).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from lockon.tracking.learners.confidence import ConfidenceConfig


@dataclass(frozen=True)
class MemoryConfig:
    """Size and ageing of the support set, and when the target model learns from it."""

    capacity: int = 50
    """Samples kept per target, first-frame samples included; there is always room for one besides these."""
    learning_rate: float = 0.01
    """Weight of a new sample relative to all older ones."""
    hard_negative_learning_rate: float = 0.02
    """The same for a frame with a distractor."""
    initial_share: float = 0.25
    """Least total weight of the first-frame samples; 0 lets them be replaced."""
    interval: int = 20
    """Frames between regular model updates."""
    initial_iterations: int = 10
    """Solver iterations on the first frame."""
    iterations: int = 2
    """Solver iterations of a regular update."""
    hard_negative_iterations: int = 1
    """Solver iterations after a frame with a distractor."""
    learn_hard_negatives: bool = True
    """Treat a frame with a distractor specially: higher learning rate, model update at once (ATOM, Table 2)."""
    update_when_lost: bool = False
    """Run the regular updates also in frames that add no sample (ATOM)."""
    confidence: ConfidenceConfig | None = None
    """None: samples differ by their age only."""


@dataclass(frozen=True)
class Memory:
    """Support sets of T targets. Slots that are not filled yet have weight 0."""

    samples: Float[Tensor, "targets slots channels rows cols"]
    """In the numeric type of the networks."""
    boxes: Float[Tensor, "targets slots 4"]
    """Target boxes `(x, y, w, h)` in the crops the samples come from, crop pixels."""
    weights: Float[Tensor, "targets slots"]
    stored: Int64[Tensor, "targets"]
    """Samples stored so far, at most the capacity."""
    latest: Int64[Tensor, "targets"]
    """Slot of the latest addition; -1 before the first."""
    initial: int
    """First-frame samples per target."""
    confidences: Float[Tensor, "targets slots"] | None = None
    """β of each sample, 1 in the first frame; None where samples differ by age only."""

    @classmethod
    def of_first_frame(
        cls,
        samples: Float[Tensor, "targets images channels rows cols"],
        boxes: Float[Tensor, "targets images 4"],
        capacity: int,
        *,
        confident: bool = False,
    ) -> Memory:
        """A memory that holds the first-frame samples with equal weights, and room for at least one more.

        Args:
            samples: of the augmented first frame.
            boxes: target boxes in their crops, crop pixels.
            capacity: see `MemoryConfig`.
            confident: whether samples have confidences, too.
        """
        targets, images = samples.shape[:2]
        capacity = max(capacity, images + 1)
        buffer = samples.new_zeros(targets, capacity, *samples.shape[2:])
        buffer[:, :images] = samples
        all_boxes = boxes.new_ones(targets, capacity, 4)
        all_boxes[:, :images] = boxes
        weights = torch.zeros(targets, capacity)
        weights[:, :images] = 1 / images
        stored = torch.full((targets,), images)
        confidences = (weights > 0).float() if confident else None
        return cls(buffer, all_boxes, weights, stored, torch.full((targets,), -1), images, confidences)

    def add(
        self,
        chosen: Int[Tensor, "chosen"],
        samples: Float[Tensor, "chosen channels rows cols"],
        boxes: Float[Tensor, "chosen 4"],
        learning_rates: Float[Tensor, "chosen"],
        initial_share: float,
        *,
        confidences: Float[Tensor, "chosen"] | None = None,
        inplace: bool = False,
    ) -> Memory:
        """Store one sample for each of the `chosen` targets in its lightest slot, or that of the least α·β.

        Args:
            chosen: indices of the targets.
            samples: their new samples.
            boxes: target boxes in the crops of the samples, crop pixels.
            learning_rates: weight of each new sample relative to all older ones.
            initial_share: see `MemoryConfig`.
            confidences: β of each new sample, where the memory has them.
            inplace: write into the buffers of this memory, which must not be used afterwards.
        """
        if len(chosen) == 0:
            return self
        memory = self if inplace else self.clone()
        for target, rate in zip(chosen.tolist(), learning_rates.tolist(), strict=True):
            sureness = None if memory.confidences is None else memory.confidences[target, : memory.stored[target]]
            latest = int(memory.latest[target])
            slot = aged_weights_(memory.weights[target], rate, latest, self.initial, initial_share, sureness)
            memory.latest[target] = slot
        slots = memory.latest[chosen]
        if memory.confidences is not None and confidences is not None:
            memory.confidences[chosen, slots] = confidences
        memory.samples[chosen, slots] = samples.to(memory.samples)
        memory.boxes[chosen, slots] = boxes.to(memory.boxes)
        memory.stored[chosen] = (memory.stored[chosen] + 1).clamp(max=memory.weights.shape[1])
        return memory

    def clone(self) -> Memory:
        """An independent copy."""
        return replace(
            self,
            samples=self.samples.clone(),
            boxes=self.boxes.clone(),
            weights=self.weights.clone(),
            stored=self.stored.clone(),
            latest=self.latest.clone(),
            confidences=None if self.confidences is None else self.confidences.clone(),
        )

    def view(self, chosen: Int[Tensor, "chosen"], *, weighting: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Samples, boxes and weights of some targets, without the slots that none of them has filled.

        Args:
            chosen: indices of the targets.
            weighting: weigh samples by confidence, too: α·β in place of α.
        """
        weights = self.weights * self.confidences if weighting and self.confidences is not None else self.weights
        used = int(self.stored[chosen].max())
        if len(chosen) == len(self.stored):
            return self.samples[:, :used], self.boxes[:, :used], weights[:, :used]
        return self.samples[chosen, :used], self.boxes[chosen, :used], weights[chosen, :used]


def aged_weights_(
    weights: Float[Tensor, "slots"],
    learning_rate: float,
    latest: int,
    initial: int,
    initial_share: float,
    confidences: Float[Tensor, "stored"] | None = None,
) -> int:
    """Make room for a new sample in a target's weights (changed in place) and return its slot.

    The new sample weighs `1 / (1 - learning_rate)` times the latest one, so that older samples fade geometrically.
    At a learning rate of 1 nothing but the new sample counts, and it takes the first slot (reference behaviour).

    Args:
        weights: current weights.
        learning_rate: of the new sample.
        latest: slot of the latest addition, -1 if there was none.
        initial: number of first-frame samples, in the first slots.
        initial_share: total weight below which these are lifted; 0: they age and are replaced like all others.
        confidences: of the samples stored so far. With them the first-frame samples are never replaced, and a
            sample that takes the place of the latest one takes over its weight (KeepTrack).
    """
    if learning_rate == 1:
        weights.zero_()[0] = 1
        return 0
    slot = _slot_to_fill(weights, initial if initial_share > 0 else 0, initial, confidences)
    if latest < 0:
        weights /= 1 - learning_rate
        weights[slot] = learning_rate
    elif slot != latest or confidences is None:
        weights[slot] = weights[latest] / (1 - learning_rate)
    weights /= weights.sum()
    if initial_share > 0 and weights[:initial].sum() < initial_share:
        weights /= initial_share + weights[initial:].sum()
        weights[:initial] = initial_share / initial
    return slot


def _slot_to_fill(weights: Tensor, protected: int, initial: int, confidences: Tensor | None) -> int:
    if confidences is None:
        return protected + int(weights[protected:].argmin())
    if len(confidences) < len(weights):
        return len(confidences)
    return initial + int((weights * confidences)[initial:].argmin())
