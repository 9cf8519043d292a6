"""How wide to search for a target that is lost.

A target that disappears behind something is seen to shrink, and its search region with it. Where it comes back, it is
looked for as widely as before (KeepTrack, supplement B.2, and reference).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class RescalingConfig:
    """How far back to look; all in frames that the target was found in."""

    window: int = 60
    least: int = 2
    """At least as many scales are averaged, where there are so many that are large enough."""
    most: int = 30
    """At most as many: after that long a time the search region grows no more."""


@dataclass(frozen=True)
class SearchHistory:
    """The scales at which T targets were found, the latest last."""

    scales: Float32[Tensor, "targets window"]
    """Image pixels per crop pixel; 0 before the first."""
    lost: Int64[Tensor, "targets"]
    """Frames since the target was last found."""

    @classmethod
    def empty(cls, targets: int, config: RescalingConfig) -> SearchHistory:
        """Before the first search."""
        return cls(torch.zeros(targets, config.window), torch.zeros(targets, dtype=torch.long))

    def after(
        self, scales: Float32[Tensor, "targets"], found: Bool[Tensor, "targets"], config: RescalingConfig
    ) -> tuple[SearchHistory, Float32[Tensor, "targets"]]:
        """The history after a frame, and the scales to search at next.

        Args:
            scales: at which the frame was searched.
            found: whether the target was found.
            config: see `RescalingConfig`.
        """
        longer = torch.cat([self.scales[:, 1:], scales[:, None]], dim=1)
        history = SearchHistory(
            torch.where(found[:, None], longer, self.scales), torch.where(found, 0, self.lost + 1)
        )
        return history, torch.where(found, scales, history._widened(scales, config))

    def _widened(self, scales: Float32[Tensor, "targets"], config: RescalingConfig) -> Float32[Tensor, "targets"]:
        """Mean of the latest scales that are no smaller than the last one; as given for a target never found."""
        last = self.scales[:, -1:]
        enough = (self.scales >= last) & (self.scales > 0)
        age = enough.flip(1).cumsum(dim=1).flip(1)  # 1 for the latest of them
        averaged = enough & (age <= self.lost.clamp(config.least, config.most)[:, None])
        mean = (self.scales * averaged).sum(dim=1) / averaged.sum(dim=1)
        return torch.where(last[:, 0] > 0, mean, scales)
