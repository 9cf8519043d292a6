"""What a probabilistic tracker believes: the densities it predicts, and their moments.

PrDiMP, Sec. 3; supplement Sec. 4 and Fig. 3. The reference only draws them; mean, covariance and entropy of the
normalised densities on their grids are an extension.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lockon.networks.iou_net import BoxFeatures, BoxScorer
from lockon.tracking.localisers import ScoreGrid
from lockon.tracking.search_region import CropFrame
from lockon.types import BoxDensity

STEPS = 41
"""Points per axis of the two slices through the box density."""
SIZE_RANGE = math.log(3)
"""The size slice reaches from a third to three times the box."""

Grid = Float[np.ndarray, "targets rows cols"]


def predicted_density(
    net: BoxScorer,
    modulation: tuple[Tensor, ...],
    features: BoxFeatures,
    boxes: Float[Tensor, "targets 4"],
    crop: CropFrame,
    centre_maps: Grid,
    grid: ScoreGrid,
) -> BoxDensity:
    """Densities of the target centre and of the box, around the given boxes.

    Args:
        net: energy network.
        modulation: of each target.
        features: box features of the whole search regions.
        boxes: current boxes `(x, y, w, h)` in crop pixels.
        crop: where the search regions lie in the image.
        centre_maps: soft-maxed score maps.
        grid: how their cells lie in the search regions.
    """
    sizes = boxes[:, 2:].cpu().numpy().astype(np.float64)
    centres = boxes[:, :2].cpu().numpy() + sizes / 2
    position, offsets = _slice(net, modulation, features, boxes, relative_size=False)
    size, log_ratios = _slice(net, modulation, features, boxes, relative_size=True)

    scale = crop.scale.numpy().astype(np.float64)
    # A continuous image coordinate lies half a pixel beyond the index of the pixel whose centre it is.
    middle = crop.position.flip(-1).numpy() + 0.5
    origin = middle - crop.sample_size / 2 * scale[:, None]
    offset_mean, offset_covariance = _moments(position, offsets)
    ratio_mean, ratio_covariance = _moments(size, log_ratios)
    box_centre = (centres + offset_mean * sizes) * scale[:, None] + origin
    box_size = sizes * np.exp(ratio_mean) * scale[:, None]
    covariance = np.zeros((len(sizes), 4, 4))
    side = sizes * scale[:, None]
    covariance[:, :2, :2] = offset_covariance * side[:, :, None] * side[:, None, :]
    covariance[:, 2:, 2:] = ratio_covariance

    cells = np.stack(np.meshgrid(*(np.arange(n) for n in centre_maps.shape[:0:-1])), axis=-1)
    cell_size = (grid.cell * scale)[:, None, None, None]
    centre_grid = middle[:, None, None] + (cells - np.asarray(grid.centre)[::-1]) * cell_size
    centre_maps = centre_maps / centre_maps.sum(axis=(1, 2), keepdims=True)
    centre_mean, centre_covariance = _moments(centre_maps, centre_grid)
    return BoxDensity(
        centre_map=centre_maps,
        centre_grid_xy=centre_grid,
        centre_mean_xy=centre_mean,
        centre_covariance=centre_covariance,
        centre_entropy=_entropy(centre_maps),
        position_slice=position,
        size_slice=size,
        box_mean=np.concatenate([box_centre, box_size], axis=1),
        box_covariance=covariance,
        box_entropy=np.stack([_entropy(position), _entropy(size)], axis=1),
    )


def _slice(
    net: BoxScorer, modulation: tuple[Tensor, ...], features: BoxFeatures, boxes: Tensor, *, relative_size: bool
) -> tuple[Grid, NDArray[np.float64]]:
    """Density over relative positions (in box sizes) or relative sizes (log ratios), and the grid of these (x, y)."""
    reach = SIZE_RANGE if relative_size else 1.0
    axis = torch.linspace(-reach, reach, STEPS, device=boxes.device)[:, None]
    low, size = boxes[:, None, :2], boxes[:, None, 2:]
    if relative_size:
        low, size = low + size * (1 - axis.exp()) / 2, size * axis.exp()
    else:
        low, size = low + axis * size, size.expand(-1, STEPS, -1)
    columns, rows = torch.stack([low, size], dim=-1).unbind(2)
    scores = net.predict_grid(modulation, features, columns, rows)
    density = scores.double().flatten(1).softmax(dim=1).view(scores.shape).cpu().numpy()
    line = axis[:, 0].double().cpu().numpy()
    return density, np.stack(np.meshgrid(line, line), axis=-1)[None]


def _moments(
    density: Grid, points: Float[np.ndarray, "#targets rows cols 2"]
) -> tuple[Float[np.ndarray, "targets 2"], Float[np.ndarray, "targets 2 2"]]:
    mass = density[..., None]
    mean = (mass * points).sum(axis=(1, 2))
    centred = points - mean[:, None, None]
    return mean, np.einsum("trc,trci,trcj->tij", density, centred, centred)


def _entropy(density: Grid) -> Float[np.ndarray, "targets"]:
    """In nats."""
    entropy: NDArray[np.float64] = -(density * np.log(np.maximum(density, np.finfo(np.float64).tiny))).sum(
        axis=(1, 2)
    )
    return entropy
