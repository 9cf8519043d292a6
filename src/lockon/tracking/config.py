"""The configuration of a tracker: what sits in each slot of the frame loop, and with which numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from lockon.tracking.augmentation import AugmentationConfig
from lockon.tracking.estimators import RefinementConfig
from lockon.tracking.learners import MemoryConfig, confidence
from lockon.tracking.localisers import OnlineConfig, TargetModelConfig
from lockon.tracking.search_area import RescalingConfig
from lockon.tracking.search_region import SearchConfig
from lockon.tracking.selectors import AssociationConfig, PeakConfig


@dataclass(frozen=True)
class PresenceConfig:
    """From peak height to a score: `1 / (1 + exp((threshold - peak) / temperature))`."""

    threshold: float = 0.25
    """Peak height at which the target is as likely present as not."""
    temperature: float | None = 0.1
    """Change of the peak height that changes the log odds by one; None: the score is the confidence β of the frame,
    as in `lockon.tracking.learners.confidence` (KeepTrack)."""
    decision: float = 0.5
    """Confidence from which the target is said to be present: below 0.5 where a poor box of a target that is there
    lowers the confidence, too."""

    def scores(
        self, peaks: Float[np.ndarray, "targets"], initial: Bool[np.ndarray, "targets"]
    ) -> Float[np.ndarray, "targets"]:
        """Scores in [0, 1].

        Args:
            peaks: heights.
            initial: whether the selected object is surely the one marked in the first frame.
        """
        if self.temperature is None:
            return confidence(peaks, initial).clip(0, 1)
        odds = np.clip((peaks - self.threshold) / self.temperature, -50, 50)
        scores: Float[np.ndarray, "targets"] = 1 / (1 + np.exp(-odds))
        return scores


@dataclass(frozen=True)
class TrackerConfig:
    """A tracker as a combination of parts; an ablation is a change of one of them."""

    network: str
    """Constructor in `lockon.networks.tracker_net`."""
    search: SearchConfig = field(default_factory=SearchConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    localiser: OnlineConfig | TargetModelConfig | None = field(default_factory=TargetModelConfig)
    """None: the target is taken to be where it was."""
    rescaling: RescalingConfig | None = None
    """None: the search region keeps its size while the target is lost."""
    selector: PeakConfig | AssociationConfig = field(default_factory=PeakConfig)
    expect: Literal["previous", "centre"] = "previous"
    """Where a target is expected when peaks compete: at the `previous` position (DiMP) or the `centre` (ATOM)."""
    window: Literal["none", "first_peak", "all"] = "none"
    """Seek the first peak (DiMP), or all peaks (ATOM), in the scores multiplied by a Hann window."""
    estimator: RefinementConfig | None = field(default_factory=RefinementConfig)
    """None: the size follows the best of the searched scales."""
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)
