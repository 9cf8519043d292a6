"""Teach a small backbone to see like a large one: feature regression on photographs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.random import Generator
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from lockon.data.synthetic import ImageBank
from lockon.networks.resnet import BackboneFeatures, ResNet
from lockon.networks.tracker_net import normalise
from lockon.nn.folding import fold_batch_norms


class PhotoCrops(Dataset[UInt8[Tensor, "size size 3"]]):
    """Random crops of photographs, stretched and mirrored at random; crop n is the same in every run."""

    def __init__(self, images: ImageBank, size: int, seed: int) -> None:
        self._images, self._size, self._seed = images, size, seed

    def __getitem__(self, index: int) -> UInt8[Tensor, "size size 3"]:
        rng = np.random.default_rng([self._seed, index])
        return torch.from_numpy(self._crop(rng))

    def _crop(self, rng: Generator) -> UInt8[np.ndarray, "size size 3"]:
        pixels = self._images.photos[int(rng.integers(len(self._images.photos)))].pixels
        height, width = pixels.shape[:2]
        side = min(height, width) * rng.uniform(0.55, 1.1)
        w, h = min(width, side * rng.uniform(0.8, 1.25)), min(height, side * rng.uniform(0.8, 1.25))
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        size = (self._size, self._size)
        crop = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, (x, y, x + w, y + h)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
        return np.clip(crop * gain, 0, 255).astype(np.uint8)


class FeatureRegression(nn.Module):
    """Distance between a student's features and a frozen teacher's, through linear adapters.

    The teacher's channels are standardised, so the value is the share of variance the student leaves unexplained.
    """

    def __init__(self, teacher: ResNet, student_channels: tuple[int, int]) -> None:
        super().__init__()
        # In a tuple it is no submodule: it never learns and is never saved.
        self._teacher = (fold_batch_norms(teacher).bfloat16(),)
        pairs = list(zip(student_channels, teacher.channels, strict=True))
        self.adapters = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for inputs, outputs in pairs)
        self.standardise = nn.ModuleList(nn.BatchNorm2d(outputs, affine=False) for _, outputs in pairs)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], features: BackboneFeatures
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Unexplained variance of layer2 and of layer3."""
        with torch.no_grad():
            wanted = self._teacher[0](images.bfloat16())
        first, second = (
            F.mse_loss(adapter(mine).float(), standardise(theirs.float()))
            for adapter, standardise, mine, theirs in zip(
                self.adapters, self.standardise, features, wanted, strict=True
            )
        )
        return first, second


class DistillationTask:
    """Stage 1 of `lockon_s`: the backbone learns from an ImageNet classifier."""

    def __init__(
        self,
        backbone: ResNet,
        teacher: ResNet,
        images: ImageBank,
        held_out: ImageBank,
        *,
        size: int,
        lr: float,
        seed: int,
    ) -> None:
        self.regression = FeatureRegression(teacher, backbone.channels)
        self.model = nn.ModuleDict({"backbone": backbone, "regression": self.regression})
        self._backbone, self._lr = backbone, lr
        self._crops, self._held_out = PhotoCrops(images, size, seed), PhotoCrops(held_out, size, seed)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group."""
        return [{"params": list(self.model.parameters()), "lr": self._lr}]

    def dataset(self) -> PhotoCrops:
        """Crops of the training photographs."""
        return self._crops

    def loss(self, batch: UInt8[Tensor, "n h w 3"]) -> tuple[Tensor, dict[str, float]]:
        """Unexplained variance, summed over the two layers."""
        images = normalise(batch.movedim(-1, 1))
        with torch.autocast("cpu", torch.bfloat16):
            features = self._backbone(images)
            layer2, layer3 = self.regression(images, features)
        return layer2 + layer3, {"layer2": layer2.item(), "layer3": layer3.item()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Unexplained variance on held-out photographs."""
        losses = [
            self.loss(torch.stack([self._held_out[i] for i in range(first, first + 32)]))[1]
            for first in range(0, 256, 32)
        ]
        return {name: sum(loss[name] for loss in losses) / len(losses) for name in losses[0]}
