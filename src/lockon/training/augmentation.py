"""Random changes of crops after they are cut: light, colour, blur and mirroring. Boxes move along."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from numpy.random import Generator
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)

Crops = UInt8[Tensor, "frames size size 3"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentationConfig:
    """What happens to crops, and how often; the defaults are those of ATOM, DiMP and PrDiMP."""

    grey_probability: float = 0.05
    """Of turning all frames of a sample grey."""
    flip_probability: float = 0.0
    """Of mirroring all frames of a sample (SuperDiMP: 0.5)."""
    frame_flip_probability: float = 0.0
    """Of mirroring each frame on its own, besides (SuperDiMP: 0.5)."""
    flip_offset: float = 1.0
    """A mirrored box lies at `size − flip_offset − x − w`: 1 in the reference, 0 where boxes are continuous."""
    brightness: float = 0.2
    """Reach of the factor on each frame, around 1."""
    contrast: float = 0.0
    """Reach of the factor on each frame's distance from its mean, around 1."""
    saturation: float = 0.0
    """Reach of the factor on each frame's distance from grey, around 1."""
    blur_probability: float = 0.0
    """Of blurring a frame."""
    blur_sigma: tuple[float, float] = (0.5, 2.0)
    """Least and largest standard deviation of the blur, in crop pixels."""

    def joint_only(self) -> AugmentationConfig:
        """What is left for validation: the changes that all frames of a sample share."""
        return replace(
            self, frame_flip_probability=0.0, brightness=0.0, contrast=0.0, saturation=0.0, blur_probability=0.0
        )


def augment(
    images: Crops, boxes: Float[Tensor, "frames 4"], config: AugmentationConfig, rng: Generator
) -> tuple[Crops, Float[Tensor, "frames 4"]]:
    """Change the crops of one sample at random; the arguments stay as they are.

    The reference mirrors and turns grey the whole frames before it cuts; on the crops that is the same up to the
    rounding of windows, and cheaper.

    Args:
        images: crops of the sample's frames.
        boxes: `(x, y, w, h)` in crop pixels.
        config: what to do.
        rng: source of the draws; how many are drawn depends on the configuration alone.
    """
    frames = len(images)
    saturation = _around_one(config.saturation, frames, rng) * float(rng.random() >= config.grey_probability)
    images = recolour(
        images, _around_one(config.brightness, frames, rng), _around_one(config.contrast, frames, rng), saturation
    )
    blurred = rng.random(frames) < config.blur_probability
    sigmas = rng.uniform(*config.blur_sigma, frames)
    if blurred.any():
        images = torch.stack(
            [blur(image, sigma) if hit else image for image, sigma, hit in zip(images, sigmas, blurred, strict=True)]
        )
    together = rng.random() < config.flip_probability
    flipped = together ^ (rng.random(frames) < config.frame_flip_probability)
    return mirror(images, boxes, flipped, config.flip_offset)


def _around_one(reach: float, count: int, rng: Generator) -> Float[np.ndarray, "{count}"]:
    return rng.uniform(1 - reach, 1 + reach, count)


def recolour(
    images: Crops,
    brightness: Float[np.ndarray, "frames"],
    contrast: Float[np.ndarray, "frames"],
    saturation: Float[np.ndarray, "frames"],
) -> Crops:
    """Scale the light of each image, then its distance from its mean luma, then its distance from grey."""
    if (brightness == 1).all() and (contrast == 1).all() and (saturation == 1).all():
        return images
    gain, spread, colour = (
        torch.from_numpy(factor.astype(np.float32))[:, None, None, None]
        for factor in (brightness, contrast, saturation)
    )
    pixels = images.float().mul_(gain)
    if (contrast != 1).any():
        pixels = torch.lerp(_luma(pixels).mean(dim=(1, 2, 3), keepdim=True), pixels, spread)
    if (saturation != 1).any():
        pixels = torch.lerp(_luma(pixels), pixels, colour)
    return pixels.round_().clamp_(0, 255).byte()


def _luma(pixels: Float[Tensor, "frames size size 3"]) -> Float[Tensor, "frames size size 1"]:
    red, green, blue = pixels.split(1, dim=-1)
    luma: Tensor = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return luma


def blur(image: UInt8[Tensor, "size size 3"], sigma: float) -> UInt8[Tensor, "size size 3"]:
    """Gaussian blur of `sigma` pixels; the border of the image repeats beyond it."""
    radius = math.ceil(2.5 * sigma)
    kernel = torch.exp(-torch.arange(-radius, radius + 1).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    planes = F.pad(image.permute(2, 0, 1)[None].float(), [radius] * 4, mode="replicate")
    planes = F.conv2d(F.conv2d(planes, kernel, groups=3), kernel.transpose(2, 3), groups=3)[0]
    return planes.round_().clamp_(0, 255).byte().permute(1, 2, 0).contiguous()


def mirror(
    images: Crops, boxes: Float[Tensor, "frames 4"], flipped: Bool[np.ndarray, "frames"], offset: float
) -> tuple[Crops, Float[Tensor, "frames 4"]]:
    """Mirror the chosen frames left to right: `x → size − offset − x − w`."""
    chosen = torch.from_numpy(flipped)
    if not chosen.any():
        return images, boxes
    images, boxes = images.clone(), boxes.clone()
    images[chosen] = images[chosen].flip(2)
    boxes[chosen, 0] = images.shape[2] - offset - boxes[chosen, 0] - boxes[chosen, 2]
    return images, boxes
