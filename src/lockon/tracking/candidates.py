"""Candidates: the local maxima of a score map, each of them the target or something that looks like it.

KeepTrack (ICCV 2021), Sec. 3.3, with the window and the coordinates of the reference implementation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int64, Num
from torch import Tensor

from lockon.tracking.search_region import CropFrame

WINDOW = 5
"""Cells, along each side, within which a candidate is the highest."""
_LEAST = 1e-6
"""Height, and curvature, that counts as none."""


class Peaks(NamedTuple):
    """Local maxima of T score maps, the highest first, filled up to the largest number N of any map."""

    cells: Int64[Tensor, "targets n 2"]
    """(row, col) in the score map; 0 where there is none."""
    scores: Float32[Tensor, "targets n"]
    """Height; 0 where there is none."""
    valid: Bool[Tensor, "targets n"]


def find_candidates(score_maps: Float[Tensor, "targets rows cols"], threshold: float, window: int = WINDOW) -> Peaks:
    """All cells that are the highest of the window around them; of equal neighbours all.

    Args:
        score_maps: one per target, on the host.
        threshold: height that a candidate exceeds.
        window: odd number of cells.
    """
    maps = score_maps.float()
    highest = F.max_pool2d(maps[:, None], window, stride=1, padding=window // 2)[:, 0]
    heights = torch.where(maps == highest, maps, -torch.inf).flatten(1)
    count = int((heights > threshold).sum(dim=1).amax())
    # Stable, so that of equal heights the first in reading order is the first in a batch, too.
    order = heights.argsort(dim=1, descending=True, stable=True)[:, :count]
    scores = heights.gather(1, order)
    valid = scores > threshold
    cols = maps.shape[2]
    cells = torch.stack([order // cols, order % cols], dim=-1)
    return Peaks(cells * valid[..., None], torch.where(valid, scores, 0), valid)


def refined_cells(
    score_maps: Float[Tensor, "targets rows cols"], cells: Int64[Tensor, "targets n 2"]
) -> Float32[Tensor, "targets n 2"]:
    """Where peaks lie between the cells: at the tops of parabolas through the logarithms of their heights.

    That is exact for peaks that are Gaussian. A peak moves by half a cell at most, and not across the border.

    Args:
        score_maps: as in `find_candidates`.
        cells: (row, col) of the peaks.
    """
    heights = F.pad(score_maps.float()[:, None], (1, 1, 1, 1), mode="reflect")[:, 0].clamp(min=_LEAST).log()
    target = torch.arange(len(cells))[:, None]
    row, col = (cells + 1).unbind(dim=-1)
    before = torch.stack([heights[target, row - 1, col], heights[target, row, col - 1]], dim=-1)
    after = torch.stack([heights[target, row + 1, col], heights[target, row, col + 1]], dim=-1)
    curvature = (2 * heights[target, row, col][..., None] - before - after).clamp(min=_LEAST)
    return cells + ((after - before) / (2 * curvature)).clamp(-0.5, 0.5)


def image_places(
    cells: Num[Tensor, "targets n 2"], crop: CropFrame, map_hw: tuple[int, int]
) -> Float32[Tensor, "targets n 2"]:
    """Pixel indices (row, col) in the image of cells of the score map.

    The outermost cells lie on the outermost pixels of the search region (reference behaviour; half a pixel at most
    from where a displacement in the frame loop leads).

    Args:
        cells: (row, col), whole or between the cells.
        crop: where the search regions lie.
        map_hw: rows and columns of the score map.
    """
    extent = (crop.scale * crop.sample_size - 1)[:, None, None]
    share = cells / torch.tensor([side - 1 for side in map_hw]) - 0.5
    return crop.position[:, None] + share * extent
