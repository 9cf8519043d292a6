"""Batch normalisation over the batches of all processes, so that more processes are one larger batch.

PyTorch's own refuses tensors on CPUs, and the networks here run on both. Off by default: the reference
implementations normalise the batch of each process by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

from lockon.training import peers


def synchronise(module: nn.Module) -> None:
    """Let the batch normalisations of a module use the statistics of all processes from now on."""
    for part in module.modules():
        # Not new modules: the task may hold references to those it freezes.
        if type(part) is nn.BatchNorm1d:
            part.__class__ = JointBatchNorm1d
        elif type(part) is nn.BatchNorm2d:
            part.__class__ = JointBatchNorm2d


class _Joint(_BatchNorm):
    """Batch normalisation whose statistics in training mode are those of all processes' batches together."""

    def forward(self, input: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        """Normalise; the gradient flows through the joint statistics."""
        if not self.training or peers.count() == 1:
            return super().forward(input)
        values = input.float().transpose(0, 1).flatten(1)
        mean, variance, size = _joint_statistics(values)
        self._remember(mean.detach(), variance.detach() * size / (size - 1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        normalised = (values - mean[:, None]) * scale[:, None]
        if self.affine:
            normalised = normalised + self.bias[:, None]
        channels_first = (input.shape[1], input.shape[0], *input.shape[2:])
        return normalised.view(channels_first).transpose(0, 1).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Float[Tensor, "c"], variance: Float[Tensor, "c"]) -> None:
        if not self.track_running_stats:
            return
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class JointBatchNorm1d(_Joint, nn.BatchNorm1d):
    """Of vectors."""


class JointBatchNorm2d(_Joint, nn.BatchNorm2d):
    """Of maps."""


def _joint_statistics(
    values: Float[Tensor, "c n"],
) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"], Float[Tensor, ""]]:
    """Mean and (biased) variance per channel over all processes, and how many values each is made of."""
    own = values.new_full((1,), values.shape[1])
    sums = _total(torch.cat([values.sum(dim=1), own]))
    size = sums[-1].detach()
    mean = sums[:-1] / size
    # Around the joint mean: E[x²] − E[x]² cancels where the mean is large.
    squares = (values - mean[:, None]).square().sum(dim=1)
    return mean, _total(squares) / size, size


def _total(values: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    joint: Tensor = _Total.apply(values)  # type: ignore[no-untyped-call]
    return joint


class _Total(torch.autograd.Function):
    """Sum over the processes. Each of them uses it, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:  # noqa: ARG004
        return peers.total(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return peers.total(gradients[0])
