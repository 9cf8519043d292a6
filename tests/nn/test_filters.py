import pytest
import torch
import torch.nn.functional as F

from lockon.nn.filters import apply_filter, feature_gradient, filter_gradient, score_size

KERNELS = [(4, 4), (3, 3), (1, 1), (5, 2)]


def random_problem(kernel, *, targets=2, images=3, channels=5, size=(6, 7)):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(targets, images, channels, *size, generator=generator, dtype=torch.float64)
    filters = torch.randn(targets, channels, *kernel, generator=generator, dtype=torch.float64)
    residuals = torch.randn(targets, images, *score_size(size, kernel), generator=generator, dtype=torch.float64)
    return features, filters, residuals


def library_scores(features, filters):
    padding = (filters.shape[-2] // 2, filters.shape[-1] // 2)
    maps = [F.conv2d(x, w[None], padding=padding)[:, 0] for x, w in zip(features, filters, strict=True)]
    return torch.stack(maps)


def test_score_of_one_cell_by_hand():
    features = torch.zeros(1, 1, 1, 3, 3)
    features[..., 1, 2] = 2.0
    filters = torch.arange(16.0).reshape(1, 1, 4, 4)

    scores = apply_filter(features, filters)

    assert scores.shape == (1, 1, 4, 4)
    # scores[y, x] reads features[y + a - 2, x + b - 2], so the cell (1, 2) meets tap (3 - y, 4 - x).
    assert scores[0, 0].tolist() == [
        [0.0, 2 * 15.0, 2 * 14.0, 2 * 13.0],
        [0.0, 2 * 11.0, 2 * 10.0, 2 * 9.0],
        [0.0, 2 * 7.0, 2 * 6.0, 2 * 5.0],
        [0.0, 2 * 3.0, 2 * 2.0, 2 * 1.0],
    ]


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_equal_a_library_convolution(kernel):
    features, filters, residuals = random_problem(kernel)

    scores = apply_filter(features, filters)

    assert scores.shape == residuals.shape
    torch.testing.assert_close(scores, library_scores(features, filters))


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_are_the_adjoints_of_the_scores(kernel):
    features, filters, residuals = random_problem(kernel)
    features.requires_grad_()
    filters.requires_grad_()
    by_features, by_filters = torch.autograd.grad(library_scores(features, filters), (features, filters), residuals)

    torch.testing.assert_close(filter_gradient(features.detach(), residuals, kernel), by_filters)
    torch.testing.assert_close(feature_gradient(filters.detach(), residuals), by_features)


@pytest.mark.parametrize("kernel", [(4, 4), (3, 3)])
def test_scores_and_filter_gradient_are_differentiable_for_training(kernel):
    features, filters, residuals = random_problem(kernel, images=2, channels=2, size=(3, 4))
    inputs = [tensor.requires_grad_() for tensor in (features, filters, residuals)]

    assert torch.autograd.gradcheck(apply_filter, inputs[:2])
    assert torch.autograd.gradcheck(lambda x, r: filter_gradient(x, r, kernel), [features, residuals])


def test_memory_format_does_not_matter():
    features, filters, residuals = random_problem((4, 4))
    channels_last = features.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (2, 3))

    torch.testing.assert_close(apply_filter(channels_last, filters), apply_filter(features, filters))
    torch.testing.assert_close(
        filter_gradient(channels_last, residuals, (4, 4)), filter_gradient(features, residuals, (4, 4))
    )


def test_bfloat16_features_give_float32_results_within_bfloat16_rounding():
    features, filters, residuals = (x.float() for x in random_problem((4, 4), channels=64))
    stored = features.bfloat16()

    scores = apply_filter(stored, filters)
    gradient = filter_gradient(stored, residuals, (4, 4))

    assert scores.dtype == gradient.dtype == torch.float32
    for rounded, exact in [
        (scores, apply_filter(stored.float(), filters)),
        (gradient, filter_gradient(stored.float(), residuals, (4, 4))),
    ]:
        assert (rounded - exact).norm() < 2**-8 * exact.norm()
