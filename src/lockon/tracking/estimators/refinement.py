"""Box refinement: gradient ascent of several proposals on a learned overlap or energy.

ATOM, Secs. 3.1 and 3.3 (predicted IoU); PrDiMP supplement, Sec. 4 (log density, relative space).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lockon.networks.iou_net import BoxFeatures, BoxScorer


@dataclass(frozen=True)
class RefinementConfig:
    """Proposals and ascent of the box refinement."""

    space: Literal["default", "relative"] = "default"
    """Ascend on (x, y, w, h) with steps scaled by the box size, or on (cx/w0, cy/h0, log w, log h)."""
    iterations: int = 5
    step: tuple[float, float] = (1.0, 1.0)
    """Step length for position and for size."""
    proposals: int = 9
    """Randomly jittered starts beside the plain one."""
    position_jitter: float = 0.1
    """Range of the position jitter, relative to the geometric mean of width and height."""
    size_jitter: float = 0.5
    """Range of the size jitter, likewise."""
    top: int = 3
    """How many of the best proposals are averaged."""
    max_aspect_ratio: float = 6.0
    """Proposals more elongated than this are dropped."""


class Refined(NamedTuple):
    """Outcome of a refinement."""

    boxes: Float[Tensor, "targets 4"]
    """`(x, y, w, h)` in crop pixels."""
    valid: Bool[Tensor, "targets"]
    """False where every proposal was dropped; the box then is the start box."""
    overreach: Float[Tensor, "targets"]
    """How far, in crop pixels, a proposal extends beyond the start box at the end."""


def jittered_boxes(
    boxes: Float[Tensor, "targets 4"], uniform: Float[Tensor, "targets proposals 4"], config: RefinementConfig
) -> Float[Tensor, "targets all_proposals 4"]:
    """Each box followed by its jittered copies.

    Args:
        boxes: start boxes `(x, y, w, h)`.
        uniform: random numbers in [0, 1).
        config: ranges of the jitter.
    """
    size = boxes[:, None, 2:]
    reach = size.prod(dim=-1, keepdim=True).sqrt()
    ranges = boxes.new_tensor([config.position_jitter] * 2 + [config.size_jitter] * 2)
    noise = (uniform - 0.5) * reach * ranges
    # A third of the shorter side is the least size a proposal may have.
    new_size = torch.maximum(size + noise[..., 2:], size.amin(dim=-1, keepdim=True) / 3)
    centre = boxes[:, None, :2] + size / 2 + noise[..., :2]
    return torch.cat([boxes[:, None], torch.cat([centre - new_size / 2, new_size], dim=-1)], dim=1)


def to_relative(
    boxes: Float[Tensor, "targets proposals 4"], reference: Float[Tensor, "targets 1 2"]
) -> Float[Tensor, "targets proposals 4"]:
    """`(x, y, w, h)` to `(cx / w0, cy / h0, log w, log h)`, with `(w0, h0)` the reference size."""
    return torch.cat([(boxes[..., :2] + boxes[..., 2:] / 2) / reference, boxes[..., 2:].log()], dim=-1)


def from_relative(
    relative: Float[Tensor, "targets proposals 4"], reference: Float[Tensor, "targets 1 2"]
) -> Float[Tensor, "targets proposals 4"]:
    """Inverse of `to_relative`."""
    size = relative[..., 2:].exp()
    return torch.cat([relative[..., :2] * reference - size / 2, size], dim=-1)


def ascend(
    net: BoxScorer,
    modulation: tuple[Tensor, ...],
    features: BoxFeatures,
    boxes: Float[Tensor, "targets proposals 4"],
    config: RefinementConfig,
) -> tuple[Float[Tensor, "targets proposals 4"], Float[Tensor, "targets proposals"]]:
    """Move every proposal uphill.

    Returns:
        The moved proposals, and the prediction for each *before* its last step (as the reference ranks them).
    """
    steps = boxes.new_tensor([config.step[0]] * 2 + [config.step[1]] * 2)
    reference = boxes[:, :1, 2:]
    scores = boxes.new_zeros(boxes.shape[:2])
    objective = net.objective(modulation, features)
    relative = to_relative(boxes, reference) if config.space == "relative" else boxes
    for _ in range(config.iterations):
        scores, gradient = objective(boxes)
        size = boxes[..., 2:]
        if config.space == "default":
            boxes = boxes + steps * gradient * torch.cat([size, size], dim=-1)
            continue
        # Chain rule: with the centre held, a wider box also starts further left.
        to_centre = gradient[..., :2] * reference
        to_size = (gradient[..., 2:] - gradient[..., :2] / 2) * size
        relative = relative + steps * torch.cat([to_centre, to_size], dim=-1)
        boxes = from_relative(relative, reference)
    return boxes, scores


def refine(
    net: BoxScorer,
    modulation: tuple[Tensor, ...],
    features: BoxFeatures,
    boxes: Float[Tensor, "targets 4"],
    uniform: Float[Tensor, "targets proposals 4"],
    config: RefinementConfig,
) -> Refined:
    """Refine one box per target: jitter, ascend, drop the implausible, average the best.

    Args:
        net: overlap or energy network.
        modulation: of each target, from its first frame.
        features: test features of each target's search region.
        boxes: start boxes `(x, y, w, h)` in crop pixels.
        uniform: random numbers in [0, 1) for the jitter.
        config: how to jitter, ascend and average.
    """
    proposals, scores = ascend(net, modulation, features, jittered_boxes(boxes, uniform, config), config)
    size = proposals[..., 2:].clamp(min=1)
    proposals = torch.cat([proposals[..., :2], size], dim=-1)
    aspect = size[..., 0] / size[..., 1]
    plausible = (aspect < config.max_aspect_ratio) & (aspect > 1 / config.max_aspect_ratio)
    count = plausible.sum(dim=1, keepdim=True).clamp(max=config.top)
    ranked = scores.masked_fill(~plausible, -torch.inf).topk(min(config.top, scores.shape[1]), dim=1).indices
    # Fewer than `top` plausible proposals: the ranks beyond them count for nothing.
    share = (torch.arange(ranked.shape[1], device=boxes.device) < count).to(boxes.dtype) / count.clamp(min=1)
    best = proposals.gather(1, ranked[..., None].expand(-1, -1, 4))
    valid = count[:, 0] > 0
    low, high = proposals[..., :2].amin(dim=1), (proposals[..., :2] + proposals[..., 2:]).amax(dim=1)
    overreach = torch.maximum(boxes[:, :2] - low, high - boxes[:, :2] - boxes[:, 2:]).amax(dim=1)
    averaged = (best * share[..., None]).sum(dim=1)
    return Refined(torch.where(valid[:, None], averaged, boxes), valid, overreach)
