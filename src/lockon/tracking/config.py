"""The configuration of a tracker: what sits in each slot of the frame loop, and with which numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lockon.tracking.augmentation import AugmentationConfig
from lockon.tracking.estimators import RefinementConfig
from lockon.tracking.learners import MemoryConfig
from lockon.tracking.localisers import OnlineConfig, TargetModelConfig
from lockon.tracking.search_region import SearchConfig
from lockon.tracking.selectors import PeakConfig


@dataclass(frozen=True)
class PresenceConfig:
    """From peak height to a confidence: `1 / (1 + exp((threshold - peak) / temperature))`."""

    threshold: float = 0.25
    """Peak height at which the target is as likely present as not."""
    temperature: float = 0.1
    """Change of the peak height that changes the log odds by one."""
    decision: float = 0.5
    """Confidence from which the target is said to be present: below 0.5 where a poor box of a target that is there
    lowers the confidence, too."""


@dataclass(frozen=True)
class TrackerConfig:
    """A tracker as a combination of parts; an ablation is a change of one of them."""

    network: str
    """Constructor in `lockon.networks.tracker_net`."""
    search: SearchConfig = field(default_factory=SearchConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    localiser: OnlineConfig | TargetModelConfig | None = field(default_factory=TargetModelConfig)
    """None: the target is taken to be where it was."""
    selector: PeakConfig = field(default_factory=PeakConfig)
    expect: Literal["previous", "centre"] = "previous"
    """Where a target is expected when peaks compete: at the `previous` position (DiMP) or the `centre` (ATOM)."""
    window: Literal["none", "first_peak", "all"] = "none"
    """Seek the first peak (DiMP), or all peaks (ATOM), in the scores multiplied by a Hann window."""
    estimator: RefinementConfig | None = field(default_factory=RefinementConfig)
    """None: the size follows the best of the searched scales."""
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)
