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
from torch.nn import functional as F

from lockon.nn.folding import fold_batch_norms
from lockon.nn.layers import conv_bn_relu
from lockon.nn.packed import PackedConv2d, PackedLinear
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


class Window(NamedTuple):
    """Equally large windows of a map, one per target, with a halo for the test branch's two 3×3 convolutions."""

    cells: Float[Tensor, "targets channels rows cols"]
    """0 outside of the map, as the convolutions pad it."""
    inside: Float[Tensor, "targets 1 rows cols"]
    """1 inside of the map, 0 outside."""
    origin_xy: Float[Tensor, "targets 1 2"]
    """Pixel coordinates (x, y) of the first cell within the halo."""


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

    def embed(self, pooled: Float[Tensor, "n rows cols channels"]) -> Float[Tensor, "n o"]:
        """`forward` of maps with the channels last, which it flattens with the channels first."""
        weight = self.linear.weight.unflatten(1, (-1, *pooled.shape[1:3])).permute(0, 2, 3, 1).flatten(1)
        product = F.linear(pooled.flatten(1).to(weight.dtype), weight, self.linear.bias)
        embedding: Tensor = self.bn(product.to(pooled.dtype)).relu()
        return embedding


class PackedBlock:
    """One block of the test branch in evaluation mode, as fast as it gets.

    Args:
        convolutions: the two convolutions with their normalisation; weights are copied.
        linear_block: of the pooled features; its weights are copied, too.
        bins: per side of the pooling.
    """

    def __init__(self, convolutions: Sequence[nn.Sequential], linear_block: LinearBlock, bins: int) -> None:
        self._first, self._second = (_pack_without_padding(layers) for layers in convolutions)
        linear = fold_batch_norms(linear_block).linear
        # For pooled features with the channels last.
        weight = linear.weight.unflatten(1, (-1, bins, bins)).permute(0, 2, 3, 1).flatten(1)
        self.dtype = weight.dtype
        self._embed = PackedLinear(weight, linear.bias, relu=True)
        self._embed_transposed = PackedLinear(weight.T)

    def convolve(self, window: Window) -> Float[Tensor, "targets c2 h2 w2"]:
        """What the convolutions make of the whole map, in the part of a window within the halo."""
        # The second convolution, too, must see zeros outside of the map.
        y: Tensor = self._second(self._first(window.cells) * window.inside[..., 1:-1, 1:-1])
        return y

    def embed(self, pooled: Float[Tensor, "*n i"]) -> tuple[Float[Tensor, "*n o"], Callable[[Tensor], Tensor]]:
        """Embeddings of boxes, and the pullback to `pooled` of what broadcasts with them; in the weights' type."""
        y = self._embed(pooled)
        return y, lambda cotangent: self._embed_transposed(torch.where(y > 0, cotangent, 0.0))


class BoxScorer(nn.Module, ABC):
    """The test branch, common to all IoU networks.

    Subclasses register, for each block b in `self.blocks`, the layers `conv{b}_1t`, `conv{b}_2t` and `fc{b}_rt`, and
    define `modulation` and `_readout`.
    """

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        self._packed: tuple[PackedBlock, ...] | None = None

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

    def _inputs(self, layer2: Tensor, layer3: Tensor) -> list[Tensor]:
        return [{3: layer2, 4: layer3}[block] for block in self.blocks]

    def _convolutions(self, block: int) -> tuple[nn.Sequential, nn.Sequential]:
        first, second = self.get_submodule(f"conv{block}_1t"), self.get_submodule(f"conv{block}_2t")
        assert isinstance(first, nn.Sequential)
        assert isinstance(second, nn.Sequential)
        return first, second

    def test_features(
        self, layer2: Float[Tensor, "targets c2 h8 w8"], layer3: Float[Tensor, "targets c3 h16 w16"]
    ) -> BoxFeatures:
        """The maps that boxes are scored on, for the whole crop."""
        maps = []
        for block, x in zip(self.blocks, self._inputs(layer2, layer3), strict=True):
            first, second = self._convolutions(block)
            maps.append(_as_map(second(first(x))))
        return BoxFeatures(tuple(maps), tuple(c.new_zeros(1, 1, 2, dtype=torch.float32) for c in maps))

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
        inputs = zip(self.blocks, self._inputs(layer2, layer3), strict=True)
        windows = [_cut_window(x, boxes, margin, STRIDES[block]) for block, x in inputs]
        blocks = zip(self._packed_blocks(), windows, strict=True)
        maps = tuple(_as_map(block.convolve(window)) for block, window in blocks)
        return BoxFeatures(maps, tuple(window.origin_xy for window in windows))

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
            # On the map, and with the channels last from end to end: no copy of the pooled features, forth or back.
            amplified = c if gains is None else c * gains[:, :, None, None]
            pooled = prroi_pool(amplified, _move(boxes, origin), _bins(block), 1 / STRIDES[block])
            embeddings.append(self._linear_block(block).embed(pooled.permute(0, 1, 3, 4, 2).flatten(0, 1)))
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

    def pack(self) -> None:
        """Lay the weights out for many calls of `test_features_window` and `objective`; they are final then."""
        self._packed = self._packed_blocks()

    def _packed_blocks(self) -> tuple[PackedBlock, ...]:
        assert not self.training, "packed layers are those of evaluation mode"
        return self._packed or tuple(
            PackedBlock(self._convolutions(block), self._linear_block(block), TEST_POOL[block])
            for block in self.blocks
        )

    @torch.no_grad()
    def objective(
        self, modulation: Sequence[Float[Tensor, "targets _"]], features: BoxFeatures
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """`predict_with_gradient` as a function of the boxes, with what they do not change computed in advance."""
        gains, weights, offset = self._readout(modulation)
        bins, strides = zip(*((TEST_POOL[block], STRIDES[block]) for block in self.blocks), strict=True)
        pooling = MovingBoxes(features.maps, gains, features.origins_xy, bins, strides)
        blocks = self._packed_blocks()
        weights_per_block = weights[:, None].to(blocks[0].dtype).chunk(len(self.blocks), dim=-1)

        @torch.no_grad()
        def evaluate(boxes: Tensor) -> tuple[Tensor, Tensor]:
            pooled, to_boxes = pooling.pool(boxes)
            embeddings, pullbacks = zip(
                *(block.embed(x.flatten(2)) for block, x in zip(blocks, pooled, strict=True)), strict=True
            )
            embedding = torch.cat(embeddings, dim=-1).to(weights.dtype)
            scores = (embedding @ weights[..., None]).squeeze(-1) + offset[:, None]
            by_pooled = [pullback(weight) for pullback, weight in zip(pullbacks, weights_per_block, strict=True)]
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


def _pack_without_padding(layers: nn.Sequential) -> PackedConv2d:
    conv = fold_batch_norms(layers)[0]
    assert isinstance(conv, nn.Conv2d)
    return PackedConv2d(conv, relu=True, padding=0)


def _as_map(x: Tensor) -> Tensor:
    """In single precision at least, as pooling and geometry are, whatever the convolutions run in; channels last."""
    dtype = x.dtype if torch.is_autocast_enabled(x.device.type) else torch.promote_types(x.dtype, torch.float32)
    return x.to(dtype, memory_format=torch.channels_last)


def _cut_window(x: Tensor, boxes: Tensor, margin: float, stride: int) -> Window:
    """The windows that boxes within `margin` of `boxes` touch."""
    size = torch.tensor([x.shape[3], x.shape[2]])
    # A box that is n cells long touches up to n + 2 cells, wherever it lies.
    extent = ((boxes[:, 2:].amax(dim=0) + 2 * margin) / stride).ceil().long().cpu() + 2
    extent = torch.minimum(extent, size)
    start = ((boxes[:, :2] - margin) / stride).floor().long()
    start = torch.minimum(start.clamp(min=0), (size - extent).to(start))
    col, row = (
        start[:, axis, None] + torch.arange(-_HALO, int(extent[axis]) + _HALO, device=x.device) for axis in (0, 1)
    )
    height, width = x.shape[2:]
    inside = ((row >= 0) & (row < height))[:, :, None] & ((col >= 0) & (col < width))[:, None, :]
    target = torch.arange(len(boxes), device=x.device)[:, None, None]
    row, col = row.clamp(0, height - 1)[:, :, None], col.clamp(0, width - 1)[:, None, :]
    cells = x.permute(0, 2, 3, 1)[target, row, col] * inside[..., None]
    return Window(cells.permute(0, 3, 1, 2), inside[:, None], (start * stride)[:, None].to(torch.float32))
