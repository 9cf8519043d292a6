"""Training of ATOM: the box head alone, on a backbone that does not learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from lockon.networks.tracker_net import TrackerNet, normalise
from lockon.training.samples import TrackingSample
from lockon.training.tasks.base import Group, Losses, Task
from lockon.training.tasks.boxes import BoxLoss, box_loss


@dataclass(frozen=True, kw_only=True, slots=True)
class AtomObjective:
    """Loss of ATOM's box head (ATOM, Sec. 3.1)."""

    box: BoxLoss = "overlap"
    drift: bool = True
    """Let the backbone's batch normalisations use the statistics of the batch, and follow them with their running
    ones, as the reference does although nothing in the backbone learns; otherwise the backbone stays as it is."""


class AtomTask(Task):
    """ATOM's network and loss.

    Args:
        net: the network; its classifier, if any, is not trained.
        objective: the loss.
        groups: learning rates; no gradient reaches the backbone.
    """

    net: TrackerNet

    def __init__(self, net: TrackerNet, objective: AtomObjective, groups: Sequence[Group]) -> None:
        super().__init__(net, groups)
        self._objective = objective
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Training mode; of the backbone only if its statistics drift."""
        super().train(mode)
        self.net.feature_extractor.train(mode and self._objective.drift)
        return self

    def forward(self, batch: TrackingSample) -> Losses:
        """Loss of the boxes in the test frames."""
        head = self.net.bb_regressor
        assert head is not None
        assert batch.proposals is not None
        images = batch.images.flatten(0, 1).movedim(-1, 1)
        with torch.no_grad():
            features = self.net.feature_extractor(normalise(images))
        layer2, layer3 = (maps.unflatten(0, batch.boxes.shape[:2]) for maps in features)
        box = box_loss(head, layer2, layer3, batch.boxes, batch.proposals, self._objective.box)
        return Losses(box, {"box": box.detach()})
