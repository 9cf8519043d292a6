import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.boxes import iou
from lockon.training.proposals import (
    DensityProposalConfig,
    MixtureOverlapConfig,
    OverlapProposalConfig,
    draw_proposals,
    from_relative,
)

BOX = torch.tensor([100.0, 80, 40, 60])


def rng(seed=0):
    return np.random.default_rng(seed)


def relative_offsets(boxes, truth):
    """(cx / w, cy / h, log w, log h) less those of the annotated box."""
    size = truth[2:]
    centre = boxes[..., :2] + boxes[..., 2:] / 2 - truth[:2] - size / 2
    return torch.cat([centre / size, (boxes[..., 2:] / size).log()], dim=-1).double()


def normal(offsets, sigma):
    return torch.distributions.Normal(0, sigma).log_prob(offsets).sum(dim=-1)


def test_relative_offsets_move_and_scale():
    moved = from_relative(torch.tensor([0.5, -0.25, math.log(2), 0.0]), torch.tensor([10.0, 20, 40, 80]))
    assert moved.tolist() == pytest.approx([50 - 40, 40 - 40, 80, 80])


def test_density_proposals_carry_the_densities_they_were_drawn_from():
    proposals = draw_proposals(BOX.expand(40, 4), DensityProposalConfig(count=500), rng())
    assert proposals.boxes.shape == (40, 500, 4)
    assert proposals.boxes.dtype == proposals.log_label.dtype == torch.float32
    offsets = relative_offsets(proposals.boxes, BOX)
    torch.testing.assert_close(proposals.log_label.double(), normal(offsets, 0.05), atol=1e-3, rtol=1e-4)
    mixture = torch.stack([normal(offsets, 0.05), normal(offsets, 0.5)]).logsumexp(dim=0) - math.log(2)
    torch.testing.assert_close(proposals.log_proposal.double(), mixture, atol=1e-3, rtol=1e-4)


def test_density_proposals_have_the_moments_of_the_mixture():
    proposals = draw_proposals(BOX.expand(100, 4), DensityProposalConfig(count=500), rng())
    offsets = relative_offsets(proposals.boxes, BOX).flatten(0, 1)
    variance = (0.05**2 + 0.5**2) / 2
    assert offsets.mean(dim=0).abs().max() < 0.01
    assert offsets.var(dim=0).tolist() == pytest.approx([variance] * 4, rel=0.03)
    fourth = 3 * (0.05**4 + 0.5**4) / 2
    assert offsets.pow(4).mean(dim=0).tolist() == pytest.approx([fourth] * 4, rel=0.1)
    # All four coordinates of a box come from the same component: far out in one is far out in the others.
    far = offsets.abs() > 0.25
    assert far[far[:, 0], 1].double().mean() == pytest.approx(2 * (1 - 0.6915), abs=0.02)


def test_densities_integrate_to_one_by_monte_carlo():
    drawn = draw_proposals(BOX.expand(100, 4), DensityProposalConfig(count=1000), rng())
    # Under q, the mean of p / q is the mass of p, and that of the wide component over q is the mass of that.
    assert (drawn.log_label - drawn.log_proposal).exp().mean() == pytest.approx(1.0, abs=0.02)
    wide = normal(relative_offsets(drawn.boxes, BOX), 0.5)
    assert (wide - drawn.log_proposal.double()).exp().mean() == pytest.approx(1.0, abs=0.02)


def test_the_maximum_likelihood_variant_puts_the_annotated_box_first():
    truth = BOX.expand(2, 3, 4)
    drawn = draw_proposals(truth, DensityProposalConfig(count=7, truth_first=True), rng())
    plain = draw_proposals(truth, DensityProposalConfig(count=7), rng())
    assert drawn.boxes.shape == (2, 3, 8, 4)
    torch.testing.assert_close(drawn.boxes[..., 0, :], truth)
    assert (drawn.log_proposal[..., 0] == math.inf).all()
    assert drawn.log_label[..., 0].tolist() == [[pytest.approx(-4 * math.log(0.05 * math.sqrt(2 * math.pi)))] * 3] * 2
    torch.testing.assert_close(drawn.boxes[..., 1:, :], plain.boxes)
    torch.testing.assert_close(drawn.log_proposal[..., 1:], plain.log_proposal)
    energies = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    with_truth = (energies - drawn.log_proposal).logsumexp(dim=-1)
    torch.testing.assert_close(with_truth, (energies[..., 1:] - plain.log_proposal).logsumexp(dim=-1))


def test_mixture_proposals_with_overlaps_are_the_same_boxes():
    drawn = draw_proposals(BOX, MixtureOverlapConfig(count=64), rng(5))
    torch.testing.assert_close(drawn.boxes, draw_proposals(BOX, DensityProposalConfig(count=64), rng(5)).boxes)
    torch.testing.assert_close(drawn.overlap, 2 * iou(drawn.boxes, BOX) - 1)


def test_overlap_proposals_are_whole_pixels_that_overlap_enough():
    truth = torch.stack([BOX, torch.tensor([3.3, 7.7, 90.2, 11.1])])
    drawn = draw_proposals(truth, OverlapProposalConfig(count=400), rng())
    assert drawn.boxes.shape == (2, 400, 4)
    torch.testing.assert_close(drawn.overlap, 2 * iou(drawn.boxes, truth[:, None]) - 1)
    assert drawn.overlap.min() > 2 * 0.1 - 1
    assert drawn.boxes[..., 2:].min() > 1
    assert (drawn.boxes[..., :2] == drawn.boxes[..., :2].round()).all()
    broken = drawn.boxes[..., 2:] != drawn.boxes[..., 2:].round()
    assert not broken[0].any()
    assert broken.double().mean() < 0.01  # where a size was rounded to a pixel, and replaced after that


def test_overlap_proposals_have_the_noise_that_was_asked_for():
    box = torch.tensor([1000.0, 500, 400, 400])
    for factor in (0.01, 0.1):
        drawn = draw_proposals(box, OverlapProposalConfig(count=4000, factors=(factor,)), rng())
        noise = torch.cat([drawn.boxes[:, :2] + drawn.boxes[:, 2:] / 2, drawn.boxes[:, 2:]], dim=1)
        assert noise.mean(dim=0).tolist() == pytest.approx([1200, 700, 400, 400], abs=400 * factor * 0.1)
        assert noise.std(dim=0).tolist() == pytest.approx([400 * factor] * 4, rel=0.06)
        assert torch.corrcoef(noise.T).fill_diagonal_(0).abs().max() < 0.06


def test_every_noise_strength_is_equally_likely():
    drawn = draw_proposals(torch.tensor([1000.0, 500, 400, 400]), OverlapProposalConfig(count=6000), rng())
    noise = drawn.boxes[:, :2] + drawn.boxes[:, 2:] / 2 - torch.tensor([1200.0, 700.0])
    expected = np.mean([(400 * factor) ** 2 for factor in (0.01, 0.05, 0.1, 0.2, 0.3)])
    assert noise.square().mean() == pytest.approx(expected, rel=0.1)
    # A fifth of the boxes has a standard deviation of 4, and 95 % of those lie within two of them per axis.
    near = (noise.abs() < 8).all(dim=1).double().mean()
    others = np.mean([math.erf(8 / (400 * f) / math.sqrt(2)) ** 2 for f in (0.01, 0.05, 0.1, 0.2, 0.3)])
    assert near == pytest.approx(others, abs=0.02)


def test_rejected_boxes_are_drawn_anew_with_less_noise():
    """Noise of 30 box sizes: hardly a first draw overlaps, yet shrinking finds one."""
    drawn = draw_proposals(BOX, OverlapProposalConfig(count=200, factors=(30.0,)), rng())
    assert drawn.overlap.min() > -0.8
    # Shrunk only as far as needed, the noise ends at the order of the box, not at nothing.
    spread = (drawn.boxes[:, 0] - 100).std()
    assert 5 < spread < 200


def test_after_a_hundred_rounds_the_last_draw_stays():
    hopeless = OverlapProposalConfig(count=5, factors=(1e9,))
    drawn = draw_proposals(BOX, hopeless, rng())
    assert drawn.overlap.tolist() == [-1.0] * 5
    final = 1e9 * math.sqrt(40 * 60) * 0.9**99
    assert 0.3 * final < (drawn.boxes[:, 0] - 100).square().mean().sqrt() < 3 * final


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(1.5, 400), st.floats(1.5, 400)),
    st.integers(0, 1000),
)
def test_overlap_proposals_are_sound_for_any_box(box, seed):
    truth = torch.tensor(box)
    drawn = draw_proposals(truth, OverlapProposalConfig(count=16), rng(seed))
    assert torch.isfinite(drawn.boxes).all()
    assert (drawn.boxes[:, 2:] > 0).all()
    assert (drawn.overlap.abs() <= 1).all()


def test_thin_proposals_get_a_share_of_the_annotated_size():
    thin = torch.tensor([0.0, 0.0, 100.0, 2.0])  # noise of 0.3 · sqrt(200) = 4 pixels on a height of 2
    drawn = draw_proposals(thin, OverlapProposalConfig(count=2000, factors=(0.3,), min_iou=-1.0), rng())
    heights = drawn.boxes[:, 3]
    replaced = heights[heights <= 1]
    assert len(replaced) > 200
    assert replaced.min() >= 0.15 * 2
    assert replaced.max() <= 0.5 * 2
    assert replaced.mean() == pytest.approx(0.325 * 2, rel=0.05)


def test_proposals_are_reproducible_and_leave_boxes_alone():
    boxes = BOX.expand(3, 4).clone()
    for config in (OverlapProposalConfig(), DensityProposalConfig(), MixtureOverlapConfig()):
        first, again = draw_proposals(boxes, config, rng(1)), draw_proposals(boxes, config, rng(1))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not torch.equal(first.boxes, draw_proposals(boxes, config, rng(2)).boxes)
    assert torch.equal(boxes, BOX.expand(3, 4))
