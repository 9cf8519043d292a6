import math

import pytest
import torch

from lockon.boxes import Box
from lockon.training.processing import (
    Jitter,
    ProposalConfig,
    draw_proposals,
    from_relative,
    label_density,
    search_window,
    to_crop,
)

STILL = Jitter(centre=0.0, scale=0.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_label_density_matches_the_reference_value():
    density = label_density(torch.tensor([120.0, 100, 40, 60]), cells=18, stride=16, sigma=0.05 * 18)
    assert density.shape == (19, 19)
    peak = density.max()
    assert (density == peak).nonzero().tolist() == [[8, 9]]
    assert peak * 2 * math.pi * 0.9**2 == pytest.approx(0.9529, abs=1e-4)
    assert density.sum() == pytest.approx(1.0, abs=1e-6)


def test_label_density_is_uniform_where_the_target_is_far_outside():
    density = label_density(torch.tensor([[900.0, 900, 40, 60]]), cells=18, stride=16, sigma=0.9)
    assert torch.allclose(density, torch.full((1, 19, 19), 1 / 361))


def test_window_without_jitter_is_centred_on_the_box():
    window = search_window(Box(10, 20, 30, 30), 5.0, STILL, generator())
    assert window == Box(25 - 75, 35 - 75, 150, 150)
    assert to_crop(Box(10, 20, 30, 30), window, 300).tolist() == pytest.approx([120, 120, 60, 60])


def test_windows_stray_within_the_range_of_the_jitter():
    box, jitter = Box(100, 100, 40, 40), Jitter(centre=3.0, scale=0.0)
    offsets = torch.tensor(
        [search_window(box, 5.0, jitter, generator(seed)).center for seed in range(300)]
    ) - torch.tensor(box.center)
    assert offsets.abs().max() <= 60
    assert offsets.abs().max() > 55
    assert offsets.mean(dim=0).abs().max() < 8
    sizes = torch.tensor([search_window(box, 5.0, Jitter(centre=0, scale=0.5), generator(s)).w for s in range(300)])
    assert (sizes / 200).log().std() == pytest.approx(0.5 / math.sqrt(2), rel=0.15)  # of the mean of two log factors


def test_relative_offsets_move_and_scale():
    box = torch.tensor([10.0, 20, 40, 80])
    moved = from_relative(torch.tensor([0.5, -0.25, math.log(2), 0.0]), box)
    assert moved.tolist() == pytest.approx([50 - 40, 40 - 40, 80, 80])


def test_proposals_carry_the_densities_they_were_drawn_from():
    boxes = torch.tensor([[100.0, 80, 40, 60]]).expand(40, 4)
    proposals = draw_proposals(boxes, ProposalConfig(count=500), generator())
    assert proposals.boxes.shape == (40, 500, 4)
    size = torch.tensor([40.0, 60.0])
    offsets = torch.cat(
        [
            (proposals.boxes[..., :2] + proposals.boxes[..., 2:] / 2 - torch.tensor([120.0, 110.0])) / size,
            (proposals.boxes[..., 2:] / size).log(),
        ],
        dim=-1,
    ).double()

    def normal(sigma):
        return torch.distributions.Normal(0, sigma).log_prob(offsets).sum(dim=-1)

    assert torch.allclose(proposals.log_label.double(), normal(0.05), atol=1e-3)
    mixture = torch.stack([normal(0.05), normal(0.5)]).logsumexp(dim=0) - math.log(2)
    assert torch.allclose(proposals.log_proposal.double(), mixture, atol=1e-3)
    # Half of the draws come from each component, and p / q averages to 1 under q.
    assert (offsets.abs().amax(dim=-1) < 0.15).double().mean() == pytest.approx(0.5, abs=0.02)
    assert (proposals.log_label - proposals.log_proposal).exp().mean() == pytest.approx(1.0, abs=0.02)
