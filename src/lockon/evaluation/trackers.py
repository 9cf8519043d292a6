"""What can be measured: anything with the two methods `start` and `step`; `external` has programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from lockon.boxes import Box
from lockon.data.testsets.base import box_of
from lockon.images import Image
from lockon.regions import MaskRegion, Polygon, Region


class Observation(NamedTuple):
    """What a tracker says of one frame."""

    region: Region
    """Where the target is; where a tracker has no answer, the last one it gave."""
    score: float | None = None
    """Confidence that the region holds the target; None where the tracker has none."""
    present: bool | None = None
    """The tracker's decision whether the target is visible; None where it makes none."""
    mask: Bool[np.ndarray, "height width"] | None = None
    """Pixels of the target in the whole image, from trackers that segment."""


class MeasuredTracker(Protocol):
    """One tracker on one target; nothing else is needed. `start` may be called again."""

    def start(self, image: Image, region: Region) -> Observation | None:
        """Learn the target from its first frame, `(H, W, 3)` uint8 RGB; None says what was given."""
        ...

    def step(self, image: Image) -> Observation:
        """Track into the next frame, and learn from it."""
        ...


@runtime_checkable
class FileTracker(Protocol):
    """A tracker that reads image files itself: it is given paths instead of pixels."""

    def start_file(self, path: Path, region: Region) -> Observation | None:
        """As `MeasuredTracker.start`."""
        ...

    def step_file(self, path: Path) -> Observation:
        """As `MeasuredTracker.step`."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A tracker that expects frames in another form, such as another order of channels; making it is not timed."""

    def prepare(self, image: Image) -> Image:
        """Bring an RGB frame into that form."""
        ...


@runtime_checkable
class Closeable(Protocol):
    """A tracker that holds something which is to be given back after the last frame."""

    def close(self) -> None:
        """Give it back."""
        ...


class LockstepTracker(Protocol):
    """One tracker on several videos at once, one target in each."""

    def start(self, images: Sequence[Image], regions: Sequence[Region]) -> None:
        """Learn a target from the first frame of every video."""
        ...

    def step(self, images: Sequence[Image]) -> list[Observation]:
        """Track into the next frame of every video."""
        ...

    def keep(self, videos: Sequence[int]) -> None:
        """Go on with some of the videos, numbered from 0 among those it has, in this order; the others have ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSpec:
    """A tracker to be measured: how to make one, and what it is. Picklable, for processes and clusters."""

    name: str
    """In reports and names of folders."""
    create: Callable[[int], MeasuredTracker]
    """A fresh tracker; the number is the seed of all its randomness."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What makes it the same tracker again: configuration, hash of the weights, command … (JSON). Results that were
    made with another are refused."""
    stochastic: bool = True
    """Whether another seed can give another track; one run suffices for others."""
    create_lockstep: Callable[[Sequence[int]], LockstepTracker] | None = None
    """The same for several videos at once, with a seed for each; None if it cannot."""


def start_box(region: Region) -> Box:
    """The axis-aligned box that a tracker of boxes is started with; of a rotated rectangle one of the same area.

    That is how the toolkits of VOT2015 to VOT2019 are used with such trackers.
    """
    return region.area_preserving_box if isinstance(region, Polygon) else box_of(region)


def covered_pixels(observation: Observation, width: int, height: int) -> MaskRegion:
    """The pixels of a target: as the tracker segments it, or else those of its box in an image of this size.

    A pixel is of the box if its centre is. Boxes that are not finite have none.
    """
    if observation.mask is not None:
        return MaskRegion.of(observation.mask)
    if isinstance(observation.region, MaskRegion):
        return observation.region
    x, y, w, h = box_of(observation.region)
    left, right = (_first_centre(value, width) for value in (x, x + w))
    top, bottom = (_first_centre(value, height) for value in (y, y + h))
    pixels: Bool[np.ndarray, "height width"] = np.ones((max(bottom - top, 0), max(right - left, 0)), dtype=np.bool_)
    return MaskRegion(left, top, pixels)


def _first_centre(position: float, limit: int) -> int:
    """The first pixel in `0 … limit` whose centre is not before a position."""
    return int(np.clip(np.ceil(np.nan_to_num(position) - 0.5), 0, limit))
