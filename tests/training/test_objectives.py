import math

import pytest
import torch

from lockon.training.objectives import box_divergence, centre_divergence
from lockon.training.processing import ProposalConfig, draw_proposals, label_density

torch.manual_seed(0)


def numeric_gradient(function, x, step=1e-5):
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        shift = torch.zeros_like(x).view(-1)
        shift[i] = step
        shift = shift.view_as(x)
        gradient.view(-1)[i] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


def test_centre_divergence_is_least_at_the_label_and_then_its_entropy():
    density = label_density(torch.tensor([[50.0, 40, 30, 30]]), cells=7, stride=16, sigma=0.8).double()
    entropy = -(density * density.clamp(min=1e-300).log()).sum()
    best = centre_divergence(density.clamp(min=1e-300).log(), density)
    assert best.item() == pytest.approx(entropy.item(), abs=1e-6)
    worse = centre_divergence(density.clamp(min=1e-300).log() + 0.3 * torch.randn(1, 8, 8).double(), density)
    assert worse > best


def test_centre_divergence_gradient_is_predicted_minus_label_density():
    scores = torch.randn(2, 5, 5, dtype=torch.float64, requires_grad=True)
    density = torch.rand(2, 5, 5, dtype=torch.float64)
    density = density / density.sum(dim=(1, 2), keepdim=True)
    (found,) = torch.autograd.grad(centre_divergence(scores, density).sum(), scores)
    softmax = scores.detach().flatten(1).softmax(dim=1).view_as(scores)
    assert torch.allclose(found, softmax - density, atol=1e-12)
    numeric = numeric_gradient(lambda s: centre_divergence(s, density).sum(), scores.detach())
    assert torch.allclose(found, numeric, atol=1e-8)


def test_box_divergence_written_out():
    energies, log_p, log_q = (torch.randn(3, 9, dtype=torch.float64) for _ in range(3))
    expected = (energies.exp() / log_q.exp()).mean(dim=1).log() - (energies * log_p.exp() / log_q.exp()).mean(dim=1)
    assert torch.allclose(box_divergence(energies, log_p, log_q), expected, atol=1e-12)


def test_box_divergence_gradient_agrees_with_finite_differences():
    energies = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    log_p, log_q = torch.randn(2, 6, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
    (found,) = torch.autograd.grad(box_divergence(energies, log_p, log_q).sum(), energies)
    numeric = numeric_gradient(lambda s: box_divergence(s, log_p, log_q).sum(), energies.detach())
    assert torch.allclose(found, numeric, atol=1e-8)


def test_box_divergence_is_least_for_the_log_label_density():
    """With s = log p the estimate tends to the entropy of p: 4 (log σ + log √(2πe)) in four dimensions."""
    proposals = draw_proposals(
        torch.tensor([[10.0, 10, 50, 40]]), ProposalConfig(count=200_000), torch.Generator().manual_seed(1)
    )
    p, q = proposals.log_label.double(), proposals.log_proposal.double()
    entropy = 4 * (math.log(0.05) + 0.5 * math.log(2 * math.pi * math.e))
    best = box_divergence(p, p, q).item()
    assert best == pytest.approx(entropy, abs=0.02)
    assert box_divergence(0.5 * p, p, q).item() > best + 0.1
    assert box_divergence(2 * p, p, q).item() > best + 0.1
    assert box_divergence(p + 7, p, q).item() == pytest.approx(best, abs=0.1)
