import copy
import math

import pytest
import torch
from torch import Tensor

from lockon.networks.iou_net import BoxFeatures, BoxScorer, IoUNet
from lockon.networks.iou_net_variants import IoUNetVariant, build_iou_net
from lockon.nn.folding import fold_batch_norms

REFERENCE_BOX = torch.tensor([[100.0, 110.0, 80.0, 60.0]])


def _hash_weights(network: torch.nn.Module) -> None:
    """Weights by an integer hash of key number and flat index, as the recorded check values assume."""
    for i, (key, tensor) in enumerate(network.state_dict().items()):
        if key.endswith("num_batches_tracked"):
            continue
        k = torch.arange(tensor.numel(), dtype=torch.int64)
        h = ((k + 1) * 2654435761 + (i + 1) * 40503) % 2**32
        h = (h * (h // 65536 + 1)) % 2**32
        r = (h.double() / 2**31 - 1).float().view(tensor.shape)
        if "running" in key:
            r = torch.full_like(tensor, float("var" in key))
        elif key.endswith("bias"):
            r = 0.1 * r
        elif tensor.ndim == 1:
            r = 1 + 0.1 * r
        else:
            r = r * math.sqrt(6 / math.prod(tensor.shape[1:]))
        tensor.copy_(r)


def _wave(channels: int, size: int, phase: float) -> Tensor:
    c, row, col = torch.meshgrid(torch.arange(channels), torch.arange(size), torch.arange(size), indexing="ij")
    return (1 + torch.sin(0.7 * c + 0.35 * row * 18 / size + 0.25 * col * 18 / size + phase))[None]


def test_recorded_values_of_modulation_features_scores_and_gradients() -> None:
    network = IoUNet().eval()
    _hash_weights(network)
    with torch.no_grad():
        m3, m4 = network.modulation(_wave(128, 36, 0), _wave(256, 18, 0), REFERENCE_BOX)
        features = network.test_features(_wave(128, 36, 0.3), _wave(256, 18, 0.3))
    for tensor, total, norm in [
        (m3, 168.119, 18.8549),
        (m4, 156.428, 17.2684),
        (features.maps[0], 225110.8, 674.680),
        (features.maps[1], 46860.6, 294.354),
    ]:
        assert float(tensor.sum()) == pytest.approx(total, rel=1e-5)
        assert float(tensor.norm()) == pytest.approx(norm, rel=1e-5)
    boxes = torch.tensor([[[100.0, 110, 80, 60], [90.0, 120, 100, 50], [-10.0, -5, 60, 70], [250.0, 260, 60, 60]]])
    expected = torch.tensor(
        [
            [-0.0175981, -0.0250870, -0.0104830, -0.0130982],
            [-0.0197104, -0.0274812, -0.0097562, -0.0154813],
            [0.0641760, -0.0260284, 0.0157526, 0.0065382],
            [-0.0104001, 0.0167914, -0.0051941, 0.0047444],
        ]
    )
    scores, gradient = network.predict_with_gradient((m3, m4), features, boxes)
    torch.testing.assert_close(scores, torch.tensor([[-0.661484, -0.799882, -0.131851, 0.022245]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient[0], expected, atol=2e-7, rtol=1e-5)


def _case(variant: IoUNetVariant, targets: int = 2) -> tuple[BoxScorer, tuple[Tensor, ...], BoxFeatures, Tensor]:
    """A small float64 network after one training pass, so that its batch normalisations are not trivial."""
    generator = torch.Generator().manual_seed(0)
    network = build_iou_net(variant, (6, 8), 10, generator).double()
    layer2 = torch.randn(targets, 6, 20, 24, generator=generator, dtype=torch.float64).relu()
    layer3 = torch.randn(targets, 8, 10, 12, generator=generator, dtype=torch.float64).relu()
    centre = torch.tensor([70.0, 60, 0, 0], dtype=torch.float64)
    boxes = centre + torch.rand(targets, 5, 4, generator=generator, dtype=torch.float64) * 50
    with torch.no_grad():
        modulation = network.modulation(layer2, layer3, boxes[:, 0])
        network.predict(modulation, network.test_features(layer2, layer3), boxes)
        network.eval()
        modulation = network.modulation(layer2, layer3, boxes[:, 0])
        return network, modulation, network.test_features(layer2 + 0.1, layer3 + 0.1), boxes


@pytest.mark.parametrize("variant", IoUNetVariant)
def test_closed_form_gradient_equals_autograd(variant: IoUNetVariant) -> None:
    network, modulation, features, boxes = _case(variant)
    boxes = torch.cat([boxes, torch.tensor([-20.0, 100, 60, 90]).expand(2, 1, 4)], dim=1).requires_grad_()
    expected = network.predict(modulation, features, boxes)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), boxes)
    for same_network in (network, fold_batch_norms(network)):
        scores, gradient = same_network.predict_with_gradient(modulation, features, boxes.detach())
        torch.testing.assert_close(scores, expected.detach())
        torch.testing.assert_close(gradient, expected_gradient)
    assert expected_gradient.abs().amax() > 1e-4


@pytest.mark.parametrize("variant", IoUNetVariant)
def test_a_grid_scores_as_its_boxes_one_by_one(variant: IoUNetVariant) -> None:
    network, modulation, features, boxes = _case(variant)
    features = features._replace(origins_xy=tuple(torch.tensor([[[8.0, 32]], [[-16.0, 0]]]) for _ in network.blocks))
    columns, rows = boxes[..., [0, 2]], boxes[:, :3, [1, 3]]
    scores = network.predict_grid(modulation, features, columns, rows)
    assert scores.shape == (2, 3, 5)
    pairs = torch.cat([columns[:, None].expand(-1, 3, -1, -1), rows[:, :, None].expand(-1, -1, 5, -1)], dim=-1)
    one_by_one = network.predict(modulation, features, pairs[..., [0, 2, 1, 3]].flatten(1, 2))
    torch.testing.assert_close(scores.flatten(1), one_by_one)


@pytest.mark.parametrize("variant", IoUNetVariant)
def test_every_parameter_learns(variant: IoUNetVariant) -> None:
    network, _, _, boxes = _case(variant)
    network.train()
    layer2, layer3 = torch.rand(2, 6, 20, 24).double(), torch.rand(2, 8, 10, 12).double()
    modulation = network.modulation(layer2, layer3, boxes[:, 0])
    scores = network.predict(modulation, network.test_features(layer2, layer3), boxes)
    (scores - torch.linspace(-1, 1, 5)).square().mean().backward()
    idle = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()}
    assert not idle


@pytest.mark.parametrize("variant", IoUNetVariant)
def test_only_the_baseline_ignores_the_reference(variant: IoUNetVariant) -> None:
    network, modulation, features, boxes = _case(variant)
    swapped = tuple(m.flip(0) for m in modulation)
    same = torch.equal(network.predict(modulation, features, boxes), network.predict(swapped, features, boxes))
    assert same == (variant is IoUNetVariant.BASELINE)


def test_targets_of_a_batch_do_not_see_each_other() -> None:
    network, modulation, features, boxes = _case(IoUNetVariant.MODULATION)
    together, gradients = network.predict_with_gradient(modulation, features, boxes)
    for t in range(2):
        alone = BoxFeatures(tuple(c[t : t + 1] for c in features.maps), features.origins_xy)
        scores, gradient = network.predict_with_gradient([m[t : t + 1] for m in modulation], alone, boxes[t : t + 1])
        torch.testing.assert_close(scores, together[t : t + 1])
        torch.testing.assert_close(gradient, gradients[t : t + 1])


@pytest.mark.parametrize(
    "box", [(70.0, 60.0, 40.0, 30.0), (-25.0, 3.0, 50.0, 30.0), (160.0, 130.0, 30.0, 45.0), (64.0, 48.0, 32.0, 16.0)]
)
def test_scores_in_a_window_equal_those_on_the_whole_map(box: tuple[float, ...]) -> None:
    network, modulation, _, _ = _case(IoUNetVariant.MODULATION)
    generator = torch.Generator().manual_seed(1)
    layer2 = torch.randn(2, 6, 20, 24, generator=generator, dtype=torch.float64)
    layer3 = torch.randn(2, 8, 10, 12, generator=generator, dtype=torch.float64)
    targets = torch.tensor([box, (80.3, 41.7, 37.0, 28.0)], dtype=torch.float64)
    margin = 10.0
    corners = targets[:, None, :2] + (torch.rand(2, 20, 2, generator=generator) - 1) * margin
    ends = targets[:, None, :2] + targets[:, None, 2:] + torch.rand(2, 20, 2, generator=generator) * margin
    boxes = torch.cat([corners, ends - corners], dim=-1)
    boxes[:, 0] = targets + torch.tensor([-margin, -margin, 2 * margin, 2 * margin])
    with torch.no_grad():
        whole = network.test_features(layer2, layer3)
        window = network.test_features_window(layer2, layer3, targets, margin)
    assert window.maps[0][0].numel() < whole.maps[0][0].numel()
    for actual, expected in zip(
        network.predict_with_gradient(modulation, window, boxes),
        network.predict_with_gradient(modulation, whole, boxes),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected)


def test_window_of_a_box_larger_than_the_map_is_the_map() -> None:
    network, _, _, _ = _case(IoUNetVariant.MODULATION)
    layer2, layer3 = torch.rand(1, 6, 20, 24).double(), torch.rand(1, 8, 10, 12).double()
    with torch.no_grad():
        whole = network.test_features(layer2, layer3)
        window = network.test_features_window(layer2, layer3, torch.tensor([[-50.0, -50, 400, 300]]), 20.0)
    for actual, expected in zip(window.maps, whole.maps, strict=True):
        torch.testing.assert_close(actual, expected)
    assert not any(origin.any() for origin in window.origins_xy)


def test_same_generator_seed_gives_the_same_network() -> None:
    first, second, other = (
        build_iou_net(IoUNetVariant.MODULATION, (6, 8), 10, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[key])
    assert not torch.equal(first.fc3_rt.linear.weight, other.fc3_rt.linear.weight)
    assert not torch.equal(first.fc3_rt.bn.weight, other.fc3_rt.bn.weight)


def test_convolutions_in_bfloat16_leave_scores_and_gradients_in_float32() -> None:
    network, _, _, boxes = _case(IoUNetVariant.MODULATION)
    layer2, layer3, boxes = torch.rand(2, 6, 20, 24), torch.rand(2, 8, 10, 12), boxes.float()
    expected, actual = network.float(), copy.deepcopy(network).float()
    for module in actual.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            module.bfloat16()

    def run(network: IoUNet, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        maps = layer2.to(dtype), layer3.to(dtype)
        with torch.no_grad():
            modulation, features = network.modulation(*maps, boxes[:, 0]), network.test_features(*maps)
        return network.predict_with_gradient(modulation, features, boxes)

    for value, reference in zip(run(actual, torch.bfloat16), run(expected, torch.float32), strict=True):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, reference, atol=0.05 * float(reference.abs().max()), rtol=0)
