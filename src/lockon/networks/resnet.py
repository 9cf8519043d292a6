"""Residual networks as backbones: features at stride 8 and 16.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Parameters carry the names of the ImageNet
classification networks, so that their weights, and tracker checkpoints built on them, load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Generator, Tensor, nn


class BackboneFeatures(NamedTuple):
    """What trackers read of a backbone."""

    layer2: Float[Tensor, "n c2 h8 w8"]
    """Stride 8 ("block 3" in the ATOM paper)."""
    layer3: Float[Tensor, "n c3 h16 w16"]
    """Stride 16 ("block 4")."""


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Features at `stride` with `width` channels."""
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return y.add_(shortcut).relu_()


class Bottleneck(nn.Module):
    """1×1, 3×3 (with the stride) and 1×1 convolution and a shortcut; `4 * width` output channels."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Features at `stride` with `4 * width` channels."""
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(y)))))
        return y.add_(shortcut).relu_()


def _stage(block: type[BasicBlock | Bottleneck], inputs: int, width: int, depth: int, stride: int) -> nn.Sequential:
    rest = (block(width * block.expansion, width) for _ in range(depth - 1))
    return nn.Sequential(block(inputs, width, stride), *rest)


class ResNet(nn.Module):
    """Stem and residual stages `layer1`, `layer2`, … at strides 4, 8, ….

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: number of blocks of each stage. A fourth stage brings `layer4` and `fc` into being, which checkpoints
            hold and no tracker evaluates.
        widths: width of the blocks of each stage.
        stem_width: channels of the first convolution.
        generator: source of the initial weights; the global one by default.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: Sequence[int],
        widths: Sequence[int],
        stem_width: int = 64,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem_width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        outputs = [width * block.expansion for width in widths]
        self.layer1 = _stage(block, stem_width, widths[0], depths[0], stride=1)
        self.layer2 = _stage(block, outputs[0], widths[1], depths[1], stride=2)
        self.layer3 = _stage(block, outputs[1], widths[2], depths[2], stride=2)
        if len(depths) == 4:
            self.layer4 = _stage(block, outputs[2], widths[3], depths[3], stride=2)
            self.fc = nn.Linear(outputs[3], 1000)
        self.channels = (outputs[1], outputs[2])
        """Channels of layer2 and layer3."""
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw convolutions from N(0, 2 / fan_out); batch normalisations start as the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> BackboneFeatures:
        """Features of normalised RGB images."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        layer2 = self.layer2(x)
        return BackboneFeatures(layer2, self.layer3(layer2))


def resnet18(with_head: bool = True, generator: Generator | None = None) -> ResNet:
    """ResNet-18: 128 and 256 channels; `with_head` adds `layer4` and `fc`, which checkpoints contain."""
    stages = 4 if with_head else 3
    return ResNet(BasicBlock, (2, 2, 2, 2)[:stages], (64, 128, 256, 512)[:stages], generator=generator)


def resnet50(with_head: bool = True, generator: Generator | None = None) -> ResNet:
    """ResNet-50: 512 and 1024 channels; `with_head` adds `layer4` and `fc`, which checkpoints contain."""
    stages = 4 if with_head else 3
    return ResNet(Bottleneck, (3, 4, 6, 3)[:stages], (64, 128, 256, 512)[:stages], generator=generator)
