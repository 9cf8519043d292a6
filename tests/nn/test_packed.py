from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from lockon.networks.resnet import BasicBlock, Bottleneck, ResNet
from lockon.nn.folding import fold_batch_norms
from lockon.nn.packed import PackedConv2d, PackedLinear, pack_convolutions

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}
"""Relative to the largest value."""


def _assert_near(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual.dtype == expected.dtype
    atol = TOLERANCE[expected.dtype] * float(expected.abs().max())
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("relu", [False, True])
@torch.no_grad()
def test_packed_linear_map_equals_the_plain_one(dtype: torch.dtype, relu: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias, x = (torch.randn(shape, generator=generator).to(dtype) for shape in ((7, 40), (7,), (2, 5, 40)))
    expected = x @ weight.T + bias
    _assert_near(PackedLinear(weight, bias, relu)(x), expected.relu() if relu else expected)
    _assert_near(PackedLinear(weight)(x), x @ weight.T)
    # Transposed weights, which lie differently in memory.
    _assert_near(PackedLinear(weight.T)(expected), expected @ weight)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("relu", [False, True])
@torch.no_grad()
def test_packed_convolution_equals_the_plain_one(dtype: torch.dtype, relu: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 10, 3, stride=2, padding=1).to(dtype)
    packed, unpadded = PackedConv2d(conv, relu), PackedConv2d(conv, relu, padding=0)
    for size in (9, 20):
        x = torch.randn(2, 6, size, size + 3).to(dtype, memory_format=torch.channels_last)
        expected, without_padding = conv(x), nn.functional.conv2d(x, conv.weight, conv.bias, stride=2)
        _assert_near(packed(x), expected.relu() if relu else expected)
        _assert_near(unpadded(x), without_padding.relu() if relu else without_padding)


@torch.no_grad()
def test_packed_layers_keep_the_weights_they_were_made_of() -> None:
    for dtype in (torch.float32, torch.float64):
        conv, weight = nn.Conv2d(3, 4, 3).to(dtype), torch.randn(4, 5, dtype=dtype)
        x, y = torch.randn(1, 3, 8, 8, dtype=dtype), torch.randn(2, 5, dtype=dtype)
        packed_conv, packed_linear = PackedConv2d(conv), PackedLinear(weight)
        before = packed_conv(x), packed_linear(y)
        conv.weight.zero_()
        weight.zero_()
        torch.testing.assert_close((packed_conv(x), packed_linear(y)), before)


@torch.no_grad()
def test_packed_layers_can_be_copied_and_pickled_after_use() -> None:
    x = torch.randn(1, 3, 8, 8)
    conv = PackedConv2d(nn.Conv2d(3, 4, 3))
    expected = conv(x)
    torch.testing.assert_close(copy.deepcopy(conv)(x), expected)
    torch.testing.assert_close(pickle.loads(pickle.dumps(conv))(x), expected)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@torch.no_grad()
def test_packed_backbone_equals_the_plain_one(block: type[BasicBlock | Bottleneck]) -> None:
    generator = torch.Generator().manual_seed(0)
    network = fold_batch_norms(ResNet(block, (2, 2, 1), (4, 6, 8), stem_width=8, generator=generator))
    packed = copy.deepcopy(network)
    pack_convolutions(packed)
    assert not any(isinstance(module, nn.Conv2d) for module in packed.modules())
    images = torch.randn(2, 3, 64, 48, generator=generator)
    for actual, expected in zip(packed(images), network(images), strict=True):
        _assert_near(actual, expected)
