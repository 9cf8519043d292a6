from dataclasses import replace

import pytest
import torch

from lockon.nn.filters import apply_filter, score_size
from lockon.nn.steepest_descent import HingeObjective, SoftmaxObjective, softmax_map, steepest_descent

KERNEL = (4, 4)
FEATURES = (2, 3, 5, 6, 6)  # targets, images, channels, height, width
ALL = slice(None)


def random(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features_and_filters():
    return random(*FEATURES, seed=1), random(2, 5, *KERNEL, seed=2) / 10


def hinge(sample_weight):
    shape = (2, sample_weight.shape[1], *score_size(FEATURES[3:], KERNEL))
    spatial = random(*shape, seed=5).abs()
    return HingeObjective(
        label=random(*shape, seed=3).sigmoid(),
        mask=random(*shape, seed=4).sigmoid(),
        squared_weight=sample_weight[..., None, None] * spatial.square(),
        regularisation=0.03,
    )


def softmax(sample_weight, softmax_reg=None):
    shape = (2, sample_weight.shape[1], *score_size(FEATURES[3:], KERNEL))
    return SoftmaxObjective(softmax_map(random(*shape, seed=3)), sample_weight, 0.03, softmax_reg)


OBJECTIVES = {"hinge": hinge, "softmax": softmax, "softmax with constant": lambda w: softmax(w, softmax_reg=0.5)}
OBJECTIVE = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())


def part(problem, *index):
    """The problem of some targets (and images)."""
    tensors = {name: value for name, value in vars(problem).items() if isinstance(value, torch.Tensor)}
    return replace(problem, **{name: value[index] for name, value in tensors.items()})


def sample_weights():
    return random(2, 3, seed=6).softmax(dim=1)


def autograd_step(filters, features, objective, score_hessian, halves):
    """One step from derivatives of the loss itself: -gᵀg / gᵀHg · g, H in score space from `score_hessian`."""
    filters = filters.clone().requires_grad_()
    scores = apply_filter(features, filters).detach().requires_grad_()
    loss = objective.loss(apply_filter(features, filters)).sum() * halves
    loss = loss + objective.regularisation * filters.square().sum() / 2
    (gradient,) = torch.autograd.grad(loss, filters)
    direction = apply_filter(features, gradient)
    curvature = (direction * score_hessian(scores, direction)).sum(dim=(1, 2, 3))
    length = gradient.square().sum(dim=(1, 2, 3))
    step = length / (curvature + objective.regularisation * length)
    return filters.detach() - step[:, None, None, None] * gradient


def test_hinge_step_is_the_gauss_newton_step_of_autograd():
    features, filters = features_and_filters()
    objective = hinge(sample_weights())

    def gauss_newton_hessian(scores, direction):
        def residuals(s):
            activated = torch.where(s >= 0, s, objective.mask * s)
            return objective.squared_weight.sqrt() * (activated - objective.label)

        _, along = torch.autograd.functional.jvp(residuals, scores, direction)
        return torch.autograd.functional.vjp(residuals, scores, along)[1]

    expected = autograd_step(filters, features, objective, gauss_newton_hessian, halves=0.5)

    trace = steepest_descent(filters, features, objective, iterations=1)

    torch.testing.assert_close(trace.filters, expected)


@pytest.mark.parametrize("softmax_reg", [None, 0.5])
def test_softmax_step_is_the_newton_step_of_autograd(softmax_reg):
    features, filters = features_and_filters()
    objective = softmax(sample_weights(), softmax_reg)

    def hessian(scores, direction):
        return torch.autograd.functional.hvp(lambda s: objective.loss(s).sum(), scores, direction)[1]

    expected = autograd_step(filters, features, objective, hessian, halves=1.0)

    trace = steepest_descent(filters, features, objective, iterations=1)

    torch.testing.assert_close(trace.filters, expected)


def test_density_leaves_room_for_the_constant_logit():
    scores = random(2, 3, 4, 5, seed=0)
    expected = scores.exp() / (scores.exp().sum(dim=(2, 3), keepdim=True) + torch.tensor(0.5).exp())

    torch.testing.assert_close(softmax_map(scores, 0.5), expected, check_dtype=False)
    torch.testing.assert_close(softmax_map(scores).sum(dim=(2, 3)), torch.ones(2, 3, dtype=torch.float64))


@OBJECTIVE
def test_losses_fall_and_are_those_of_the_kept_filters(objective):
    features, filters = features_and_filters()
    problem = objective(sample_weights())

    trace = steepest_descent(filters, features, problem, iterations=5, keep_iterates=True, keep_losses=True)

    assert len(trace.iterates) == 6
    assert torch.equal(trace.iterates[0], filters)
    assert torch.equal(trace.iterates[5], trace.filters)
    assert (trace.losses.diff(dim=0) < 0).all()
    for iterate, loss in zip(trace.iterates, trace.losses, strict=True):
        penalty = problem.regularisation * iterate.square().sum(dim=(1, 2, 3))
        torch.testing.assert_close(loss, problem.loss(apply_filter(features, iterate)) + penalty)


@OBJECTIVE
def test_an_image_of_weight_zero_is_as_good_as_absent(objective):
    features, filters = features_and_filters()
    weights = sample_weights() * torch.tensor([1.0, 1.0, 0.0])
    problem = objective(weights)

    beside = steepest_descent(filters, features, problem, iterations=3, keep_losses=True)
    without = steepest_descent(filters, features[:, :2], part(problem, ALL, slice(2)), iterations=3, keep_losses=True)

    torch.testing.assert_close(beside.filters, without.filters, rtol=0, atol=1e-14)
    torch.testing.assert_close(beside.losses, without.losses, rtol=1e-14, atol=0)


@OBJECTIVE
def test_targets_do_not_see_each_other(objective):
    features, filters = features_and_filters()
    problem = objective(sample_weights())
    together = steepest_descent(filters, features, problem, iterations=4).filters

    for one in (slice(0, 1), slice(1, 2)):
        alone = steepest_descent(filters[one], features[one], part(problem, one), iterations=4).filters
        torch.testing.assert_close(alone, together[one])


@OBJECTIVE
def test_training_can_unroll_it(objective):
    features, filters = features_and_filters()
    problem = objective(sample_weights())

    def unrolled(filters, features, step_length):
        return steepest_descent(filters, features, problem, iterations=2, step_length=step_length).filters

    inputs = [filters, features, torch.tensor(0.8, dtype=torch.float64)]
    assert torch.autograd.gradcheck(unrolled, [tensor.requires_grad_() for tensor in inputs], fast_mode=True)


def test_a_solved_problem_stays_where_it_is():
    features = torch.zeros(1, 1, 2, 3, 3)
    label = torch.zeros(1, 1, 4, 4)
    problem = HingeObjective(label, label, torch.ones(1, 1, 1, 1), regularisation=0.1)

    trace = steepest_descent(torch.zeros(1, 2, 4, 4), features, problem, iterations=2)

    assert torch.equal(trace.filters, torch.zeros(1, 2, 4, 4))
