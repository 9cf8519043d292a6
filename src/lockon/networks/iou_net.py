"""IoU-Net with modulation: how well does a box fit the target?

ATOM (Danelljan et al., CVPR 2019), Sec. 3.1 and Fig. 3; DiMP and PrDiMP use the same network, the latter reading its
output as log density (Danelljan et al., CVPR 2020). A reference branch sees the target once and returns what the
test branch needs to know of it; the test branch scores boxes in a new image:

    s(B) = offset + sum_b <weights_b, g_b(gains_b * pool(c_b, B))>

over the blocks b of the backbone, with maps c_b (two convolutions), precise RoI pooling, channel gains and one fully
connected layer g_b. The networks of ATOM's Table 1 differ in which of gains, weights and offset come from the
reference (`lockon.networks.iou_net_variants`), so that all share the code below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lockon.nn.layers import conv_bn_relu
from lockon.nn.prpool import MovingBoxes, prroi_pool, prroi_pool_grid

STRIDES = {3: 8, 4: 16}
"""Stride of ResNet's block 3 (layer2) and block 4 (layer3)."""
TEST_POOL = {3: 5, 4: 3}
"""Bins per side of the pooling in the test branch (ATOM, Fig. 3)."""
_HALO = 2
"""Reach in cells of the test branch's two 3×3 convolutions."""


class BoxFeatures(NamedTuple):
    """The maps that boxes are scored on, one per block, and where they lie."""

    maps: tuple[Float[Tensor, "targets channels rows cols"], ...]
    """In channels-last memory, which pooling reads without a copy."""
    origins_xy: tuple[Float[Tensor, "targets 1 2"], ...]
    """Pixel coordinates (x, y) of the first cell of each map: 0 for maps of the whole crop."""


class Readout(NamedTuple):
    """What makes the score specific to the target."""

    gains: tuple[Float[Tensor, "targets channels"] | None, ...]
    """Per block, factors on the channels of the pooled features."""
    weights: Float[Tensor, "#targets embedding"]
    """Of the concatenated outputs of the blocks' fully connected layers."""
    offset: Float[Tensor, "#targets"]


class LinearBlock(nn.Module):
    """Linear layer, batch normalisation and ReLU over flattened features."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """Embed n feature vectors; the product runs in the type of the weights, the result has that of `x`."""
        embedding: Tensor = self.bn(self.linear(x.to(self.linear.weight.dtype)).to(x.dtype)).relu()
        return embedding

    def with_pullback(self, x: Float[Tensor, "n i"]) -> tuple[Float[Tensor, "n o"], Callable[[Tensor], Tensor]]:
        """`forward` in evaluation mode, and its pullback to `x`, in the type of the weights."""
        y = self.forward(x)

        def pullback(cotangent: Tensor) -> Tensor:
            cotangent = cotangent * (y > 0)
            if isinstance(self.bn, nn.BatchNorm1d):  # nn.Identity where it was folded into the linear layer
                assert self.bn.running_var is not None
                cotangent = cotangent * (self.bn.weight * torch.rsqrt(self.bn.running_var + self.bn.eps))
            return cotangent.to(self.linear.weight.dtype) @ self.linear.weight

        return y, pullback


class BoxScorer(nn.Module, ABC):
    """The test branch, common to all IoU networks.

    Subclasses register, for each block b in `self.blocks`, the layers `conv{b}_1t`, `conv{b}_2t` and `fc{b}_rt`, and
    define `modulation` and `_readout`.
    """

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.blocks = tuple(blocks)

    @abstractmethod
    def modulation(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],
        layer3: Float[Tensor, "targets c3 h16 w16"],
        boxes: Float[Tensor, "targets 4"],
    ) -> tuple[Float[Tensor, "targets _"], ...]:
        """What the reference image says of the target, from backbone features and its box in crop pixels."""

    @abstractmethod
    def _readout(self, modulation: Sequence[Tensor]) -> Readout:
        """Gains, weights and offset for targets with the given modulation."""

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Kaiming-normal weights (fan in), zero biases; scales of batch normalisations from U(0, 1)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(module.get_parameter("bias"))
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.reset_parameters()
                nn.init.uniform_(module.weight, generator=generator)

    def _convolve(self, block: int, x: Tensor) -> Tensor:
        x = self.get_submodule(f"conv{block}_2t")(self.get_submodule(f"conv{block}_1t")(x))
        # Pooling and geometry run in single precision at least, whatever the convolutions run in.
        autocast = torch.is_autocast_enabled(x.device.type)
        dtype = x.dtype if autocast else torch.promote_types(x.dtype, torch.float32)
        return x.to(dtype, memory_format=torch.channels_last)

    def test_features(
        self, layer2: Float[Tensor, "targets c2 h8 w8"], layer3: Float[Tensor, "targets c3 h16 w16"]
    ) -> BoxFeatures:
        """The maps that boxes are scored on, for the whole crop."""
        inputs = {3: layer2, 4: layer3}
        maps = tuple(self._convolve(block, inputs[block]) for block in self.blocks)
        return BoxFeatures(maps, tuple(c.new_zeros(1, 1, 2, dtype=torch.float32) for c in maps))

    def test_features_window(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],
        layer3: Float[Tensor, "targets c3 h16 w16"],
        boxes: Float[Tensor, "targets 4"],
        margin: float,
    ) -> BoxFeatures:
        """The maps of `test_features`, computed in a window around each target only.

        Args:
            layer2: backbone features at stride 8.
            layer3: backbone features at stride 16.
            boxes: `(x, y, w, h)` in crop pixels.
            margin: how far, in crop pixels, boxes to be scored may extend beyond `boxes`. Their scores are those on
                the whole maps; the score of a box that extends further is undefined.

        The window has the same size for all targets and depends on the largest box only.
        """
        inputs = {3: layer2, 4: layer3}
        windows = [_cut_window(inputs[block], boxes, margin, STRIDES[block]) for block in self.blocks]
        maps = tuple(self._convolve(block, window) for block, (window, _) in zip(self.blocks, windows, strict=True))
        return BoxFeatures(maps, tuple(origin for _, origin in windows))

    def predict(
        self,
        modulation: Sequence[Float[Tensor, "targets _"]],
        features: BoxFeatures,
        boxes: Float[Tensor, "targets boxes 4"],
    ) -> Float[Tensor, "targets boxes"]:
        """Scores of boxes `(x, y, w, h)` in crop pixels, differentiable by everything."""
        readout = self._readout(modulation)
        embeddings = []
        for block, gains, c, origin in zip(self.blocks, readout.gains, *features, strict=True):
            pooled = prroi_pool(c, _move(boxes, origin), _bins(block), 1 / STRIDES[block])
            embeddings.append(self._linear_block(block)(_amplify(pooled, gains).flatten(2).flatten(0, 1)))
        embedding = torch.cat(embeddings, dim=-1).view(*boxes.shape[:2], -1)
        scores: Tensor = (embedding @ readout.weights[:, :, None]).squeeze(-1) + readout.offset[:, None]
        return scores

    def predict_grid(
        self,
        modulation: Sequence[Float[Tensor, "targets _"]],
        features: BoxFeatures,
        columns: Float[Tensor, "targets n 2"],
        rows: Float[Tensor, "targets m 2"],
    ) -> Float[Tensor, "targets m n"]:
        """`predict` for all boxes of one of the `(x, w)` and one of the `(y, h)`, several times faster."""
        readout = self._readout(modulation)
        embeddings = []
        for block, gains, c, origin in zip(self.blocks, readout.gains, *features, strict=True):
            # There are more boxes than cells, so the gains cost less on the map.
            amplified = c if gains is None else c * gains[:, :, None, None]
            shift_x, shift_y = torch.stack([origin, torch.zeros_like(origin)], dim=-1).unbind(-2)
            pooled = prroi_pool_grid(
                amplified, columns - shift_x, rows - shift_y, TEST_POOL[block], 1 / STRIDES[block]
            )
            embeddings.append(self._linear_block(block)(pooled.flatten(3).flatten(0, 2)))
        embedding = torch.cat(embeddings, dim=-1).view(len(rows), rows.shape[1] * columns.shape[1], -1)
        scores: Tensor = (embedding @ readout.weights[:, :, None]).squeeze(-1) + readout.offset[:, None]
        return scores.view(len(rows), rows.shape[1], -1)

    def predict_with_gradient(
        self,
        modulation: Sequence[Float[Tensor, "targets _"]],
        features: BoxFeatures,
        boxes: Float[Tensor, "targets boxes 4"],
    ) -> tuple[Float[Tensor, "targets boxes"], Float[Tensor, "targets boxes 4"]]:
        """Scores and their gradients by `(x, y, w, h)`, in closed form; the network must be in evaluation mode."""
        return self.objective(modulation, features)(boxes)

    @torch.no_grad()
    def objective(
        self, modulation: Sequence[Float[Tensor, "targets _"]], features: BoxFeatures
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """`predict_with_gradient` as a function of the boxes, with what they do not change computed in advance."""
        assert not self.training, "the closed form holds in evaluation mode only"
        gains, weights, offset = self._readout(modulation)
        maps = [c if g is None else c * g[:, :, None, None] for c, g in zip(features.maps, gains, strict=True)]
        bins, strides = zip(*((TEST_POOL[block], STRIDES[block]) for block in self.blocks), strict=True)
        pooling = MovingBoxes(maps, features.origins_xy, bins, strides)
        linear_blocks = [self._linear_block(block) for block in self.blocks]
        weights_per_block = weights[:, None].chunk(len(self.blocks), dim=-1)

        @torch.no_grad()
        def evaluate(boxes: Tensor) -> tuple[Tensor, Tensor]:
            shape = boxes.shape[:2]
            pooled, to_boxes = pooling.pool(boxes)
            embeddings, by_pooled = [], []
            for linear_block, weight, x in zip(linear_blocks, weights_per_block, pooled, strict=True):
                # Reordering for the linear layer is cheapest in its own type.
                flat = x.to(linear_block.linear.weight.dtype).flatten(2).flatten(0, 1)
                embedding, to_inputs = linear_block.with_pullback(flat)
                embeddings.append(embedding)
                by_pooled.append(to_inputs(weight.expand(*shape, -1).flatten(0, 1)).view(x.shape))
            embedding = torch.cat(embeddings, dim=-1).view(*shape, -1).to(weights.dtype)
            scores = (embedding @ weights[..., None]).squeeze(-1) + offset[:, None]
            return scores, to_boxes(by_pooled)

        return evaluate

    def _linear_block(self, block: int) -> LinearBlock:
        module = self.get_submodule(f"fc{block}_rt")
        assert isinstance(module, LinearBlock)
        return module


class IoUNet(BoxScorer):
    """The modulation network: the reference gives the channel gains.

    Args:
        input_channels: channels of the backbone's layer2 and layer3.
        hidden: width of every hidden layer, 256 in the papers (half of it in the first reference layer of block 3).
        blocks: the blocks of the backbone that are used, (3,), (4,) or (3, 4) (ATOM, Table 1).
        generator: source of the initial weights; the global one by default.
    """

    def __init__(
        self,
        input_channels: tuple[int, int] = (128, 256),
        hidden: int = 256,
        blocks: Sequence[int] = (3, 4),
        generator: Generator | None = None,
    ) -> None:
        super().__init__(blocks)
        reference_width = {3: hidden // 2, 4: hidden}
        for block in self.blocks:
            inputs = input_channels[block - 3]
            self.add_module(f"conv{block}_1r", conv_bn_relu(inputs, reference_width[block], 3, 1))
            self.add_module(f"conv{block}_1t", conv_bn_relu(inputs, hidden, 3, 1))
            self.add_module(f"conv{block}_2t", conv_bn_relu(hidden, hidden, 3, 1))
            if block == 3:
                self.fc3_1r = conv_bn_relu(reference_width[3], hidden, 3, 0)
        for block in self.blocks:
            self.add_module(f"fc34_{block}r", conv_bn_relu(hidden * len(self.blocks), hidden, 1, 0))
        for block in self.blocks:
            self.add_module(f"fc{block}_rt", LinearBlock(hidden * TEST_POOL[block] ** 2, hidden))
        self.iou_predictor = nn.Linear(hidden * len(self.blocks), 1)
        self.reset_parameters(generator)

    def modulation(
        self,
        layer2: Float[Tensor, "targets c2 h8 w8"],
        layer3: Float[Tensor, "targets c3 h16 w16"],
        boxes: Float[Tensor, "targets 4"],
    ) -> tuple[Float[Tensor, "targets _"], ...]:
        """Channel gains per block, not negative; see `BoxScorer.modulation`."""
        views = []
        if 3 in self.blocks:
            c = self.get_submodule("conv3_1r")(layer2)
            views.append(self.fc3_1r(prroi_pool(c, boxes[:, None], (3, 3), 1 / STRIDES[3])[:, 0]))
        if 4 in self.blocks:
            c = self.get_submodule("conv4_1r")(layer3)
            views.append(prroi_pool(c, boxes[:, None], (1, 1), 1 / STRIDES[4])[:, 0])
        joint = torch.cat(views, dim=1)
        return tuple(self.get_submodule(f"fc34_{block}r")(joint).flatten(1) for block in self.blocks)

    def _readout(self, modulation: Sequence[Tensor]) -> Readout:
        return Readout(tuple(modulation), self.iou_predictor.weight, self.iou_predictor.bias)


def _bins(block: int) -> tuple[int, int]:
    return TEST_POOL[block], TEST_POOL[block]


def _move(boxes: Tensor, origin_xy: Tensor) -> Tensor:
    return torch.cat([boxes[..., :2] - origin_xy, boxes[..., 2:]], dim=-1)


def _amplify(pooled: Tensor, gains: Tensor | None) -> Tensor:
    return pooled if gains is None else pooled * gains[:, None, :, None, None]


def _cut_window(x: Tensor, boxes: Tensor, margin: float, stride: int) -> tuple[Tensor, Tensor]:
    """Equally large windows around boxes, and their origins (x, y) in pixels, so that convolving them is exact.

    Cells within reach of a cut edge come out wrong after the convolutions; the window is so much larger. A window
    ends at the border of the map, where the convolutions pad it as they would the map.
    """
    height, width = x.shape[2:]
    lengths = ((boxes[:, 2:].amax(dim=0) + 2 * margin) / stride).ceil().tolist()
    # A box that is n cells long touches up to n + 2 cells, wherever it lies.
    cols, rows = (min(int(n) + 2 + 2 * _HALO, size) for n, size in zip(lengths, (width, height), strict=True))
    start = ((boxes[:, :2] - margin) / stride).floor().long() - _HALO
    start = torch.minimum(start.clamp(min=0), start.new_tensor([width - cols, height - rows]))
    target = torch.arange(len(boxes), device=x.device)[:, None, None]
    row = (start[:, 1:] + torch.arange(rows, device=x.device))[:, :, None]
    col = (start[:, :1] + torch.arange(cols, device=x.device))[:, None, :]
    window = x.permute(0, 2, 3, 1)[target, row, col].permute(0, 3, 1, 2)
    return window, (start * stride)[:, None].to(torch.float32)
