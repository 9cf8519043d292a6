"""From a target in a frame to what a network is trained on: search windows, label densities, box proposals.

Crop coordinates are continuous: a box maps to the crop by the offset and the scale of the window alone
(`(box - window) * output / window`), the convention of the DiMP family's training crops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lockon.boxes import Box, cxcywh_to_xywh, xywh_to_cxcywh
from lockon.nn.distance_map import gaussian_map


@dataclass(frozen=True, kw_only=True, slots=True)
class Jitter:
    """How far search windows stray from the target, as a tracker's do from one frame to the next."""

    centre: float
    """Range of the displacement, in square roots of the box area (DiMP: 3 for train, 4.5 for test frames)."""
    scale: float
    """Standard deviation of the log of the size factor (DiMP: 0.25 and 0.5)."""


def search_window(box: Box, factor: float, jitter: Jitter, generator: Generator) -> Box:
    """A jittered square window around a target, `factor` times the square root of the jittered box's area wide.

    DiMP training: size × exp(scale · N(0, 1)) per side, centre + centre · sqrt(area) · (U(0, 1) − 0.5) per axis.
    """
    growth = torch.exp(jitter.scale * torch.randn(2, generator=generator))
    side = math.sqrt(box.area * float(growth.prod()))
    shift = jitter.centre * side * (torch.rand(2, generator=generator) - 0.5)
    x, y = box.center
    width = math.ceil(factor * side)
    return Box(x + float(shift[0]) - width / 2, y + float(shift[1]) - width / 2, width, width)


def to_crop(box: Box, window: Box, size: int) -> Float[Tensor, "4"]:
    """A frame box in the pixels of a crop of `size` pixels a side."""
    scale = size / window.w
    return torch.tensor([(box.x - window.x) * scale, (box.y - window.y) * scale, box.w * scale, box.h * scale])


def label_density(
    boxes: Float[Tensor, "*n 4"], cells: int, stride: int, sigma: float
) -> Float[Tensor, "*n {cells+1} {cells+1}"]:
    """Density of the target centre over the score grid (PrDiMP, Sec. 4.1).

    A Gaussian around the box centre, normalised; uniform where the centre lies so far outside that nothing is left.

    Args:
        boxes: `(x, y, w, h)` in crop pixels.
        cells: rows and columns of the feature map; the score map of the even filter has one more.
        stride: crop pixels per cell.
        sigma: standard deviation in cells, a quarter of the mean target size.
    """
    side = cells + 1
    centres_yx = xywh_to_cxcywh(boxes)[..., [1, 0]] / stride
    density = gaussian_map(centres_yx, (side, side), sigma=sigma) / (2 * math.pi * sigma**2)
    total = density.sum(dim=(-2, -1), keepdim=True)
    return torch.where(total > 0.01, density / total.clamp(min=0.01), 1 / side**2)


class Proposals(NamedTuple):
    """Boxes to score, with the two densities the box loss weighs them by."""

    boxes: Float[Tensor, "*n proposals 4"]
    """`(x, y, w, h)` in crop pixels."""
    log_label: Float[Tensor, "*n proposals"]
    """log p(y | y_gt) of the annotation noise."""
    log_proposal: Float[Tensor, "*n proposals"]
    """log q(y | y_gt) of the distribution the boxes are drawn from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalConfig:
    """Distribution of the proposals in relative box coordinates (cx / w, cy / h, log w, log h)."""

    count: int = 128
    proposal_sigmas: tuple[float, ...] = (0.05, 0.5)
    """Standard deviations of the equally likely components (PrDiMP supplement, Sec. 2)."""
    label_sigma: float = 0.05
    """Standard deviation of the annotation noise."""


def draw_proposals(boxes: Float[Tensor, "*n 4"], config: ProposalConfig, generator: Generator) -> Proposals:
    """Draw boxes around annotated ones `(x, y, w, h)`, with both densities in relative coordinates."""
    shape = (*boxes.shape[:-1], config.count)
    sigmas = torch.tensor(config.proposal_sigmas)
    component = torch.randint(len(sigmas), shape, generator=generator)
    offsets = sigmas[component][..., None] * torch.randn(*shape, 4, generator=generator)
    components = torch.stack([_log_gaussian(offsets, sigma) for sigma in config.proposal_sigmas])
    return Proposals(
        boxes=from_relative(offsets, boxes[..., None, :]),
        log_label=_log_gaussian(offsets, config.label_sigma),
        log_proposal=components.logsumexp(dim=0) - math.log(len(sigmas)),
    )


def from_relative(offsets: Float[Tensor, "*n 4"], boxes: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n 4"]:
    """Boxes at relative coordinates `(cx / w, cy / h, log w, log h)` away from given boxes `(x, y, w, h)`."""
    centre, size = xywh_to_cxcywh(boxes).split(2, dim=-1)
    moved = torch.cat([centre + offsets[..., :2] * size, size * offsets[..., 2:].exp()], dim=-1)
    return cxcywh_to_xywh(moved)


def _log_gaussian(offsets: Float[Tensor, "*n 4"], sigma: float) -> Float[Tensor, "*n"]:
    return -offsets.square().sum(dim=-1) / (2 * sigma**2) - 4 * math.log(sigma * math.sqrt(2 * math.pi))
