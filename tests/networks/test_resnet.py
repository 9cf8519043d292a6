import pytest
import torch

from lockon.networks.resnet import BasicBlock, ResNet, resnet18, resnet50
from lockon.nn.folding import fold_batch_norms


def _small(**options: object) -> ResNet:
    return ResNet(BasicBlock, (1, 2, 1), (8, 12, 16), stem_width=6, **options)


def _disturb_batch_norms(network: torch.nn.Module) -> torch.nn.Module:
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1.5)
            torch.nn.init.normal_(norm.weight)
            torch.nn.init.normal_(norm.bias)
    return network.eval()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 50)])
def test_strides_and_channels(height: int, width: int) -> None:
    network = _small().eval()
    layer2, layer3 = network(torch.randn(2, 3, height, width))
    assert network.channels == (12, 16)
    assert layer2.shape == (2, 12, -(-height // 8), -(-width // 8))
    assert layer3.shape == (2, 16, -(-height // 16), -(-width // 16))


@pytest.mark.parametrize(
    ("build", "channels", "parameters"),
    [(resnet18, (128, 256), 11_689_512), (resnet50, (512, 1024), 25_557_032)],
)
def test_parameter_counts_equal_the_imagenet_networks(build, channels, parameters) -> None:
    with torch.device("meta"):
        network, trunk = build(), build(with_head=False)
    assert network.channels == channels
    assert sum(p.numel() for p in network.parameters()) == parameters
    whole = network.state_dict()
    assert set(trunk.state_dict()) == {key for key in whole if not key.startswith(("layer4", "fc"))}


def test_same_generator_seed_gives_the_same_network() -> None:
    first, second, other = (_small(generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.layer3[0].conv2.weight, second.layer3[0].conv2.weight)
    assert not torch.equal(first.layer3[0].conv2.weight, other.layer3[0].conv2.weight)


def test_folding_batch_norms_changes_nothing_but_rounding() -> None:
    network = _disturb_batch_norms(_small()).double()
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    for actual, expected in zip(folded(images), network(images), strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-12, rtol=1e-12)


def test_folding_reaches_linear_layers_and_spares_norms_that_follow_nothing_foldable() -> None:
    block = torch.nn.Sequential(
        torch.nn.BatchNorm1d(5),
        torch.nn.Linear(5, 4),
        torch.nn.BatchNorm1d(4),
        torch.nn.ReLU(),
        torch.nn.Linear(4, 2),
    )
    with torch.no_grad():
        block(torch.randn(64, 5) * 3 + 1)
    folded = fold_batch_norms(block)
    assert [type(layer).__name__ for layer in folded] == ["BatchNorm1d", "Linear", "Identity", "ReLU", "Linear"]
    x = torch.randn(7, 5)
    torch.testing.assert_close(folded(x), block.eval()(x))
