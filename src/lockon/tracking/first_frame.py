"""The first frame: what a tracker is shown of the targets before it follows them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.images import Image
from lockon.networks.iou_net import BoxScorer
from lockon.networks.resnet import BackboneFeatures
from lockon.tracking.augmentation import AugmentationConfig, augment, expanded_size
from lockon.tracking.localisers import Draws, Localiser
from lockon.tracking.profiling import Timer
from lockon.tracking.randomness import Purpose
from lockon.tracking.search import Encoder
from lockon.tracking.search_region import CropFrame, SearchConfig, sample_patch


class FirstSamples(NamedTuple):
    """The augmented first frame of T targets."""

    features: Float[Tensor, "targets images channels rows cols"]
    """Classification features."""
    boxes: Float[Tensor, "targets images 4"]
    """Target boxes `(x, y, w, h)` in the crops they come from, crop pixels."""
    modulation: tuple[Float[Tensor, "targets gains"], ...]
    """What the box estimator knows of each target; empty without one."""


class FirstFrame:
    """Cuts, augments and encodes the first frame.

    Args:
        search: size and rounding of the crops.
        augmentation: how they are varied.
        encode: the backbone.
        localiser: makes classification features of backbone features.
        estimator: box network that is shown the target; None where there is none.
        timer: told how long the stages take.
    """

    def __init__(
        self,
        search: SearchConfig,
        augmentation: AugmentationConfig,
        encode: Encoder,
        localiser: Localiser,
        estimator: BoxScorer | None,
        timer: Timer,
    ) -> None:
        self._search = search
        self._augmentation = augmentation
        self._encode = encode
        self._localiser = localiser
        self._estimator = estimator
        self._timer = timer

    def samples(
        self,
        images: list[Image],
        position: Float[Tensor, "targets 2"],
        size: Float[Tensor, "targets 2"],
        scale: Float[Tensor, "targets"],
        draws: Draws,
    ) -> FirstSamples:
        """The first samples of all targets.

        Args:
            images: the image each target is in.
            position: pixel indices (row, col).
            size: (h, w) in image pixels.
            scale: image pixels per crop pixel.
            draws: random numbers.
        """
        crop = CropFrame(position.round(), scale, self._search.sample_size)
        boxes = crop.to_crop(position, size)
        centres = crop.position if self._search.position == "cut" else position
        features, boxes_in_crops, modulation = [], [], []
        for target, image in enumerate(images):
            backbone, shifts = self._encoded(image, centres[target], float(scale[target]), draws, target)
            of_target, shifts = self._classified(backbone, shifts, draws, target)
            features.append(of_target)
            boxes_in_crops.append(boxes[target] + torch.cat([shifts.flip(-1), torch.zeros_like(shifts)], dim=1))
            modulation.append(self._modulation(backbone, boxes[target : target + 1].to(of_target.device)))
        return FirstSamples(
            torch.stack(features),
            torch.stack(boxes_in_crops).to(features[0].device),
            tuple(torch.cat(gains) for gains in zip(*modulation, strict=True)),
        )

    def _encoded(
        self, image: Image, centre: Tensor, scale: float, draws: Draws, target: int
    ) -> tuple[BackboneFeatures, Tensor]:
        """Backbone features of the augmented first frame of one target, and the shifts (row, col) of its crops."""
        config, size = self._augmentation, self._search.sample_size
        expanded = expanded_size(size, config.expansion)
        row, col = centre.tolist()
        extent = scale * expanded
        with self._timer.stage("crop"):
            patch = sample_patch(
                image, (row, col), (extent, extent), (expanded, expanded), rounding=self._search.rounding
            ).pixels
            shape = (config.random_shifts, 2)
            stream = iter(draws.source.uniform(draws.seeds[target], draws.frame, Purpose.SHIFT, shape))
            patches, shifts = augment(patch, config, size, lambda: next(stream))
        with self._timer.stage("backbone"):
            return self._encode(patches), shifts

    def _classified(
        self, backbone: BackboneFeatures, shifts: Tensor, draws: Draws, target: int
    ) -> tuple[Tensor, Tensor]:
        """Classification features and shifts of one target, with those of the copies that lose channels."""
        config = self._augmentation
        features = self._localiser.normalise(self._localiser.convolve(backbone.layer3))
        if config.dropout_copies:
            shape = (config.dropout_copies, features.shape[1])
            keep = draws.source.keep(draws.seeds[target], draws.frame, shape, config.dropout).to(features)
            copies = features[:1] * (keep / (1 - config.dropout))[:, :, None, None]
            features = torch.cat([features, copies])
            shifts = torch.cat([shifts, shifts.new_zeros(config.dropout_copies, 2)])
        return features, shifts

    def _modulation(self, backbone: BackboneFeatures, box: Float[Tensor, "1 4"]) -> tuple[Tensor, ...]:
        if self._estimator is None:
            return ()
        gains = self._estimator.modulation(backbone.layer2[:1], backbone.layer3[:1], box)
        return tuple(gain.float() for gain in gains)
