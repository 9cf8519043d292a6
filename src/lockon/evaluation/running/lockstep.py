"""Several sequences at once: one tracker, one target in each, frame by frame in step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lockon.data.testsets.base import TestSequence
from lockon.errors import DataError
from lockon.evaluation.running.experiments import track_of
from lockon.evaluation.running.following import Clock, Timed
from lockon.evaluation.trackers import LockstepTracker, Observation
from lockon.evaluation.tracks import Track


def one_pass_lockstep(
    tracker: LockstepTracker,
    sequences: Sequence[TestSequence],
    *,
    on_frame: Callable[[], None] = lambda: None,
    clock: Clock = time.perf_counter,
) -> list[Track]:
    """Follow one target in each of several sequences; those that end drop out.

    The time of a frame is its share of the time of all that were in step.

    Raises:
        DataError: a sequence has no start.
        Exception: whatever the tracker raises.
    """
    starts = [sequence.start for sequence in sequences if sequence.start is not None]
    if len(starts) != len(sequences):
        raise DataError("a sequence says nothing of the target in its first frame.")
    images = [sequence.frame(0) for sequence in sequences]
    begin = clock()
    tracker.start(images, starts)
    share = (clock() - begin) / len(sequences)
    tracks = [[Timed(Observation(start, present=True), share)] for start in starts]
    active = list(range(len(sequences)))
    for frame in range(1, max(len(sequence) for sequence in sequences)):
        left = [position for position, index in enumerate(active) if frame < len(sequences[index])]
        if len(left) < len(active):
            tracker.keep(left)
            active = [active[position] for position in left]
        images = [sequences[index].frame(frame) for index in active]
        begin = clock()
        observations = tracker.step(images)
        share = (clock() - begin) / len(active)
        for index, observation in zip(active, observations, strict=True):
            tracks[index].append(Timed(observation, share))
            on_frame()
    for _ in sequences:
        on_frame()
    return [track_of(track) for track in tracks]
