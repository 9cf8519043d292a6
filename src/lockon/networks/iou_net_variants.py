"""The IoU networks that ATOM compares with modulation in Table 1 (supplement, Sec. S1).

They have the test branch of `IoUNet` and differ in what the reference contributes: nothing, a part of the input of
the last layer, or the weights of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lockon.networks.iou_net import STRIDES, TEST_POOL, BoxScorer, IoUNet, LinearBlock, Readout
from lockon.nn.layers import conv_bn_relu
from lockon.nn.prpool import prroi_pool


class IoUNetVariant(StrEnum):
    """Columns of ATOM's Table 1."""

    BASELINE = "baseline"
    MODULATION = "modulation"
    CONCATENATION = "concatenation"
    SIAMESE = "siamese"
    MODULATION_BLOCK3 = "modulation_block3"
    MODULATION_BLOCK4 = "modulation_block4"


def build_iou_net(
    variant: IoUNetVariant,
    input_channels: tuple[int, int] = (128, 256),
    hidden: int = 256,
    generator: Generator | None = None,
) -> BoxScorer:
    """An untrained IoU network; see `IoUNet` for the arguments."""
    match variant:
        case IoUNetVariant.MODULATION:
            return IoUNet(input_channels, hidden, (3, 4), generator)
        case IoUNetVariant.MODULATION_BLOCK3:
            return IoUNet(input_channels, hidden, (3,), generator)
        case IoUNetVariant.MODULATION_BLOCK4:
            return IoUNet(input_channels, hidden, (4,), generator)
        case IoUNetVariant.BASELINE:
            return BaselineIoUNet(input_channels, hidden, generator)
        case IoUNetVariant.CONCATENATION:
            return ConcatenationIoUNet(input_channels, hidden, generator)
        case IoUNetVariant.SIAMESE:
            return SiameseIoUNet(input_channels, hidden, generator)


class BaselineIoUNet(BoxScorer):
    """No reference branch: the score of a box does not depend on the target."""

    def __init__(self, input_channels: tuple[int, int], hidden: int, generator: Generator | None = None) -> None:
        super().__init__((3, 4))
        for block, inputs in zip(self.blocks, input_channels, strict=True):
            self.add_module(f"conv{block}_1t", conv_bn_relu(inputs, hidden, 3, 1))
            self.add_module(f"conv{block}_2t", conv_bn_relu(hidden, hidden, 3, 1))
            self.add_module(f"fc{block}_rt", LinearBlock(hidden * TEST_POOL[block] ** 2, hidden))
        self._add_head(hidden)
        self.reset_parameters(generator)

    def _add_head(self, hidden: int) -> None:
        self.iou_predictor = nn.Linear(2 * hidden, 1)

    def modulation(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],  # noqa: ARG002
        layer3: Float[Tensor, "targets c3 h16 w16"],  # noqa: ARG002
        boxes: Float[Tensor, "targets 4"],  # noqa: ARG002
    ) -> tuple[Float[Tensor, "targets _"], ...]:
        """Nothing."""
        return ()

    def _readout(self, modulation: Sequence[Tensor]) -> Readout:  # noqa: ARG002
        return Readout((None, None), self.iou_predictor.weight, self.iou_predictor.bias)

    def _pool_reference(self, layer2: Tensor, layer3: Tensor, boxes: Tensor) -> list[Tensor]:
        """Flattened reference features per block, by the convolutions and the pooling of the test branch."""
        maps = self.test_features(layer2, layer3).maps
        return [
            prroi_pool(c, boxes[:, None], (TEST_POOL[block],) * 2, 1 / STRIDES[block]).flatten(1)
            for block, c in zip(self.blocks, maps, strict=True)
        ]


class ConcatenationIoUNet(BaselineIoUNet):
    """Reference and test embedding are concatenated before the last layer."""

    def _add_head(self, hidden: int) -> None:
        self.fc3_r = LinearBlock(hidden * TEST_POOL[3] ** 2, hidden)
        self.fc4_r = LinearBlock(hidden * TEST_POOL[4] ** 2, hidden)
        self.iou_predictor = nn.Linear(4 * hidden, 1)

    def modulation(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],
        layer3: Float[Tensor, "targets c3 h16 w16"],
        boxes: Float[Tensor, "targets 4"],
    ) -> tuple[Float[Tensor, "targets _"], ...]:
        """The reference embedding; see `BoxScorer.modulation`."""
        block3, block4 = self._pool_reference(layer2, layer3, boxes)
        return (torch.cat([self.fc3_r(block3), self.fc4_r(block4)], dim=1),)

    def _readout(self, modulation: Sequence[Tensor]) -> Readout:
        test_weights, reference_weights = self.iou_predictor.weight.chunk(2, dim=1)
        offset = (modulation[0] @ reference_weights.T).squeeze(1) + self.iou_predictor.bias
        return Readout((None, None), test_weights, offset)


class SiameseIoUNet(BaselineIoUNet):
    """The score is the scalar product of reference and test embedding.

    The last layer of the reference is linear, as the last layer of the other networks is: a product of two rectified
    embeddings could not be negative, and half the range of the normalised IoU is.
    """

    def _add_head(self, hidden: int) -> None:
        self.fc3_r = nn.Linear(hidden * TEST_POOL[3] ** 2, hidden)
        self.fc4_r = nn.Linear(hidden * TEST_POOL[4] ** 2, hidden)

    def modulation(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],
        layer3: Float[Tensor, "targets c3 h16 w16"],
        boxes: Float[Tensor, "targets 4"],
    ) -> tuple[Float[Tensor, "targets _"], ...]:
        """The reference embedding; see `BoxScorer.modulation`."""
        block3, block4 = self._pool_reference(layer2, layer3, boxes)
        return (torch.cat([self.fc3_r(block3), self.fc4_r(block4)], dim=1),)

    def _readout(self, modulation: Sequence[Tensor]) -> Readout:
        (embedding,) = modulation
        return Readout((None, None), embedding, embedding.new_zeros(1))
