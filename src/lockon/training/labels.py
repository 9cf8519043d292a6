"""What score maps are compared with: Gaussian labels and densities around the target's centre.

Score cell p of the even 4 × 4 filter lies at crop coordinate `stride · p`, so a feature map of n cells has n + 1.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.boxes import xywh_to_cxcywh
from lockon.nn.distance_map import gaussian_map

_LEAST_MASS = 0.01
"""Of a density that still says where the target is."""


def gaussian_label(
    boxes: Float[Tensor, "*n 4"], cells: int, sigma: float, stride: int = 16
) -> Float[Tensor, "*n {cells+1} {cells+1}"]:
    """Gaussian of amplitude 1 around the centre of each box (DiMP's loss; SuperDiMP-simple's labels).

    Args:
        boxes: `(x, y, w, h)` in crop pixels.
        cells: rows and columns of the feature map.
        sigma: standard deviation in cells, a quarter of the mean target size: `0.25 / search_factor · cells`.
        stride: crop pixels per cell.
    """
    centres_yx = xywh_to_cxcywh(boxes)[..., [1, 0]] / stride
    return gaussian_map(centres_yx, (cells + 1, cells + 1), sigma=sigma)


def label_density(
    boxes: Float[Tensor, "*n 4"], cells: int, sigma: float, stride: int = 16
) -> Float[Tensor, "*n {cells+1} {cells+1}"]:
    """Density of the target centre over the score map (PrDiMP, Sec. 4.1): a normalised Gaussian, summing to 1.

    Uniform where the centre lies so far outside that hardly anything of the Gaussian is left on the map. Arguments as
    in `gaussian_label`.
    """
    density = gaussian_label(boxes, cells, sigma, stride) / (2 * math.pi * sigma**2)
    mass = density.sum(dim=(-2, -1), keepdim=True)
    uniform = torch.full_like(density, 1 / (cells + 1) ** 2)
    return torch.where(mass > _LEAST_MASS, density / mass.clamp(min=_LEAST_MASS), uniform)
