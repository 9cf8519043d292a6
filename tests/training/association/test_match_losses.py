"""The loss of matches: by hand, by finite differences, through the whole network."""

import math

import pytest
import torch

from lockon.networks.association import AssociationNet, CandidateSet
from lockon.nn.sinkhorn import sinkhorn
from lockon.training.association.losses import match_losses
from lockon.training.association.supervision import ALONE, UNKNOWN

P = torch.tensor([[[0.6, 0.1, 0.3], [0.2, 0.5, 0.3], [0.2, 0.4, 1.4]]]).double()
"""Probabilities of two candidates each, with the dustbins."""


def losses(previous, current, kind="balanced", probabilities=P):
    result = match_losses(probabilities.log(), torch.tensor([previous]), torch.tensor([current]), kind)
    return [float(part) for part in (result.pairs, result.alone, result.total)]


def test_pairs_and_those_without_a_partner_share_the_loss():
    pairs, alone, total = losses([0, ALONE], [0, ALONE])
    assert pairs == pytest.approx(-0.5 * math.log(0.6))
    assert alone == pytest.approx(-0.5 * (math.log(0.3) + math.log(0.4)) / 2)
    assert total == pytest.approx(pairs + alone)


def test_pairs_are_averaged_whichever_way_they_go():
    assert losses([1, 0], [1, 0])[:2] == pytest.approx([-0.5 * (math.log(0.1) + math.log(0.2)) / 2, 0])


def test_what_is_unknown_costs_nothing():
    assert losses([UNKNOWN, UNKNOWN], [UNKNOWN, UNKNOWN]) == [0, 0, 0]
    assert losses([UNKNOWN, 1], [UNKNOWN, 1]) == pytest.approx([-0.5 * math.log(0.5), 0, -0.5 * math.log(0.5)])
    assert losses([ALONE, UNKNOWN], [UNKNOWN, UNKNOWN])[1] == pytest.approx(-0.5 * math.log(0.3))
    assert losses([UNKNOWN, UNKNOWN], [UNKNOWN, ALONE])[1] == pytest.approx(-0.5 * math.log(0.4))


def test_the_papers_loss_is_the_plain_sum():
    pairs, alone, total = losses([0, ALONE], [0, ALONE], "likelihood")
    assert pairs == pytest.approx(-math.log(0.6))
    assert alone == pytest.approx(-math.log(0.3) - math.log(0.4))
    assert total == pytest.approx(-math.log(0.6 * 0.3 * 0.4))


def test_frames_without_candidates():
    empty = torch.zeros(2, 1, 4)
    result = match_losses(empty, torch.zeros(2, 0).long(), torch.full((2, 3), ALONE))
    assert result.total.tolist() == [0, 0]


def test_each_pair_of_frames_has_its_own_loss():
    both = torch.cat([P, P.flip(1)]).log()
    result = match_losses(both, torch.tensor([[0, 1], [UNKNOWN, 0]]), torch.tensor([[0, 1], [1, UNKNOWN]]))
    assert result.total.tolist() == pytest.approx([-0.5 * math.log(0.3) / 2, -0.5 * math.log(0.2)])


@pytest.mark.parametrize("kind", ["balanced", "likelihood"])
def test_gradients_through_the_transport(kind):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    dustbin = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    valid = torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
    valid[0][1, 3] = valid[1][2, 0] = False
    previous = torch.tensor([[1, ALONE, UNKNOWN, 0], [UNKNOWN, 2, ALONE, UNKNOWN], [ALONE, 3, UNKNOWN, UNKNOWN]])
    current = torch.tensor(
        [[3, 0, ALONE, UNKNOWN, ALONE], [UNKNOWN, ALONE, 1, ALONE, UNKNOWN], [UNKNOWN, ALONE, ALONE, 1, UNKNOWN]]
    )

    def loss(scores, dustbin):
        return match_losses(sinkhorn(scores, dustbin, *valid, 10), previous, current, kind).total

    assert torch.autograd.gradcheck(loss, (scores, dustbin))


def test_the_gradient_of_the_whole_network_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    net = AssociationNet(6, 8, (4,), heads=2, generator=generator).double().train()
    layer3 = torch.randn(4, 6, 5, 5, generator=generator, dtype=torch.float64)
    cells = torch.randint(0, 6, (4, 3, 2), generator=generator)
    places, scores = (torch.randn(4, 3, *more, generator=generator, dtype=torch.float64) for more in ((2,), ()))
    valid = torch.ones(2, 3, dtype=torch.bool)
    previous, current = (
        torch.tensor([[0, ALONE, 2], [1, UNKNOWN, ALONE]]),
        torch.tensor([[0, ALONE, 2], [ALONE, 0, 2]]),
    )
    current[1] = torch.tensor([ALONE, 0, UNKNOWN])

    def loss():
        described = net.descriptors(layer3, cells)
        sides = (CandidateSet(described[k::2], places[k::2], scores[k::2], valid) for k in range(2))
        return match_losses(net.match(*sides), previous, current).total.mean()

    loss().backward()
    for name, parameter in net.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        step, values = 1e-6, []
        for sign in (1, -2, 1):  # up, down, and back again
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                values.append(float(loss()))
        expected = (values[0] - values[1]) / (2 * step)
        assert float((parameter.grad * direction).sum()) == pytest.approx(expected, rel=2e-4, abs=2e-8), name
