"""Training losses: hand-computed values, derivatives, behaviour at extreme scores."""

import math

import numpy as np
import pytest
import torch

from lockon.training.labels import label_density
from lockon.training.objectives import (
    box_divergence,
    box_likelihood,
    centre_divergence,
    hinge_loss,
    iterate_weights,
    mean_of_valid,
    overlap_error,
)
from lockon.training.proposals import DensityProposalConfig, draw_proposals


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def density(*shape, seed=1):
    return random(*shape, seed=seed).flatten(-2).softmax(dim=-1).view(shape)


LABELS = random(2, 4, 5, seed=2).sigmoid() * (random(2, 4, 5, seed=3) > 0)
LOSSES = {
    # Scores at exactly 0 would lie on the kink of the hinge; random ones do not.
    "hinge": (lambda scores: hinge_loss(scores, LABELS), (2, 4, 5)),
    "centre": (lambda scores: centre_divergence(scores, density(2, 4, 5)), (2, 4, 5)),
    "overlap": (lambda predicted: overlap_error(predicted, random(3, 7, seed=4).tanh()), (3, 7)),
    "divergence": (lambda s: box_divergence(s, random(3, 7, seed=5), random(3, 7, seed=6)), (3, 7)),
    "likelihood": (lambda s: box_likelihood(s, random(3, 7, seed=6)), (3, 7)),
}
EVERY_LOSS = pytest.mark.parametrize(("loss", "shape"), LOSSES.values(), ids=LOSSES.keys())


@EVERY_LOSS
def test_gradients_agree_with_finite_differences_in_float64(loss, shape):
    inputs = random(*shape).requires_grad_()
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-7)
    value, step = loss(inputs.detach()), 1e-5 * random(*shape, seed=9)
    (gradient,) = torch.autograd.grad(loss(inputs).sum(), inputs)
    along = loss(inputs.detach() + step) - loss(inputs.detach() - step)
    assert torch.allclose(along.sum() / 2, (gradient * step).sum(), rtol=1e-6, atol=1e-13)
    assert value.shape == shape[:1]


@EVERY_LOSS
@pytest.mark.parametrize("scale", [1e4, 1e15])
def test_loss_and_gradient_stay_finite_at_extreme_scores(loss, shape, scale):
    inputs = (scale * random(*shape)).float().requires_grad_()
    value = loss(inputs)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(inputs.grad).all()


def test_hinge_loss_by_hand():
    labels = torch.tensor([[0.04, 0.05], [1.0, 0.0]])
    scores = torch.tensor([[-3.0, -1.0], [0.5, 2.0]])
    # Background below the threshold: 0 for the negative score, 2² for the positive one.
    # Target: (-1 - 0.05)² and (0.5 - 1)².
    assert hinge_loss(scores, labels).item() == pytest.approx((0 + 1.05**2 + 0.5**2 + 4) / 4)
    assert hinge_loss(scores, labels, threshold=0.06).item() == pytest.approx((0 + 0 + 0.5**2 + 4) / 4)


def test_centre_divergence_equals_the_formula_and_its_gradient_is_predicted_minus_label_density():
    scores, labels = random(3, 6, 6).requires_grad_(), density(3, 6, 6)
    expected = scores.exp().sum(dim=(1, 2)).log() - (scores * labels).sum(dim=(1, 2))
    torch.testing.assert_close(centre_divergence(scores, labels), expected)
    (gradient,) = torch.autograd.grad(centre_divergence(scores, labels).sum(), scores)
    torch.testing.assert_close(gradient, scores.detach().flatten(1).softmax(dim=1).view_as(scores) - labels)


def test_centre_divergence_is_least_at_the_label_and_then_its_entropy():
    labels = label_density(torch.tensor([[50.0, 40, 30, 30]]), 7, 0.8).double()
    logs = labels.clamp(min=1e-300).log()
    entropy = -(labels * logs).sum().item()
    assert centre_divergence(logs, labels).item() == pytest.approx(entropy, abs=1e-6)
    assert centre_divergence(logs + 0.3 * random(1, 8, 8), labels).item() > entropy


def test_centre_divergence_does_not_lose_small_differences_beside_large_scores():
    scores, labels = random(1, 19, 19).float(), density(1, 19, 19).float()
    exact = centre_divergence(scores.double() + 1e5, labels.double())
    assert centre_divergence(scores + 1e5, labels).item() == pytest.approx(exact.item(), abs=1e-2)


def test_overlap_error_by_hand():
    assert overlap_error(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])).tolist() == [0.625]


def test_box_divergence_equals_the_formula():
    energies, log_p, log_q = random(3, 9, seed=1), random(3, 9, seed=2), random(3, 9, seed=3)
    expected = (energies.exp() / log_q.exp()).mean(dim=1).log() - (energies * log_p.exp() / log_q.exp()).mean(dim=1)
    torch.testing.assert_close(box_divergence(energies, log_p, log_q), expected)


def test_box_divergence_by_hand():
    # Two boxes, s = (ln 2, 0), p = (1/2, 1/4), q = (1/2, 1/2): log((4 + 2) / 2) - (ln 2 · 1 + 0) / 2.
    value = box_divergence(
        torch.tensor([math.log(2), 0.0]), torch.tensor([0.5, 0.25]).log(), torch.tensor(0.5).log().expand(2)
    )
    assert value.item() == pytest.approx(math.log(3) - math.log(2) / 2)


def test_box_divergence_is_least_for_the_log_label_density():
    """With s = log p the estimate tends to the entropy of p: 4 (log σ + log √(2πe)) in four dimensions."""
    proposals = draw_proposals(
        torch.tensor([[10.0, 10, 50, 40]]), DensityProposalConfig(count=200_000), np.random.default_rng(1)
    )
    p, q = proposals.log_label.double(), proposals.log_proposal.double()
    entropy = 4 * (math.log(0.05) + 0.5 * math.log(2 * math.pi * math.e))
    best = box_divergence(p, p, q).item()
    assert best == pytest.approx(entropy, abs=0.02)
    assert box_divergence(0.5 * p, p, q).item() > best + 0.1
    assert box_divergence(2 * p, p, q).item() > best + 0.1
    assert box_divergence(p + 7, p, q).item() == pytest.approx(best, abs=0.1)


def test_box_likelihood_equals_the_formula_and_reads_no_density_of_the_annotated_box():
    energies, log_q = random(3, 9, seed=1), random(3, 9, seed=3)
    expected = (energies[:, 1:].exp() / log_q[:, 1:].exp()).mean(dim=1).log() - energies[:, 0]
    torch.testing.assert_close(box_likelihood(energies, log_q), expected)
    log_q[:, 0] = math.inf
    torch.testing.assert_close(box_likelihood(energies, log_q), expected)


def test_intermediate_weight_is_spread_over_the_iterates_between():
    weights = iterate_weights(6, initial=100, intermediate=400, final=50, like=torch.zeros(1, dtype=torch.float64))
    assert weights.tolist() == [100, 100, 100, 100, 100, 50]
    assert weights.dtype == torch.float64


@pytest.mark.parametrize(("count", "expected"), [(1, [3]), (2, [1, 3]), (3, [1, 2, 3]), (4, [1, 1, 1, 3])])
def test_weights_of_few_iterates(count, expected):
    assert iterate_weights(count, initial=1, intermediate=2, final=3, like=torch.zeros(1)).tolist() == expected


def test_mean_of_valid_ignores_the_others_and_is_zero_without_any():
    values = torch.tensor([1.0, 5.0, 3.0], requires_grad=True)
    mean = mean_of_valid(values, torch.tensor([True, False, True]))
    mean.backward()
    assert mean.item() == 2
    assert values.grad.tolist() == [0.5, 0, 0.5]
    assert mean_of_valid(values, torch.zeros(3, dtype=torch.bool)).item() == 0
