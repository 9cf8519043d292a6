import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lockon.nn.prpool import MovingBoxes, bin_weights, prroi_pool


@pytest.mark.parametrize(
    ("low", "high", "bins", "expected"),
    [
        (0.3, 3.3, 2, [[0.1633333, 0.6233333, 0.2133333, 0, 0], [0, 0.0133333, 0.4533333, 0.5033333, 0.03]]),
        (-1.5, 1.0, 1, [[0.4, 0.2, 0, 0]]),
    ],
)
def test_bin_weights_equal_hand_computed_values(
    low: float, high: float, bins: int, expected: list[list[float]]
) -> None:
    weights = bin_weights(torch.tensor(low), torch.tensor(high), bins, len(expected[0]))
    torch.testing.assert_close(weights, torch.tensor(expected), atol=1e-6, rtol=0)


@settings(max_examples=50, deadline=None)
@given(low=st.floats(-12, 12), length=st.floats(0.05, 20), bins=st.integers(1, 5))
def test_bin_weights_equal_quadrature(low: float, length: float, bins: int) -> None:
    low_, length_ = torch.tensor(low, dtype=torch.float64), torch.tensor(length, dtype=torch.float64)
    points = 4000
    t = low_ + length_ * (torch.arange(bins * points, dtype=torch.float64) + 0.5) / (bins * points)
    hat = (1 - (t[:, None] - torch.arange(9)).abs()).clamp(min=0)
    expected = hat.view(bins, points, 9).mean(dim=1)
    torch.testing.assert_close(bin_weights(low_, low_ + length_, bins, 9), expected, atol=1e-5, rtol=0)


def test_inner_boxes_of_a_plane_pool_to_its_value_at_bin_centres() -> None:
    """Bilinear interpolation reproduces a plane, whose mean over a bin is its value at the bin's centre."""
    rows, cols = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    features = torch.stack([rows, cols])[None].double()
    boxes = torch.tensor([[[24.0, 40.0, 96.0, 60.0], [83.0, 17.0, 11.0, 90.0]]], dtype=torch.float64)
    pooled = prroi_pool(features, boxes, (3, 2), 1 / 8)
    assert pooled.shape == (1, 2, 2, 3, 2)
    x, y, w, h = (boxes[0] / 8).unbind(-1)
    centre_y = (y[:, None] + h[:, None] * (torch.arange(3) + 0.5) / 3)[:, :, None].expand(2, 3, 2)
    centre_x = (x[:, None] + w[:, None] * (torch.arange(2) + 0.5) / 2)[:, None, :].expand(2, 3, 2)
    torch.testing.assert_close(pooled[0], torch.stack([centre_y, centre_x], dim=1))


def _case() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 6, 7, generator=generator, dtype=torch.float64)
    boxes = torch.tensor(
        [[[3.3, 2.1, 17.7, 22.9], [-9.1, 8.2, 21.0, 3.7]], [[8.0, 16.0, 24.0, 16.0], [30.1, 20.3, 40.0, 50.0]]],
        dtype=torch.float64,
    )
    return features, boxes


def test_first_and_second_derivatives_by_features_and_boxes() -> None:
    features, boxes = _case()
    # No edge on a cell centre, where the hat has a kink and second differences are not derivatives.
    inputs = (features.requires_grad_(), (boxes + 0.123).requires_grad_())

    def pool(features: Tensor, boxes: Tensor) -> Tensor:
        return prroi_pool(features, boxes, (3, 2), 1 / 8)

    assert torch.autograd.gradcheck(pool, inputs)
    assert torch.autograd.gradgradcheck(pool, inputs)


def test_gradient_is_right_where_edges_meet_cell_centres() -> None:
    features, boxes = _case()
    boxes = boxes[1:, :1].requires_grad_()  # every bin edge lies on a cell centre
    assert torch.autograd.gradcheck(lambda boxes: prroi_pool(features[1:], boxes, (2, 3), 1 / 8), boxes, eps=1e-7)


@pytest.mark.parametrize("size", [(0.0, 20.0), (20.0, 0.0), (-5.0, 20.0), (20.0, -1.0), (-3.0, -4.0)])
def test_degenerate_boxes_give_zero_without_gradient(size: tuple[float, float]) -> None:
    features = torch.ones(1, 2, 5, 6, requires_grad=True)
    boxes = torch.tensor([[[8.0, 8.0, *size]]], requires_grad=True)
    pooled = prroi_pool(features, boxes, (3, 3), 1 / 8)
    assert not pooled.any()
    gradients = torch.autograd.grad(pooled.sum(), (features, boxes))
    assert not any(gradient.any() for gradient in gradients)


def test_memory_layout_and_half_precision_change_nothing_but_rounding() -> None:
    features, boxes = (tensor.float() for tensor in _case())
    expected = prroi_pool(features, boxes, (5, 5), 1 / 8)
    channels_last = prroi_pool(features.contiguous(memory_format=torch.channels_last), boxes, (5, 5), 1 / 8)
    half = prroi_pool(features.bfloat16(), boxes, (5, 5), 1 / 8)
    torch.testing.assert_close(channels_last, expected)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("shift", [0.0, 0.123])
def test_pullback_equals_autograd(shift: float) -> None:
    features, boxes = _case()
    features = torch.cat([features, features[:1]])
    degenerate = torch.tensor([[[8.0, 8.0, 0.0, 9.0], [8.0, 8.0, 7.0, -2.0]]], dtype=torch.float64)
    boxes = (torch.cat([boxes, degenerate]) + torch.tensor([shift, shift, 0, 0])).requires_grad_()
    expected = prroi_pool(features, boxes, (3, 3), 1 / 8)
    cotangent = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((expected * cotangent).sum(), boxes)
    origin = torch.zeros(1, 1, 2, dtype=torch.float64)
    (pooled,), pullback = MovingBoxes([features], [None], [origin], [3], [8]).pool(boxes.detach())
    torch.testing.assert_close(pooled.permute(0, 1, 4, 2, 3), expected.detach())
    cotangent = cotangent.permute(0, 1, 3, 4, 2)
    torch.testing.assert_close(pullback([cotangent]), gradient)
    assert not pullback([cotangent])[2].any()


def test_undefined_boxes_leave_the_others_alone() -> None:
    features, boxes = _case()
    origin = torch.zeros(1, 1, 2, dtype=torch.float64)
    pooling = MovingBoxes([features, features[..., :4]], [None, None], [origin, origin + 8], [3, 2], [8, 16])
    expected, expected_pullback = pooling.pool(boxes)
    undefined = torch.tensor([[torch.nan] * 4, [0, 0, torch.inf, 1], [-torch.inf, 0, 1, torch.nan]]).expand(2, 3, 4)
    pooled, pullback = pooling.pool(torch.cat([boxes, undefined.double()], dim=1))
    for actual, values in zip(pooled, expected, strict=True):
        torch.testing.assert_close(actual[:, :2], values)
    gradient = pullback([torch.ones_like(p) for p in pooled])[:, :2]
    torch.testing.assert_close(gradient, expected_pullback([torch.ones_like(p) for p in expected]))
