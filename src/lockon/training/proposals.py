"""Boxes around the annotated one, for the box branch to score: with their overlaps, or with densities.

All functions take boxes `(x, y, w, h)` in crop pixels with any leading dimensions and add one for the proposals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.random import Generator
from torch import Tensor

from lockon.boxes import cxcywh_to_xywh, iou, xywh_to_cxcywh

_MOST_ROUNDS = 100
_SHRINKAGE = 0.9
_LEAST_SIZE = 1.0
"""In pixels; smaller proposals get a size from `_REPLACEMENT`."""
_REPLACEMENT = (0.15, 0.5)
"""Range of the size of such a proposal, relative to the annotated box."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OverlapProposalConfig:
    """Gaussian noise of one of several strengths, with the overlap as target (ATOM: 16 proposals, DiMP: 8)."""

    count: int = 8
    factors: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.3)
    """Standard deviations to choose from, in square roots of the box area."""
    min_iou: float = 0.1
    """Proposals that overlap no more than this are drawn anew, with less noise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DensityProposalConfig:
    """A mixture of Gaussians in relative box coordinates, with densities (PrDiMP supplement, Sec. 2)."""

    count: int = 128
    proposal_sigmas: tuple[float, ...] = (0.05, 0.5)
    """Standard deviations of the equally likely components in (cx / w, cy / h, log w, log h)."""
    label_sigma: float = 0.05
    """Standard deviation of the annotation noise, likewise."""
    truth_first: bool = False
    """Put the annotated box before the drawn ones, for the maximum-likelihood loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MixtureOverlapConfig:
    """The same mixture, with the overlap as target."""

    count: int = 128
    proposal_sigmas: tuple[float, ...] = (0.05, 0.5)
    """As in `DensityProposalConfig`."""


ProposalConfig = OverlapProposalConfig | DensityProposalConfig | MixtureOverlapConfig


class OverlapProposals(NamedTuple):
    """Boxes to score, and the scores."""

    boxes: Float[Tensor, "*n proposals 4"]
    """`(x, y, w, h)` in crop pixels."""
    overlap: Float[Tensor, "*n proposals"]
    """`2 · IoU − 1` with the annotated box, in [−1, 1]."""


class DensityProposals(NamedTuple):
    """Boxes to score, with the two densities the box loss weighs them by."""

    boxes: Float[Tensor, "*n proposals 4"]
    """`(x, y, w, h)` in crop pixels."""
    log_label: Float[Tensor, "*n proposals"]
    """log p(y | y_gt) of the annotation noise."""
    log_proposal: Float[Tensor, "*n proposals"]
    """log q(y | y_gt) of the distribution the boxes are drawn from; +∞ for the annotated box itself, which is not
    drawn and so has no part in averages over exp(·) / q."""


Proposals = OverlapProposals | DensityProposals


def draw_proposals(boxes: Float[Tensor, "*n 4"], config: ProposalConfig, rng: Generator) -> Proposals:
    """Draw proposals around annotated boxes, with the targets that the configuration asks for."""
    match config:
        case OverlapProposalConfig():
            return draw_overlap_proposals(boxes, config, rng)
        case DensityProposalConfig():
            return draw_density_proposals(boxes, config, rng)
        case MixtureOverlapConfig():
            offsets = _draw_offsets(boxes, config.count, config.proposal_sigmas, rng)
            proposals = from_relative(offsets, boxes[..., None, :])
            return OverlapProposals(proposals, 2 * iou(proposals, boxes[..., None, :]) - 1)


def draw_overlap_proposals(
    boxes: Float[Tensor, "*n 4"], config: OverlapProposalConfig, rng: Generator
) -> OverlapProposals:
    """Boxes of whole pixels that overlap the annotated ones (ATOM, Sec. 3.1; rejection as in the reference).

    Each proposal has a noise strength of its own. As long as it overlaps too little it is drawn anew with 0.9 times
    the standard deviation; after 100 rounds the last draw stays.
    """
    shape = (*boxes.shape[:-1], config.count)
    truth = boxes[..., None, :].expand(*shape, 4).reshape(-1, 4)
    factor = rng.choice(np.asarray(config.factors, np.float32), len(truth))
    sigma = truth[:, 2:].prod(dim=1).sqrt() * torch.from_numpy(factor)
    proposals, overlap = torch.empty_like(truth), truth.new_zeros(len(truth))
    pending = torch.arange(len(truth))
    for _ in range(_MOST_ROUNDS):
        proposals[pending] = _disturb(truth[pending], sigma[pending], rng)
        overlap[pending] = iou(proposals[pending], truth[pending])
        pending = pending[overlap[pending] <= config.min_iou]
        if not len(pending):
            break
        sigma[pending] *= _SHRINKAGE
    return OverlapProposals(proposals.view(*shape, 4), 2 * overlap.view(shape) - 1)


def _disturb(boxes: Float[Tensor, "n 4"], sigma: Float[Tensor, "n"], rng: Generator) -> Float[Tensor, "n 4"]:
    """Boxes of whole pixels with Gaussian noise on centre and size; none is thinner than a pixel by accident."""
    noisy = xywh_to_cxcywh(boxes) + sigma[:, None] * _normal((len(boxes), 4), rng)
    noisy[:, 2:] = _replace_thin(noisy[:, 2:], boxes[:, 2:], rng)
    rounded = cxcywh_to_xywh(noisy).round()
    rounded[:, 2:] = _replace_thin(rounded[:, 2:], boxes[:, 2:], rng)
    return rounded


def _replace_thin(
    sizes: Float[Tensor, "n 2"], annotated: Float[Tensor, "n 2"], rng: Generator
) -> Float[Tensor, "n 2"]:
    share = torch.from_numpy(rng.uniform(*_REPLACEMENT, tuple(sizes.shape)).astype(np.float32))
    return torch.where(sizes <= _LEAST_SIZE, annotated * share, sizes)


def draw_density_proposals(
    boxes: Float[Tensor, "*n 4"], config: DensityProposalConfig, rng: Generator
) -> DensityProposals:
    """Boxes from the mixture, with both log densities in relative coordinates (cx / w, cy / h, log w, log h)."""
    offsets = _draw_offsets(boxes, config.count, config.proposal_sigmas, rng)
    components = torch.stack([_log_gaussian(offsets, sigma) for sigma in config.proposal_sigmas])
    log_proposal = components.logsumexp(dim=0) - math.log(len(config.proposal_sigmas))
    if config.truth_first:
        offsets = torch.cat([torch.zeros_like(offsets[..., :1, :]), offsets], dim=-2)
        log_proposal = torch.cat([torch.full_like(log_proposal[..., :1], math.inf), log_proposal], dim=-1)
    proposals = from_relative(offsets, boxes[..., None, :])
    return DensityProposals(proposals, _log_gaussian(offsets, config.label_sigma), log_proposal)


def from_relative(offsets: Float[Tensor, "*n 4"], boxes: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n 4"]:
    """Boxes at relative coordinates `(cx / w, cy / h, log w, log h)` away from given boxes `(x, y, w, h)`."""
    centre, size = xywh_to_cxcywh(boxes).split(2, dim=-1)
    moved = torch.cat([centre + offsets[..., :2] * size, size * offsets[..., 2:].exp()], dim=-1)
    return cxcywh_to_xywh(moved)


def _draw_offsets(
    boxes: Float[Tensor, "*n 4"], count: int, sigmas: tuple[float, ...], rng: Generator
) -> Float[Tensor, "*n {count} 4"]:
    shape = (*boxes.shape[:-1], count)
    component = rng.choice(np.asarray(sigmas, np.float32), shape)
    return torch.from_numpy(component)[..., None] * _normal((*shape, 4), rng)


def _log_gaussian(offsets: Float[Tensor, "*n 4"], sigma: float) -> Float[Tensor, "*n"]:
    return -offsets.square().sum(dim=-1) / (2 * sigma**2) - 4 * math.log(sigma * math.sqrt(2 * math.pi))


def _normal(shape: tuple[int, ...], rng: Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, np.float32))
