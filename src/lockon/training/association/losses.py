"""The loss of the association network: how improbable it takes the matches to be that are known."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lockon.training.association.supervision import ALONE

LossKind = Literal["balanced", "likelihood"]
"""`balanced`: mean over the known pairs, and over the candidates without partner, half each, as the published code
has it. `likelihood`: the sum of both, as the paper writes it (Eq. 2 and 3)."""


class MatchLosses(NamedTuple):
    """Of each pair of frames."""

    pairs: Float[Tensor, "batch"]
    """Of the candidates that are in both frames."""
    alone: Float[Tensor, "batch"]
    """Of those that are in one."""

    @property
    def total(self) -> Float[Tensor, "batch"]:
        """To descend on."""
        return self.pairs + self.alone


def match_losses(
    log_assignment: Float[Tensor, "batch previous+1 current+1"],
    previous_partners: Int[Tensor, "batch previous"],
    current_partners: Int[Tensor, "batch current"],
    kind: LossKind = "balanced",
) -> MatchLosses:
    """Negative log likelihood of what is known of the candidates of two frames.

    Args:
        log_assignment: log probabilities, with the dustbins last.
        previous_partners: index of the same object in the current frame, `ALONE` or `UNKNOWN`.
        current_partners: the same the other way; pairs are counted here.
        kind: how the terms are weighed.
    """
    paired = current_partners >= 0
    partner = current_partners.clamp(min=0)[:, None]
    of_pairs = log_assignment[:, :, :-1].gather(1, partner)[:, 0]
    lost, new = previous_partners == ALONE, current_partners == ALONE
    pairs = -torch.where(paired, of_pairs, 0).sum(dim=1)
    alone = -torch.where(lost, log_assignment[:, :-1, -1], 0).sum(dim=1)
    alone = alone - torch.where(new, log_assignment[:, -1, :-1], 0).sum(dim=1)
    if kind == "likelihood":
        return MatchLosses(pairs, alone)
    counts = paired.sum(dim=1), lost.sum(dim=1) + new.sum(dim=1)
    return MatchLosses(*(0.5 * terms / n.clamp(min=1) for terms, n in zip((pairs, alone), counts, strict=True)))
