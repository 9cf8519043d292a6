"""Multi-head attention among sets of vectors of any size."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lockon.nn.layers import Pointwise


class MultiHeadAttention(nn.Module):
    """What each vector learns from the vectors of a source (Vaswani et al., NeurIPS 2017).

    The layers carry the names of the official checkpoints of SuperGlue and KeepTrack, and so does the order of the
    channels: channel `heads · d + h` is dimension d of head h.

    Args:
        dim: channels of the vectors, a multiple of `heads`.
        heads: attentions side by side, each on `dim / heads` channels.
        generator: source of the initial weights; the global one by default. Query, key and value start as copies of
            the output layer, as in the reference.
    """

    def __init__(self, dim: int, heads: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.merge = Pointwise(dim, dim, generator)
        self.proj = nn.ModuleList(Pointwise(dim, dim, generator) for _ in range(3))
        for layer in self.proj:
            layer.load_state_dict(self.merge.state_dict())

    def forward(
        self,
        x: Float[Tensor, "sets n dim"],
        source: Float[Tensor, "sets m dim"],
        source_valid: Bool[Tensor, "sets m"],
    ) -> Float[Tensor, "sets n dim"]:
        """Mean of the source, weighted for each vector of x; sources that are not valid have no weight.

        Where a set has no valid source at all, the result has no meaning.
        """
        query, key, value = (self._split(layer(y)) for layer, y in zip(self.proj, (x, source, source), strict=True))
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        scores = scores.masked_fill(~source_valid[:, None, None, :], torch.finfo(scores.dtype).min)
        message = scores.softmax(dim=-1) @ value
        merged: Tensor = self.merge(message.permute(0, 2, 3, 1).flatten(2))
        return merged

    def _split(self, x: Float[Tensor, "sets n dim"]) -> Float[Tensor, "sets heads n head_dim"]:
        split: Tensor = x.unflatten(-1, (-1, self.heads))
        return split.permute(0, 3, 1, 2)
