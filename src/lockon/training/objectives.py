"""Training losses: of score maps, of predicted overlaps and of box energies; all of them per map or per image.

A loss gives one number for each leading index, so that a task can leave out what has no annotation (`mean_of_valid`)
and log what it likes. Everything is computed in the type of its inputs; tasks hand over float32.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def hinge_loss(
    scores: Float[Tensor, "*n rows cols"], labels: Float[Tensor, "*n rows cols"], *, threshold: float = 0.05
) -> Float[Tensor, "*n"]:
    """Mean squared error to a label map, where background may score as low as it likes (DiMP, Sec. 3.1: LBHinge).

    Cells whose label is below `threshold` are background: there, only positive scores cost.
    """
    background = labels < threshold
    residuals = torch.where(background, scores.relu(), scores - labels)
    return residuals.square().mean(dim=(-2, -1))


def centre_divergence(
    scores: Float[Tensor, "*n rows cols"], density: Float[Tensor, "*n rows cols"]
) -> Float[Tensor, "*n"]:
    """Cross-entropy of score maps, read as log densities on the grid, to label densities (PrDiMP, Eq. 9).

    Its least value is the entropy of the density.
    """
    # The density sums to 1, so a constant may be taken off the scores: large ones would cancel badly.
    scores = scores - scores.detach().amax(dim=(-2, -1), keepdim=True)
    return scores.flatten(-2).logsumexp(dim=-1) - (scores * density).sum(dim=(-2, -1))


def overlap_error(
    predicted: Float[Tensor, "*n proposals"], overlap: Float[Tensor, "*n proposals"]
) -> Float[Tensor, "*n"]:
    """Mean squared error of the predicted overlap of each box (ATOM, Sec. 3.1); both scaled to [-1, 1]."""
    return (predicted - overlap).square().mean(dim=-1)


def box_divergence(
    energies: Float[Tensor, "*n proposals"],
    log_label: Float[Tensor, "*n proposals"],
    log_proposal: Float[Tensor, "*n proposals"],
) -> Float[Tensor, "*n"]:
    """KL divergence of box energies to the label density, up to a constant (PrDiMP, Eq. 8), by importance sampling.

    `log(1/N Σ exp(s) / q) − 1/N Σ s p / q` over N proposals drawn from q.
    """
    count = energies.shape[-1]
    partition = (energies - log_proposal).logsumexp(dim=-1) - math.log(count)
    return partition - (energies * (log_label - log_proposal).exp()).mean(dim=-1)


def box_likelihood(
    energies: Float[Tensor, "*n proposals"], log_proposal: Float[Tensor, "*n proposals"]
) -> Float[Tensor, "*n"]:
    """Negative log likelihood of the annotated box under the box energies (`atom_prob_ml`), by importance sampling.

    `log(1/N Σ exp(s) / q) − s₀` over N proposals drawn from q. The annotated box stands before them, as element
    0; its `log_proposal` is not read.
    """
    annotated, drawn = energies[..., 0], energies[..., 1:]
    partition = (drawn - log_proposal[..., 1:]).logsumexp(dim=-1) - math.log(drawn.shape[-1])
    return partition - annotated


def iterate_weights(
    count: int, *, initial: float, intermediate: float, final: float, like: Tensor
) -> Float[Tensor, "{count}"]:
    """Weights of the losses of an optimiser's iterates (DiMP, Sec. 3.5).

    Args:
        count: number of iterates, the first filter and the result included.
        initial: weight of the first filter.
        intermediate: weight that the iterates between share.
        final: weight of the result; the only one if there are no iterations.
        like: tensor whose type and device the weights have.
    """
    between = max(count - 2, 1)
    weights = [initial] + [intermediate / between] * (count - 2) + [final]
    return like.new_tensor(weights[-count:])


def mean_of_valid(values: Float[Tensor, "*n"], valid: Bool[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Mean over the valid entries; 0, with gradient 0, if there are none. The others must be finite."""
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)
