"""What flows between the rooms: frames in, results out, and the protocol a tracker fulfils."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from lockon.boxes import Box
from lockon.images import Image


class Status(StrEnum):
    """What the selector thinks of the target in a frame."""

    FOUND = "found"
    UNCERTAIN = "uncertain"
    """Several peaks compete and none is preferred: the position moves, the target model does not learn."""
    HARD_NEGATIVE = "hard_negative"
    """Found, with a distractor near by that the target model learns to reject."""
    LOST = "lost"
    """No peak is high enough: the box stays where it was."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded video frame."""

    index: int
    """Frame number from 0, in presentation order."""
    time: float
    """Presentation time in seconds, from the container where it has one."""
    image: Image


@dataclass(frozen=True, slots=True)
class BoxDensity:
    """Predicted densities of a probabilistic tracker, per target (PrDiMP, Sec. 3; supplement Sec. 4).

    Mean, covariance and entropy are moments of the normalised density on its grid, in image pixels (entropy in nats).
    """

    centre_map: Float[np.ndarray, "*targets rows cols"]
    """p(y^tc | x): probability of the target centre per cell of the score map; sums to 1."""
    centre_grid_xy: Float[np.ndarray, "*targets rows cols 2"]
    """Image coordinates (x, y) of the cells of `centre_map`."""
    centre_mean_xy: Float[np.ndarray, "*targets 2"]
    centre_covariance: Float[np.ndarray, "*targets 2 2"]
    centre_entropy: Float[np.ndarray, "*targets"]
    position_slice: Float[np.ndarray, "*targets n n"]
    """p(y^bb | x) over box centre ± w (columns) and ± h (rows) at constant size; sums to 1."""
    size_slice: Float[np.ndarray, "*targets n n"]
    """p(y^bb | x) over width (columns) and height (rows) from 1/3 to 3 times the box, log-spaced; sums to 1."""
    box_mean: Float[np.ndarray, "*targets 4"]
    """Mean box (cx, cy, w, h) of the two slices; the size is the geometric mean."""
    box_covariance: Float[np.ndarray, "*targets 4 4"]
    """Covariance of (cx, cy, log w, log h); centre and size blocks, zero between them."""
    box_entropy: Float[np.ndarray, "*targets 2"]
    """Entropy of the position slice and of the size slice."""

    def __getitem__(self, target: int) -> BoxDensity:
        values: dict[str, Any] = {field.name: getattr(self, field.name)[target] for field in fields(self)}
        return BoxDensity(**values)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The local maxima of one target's score map, as the objects that a tracker with association takes them for.

    KeepTrack (Sec. 3.3-3.6); sorted by score, the highest first.
    """

    points_xy: Float[np.ndarray, "n 2"]
    """Where they are: `(x, y)` in image pixels."""
    scores: Float[np.ndarray, "n"]
    """Height of the score map, on the tracker's own scale."""
    ids: Int64[np.ndarray, "n"]
    """Of the objects they belong to, the same from frame to frame; 0 is the one marked at the start. They are counted
    anew where a frame without candidates came between."""
    selected: int
    """Index of the candidate that is followed as the target; -1 if none is."""
    partners: Int64[np.ndarray, "n"]
    """Index of the candidate of the frame before that is the same object; -1 for one that is new."""
    probabilities: Float[np.ndarray, "n"]
    """Of these matches."""

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tracker says of one frame.

    A track of one target has plain values; a track of T targets has arrays with a leading dimension T, and
    `result[i]`, `len(result)` and iteration give the targets one by one.
    """

    frame: int
    """Frame number from 0 (the start frame of the track)."""
    box: Box | Float[np.ndarray, "targets 4"]
    """Best estimate `(x, y, w, h)` in pixels, also when the target is not `present` (then the last known box)."""
    score: float | Float[np.ndarray, "targets"]
    """Confidence in [0, 1] that the box holds the target."""
    present: bool | Bool[np.ndarray, "targets"]
    """The decision a user acts on: is the target visible in this frame?"""
    status: Status | tuple[Status, ...]
    peak: float | Float[np.ndarray, "targets"] | None = None
    """Height of the highest peak of the score map, on the tracker's own scale; None where there is no map.
    Trackers that know objects by their motion tell that of the peak that they follow, 0 while all may be others'."""
    time: float | None = None
    """Presentation time in seconds where the source has one."""
    score_map: Float[np.ndarray, "*targets rows cols"] | None = None
    """Scores over the search region as the selector reads them, if asked for."""
    search_region: Box | Float[np.ndarray, "targets 4"] | None = None
    """The image area that was searched, `(x, y, w, h)` in pixels."""
    density: BoxDensity | None = None
    candidates: Candidates | tuple[Candidates, ...] | None = None
    """All candidates of the frame, if asked for; one set per target."""
    mask: Bool[np.ndarray, "*targets height width"] | None = None

    def __len__(self) -> int:
        return 1 if isinstance(self.status, Status) else len(self.status)

    def __iter__(self) -> Iterator[Result]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, target: int) -> Result:
        if isinstance(self.status, Status):
            if target not in (0, -1):
                raise IndexError(f"this result holds one target; there is no target {target}.")
            return self
        region = self.search_region
        return Result(
            frame=self.frame,
            box=Box(*(float(value) for value in np.asarray(self.box)[target])),
            score=float(np.asarray(self.score)[target]),
            present=bool(np.asarray(self.present)[target]),
            status=self.status[target],
            peak=None if self.peak is None else float(np.asarray(self.peak)[target]),
            time=self.time,
            score_map=None if self.score_map is None else self.score_map[target],
            search_region=None if region is None else Box(*(float(value) for value in np.asarray(region)[target])),
            density=None if self.density is None else self.density[target],
            candidates=self.candidates[target] if isinstance(self.candidates, tuple) else self.candidates,
            mask=None if self.mask is None else self.mask[target],
        )
