"""Teach a small backbone to see like a large one: feature regression (Hinton et al., 2015, on features)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from lockon.networks.resnet import BackboneFeatures, ResNet
from lockon.networks.tracker_net import TrackerNet, normalise
from lockon.nn.folding import fold_batch_norms
from lockon.training.samples import TrackingSample
from lockon.training.tasks.base import Group, Losses, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillationObjective:
    """The backbone learns the features of a teacher."""

    teacher: Path | None = None
    """ImageNet weights of a ResNet-18 with torchvision's names; given on the command line."""


class FeatureRegression(nn.Module):
    """Distance between a student's features and a frozen teacher's, through linear adapters.

    The teacher's channels are standardised, so the value is the share of variance the student leaves unexplained.

    Args:
        teacher: a trained backbone; it is copied.
        student_channels: channels of the student's layer2 and layer3.
        generator: source of the adapters' initial weights; the global one by default.
    """

    def __init__(
        self, teacher: ResNet, student_channels: tuple[int, int], generator: Generator | None = None
    ) -> None:
        super().__init__()
        # In a list it is no submodule: it never learns and is never saved.
        self._teacher = [fold_batch_norms(teacher)]
        pairs = list(zip(student_channels, teacher.channels, strict=True))
        self.adapters = nn.ModuleList(nn.Conv2d(inputs, outputs, 1, bias=False) for inputs, outputs in pairs)
        for adapter, (inputs, _) in zip(self.adapters, pairs, strict=True):
            nn.init.normal_(adapter.get_parameter("weight"), std=inputs**-0.5, generator=generator)
        self.standardise = nn.ModuleList(nn.BatchNorm2d(outputs, affine=False) for _, outputs in pairs)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], features: BackboneFeatures
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Unexplained variance of layer2 and of layer3."""
        with torch.no_grad():
            wanted = self._teacher_on(images.device)(images)
        first, second = (
            F.mse_loss(adapter(mine).float(), standardise(theirs.float()))
            for adapter, standardise, mine, theirs in zip(
                self.adapters, self.standardise, features, wanted, strict=True
            )
        )
        return first, second

    def _teacher_on(self, device: torch.device) -> ResNet:
        self._teacher[0] = self._teacher[0].to(device)
        return self._teacher[0]


class DistillationTask(Task):
    """The backbone of a tracker learns from a teacher, on every frame of the samples; its heads wait.

    Args:
        net: the network whose backbone learns.
        regression: distance of its features to a teacher's.
        groups: learning rates by prefix of the parameters' names (`regression.` for the adapters).
    """

    net: TrackerNet
    regression: FeatureRegression

    def __init__(self, net: TrackerNet, regression: FeatureRegression, groups: Sequence[Group]) -> None:
        super().__init__(net, groups, regression)

    def forward(self, batch: TrackingSample) -> Losses:
        """Unexplained variance, summed over the two layers."""
        images = normalise(batch.images.flatten(0, 1).movedim(-1, 1))
        layer2, layer3 = self.regression(images, self.net.feature_extractor(images))
        return Losses(layer2 + layer3, {"layer2": layer2.detach(), "layer3": layer3.detach()})
