"""What a tracker said of a sequence, apart from the tracker and from how it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lockon.regions import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Boxes of one run of a tracker on one sequence; row 0 is the start frame."""

    boxes: Float[np.ndarray, "frames 4"]
    """`(x, y, w, h)` in pixels, as stored: neither repaired nor cut."""
    scores: Float[np.ndarray, "frames"] | None = None
    """Confidence that the target is there, where the tracker has one; NaN in frames without."""
    present: Bool[np.ndarray, "frames"] | None = None
    """The tracker's decision whether the target is visible."""
    seconds: Float[np.ndarray, "frames"] | None = None
    """Time per frame; the first is that of learning the target."""
    path: Path | None = None
    """File it was read from, for messages."""
    around_polygons: bool = False
    """Whether that file has polygons, and these are the smallest boxes around them."""


class Code(IntEnum):
    """Frames of a VOT run in which there is no region."""

    SKIPPED = 0
    START = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTrack:
    """Regions of one VOT run (supervised, multi-start or long-term) of a tracker on a sequence."""

    regions: tuple[Region | Code, ...]
    scores: Float[np.ndarray, "frames"] | None = None
    seconds: Float[np.ndarray, "frames"] | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrack:
    """Label images of one run on one sequence."""

    labels: tuple[Path | None, ...]
    """One a frame (pixel = object number); None where there is none."""
    seconds: Float[np.ndarray, "frames"] | None = None


Said = Track | RegionTrack | Mapping[int, RegionTrack] | MaskTrack
"""What a tracker said of a sequence; runs of multi-start by the frame they start in."""
Runs = Sequence[Mapping[str, Said]]
"""What it said in every run, by sequence."""
Results = Mapping[str, Runs]
"""By name of the tracker."""
