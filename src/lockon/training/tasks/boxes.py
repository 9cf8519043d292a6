"""The loss of the box head, common to all trackers: boxes in later frames, scored with the first as the reference."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lockon.networks.iou_net import BoxScorer
from lockon.training.objectives import box_divergence, box_likelihood, mean_of_valid, overlap_error
from lockon.training.proposals import DensityProposals, OverlapProposals
from lockon.training.tasks.base import at_least_float32

BoxLoss = Literal["overlap", "divergence", "likelihood"]
"""Predicted overlap (ATOM, DiMP), divergence to the label density (PrDiMP), likelihood (`atom_prob_ml`)."""
NOWHERE = 99999.0
"""A box that begins here or farther right marks a frame without annotation, which no box loss counts."""


def box_loss(
    head: BoxScorer,
    layer2: Float[Tensor, "batch frames c2 rows8 cols8"],
    layer3: Float[Tensor, "batch frames c3 rows cols"],
    boxes: Float[Tensor, "batch frames 4"],
    proposals: OverlapProposals | DensityProposals,
    kind: BoxLoss,
) -> Float[Tensor, ""]:
    """Mean loss over the frames that have proposals, which are the last ones; the first frame is the reference.

    Args:
        head: scores boxes.
        layer2: backbone features at stride 8.
        layer3: backbone features at stride 16.
        boxes: `(x, y, w, h)` in crop pixels.
        proposals: of the last frames.
        kind: which loss.
    """
    scored = proposals.boxes.shape[1]
    modulation = head.modulation(layer2[:, 0], layer3[:, 0], boxes[:, 0])
    maps = head.test_features(layer2[:, -scored:].flatten(0, 1), layer3[:, -scored:].flatten(0, 1))
    repeated = [vector.repeat_interleave(scored, dim=0) for vector in modulation]
    energies = at_least_float32(head.predict(repeated, maps, proposals.boxes.flatten(0, 1)))
    losses = _loss_per_frame(energies.unflatten(0, (-1, scored)), proposals, kind)
    return mean_of_valid(losses, boxes[:, -scored:, 0] < NOWHERE)


def _loss_per_frame(
    energies: Float[Tensor, "batch scored proposals"], proposals: OverlapProposals | DensityProposals, kind: BoxLoss
) -> Float[Tensor, "batch scored"]:
    if isinstance(proposals, OverlapProposals):
        assert kind == "overlap"
        return overlap_error(energies, proposals.overlap)
    if kind == "likelihood":
        return box_likelihood(energies, proposals.log_proposal)
    return box_divergence(energies, proposals.log_label, proposals.log_proposal)
