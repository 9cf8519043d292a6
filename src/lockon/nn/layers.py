"""Small layers shared by the networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn


class InstanceL2Norm(nn.Module):
    """Scale every image's feature map to the same Frobenius norm, `scale * sqrt(C * H * W)`.

    DiMP (Bhat et al., ICCV 2019) ends its classification features with it, with `scale = sqrt(1 / (C * k * k))` for a
    k × k target filter, so that a filter response is of order one whatever the image.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise each of the n maps by itself."""
        factor = torch.sqrt(math.prod(x.shape[1:]) / (_sum_of_squares(x) + 1e-5))
        return x * (self.scale * factor).to(x.dtype)


def _sum_of_squares(x: Tensor) -> Tensor:
    """Of each image, in at least float32 whatever the type of the features."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True, dtype=dtype)
    return norm.square()


def power_normalize(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Scale every image's feature map to unit mean square (classification features of ATOM)."""
    return x * torch.rsqrt(_sum_of_squares(x) / math.prod(x.shape[1:]) + 1e-10).to(x.dtype)


def conv_bn_relu(inputs: int, outputs: int, kernel: int, padding: int) -> nn.Sequential:
    """Convolution with bias (`.0`), batch normalisation (`.1`) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Pointwise(nn.Conv1d):
    """A 1 × 1 convolution, applied to vectors: a linear layer under the names and shapes of a convolution.

    Args:
        inputs: channels of the vectors it takes.
        outputs: channels of those it gives.
        generator: source of the initial weights, uniform within `±1/sqrt(inputs)`; the global one by default.
    """

    def __init__(self, inputs: int, outputs: int, generator: Generator | None = None) -> None:
        super().__init__(inputs, outputs, kernel_size=1)
        bound = 1 / math.sqrt(inputs)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Map vectors."""
        return F.linear(x, self.weight.squeeze(-1), self.bias)


def pointwise_mlp(widths: Sequence[int], generator: Generator | None = None) -> nn.Sequential:
    """Layers between vectors of the given widths, with batch normalisation and ReLU between them.

    It takes `(n, widths[0])`. The last bias starts at zero (KeepTrack, SuperGlue).
    """
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [Pointwise(inputs, outputs, generator), nn.BatchNorm1d(outputs), nn.ReLU()]
    nn.init.zeros_(layers[-3].get_parameter("bias"))
    return nn.Sequential(*layers[:-2])
