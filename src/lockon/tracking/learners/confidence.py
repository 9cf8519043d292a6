"""How surely a frame shows the target, and what that means for learning (KeepTrack, Sec. 3.8, Eq. 5 and Table 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class ConfidenceConfig:
    """What the confidence β of a sample decides beside its age α.

    Always, which sample makes room for a new one: that with the least α·β.
    """

    weighting: bool = True
    """A sample weighs α·β when the model learns, too, instead of α."""
    threshold: float = 0.5
    """Below it a confidence counts as 0: such a sample is the first to go. A distractor is not learned from at once
    where the peak itself is below it."""
    certain: float = 1.0
    """Height of a peak that counts as 1: about what is seen of a clear target."""


def confidence(
    peaks: Float[np.ndarray, "targets"], initial: Bool[np.ndarray, "targets"], certain: float = 1.0
) -> Float[np.ndarray, "targets"]:
    """β: the height σ of the highest peak, lifted to √σ where the selected object is the one marked at the start.

    Args:
        peaks: heights.
        initial: whether the selected object is surely the one of the first frame.
        certain: height that counts as 1.
    """
    sigma = np.maximum(peaks, 0) / certain
    lifted: Float[np.ndarray, "targets"] = np.where(initial, np.maximum(sigma, np.sqrt(sigma)), sigma)
    return lifted
