"""Layers for inference whose weights are laid out for the processor once for a shape, not at every call.

oneDNN multiplies a few rows by a large matrix and convolves faster when it may choose how the weights lie in memory,
and rectifies the result on the way out. On devices and for types it does not serve, these are the plain layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def _packable(weight: Tensor) -> bool:
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32


class _Layout:
    """Weights as they are fastest for inputs of one shape.

    A plain layer lays them out at every call, so a new shape simply replaces the last. Weights laid out for another
    shape would be laid out again at every call, by a slow path.
    """

    def __init__(self, lay_out: Callable[[torch.Size], Tensor]) -> None:
        self._lay_out = lay_out
        self._latest: tuple[torch.Size, Tensor] | None = None

    def __call__(self, shape: torch.Size) -> Tensor:
        latest = self._latest
        if latest is None or latest[0] != shape:
            # One assignment, so that threads which share a tracker see a shape with its weights.
            latest = self._latest = shape, self._lay_out(shape)
        return latest[1]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which cannot hold what oneDNN laid out."""
        return self.__dict__ | {"_latest": None}


class PackedLinear:
    """`x @ weight.T + bias`, then optionally ReLU, with fixed weights.

    Args:
        weight: later changes of it have no effect.
        bias: added to every row.
        relu: whether the result is rectified.
    """

    def __init__(
        self, weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"] | None = None, relu: bool = False
    ) -> None:
        self.dtype = weight.dtype
        self._weight = weight.detach().clone(memory_format=torch.contiguous_format)
        self._bias, self._relu = bias, relu
        self._layout = _Layout(self._lay_out) if _packable(weight) else None

    def _lay_out(self, shape: torch.Size) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(self._weight, shape[:-1].numel())
        return packed

    def __call__(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Map vectors, which are converted to the type of the weights."""
        x = x.to(self.dtype)
        y: Tensor
        if self._layout is not None:
            activation = "relu" if self._relu else "none"
            y = torch.ops.mkldnn._linear_pointwise(x, self._layout(x.shape), self._bias, activation, [None], "")
            return y
        y = F.linear(x, self._weight, self._bias)
        return y.relu_() if self._relu else y


class PackedConv2d(nn.Module):
    """A convolution with fixed weights, then optionally ReLU.

    Args:
        conv: later changes of its weights have no effect.
        relu: whether the result is rectified.
        padding: instead of that of `conv`.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool = False, padding: int | None = None) -> None:
        super().__init__()
        pad = conv.padding if padding is None else (padding, padding)
        self._geometry = (pad, conv.stride, conv.dilation, conv.groups)
        self._weight = conv.weight.detach().clone()
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._relu = relu
        self._layout = _Layout(self._lay_out) if _packable(conv.weight) else None

    def _lay_out(self, shape: torch.Size) -> Tensor:
        weight = self._weight.contiguous().to_mkldnn()
        packed: Tensor = torch.ops.aten.mkldnn_reorder_conv2d_weight(weight, *self._geometry, shape)
        return packed

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Convolve maps of the type of the weights."""
        pad, stride, dilation, groups = self._geometry
        y: Tensor
        if self._layout is not None:
            activation = "relu" if self._relu else "none"
            y = torch.ops.mkldnn._convolution_pointwise(
                x, self._layout(x.shape), self._bias, pad, stride, dilation, groups, activation, [None], ""
            )
            return y
        y = F.conv2d(x, self._weight, self._bias, stride, pad, dilation, groups)
        return y.relu_() if self._relu else y


def pack_convolutions(module: nn.Module) -> None:
    """Replace all convolutions of a network, whose batch normalisations are folded, by packed ones.

    A ReLU that is registered directly after a convolution becomes part of it, which in this package means that it is
    applied to its result and nothing else.
    """
    for parent in list(module.modules()):
        children = [(name, child) for name, child in parent.named_children() if not isinstance(child, nn.Identity)]
        for (name, layer), (next_name, following) in itertools.zip_longest(
            children, children[1:], fillvalue=("", None)
        ):
            if not isinstance(layer, nn.Conv2d):
                continue
            relu = isinstance(following, nn.ReLU)
            setattr(parent, name, PackedConv2d(layer, relu))
            if relu:
                setattr(parent, next_name, nn.Identity())
