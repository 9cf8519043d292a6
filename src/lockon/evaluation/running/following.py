"""A tracker on the frames of one sequence: frames are read, the tracker alone is timed, frames are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Float

from lockon.boxes import Box
from lockon.data.testsets.base import TestSequence
from lockon.errors import TrackerError
from lockon.evaluation.trackers import Closeable, FileTracker, MeasuredTracker, Observation, Preparing
from lockon.images import Image
from lockon.regions import MaskRegion, Polygon, Region

T = TypeVar("T")
Clock = Callable[[], float]
"""Seconds since some moment."""


class Timed(NamedTuple):
    """What a tracker said of a frame, and how long it took."""

    observation: Observation
    seconds: float
    """NaN where the frame was dropped."""


class Follower(Protocol):
    """What the experiments drive: a tracker on one sequence, told the numbers of frames."""

    def start(self, frame: int, region: Region) -> Timed:
        """Learn the target from a frame."""
        ...

    def step(self, frame: int) -> Timed:
        """Track into a frame."""
        ...


Open = Callable[[], AbstractContextManager[Follower]]
"""Makes a fresh tracker on the sequence, and gives back what it holds afterwards."""


class TimedFollower:
    """The plain follower: every frame is shown, however long it takes.

    Args:
        tracker: does the work, and is timed.
        sequence: where frames come from.
        on_frame: called after every frame.
        clock: for tests.
    """

    def __init__(
        self,
        tracker: MeasuredTracker,
        sequence: TestSequence,
        *,
        on_frame: Callable[[], None] = lambda: None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._tracker = tracker
        self._sequence = sequence
        self._on_frame = on_frame
        self._clock = clock

    def start(self, frame: int, region: Region) -> Timed:
        """Learn the target; a tracker that says nothing of it is taken to say what it was given."""
        tracker = self._tracker
        if isinstance(tracker, FileTracker) and self._sequence.frame_paths:
            path = self._sequence.frame_paths[frame]
            observation, seconds = self._timed(lambda: tracker.start_file(path, region))
        else:
            image = self._image(frame)
            observation, seconds = self._timed(lambda: tracker.start(image, region))
        return Timed(_checked(Observation(region, present=True) if observation is None else observation), seconds)

    def step(self, frame: int) -> Timed:
        """Track into a frame."""
        tracker = self._tracker
        if isinstance(tracker, FileTracker) and self._sequence.frame_paths:
            path = self._sequence.frame_paths[frame]
            observation, seconds = self._timed(lambda: tracker.step_file(path))
        else:
            image = self._image(frame)
            observation, seconds = self._timed(lambda: tracker.step(image))
        return Timed(_checked(observation), seconds)

    def _image(self, frame: int) -> Image:
        image = self._sequence.frame(frame)
        return self._tracker.prepare(image) if isinstance(self._tracker, Preparing) else image

    def _timed(self, call: Callable[[], T]) -> tuple[T, float]:
        begin = self._clock()
        answer = call()
        seconds = self._clock() - begin
        self._on_frame()
        return answer, seconds


def _checked(observation: object) -> Observation:
    if not isinstance(observation, Observation):
        raise TrackerError(
            f"a tracker answers with lockon.evaluation.trackers.Observation(region, …); got {observation!r}."
        )
    if not isinstance(observation.region, Box | Polygon | MaskRegion):
        raise TrackerError(
            "the region of an Observation is a lockon.boxes.Box(x, y, w, h), or a Polygon or MaskRegion of "
            f"lockon.regions; got {observation.region!r}."
        )
    return observation


class RealTimeFollower:
    """A tracker behind a camera that waits for nobody (VOT's real-time experiment).

    Frame k after the start arrives at k / fps seconds, and a camera keeps only the newest. A tracker that is busy
    until the next one has arrived never sees the frame. What counts for a frame is the newest answer that was there
    when the next frame arrived; until there is one, the last answer is held.

    Args:
        follower: the tracker; its times make the clock.
        fps: frames per second of the camera.
        grace: for so many frames, the start among them, the camera does wait: learning the target takes its time.
    """

    def __init__(self, follower: Follower, fps: float, grace: int) -> None:
        self._follower = follower
        self._fps = fps
        self._grace = grace
        self._count = 0
        self._free_at = 0.0
        self._answer: Observation | None = None
        self._held: Observation | None = None

    def start(self, frame: int, region: Region) -> Timed:
        """Learn the target; the camera's clock begins anew."""
        timed = self._follower.start(frame, region)
        self._count = 0
        self._free_at = timed.seconds if self._grace < 1 else 0.0
        self._answer = self._held = timed.observation
        return timed

    def step(self, frame: int) -> Timed:
        """The answer that counts for a frame, and the time spent on it; NaN where the tracker never saw it."""
        assert self._answer is not None, "start comes before step"
        self._count += 1
        arrival, due = self._count / self._fps, (self._count + 1) / self._fps
        seconds = float("nan")
        if self._free_at < due:
            self._held = self._answer
            self._answer, seconds = self._follower.step(frame)
            self._free_at = max(arrival, self._free_at) + (seconds if self._count >= self._grace else 0.0)
        if self._free_at <= due:
            self._held = self._answer
        assert self._held is not None, "start comes before step"
        return Timed(self._held, seconds)


@contextmanager
def closing(tracker: MeasuredTracker) -> Iterator[MeasuredTracker]:
    """Close a tracker that can be closed afterwards."""
    try:
        yield tracker
    finally:
        if isinstance(tracker, Closeable):
            tracker.close()


def seconds_of(frames: Sequence[Timed]) -> Float[np.ndarray, "frames"]:
    """The times as one array."""
    return np.array([frame.seconds for frame in frames], dtype=np.float64)


def scores_of(frames: Sequence[Timed]) -> Float[np.ndarray, "frames"] | None:
    """The scores as one array, NaN in frames without; None if the tracker has none at all."""
    scores = [frame.observation.score for frame in frames]
    if all(score is None for score in scores):
        return None
    return np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
