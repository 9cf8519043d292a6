"""Small layers shared by the networks."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
        squares = x.square().sum(dim=(1, 2, 3), keepdim=True)
        return x * (self.scale * torch.sqrt(math.prod(x.shape[1:]) / (squares + 1e-5)))


def power_normalize(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Scale every image's feature map to unit mean square (classification features of ATOM)."""
    return x * torch.rsqrt(x.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-10)


def conv_bn_relu(inputs: int, outputs: int, kernel: int, padding: int) -> nn.Sequential:
    """Convolution with bias (`.0`), batch normalisation (`.1`) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
