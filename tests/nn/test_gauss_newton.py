from dataclasses import replace

import pytest
import torch

from lockon.nn.filters import apply_filter_same, project
from lockon.nn.gauss_newton import (
    ATOM_FIRST_FRAME,
    ATOM_UPDATE,
    FilterModel,
    GaussNewtonSettings,
    GradientDescentSettings,
    OnlineProblem,
    TwoLayerModel,
    gauss_newton,
    gradient_descent,
)

TARGETS, IMAGES, CHANNELS, PROJECTED, SIZE = 2, 3, 6, 4, 5


def random(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sample_weights():
    return random(TARGETS, IMAGES, seed=4).softmax(dim=1)


def two_layers(kernel=(4, 4), targets=slice(None), images=slice(None), weights=None):
    weights = sample_weights() if weights is None else weights
    features = random(TARGETS, IMAGES, CHANNELS, SIZE, SIZE, seed=1)
    labels = random(TARGETS, IMAGES, SIZE, SIZE, seed=2).sigmoid()
    problem = OnlineProblem(
        TwoLayerModel(features[targets, images]), labels[targets, images], weights[targets, images], (0.1, 0.01)
    )
    start = random(TARGETS, PROJECTED, *kernel, seed=5) / 10, random(TARGETS, PROJECTED, CHANNELS, seed=6) / 2
    return problem, tuple(block[targets] for block in start)


def one_layer(kernel=(4, 4), targets=slice(None), images=slice(None), weights=None):
    problem, (filters, projection) = two_layers(kernel, targets, images, weights)
    features = project(problem.model.features, projection)
    return replace(problem, model=FilterModel(features), regularisation=(0.1,)), (filters,)


PROBLEM = pytest.mark.parametrize("make", [two_layers, one_layer])


def residual_vector(problem, weights):
    """r(w) of all targets, from the formulas of the paper (Eq. 3)."""
    scores = problem.model.features
    if len(weights) == 2:
        scores = project(scores, weights[1])
    scores = apply_filter_same(scores, weights[0])
    leak = problem.activation_leak
    activated = torch.where(scores >= 0, scores, leak * (torch.exp(scores.clamp(max=0) / leak) - 1))
    data = problem.sample_weights[..., None, None].sqrt() * (activated - problem.labels)
    penalties = [reg**0.5 * block.flatten(1) for reg, block in zip(problem.regularisation, weights, strict=True)]
    return torch.cat([data.flatten(1), *penalties], dim=1)


@PROBLEM
@pytest.mark.parametrize("kernel", [(4, 4), (3, 3)])
def test_products_with_the_jacobian_are_those_of_autograd(make, kernel):
    problem, weights = make(kernel)
    direction = tuple(random(*block.shape, seed=7) for block in weights)

    def residuals(*blocks):
        return residual_vector(problem, blocks)

    _, along = torch.autograd.functional.jvp(residuals, weights, direction)
    value, normal = torch.autograd.functional.vjp(residuals, weights, along)
    _, gradient = torch.autograd.functional.vjp(residuals, weights, value)

    point = problem.linearise(weights)

    torch.testing.assert_close(problem.loss(weights), value.square().sum(dim=1))
    for mine, expected in zip(point.gradient, gradient, strict=True):
        torch.testing.assert_close(mine, expected)
    for mine, expected in zip(point.normal_product(direction), normal, strict=True):
        torch.testing.assert_close(mine, expected)


@PROBLEM
@pytest.mark.parametrize("momentum", ["fletcher-reeves", "polak-ribiere"])
@pytest.mark.parametrize("preconditioned", [True, False])
def test_enough_conjugate_gradient_solves_the_linearised_problem(make, momentum, preconditioned):
    problem, weights = make(targets=slice(1))
    count = sum(block.numel() for block in weights)
    jacobian = torch.autograd.functional.jacobian(lambda *blocks: residual_vector(problem, blocks)[0], weights)
    matrix = torch.cat([block.flatten(1) for block in jacobian], dim=1)
    expected = torch.linalg.lstsq(matrix, -residual_vector(problem, weights).T).solution[:, 0]

    settings = GaussNewtonSettings(1, 3 * count, momentum, preconditioned)
    result = gauss_newton(problem, weights, settings).weights

    step = torch.cat([(after - before).flatten() for after, before in zip(result, weights, strict=True)])
    torch.testing.assert_close(step, expected, atol=1e-6, rtol=1e-5)


@PROBLEM
@pytest.mark.parametrize("settings", [ATOM_FIRST_FRAME, ATOM_UPDATE])
def test_targets_do_not_see_each_other(make, settings):
    problem, weights = make()
    together = gauss_newton(problem, weights, settings).weights

    for target in (slice(0, 1), slice(1, 2)):
        alone = gauss_newton(*make(targets=target), settings).weights
        for mine, expected in zip(alone, together, strict=True):
            torch.testing.assert_close(mine, expected[target], rtol=1e-6, atol=1e-8)


@PROBLEM
def test_an_image_of_weight_zero_is_as_good_as_absent(make):
    weights = sample_weights() * torch.tensor([1.0, 1.0, 0.0])

    beside = gauss_newton(*make(weights=weights), ATOM_UPDATE).weights
    without = gauss_newton(*make(weights=weights, images=slice(2)), ATOM_UPDATE).weights

    for mine, expected in zip(beside, without, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-12)


def test_losses_are_kept_on_request():
    problem, weights = two_layers()

    result = gauss_newton(problem, weights, ATOM_FIRST_FRAME, keep_losses=True)

    assert result.losses.shape == (7, TARGETS)
    torch.testing.assert_close(result.losses[0], problem.loss(weights))
    torch.testing.assert_close(result.losses[-1], problem.loss(result.weights))
    assert (result.losses[-1] < 0.5 * result.losses[0]).all()
    assert gauss_newton(problem, weights, ATOM_UPDATE).losses is None


def test_directions_persist_only_if_they_are_not_forgotten():
    problem, weights = one_layer()
    persistent = replace(ATOM_UPDATE, direction_forget_factor=0.9)
    first = gauss_newton(problem, weights, persistent)

    afresh = gauss_newton(problem, first.weights, persistent).weights[0]
    continued = gauss_newton(problem, first.weights, persistent, state=first.state).weights[0]
    forgotten = gauss_newton(problem, first.weights, ATOM_UPDATE, state=first.state).weights[0]

    assert torch.equal(afresh, forgotten)
    assert (continued - afresh).abs().max() > 1e-3 * afresh.abs().max()


def test_a_solved_problem_stays_where_it_is():
    problem, _ = one_layer()
    problem = replace(problem, labels=torch.zeros_like(problem.labels))
    solved = (torch.zeros(TARGETS, PROJECTED, 4, 4, dtype=torch.float64),)

    assert torch.equal(gauss_newton(problem, solved, ATOM_UPDATE).weights[0], solved[0])


def test_gradient_descent_moves_by_momentum_and_gradient():
    problem, weights = two_layers()
    variables = tuple(block.clone().requires_grad_() for block in weights)
    optimizer = torch.optim.SGD(variables, lr=1e-3, momentum=0.8)
    for _ in range(5):
        optimizer.zero_grad()
        residual_vector(problem, variables).square().sum().backward()
        optimizer.step()

    result = gradient_descent(problem, weights, GradientDescentSettings(5, 1e-3, 0.8), keep_losses=True)

    for mine, expected in zip(result.weights, variables, strict=True):
        torch.testing.assert_close(mine, expected.detach())
    assert (result.losses.diff(dim=0) < 0).all()


def sine(*shape, rate, amplitude):
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float32)
    return (amplitude * torch.sin(rate * count)).reshape(shape)


def test_check_values_of_the_reference():
    features = sine(3, 8, 6, 6, rate=0.37, amplitude=1)[None]
    rows, cols = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    cells = [(3, 3), (2.5, 3.5), (3.2, 2.8)]
    labels = torch.stack([torch.exp(-((rows - y) ** 2 + (cols - x) ** 2) / (2 * 0.9**2)) for y, x in cells])[None]
    start = sine(1, 4, 4, 4, rate=0.11, amplitude=0.01), sine(4, 8, rate=0.23, amplitude=0.3)[None]

    joint = OnlineProblem(TwoLayerModel(features), labels, torch.full((1, 3), 1 / 3), (0.1, 1e-4))
    settings = GaussNewtonSettings(2, 5, "fletcher-reeves", preconditioned=True)
    result = gauss_newton(joint, start, settings, keep_losses=True)
    filters, projection = result.weights

    assert result.losses[0].item() == pytest.approx(2.5466528, rel=1e-5)
    assert result.losses[-1].item() == pytest.approx(2.1069171, rel=1e-4)
    assert (filters.sum().item(), filters.norm().item()) == pytest.approx((0.0998413, 0.1019743), rel=1e-4)
    assert (projection.sum().item(), projection.norm().item()) == pytest.approx((0.5943326, 2.8224468), rel=1e-4)

    weights = torch.tensor([[0.5, 0.3, 0.2]])
    alone = OnlineProblem(FilterModel(project(features, projection)), labels, weights, (0.1,))
    result = gauss_newton(alone, (filters,), ATOM_UPDATE, keep_losses=True)

    assert result.losses[:, 0].tolist() == pytest.approx([2.0028533, 1.5159125], rel=1e-4)
    assert result.weights[0].sum().item() == pytest.approx(0.0947788, rel=1e-3)
    assert result.weights[0].norm().item() == pytest.approx(0.1512029, rel=1e-4)
    assert result.weights[0].flatten()[:3].tolist() == pytest.approx([0.0158876, 0.0033939, -0.0132929], rel=1e-3)
