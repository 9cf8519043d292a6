"""KeepTrack's association network: which candidates of two consecutive frames are the same object.

Mayer et al., "Learning Target Candidate Association to Keep Track of What Not to Track", ICCV 2021, Sec. 3; the
graph network and the transport are those of SuperGlue (Sarlin et al., CVPR 2020). The modules and their parameters
carry the names of the official checkpoints.

Sets of candidates differ in size from target to target and from frame to frame; they are padded to one size, and
`valid` says which places are taken. Padding changes nothing, in training neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Generator, Tensor, nn

from lockon.errors import CheckpointError, UnknownNameError
from lockon.nn.attention import MultiHeadAttention
from lockon.nn.layers import Pointwise, pointwise_mlp
from lockon.nn.sinkhorn import sinkhorn

Nodes = Float[Tensor, "targets n dim"]
LogAssignment = Float[Tensor, "targets previous_and_dustbin current_and_dustbin"]
"""Log probabilities that the candidates of two frames belong together, with the dustbins last."""

KERNEL = 4
"""Rows and columns of the descriptor convolution: as many as the target filter has, so that the maps agree."""
PLACE_SCALE = 0.7
"""Of the longer side of an image: it becomes a length of 1."""


class CandidateSet(NamedTuple):
    """The candidates of one frame, for each target."""

    descriptors: Float[Tensor, "targets n dim"]
    """As `AssociationNet.descriptors` gives them."""
    places: Float[Tensor, "targets n 2"]
    """(y, x) as `normalise_places` gives them."""
    scores: Float[Tensor, "targets n"]
    """Of the target classifier."""
    valid: Bool[Tensor, "targets n"]
    """False where there is no candidate but padding."""


class Matches(NamedTuple):
    """For each candidate of the current frame, its partner in the previous one."""

    partners: Int[Tensor, "targets n"]
    """Index of the previous candidate; -1 where there is none."""
    probabilities: Float[Tensor, "targets n"]
    """Of the best pair, if each is the other's best, also where it is too unlikely for a partner; else 0."""


def normalise_places(
    points_yx: Float[Tensor, "targets n 2"],
    image_size_hw: tuple[int, int] | Num[Tensor, "targets 2"],
    *,
    swapped_centre: bool,
) -> Float[Tensor, "targets n 2"]:
    """Image coordinates in the units the network knows: from the centre, in 0.7 of the longer side.

    Args:
        points_yx: image pixels.
        image_size_hw: (height, width) of the image, one for all targets or one for each.
        swapped_centre: subtract half the width from y and half the height from x. The official tracker does, though
            its network is trained on the right centre; its published results need it.
    """
    size = torch.as_tensor(image_size_hw, dtype=points_yx.dtype, device=points_yx.device)
    centre = (size.flip(-1) if swapped_centre else size) / 2
    scale = PLACE_SCALE * size.amax(dim=-1, keepdim=True)
    return (points_yx - centre[..., None, :]) / scale[..., None, :]


def read_matches(
    log_assignment: LogAssignment,
    previous_valid: Bool[Tensor, "targets previous"],
    current_valid: Bool[Tensor, "targets current"],
    threshold: float = 0.2,
) -> Matches:
    """The pairs that are each other's best, dustbins aside; of the current frame's candidates.

    Args:
        log_assignment: see `AssociationNet.match`. Transposed, with the other two arguments exchanged, it gives the
            partners of the previous frame's candidates.
        previous_valid: see `CandidateSet`.
        current_valid: see `CandidateSet`.
        threshold: probability that a pair must exceed.
    """
    shape = current_valid.shape
    if previous_valid.shape[1] == 0 or shape[1] == 0:
        return Matches(
            torch.full(shape, -1, device=log_assignment.device),
            log_assignment.new_zeros(shape),
        )
    pairs = previous_valid[:, :, None] & current_valid[:, None, :]
    inner = log_assignment[:, :-1, :-1].masked_fill(~pairs, -math.inf)
    best, partners = inner.max(dim=1)
    mutual = inner.argmax(dim=2).gather(1, partners) == torch.arange(shape[1], device=partners.device)
    probabilities = torch.where(mutual, best.exp(), 0)
    return Matches(torch.where(probabilities > threshold, partners, -1), probabilities)


class AssociationNet(nn.Module):
    """From backbone features at the candidates of two frames to the probabilities that they are the same objects.

    Args:
        in_channels: of layer3 of the base tracker's backbone.
        dim: of the descriptors.
        encoder_widths: of the layers that encode place and score, before the last one to `dim`.
        gnn_layers: single layers, self and cross attention in turn: 4 are the "2 layers" of the paper.
        heads: of the attention.
        sinkhorn_iterations: of the transport.
        generator: source of the initial weights; the global one by default.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        dim: int = 256,
        encoder_widths: Sequence[int] = (32, 64, 128, 256),
        gnn_layers: int = 4,
        heads: int = 4,
        sinkhorn_iterations: int = 10,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.sinkhorn_iterations = sinkhorn_iterations
        self.descriptor_extractor = DescriptorExtractor(in_channels, dim, generator)
        self.matcher = Matcher(dim, encoder_widths, gnn_layers, heads, generator)

    @property
    def in_channels(self) -> int:
        """Channels of the features that are described."""
        return self.descriptor_extractor.conv.in_channels

    @property
    def dim(self) -> int:
        """Channels of a descriptor."""
        return self.descriptor_extractor.conv.out_channels

    def descriptors(self, layer3: Float[Tensor, "targets c rows cols"], cells: Int[Tensor, "targets n 2"]) -> Nodes:
        """Descriptors at cells of the score map (Sec. 3.2), which has one row and column more than the features.

        Args:
            layer3: backbone features of each target's search region, of any floating type.
            cells: (row, col) of each candidate; any numbers where there is none.
        """
        return self.descriptor_extractor.at(layer3, cells)

    def match(self, previous: CandidateSet, current: CandidateSet) -> LogAssignment:
        """Log probabilities that a previous and a current candidate are one object, with the dustbins last.

        Padding has a probability of 0. `read_matches` makes pairs of it.
        """
        return self.transport(self.score_matrix(previous, current), previous.valid, current.valid)

    def score_matrix(
        self, previous: CandidateSet, current: CandidateSet
    ) -> Float[Tensor, "targets previous current"]:
        """How much the candidates of two frames resemble each other, once they know of all others (Sec. 3.3)."""
        return self.matcher.similarity(*self.matcher.propagate(previous, current))

    def transport(
        self,
        scores: Float[Tensor, "targets previous current"],
        previous_valid: Bool[Tensor, "targets previous"],
        current_valid: Bool[Tensor, "targets current"],
    ) -> LogAssignment:
        """From resemblances to log probabilities of one-to-one pairs, in float32 at least (Sec. 3.4)."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return sinkhorn(scores, self.matcher.bin_score, previous_valid, current_valid, self.sinkhorn_iterations)


def target_candidate_matching_net_resnet50(
    *,
    skip_gnn: bool = False,
    GNN_layers: Sequence[str] | None = None,
    num_sinkhorn_iterations: int = 10,
    output_normalization: str = "sinkhorn",
    **training: Any,
) -> AssociationNet:
    """The association network of KeepTrack, under the name and with the arguments that official checkpoints record.

    Args:
        skip_gnn: no layers at all (Table 11).
        GNN_layers: "self" and "cross" in turn; two of each by default.
        num_sinkhorn_iterations: of the transport.
        output_normalization: there is one.
        training: what concerns training alone.

    Raises:
        CheckpointError: They ask for another structure.
    """
    layers = ("self", "cross") * 2 if GNN_layers is None else tuple(GNN_layers)
    in_turn = all(layer == ("self", "cross")[index % 2] for index, layer in enumerate(layers))
    if not in_turn or output_normalization != "sinkhorn" or not training.keys() <= _TRAINING_ONLY:
        given = {"GNN_layers": layers, "output_normalization": output_normalization, **training}
        raise CheckpointError(
            f"an association network with {given} is not supported; the checkpoint is of another kind."
        )
    return AssociationNet(gnn_layers=0 if skip_gnn else len(layers), sinkhorn_iterations=num_sinkhorn_iterations)


_TRAINING_ONLY = frozenset({"backbone_pretrained", "classification_layer", "frozen_backbone_layers"})

OWN_CONSTRUCTOR = "association"
"""Name of `AssociationNet` itself on the cards of models."""

CONSTRUCTORS: Mapping[str, Callable[..., AssociationNet]] = MappingProxyType(
    {
        OWN_CONSTRUCTOR: AssociationNet,
        "target_candidate_matching_net_resnet50": target_candidate_matching_net_resnet50,
    }
)
"""Every association network by name."""


def build_association(constructor: str, arguments: Mapping[str, Any] = MappingProxyType({})) -> AssociationNet:
    """The network that a checkpoint or a card says it was built by.

    Raises:
        UnknownNameError: There is no such constructor.
        CheckpointError: An argument is unknown, or asks for a structure that no released network has.
    """
    if constructor not in CONSTRUCTORS:
        raise UnknownNameError("association network", constructor, CONSTRUCTORS)
    try:
        return CONSTRUCTORS[constructor](**arguments)
    except TypeError as error:
        raise CheckpointError(f"'{constructor}' cannot be built with {dict(arguments)}: {error}.") from error


class DescriptorExtractor(nn.Module):
    """The convolution that describes every cell of the score map (4 × 4 in the official code, 2 × 2 in the paper)."""

    def __init__(self, in_channels: int, dim: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, dim, KERNEL, padding=KERNEL // 2)
        bound = 1 / math.sqrt(in_channels * KERNEL**2)
        for parameter in self.conv.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def at(self, layer3: Float[Tensor, "targets c rows cols"], cells: Int[Tensor, "targets n 2"]) -> Nodes:
        """The convolution at some cells only: a few hundred times less work than the map."""
        taps = torch.arange(KERNEL, device=cells.device) - KERNEL // 2
        rows, cols = (cells[..., None] + taps).unbind(dim=2)  # (targets, n, taps) each
        height, width = layer3.shape[2:]
        inside = ((rows >= 0) & (rows < height))[..., :, None] & ((cols >= 0) & (cols < width))[..., None, :]
        target = torch.arange(len(cells), device=cells.device)[:, None, None, None]
        windows = layer3.permute(0, 2, 3, 1)[
            target, rows.clamp(0, height - 1)[..., :, None], cols.clamp(0, width - 1)[..., None, :]
        ]
        weight = self.conv.weight
        windows = windows.to(weight.dtype) * inside[..., None]
        # No copy where the weights lie channels-last.
        return F.linear(windows.flatten(2), weight.permute(0, 2, 3, 1).flatten(1), self.conv.bias)


class Matcher(nn.Module):
    """Encoder, graph network, projection and dustbin."""

    def __init__(
        self, dim: int, encoder_widths: Sequence[int], gnn_layers: int, heads: int, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.bin_score = nn.Parameter(torch.zeros(()))
        self.kenc = PlaceEncoder(dim, encoder_widths, generator)
        self.gnn = GraphNetwork(dim, gnn_layers, heads, generator)
        self.final_proj = Pointwise(dim, dim, generator)
        nn.init.orthogonal_(self.final_proj.weight, generator=generator)
        nn.init.zeros_(self.final_proj.get_parameter("bias"))

    def propagate(
        self, previous: CandidateSet, current: CandidateSet
    ) -> tuple[Float[Tensor, "targets previous dim"], Float[Tensor, "targets current dim"]]:
        """Features of the candidates of both frames after the graph network, before the last projection."""
        m, n = previous.valid.shape[1], current.valid.shape[1]
        size = max(m, n)
        valid = torch.stack([_padded(previous.valid, size), _padded(current.valid, size)])
        nodes = torch.stack([_padded(self.kenc(previous), size), _padded(self.kenc(current), size)])
        before, after = self.gnn(nodes, valid)
        return before[:, :m], after[:, :n]

    def similarity(
        self, previous: Float[Tensor, "targets previous dim"], current: Float[Tensor, "targets current dim"]
    ) -> Float[Tensor, "targets previous current"]:
        """Scalar products of the projected features, over the root of their length."""
        before: Tensor = self.final_proj(previous)
        after: Tensor = self.final_proj(current)
        return before @ after.mT / math.sqrt(before.shape[-1])


class PlaceEncoder(nn.Module):
    """Adds place and score to a descriptor (Sec. 3.2)."""

    def __init__(self, dim: int, widths: Sequence[int], generator: Generator | None = None) -> None:
        super().__init__()
        self.encoder = pointwise_mlp((3, *widths, dim), generator)

    def encoding(self, candidates: CandidateSet) -> Nodes:
        """What is added."""
        inputs = torch.cat([candidates.places, candidates.scores[..., None]], dim=-1)
        return _at_valid(self.encoder, inputs, candidates.valid)

    def forward(self, candidates: CandidateSet) -> Nodes:
        """The nodes that enter the graph network."""
        return candidates.descriptors + self.encoding(candidates)


class GraphNetwork(nn.Module):
    """Candidates exchange what they know, within their frame and with the other in turn (Sec. 3.3)."""

    def __init__(self, dim: int, layers: int, heads: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(GraphLayer(dim, heads, generator) for _ in range(layers))

    def forward(
        self, nodes: Float[Tensor, "2 targets n dim"], valid: Bool[Tensor, "2 targets n"]
    ) -> Float[Tensor, "2 targets n dim"]:
        """Nodes of the previous and of the current frame, both updated from what they were before a layer."""
        for index, layer in enumerate(self.layers):
            nodes = layer(nodes, valid, across=index % 2 == 1)
        return nodes


class GraphLayer(nn.Module):
    """One round of messages along all edges of one kind."""

    def __init__(self, dim: int, heads: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.update = Update(dim, heads, generator)

    def forward(
        self, nodes: Float[Tensor, "2 targets n dim"], valid: Bool[Tensor, "2 targets n"], *, across: bool
    ) -> Float[Tensor, "2 targets n dim"]:
        """Messages come from the same frame, or `across` from the other."""
        source, source_valid = (nodes.flip(0), valid.flip(0)) if across else (nodes, valid)
        change: Tensor = self.update(*(tensor.flatten(0, 1) for tensor in (nodes, source, valid, source_valid)))
        return nodes + change.reshape(nodes.shape)


class Update(nn.Module):
    """What a message changes in a node."""

    def __init__(self, dim: int, heads: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(dim, heads, generator)
        self.mlp = pointwise_mlp((2 * dim, 2 * dim, dim), generator)

    def forward(
        self,
        nodes: Float[Tensor, "sets n dim"],
        source: Float[Tensor, "sets m dim"],
        valid: Bool[Tensor, "sets n"],
        source_valid: Bool[Tensor, "sets m"],
    ) -> Float[Tensor, "sets n dim"]:
        """The change of each node."""
        message = self.attn(nodes, source, source_valid)
        return _at_valid(self.mlp, torch.cat([nodes, message], dim=-1), valid)


def _at_valid(
    layers: nn.Module, x: Float[Tensor, "sets n i"], valid: Bool[Tensor, "sets n"]
) -> Float[Tensor, "sets n o"]:
    """Layers applied to vectors; in training to the valid ones only, which alone may count in batch statistics."""
    if not layers.training:
        result: Tensor = layers(x.flatten(0, 1))
        return result.reshape(*valid.shape, result.shape[-1])
    rows: Tensor = layers(x[valid])
    filled = rows.new_zeros(*valid.shape, rows.shape[-1])
    filled[valid] = rows
    return filled


def _padded(x: Num[Tensor, "targets n *c"] | Bool[Tensor, "targets n"], size: int) -> Tensor:
    """Zeros (or false) up to `size` candidates."""
    missing = size - x.shape[1]
    return torch.cat([x, x.new_zeros(len(x), missing, *x.shape[2:])], dim=1) if missing else x
