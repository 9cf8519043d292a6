"""Maps over a grid that depend on the distance of each cell to a centre: learned radial profiles and Gaussians.

Cells are numbered from 0; centres are `(row, column)` in cells and need not be whole.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def squared_distance_map(
    centres_yx: Float[Tensor, "*n 2"], size: tuple[int, int]
) -> Float[Tensor, "*n {size[0]} {size[1]}"]:
    """Squared Euclidean distance, in cells, of every cell of a `size = (rows, cols)` grid to each centre."""
    rows, cols = (torch.arange(n, dtype=centres_yx.dtype, device=centres_yx.device) for n in size)
    row_distance = (rows - centres_yx[..., :1]).square()
    col_distance = (cols - centres_yx[..., 1:]).square()
    return row_distance[..., :, None] + col_distance[..., None, :]


def radial_map(
    profile: Float[Tensor, "bins"], centres_yx: Float[Tensor, "*n 2"], size: tuple[int, int], *, spacing: float
) -> Float[Tensor, "*n {size[0]} {size[1]}"]:
    """A function of the distance to each centre, `Σ_k φ_k ρ_k(d)` with triangular bases ρ (DiMP, Sec. 3.4).

    With bases `spacing` cells apart the sum is linear interpolation of the profile at `d / spacing`; the last value
    holds beyond the last knot. Differentiable by the profile.
    """
    knots = (squared_distance_map(centres_yx, size).sqrt() / spacing).clamp(max=profile.shape[0] - 1)
    lower = knots.long().clamp(max=profile.shape[0] - 2)
    return torch.lerp(profile[lower], profile[lower + 1], knots - lower)


def gaussian_map(
    centres_yx: Float[Tensor, "*n 2"], size: tuple[int, int], *, sigma: float
) -> Float[Tensor, "*n {size[0]} {size[1]}"]:
    """Gaussian of amplitude 1 and standard deviation `sigma` cells around each centre."""
    return torch.exp(squared_distance_map(centres_yx, size) / (-2 * sigma**2))
