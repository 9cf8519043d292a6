"""First-frame augmentation: one enlarged patch becomes the first support set of the target model.

Every transform ends by cutting the centre of the enlarged patch, displaced by a shift. Flips, blurs and rotations do
not change the target's box; shifts move it (DiMP-family and ATOM reference behaviour).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

Shift = tuple[int, int]
Pixels = Float[Tensor, "channels _ _"]


@dataclass(frozen=True)
class AugmentationConfig:
    """Transforms of the first frame, in the order of the fields; their order is the order of the memory slots."""

    shifts: tuple[tuple[float, float], ...] = ((0.6, 0.6), (-0.6, 0.6), (0.6, -0.6), (-0.6, -0.6))
    """Displacements (row, col) relative to half the sample size."""
    flip: bool = True
    """Mirror left to right."""
    blurs: tuple[tuple[float, float], ...] = ((3, 1), (1, 3), (2, 2))
    """Gaussian sigmas (rows, columns), in crop pixels."""
    scales: tuple[float, ...] = ()
    """Factors by which the target shrinks; no released setting uses any."""
    rotations: tuple[float, ...] = (10, -10, 45, -45)
    """Angles in degrees."""
    dropout_copies: int = 2
    """Copies of the first sample with whole feature channels dropped."""
    dropout: float = 0.2
    """Probability of dropping a channel."""
    expansion: float = 2.0
    """Side of the enlarged patch relative to the sample."""
    random_shift: float = 1 / 3
    """Range of the random shift of flips, blurs and rotations, relative to the sample size."""

    @property
    def samples(self) -> int:
        """Number of first-frame samples, dropped-out copies included."""
        return 1 + len(self.shifts) + self.random_shifts + self.dropout_copies

    @property
    def random_shifts(self) -> int:
        """Number of transforms that are randomly shifted."""
        return self.flip + len(self.blurs) + len(self.scales) + len(self.rotations)


def expanded_size(sample_size: int, expansion: float) -> int:
    """Side of the enlarged patch: of the same parity as the sample, so that both share their centre."""
    size = int(sample_size * expansion)
    return size + (size - sample_size) % 2


def augment(
    patch: Float[Tensor, "3 rows cols"],
    config: AugmentationConfig,
    sample_size: int,
    random_shift: Callable[[], Float[Tensor, "2"]],
) -> tuple[Float[Tensor, "samples 3 size size"], Int[Tensor, "samples 2"]]:
    """Derive the augmented samples (without the dropped-out copies) from one enlarged patch.

    Args:
        patch: enlarged patch, 0..255.
        config: which transforms.
        sample_size: side of each sample in crop pixels.
        random_shift: draws two uniform numbers in [0, 1), (row, col), for each transform that is randomly shifted.

    Returns:
        The samples, and the shift (row, col) in crop pixels that each of them applied to the target.
    """
    samples, shifts = [], []
    for transformed, shift in _transforms(patch, config, sample_size, random_shift):
        samples.append(crop_shifted(transformed, (sample_size, sample_size), shift))
        shifts.append(shift)
    return torch.stack(samples), torch.tensor(shifts)


def _transforms(
    patch: Pixels, config: AugmentationConfig, sample_size: int, random_shift: Callable[[], Tensor]
) -> Iterator[tuple[Pixels, Shift]]:
    def draw() -> Shift:
        row, col = ((random_shift() - 0.5) * sample_size * config.random_shift).trunc().int().tolist()
        return row, col

    yield patch, (0, 0)
    for row, col in config.shifts:
        yield patch, (int(row * sample_size / 2), int(col * sample_size / 2))
    if config.flip:
        yield patch.flip(-1), draw()
    for sigmas in config.blurs:
        yield blur(patch, sigmas), draw()
    for factor in config.scales:
        yield rescale(patch, factor), draw()
    for angle in config.rotations:
        yield rotate(patch, angle), draw()


def crop_shifted(patch: Pixels, output_hw: tuple[int, int], shift: Shift) -> Pixels:
    """Cut (or pad, repeating the border) the centre of a patch; a positive shift moves the content right and down."""
    padding = []
    for axis in (1, 0):
        missing = (output_hw[axis] - patch.shape[1 + axis]) / 2
        padding += [math.floor(missing) + shift[axis], math.ceil(missing) - shift[axis]]
    return F.pad(patch[None], padding, mode="replicate")[0]


def blur(patch: Pixels, sigmas: tuple[float, float]) -> Pixels:
    """Separable Gaussian blur with sigmas (rows, columns); outside the patch is black, as in the reference."""
    channels = patch.shape[0]
    for axis, sigma in enumerate(sigmas):
        reach = math.ceil(2 * sigma)
        offsets = torch.arange(-reach, reach + 1, dtype=patch.dtype)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        shape = (1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1)
        weight = (kernel / kernel.sum()).reshape(shape).expand(channels, 1, -1, -1 if axis else 1)
        padding = (reach, 0) if axis == 0 else (0, reach)
        patch = F.conv2d(patch[None], weight.contiguous(), padding=padding, groups=channels)[0]
    return patch


def rescale(patch: Pixels, factor: float) -> Pixels:
    """Shrink a patch by a factor, to a size of the same parity, so that its centre stays where it was."""
    sizes = [round(size / factor) for size in patch.shape[1:]]
    sizes = [new + (new - old) % 2 for new, old in zip(sizes, patch.shape[1:], strict=True)]
    return F.interpolate(patch[None], sizes, mode="bilinear", align_corners=False)[0]


def rotate(patch: Pixels, angle: float) -> Pixels:
    """Rotate about the centre pixel by an angle in degrees (counter-clockwise as seen), repeating the border."""
    rows, cols = patch.shape[1:]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    y = torch.arange(rows, dtype=torch.float64)[:, None] - (rows - 1) / 2
    x = torch.arange(cols, dtype=torch.float64)[None, :] - (cols - 1) / 2
    # The output pixel looks up its source: the inverse of [[cos, sin], [-sin, cos]] acting on (x, y).
    source_x, source_y = cosine * x - sine * y, sine * x + cosine * y
    grid = torch.stack([source_x / ((cols - 1) / 2), source_y / ((rows - 1) / 2)], dim=-1).to(patch.dtype)
    return F.grid_sample(patch[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True)[0]
