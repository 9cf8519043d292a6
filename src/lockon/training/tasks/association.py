"""Training of KeepTrack's association network on a frozen base tracker (ICCV 2021, Sec. 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.networks.association import AssociationNet, CandidateSet, LogAssignment
from lockon.networks.resnet import ResNet
from lockon.networks.tracker_net import normalise
from lockon.nn.folding import fold_batch_norms
from lockon.training.association.losses import LossKind, MatchLosses, match_losses
from lockon.training.association.samples import AssociationSample
from lockon.training.tasks.base import Group, Losses, Task, at_least_float32


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationObjective:
    """The loss of the association network."""

    loss: LossKind = "balanced"


class AssociationTask(Task):
    """Association network and loss. The backbone that describes the candidates is the base tracker's, and stays so.

    It runs in evaluation mode, as it does when tracking. (In the reference, the normalisations of its layer3 follow
    the batches while the association network is trained, and a tracker never sees what they come to.)

    Args:
        net: what is trained.
        backbone: of the base tracker; it is copied.
        objective: the loss.
        groups: learning rates by prefix of the parameters' names.
    """

    net: AssociationNet

    def __init__(
        self, net: AssociationNet, backbone: ResNet, objective: AssociationObjective, groups: Sequence[Group]
    ) -> None:
        super().__init__(net, groups)
        self._objective = objective
        # In a list it is no submodule: it never learns and is never saved.
        folded: ResNet = fold_batch_norms(backbone)
        folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone = [folded]

    def forward(self, batch: AssociationSample) -> Losses:
        """Mean loss of a batch of pairs of frames."""
        log_assignment = self.assign(batch)
        losses = self.losses(log_assignment, batch)
        parts = {"pairs": losses.pairs.mean().detach(), "alone": losses.alone.mean().detach()}
        return Losses(losses.total.mean(), parts)

    def assign(self, batch: AssociationSample) -> LogAssignment:
        """Log probabilities that the candidates of the two frames of each sample belong together."""
        return associate(self.net, self.layer3(batch), batch)

    def losses(self, log_assignment: LogAssignment, batch: AssociationSample) -> MatchLosses:
        """Of each pair of frames."""
        previous, current = batch.partners.unbind(dim=1)
        return match_losses(log_assignment, previous, current, self._objective.loss)

    def layer3(self, batch: AssociationSample) -> Float[Tensor, "batch 2 channels rows cols"]:
        """What the base tracker sees of the frames."""
        self._backbone[0] = backbone = self._backbone[0].to(batch.images.device)
        return features_of(backbone, batch)


def features_of(backbone: ResNet, batch: AssociationSample) -> Float[Tensor, "batch 2 channels rows cols"]:
    """What a backbone that does not learn sees of the frames."""
    with torch.no_grad():
        features: Tensor = backbone(normalise(batch.images.flatten(0, 1).movedim(-1, 1))).layer3
    by_frame: Tensor = features.unflatten(0, batch.images.shape[:2])
    return by_frame


def associate(
    net: AssociationNet, layer3: Float[Tensor, "batch 2 channels rows cols"], batch: AssociationSample
) -> LogAssignment:
    """What an association network says of samples, given the features of their frames."""
    views = batch.cells.unflatten(0, (len(layer3), -1)).transpose(1, 2)
    described = net.descriptors(layer3.flatten(0, 1), views.flatten(2, 3).flatten(0, 1))
    descriptors = described.unflatten(1, views.shape[2:4]).unflatten(0, (-1, 2)).transpose(1, 2).flatten(0, 1)
    others = batch.places, batch.scores, batch.valid
    # Small matrices and an iteration in logarithms: nothing to gain from less precision.
    with torch.autocast(layer3.device.type, enabled=False):
        previous, current = (
            CandidateSet(at_least_float32(descriptors[:, side]), *(values[:, side] for values in others))
            for side in range(2)
        )
        return net.match(previous, current)
