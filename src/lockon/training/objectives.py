"""Training losses of the probabilistic trackers."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def centre_divergence(
    scores: Float[Tensor, "*n rows cols"], density: Float[Tensor, "*n rows cols"]
) -> Float[Tensor, "*n"]:
    """Cross-entropy of score maps, read as log densities on the grid, to label densities (PrDiMP, Eq. 9)."""
    return scores.flatten(-2).logsumexp(dim=-1) - (scores * density).sum(dim=(-2, -1))


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
