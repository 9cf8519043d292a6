"""Averaged weights: an exponential moving average of all a model has, kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of parameters and buffers; counters are copied.

    Args:
        model: whose weights the average starts from.
        decay: of the average in one step; shorter at the beginning, where it is (1 + step) / (10 + step).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights after step number `step`, from 1, into the average."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average = self.values[name]
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        for name, value in values.items():
            self.values[name].copy_(value)

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """Let a model have the averaged weights for a while."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.values)
        try:
            yield
        finally:
            model.load_state_dict(own)
