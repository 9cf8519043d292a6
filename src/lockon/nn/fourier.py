"""Score maps at pixel resolution by trigonometric interpolation, and Hann windows."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def interpolation_matrix(
    cells: int, samples: int, *, kernel_size: int = 4, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "{samples} {cells}"]:
    """`B[j, m] = (1 + 2 Σ_{k=1..N//2} cos 2πk(j/G − m/N)) / N`: a periodic row of N cells at G samples.

    A score map at pixel resolution is `B s Bᵀ`.

    This is what the reference implementation of ATOM does by Fourier transform and shift. Sample j lies at cell
    `j N / G` for an even `kernel_size`, half a cell before it for an odd one, so that sample G/2 is the centre of the
    search region. For even N the highest frequency enters with twice its weight, as there, so scores are not
    reproduced at the cells: an impulse comes back as `1 + 1/N`, and the tracker's thresholds are meant for these
    values.
    """
    cell = torch.arange(samples, dtype=torch.float64)[:, None] * cells / samples - kernel_size % 2 / 2
    phase = 2 * math.pi * (cell - torch.arange(cells)) / cells
    frequencies = torch.arange(1, cells // 2 + 1, dtype=torch.float64)
    return ((1 + 2 * torch.cos(phase[..., None] * frequencies).sum(dim=-1)) / cells).to(dtype)


def hann_window(size: int) -> Float[Tensor, "{size}"]:
    """Centred Hann window without zeros at its ends, `(1 − cos 2π(i+1)/(n+1)) / 2`."""
    return (1 - torch.cos(2 * math.pi * (torch.arange(size, dtype=torch.float64) + 1) / (size + 1))).float() / 2


def hann_window_origin(size: int) -> Float[Tensor, "{size}"]:
    """Periodic Hann window around index 0, `(1 + cos 2πt/(n+2)) / 2` with t the distance to 0, either way around."""
    index = torch.arange(size, dtype=torch.float64)
    distance = torch.minimum(index, size - index)
    return (1 + torch.cos(2 * math.pi * distance / (size + 2))).float() / 2
