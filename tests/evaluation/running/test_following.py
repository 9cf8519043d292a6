"""Frames as a camera shows them: by hand, on a clock that the tracker moves."""

from dataclasses import dataclass

import numpy as np
import pytest
from toy_trackers import make_sequence

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.errors import TrackerError
from lockon.evaluation.running.following import RealTimeFollower, TimedFollower, closing
from lockon.evaluation.trackers import Observation


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Slow:
    """Takes given times, and says the number of the frame it has seen as x."""

    clock: FakeClock
    seconds: list[float]
    closed: bool = False

    def start(self, image, region):
        self.clock.now += self.seconds.pop(0)

    def step(self, image):
        self.clock.now += self.seconds.pop(0)
        return Observation(Box(float(image[0, 0, 0]), 0, 1, 1))

    def close(self):
        self.closed = True


def seen(tmp_path, seconds: list[float], *, frames: int, grace: int = 1) -> tuple[list[float], list[float]]:
    """x of what counts for every frame after the start, and the times, of a camera of 1 fps."""
    clock = FakeClock()
    sequence = make_sequence(tmp_path, "car", frames)
    follower = RealTimeFollower(TimedFollower(Slow(clock, seconds), sequence, clock=clock), 1.0, grace)
    follower.start(0, Box(100, 0, 1, 1))
    timed = [follower.step(frame) for frame in range(1, frames)]
    return [one.observation.region.x for one in timed], [one.seconds for one in timed]


@pytest.mark.parametrize("answer", [Box(0, 0, 1, 1), Observation((0, 0, 1, 1)), Observation(np.zeros(4))])
def test_what_is_no_observation_of_a_region_is_named(tmp_path, answer):
    class Wrong:
        def start(self, image, region):
            pass

        def step(self, image):
            return answer

    follower = TimedFollower(Wrong(), make_sequence(tmp_path, "car", 2))
    follower.start(0, Box(2, 3, 6, 5))
    with pytest.raises(TrackerError, match=r"got .*0"):
        follower.step(1)


def test_a_fast_tracker_sees_every_frame(tmp_path):
    assert seen(tmp_path, [9.0, 0.5, 0.5, 0.5], frames=4) == ([1, 2, 3], [0.5, 0.5, 0.5])


def test_frames_are_dropped_while_a_tracker_is_busy(tmp_path):
    # Frame 1 arrives at 1 s and takes until 3.5 s: too late for frame 1 (due at 2 s) and 2 (due at 3 s), and frame 2
    # is never seen; frame 3 (3 to 4 s) is seen at 3.5 s and done at 3.75 s.
    positions, seconds = seen(tmp_path, [0.0, 2.5, 0.25, 0.25], frames=5)
    assert positions == [100, 100, 3, 4]
    np.testing.assert_array_equal(seconds, [2.5, np.nan, 0.25, 0.25])


def test_a_late_answer_counts_from_when_it_is_there(tmp_path):
    # Frame 1 takes from 1 s to 2.5 s: for frame 1 the start counts. Frame 2 is seen at 2.5 s, done at 4 s: too late
    # for frame 2 (due at 3 s), for which the answer to frame 1 counts; frame 3 is due at 4 s, when 2 is answered.
    positions, seconds = seen(tmp_path, [0.0, 1.5, 1.5, 0.5], frames=5)
    assert positions == [100, 1, 2, 4]
    np.testing.assert_array_equal(seconds, [1.5, 1.5, np.nan, 0.5])


def test_the_camera_waits_as_long_as_the_grace_lasts(tmp_path):
    assert seen(tmp_path, [9.0, 9.0, 9.0, 0.5], frames=4, grace=3)[0] == [1, 2, 3]
    assert seen(tmp_path, [2.5, 0.1, 0.1], frames=4, grace=0)[0] == [100, 2, 3]


def test_another_start_sets_the_clock_back(tmp_path):
    clock = FakeClock()
    sequence = make_sequence(tmp_path, "car", 6)
    follower = RealTimeFollower(
        TimedFollower(Slow(clock, [0.0, 50.0, 0.0, 0.5]), sequence, clock=clock), fps=1.0, grace=1
    )
    follower.start(0, Box(100, 0, 1, 1))
    assert follower.step(1).observation.region.x == 100
    follower.start(3, Box(200, 0, 1, 1))
    assert follower.step(4).observation.region.x == 4


def test_only_the_tracker_is_timed(tmp_path):
    clock = FakeClock()

    class SlowToRead(TestSequence):
        def frame(self, index):
            clock.now += 100
            return np.full((4, 4, 3), index, dtype=np.uint8)

    sequence = SlowToRead(
        name="car", frame_paths=(), truth=BoxTruth(boxes=np.ones((2, 4))), start=Box(0, 0, 1, 1), length=2
    )
    follower = TimedFollower(Slow(clock, [2.0, 3.0]), sequence, clock=clock)
    assert follower.start(0, Box(0, 0, 1, 1)) == (Observation(Box(0, 0, 1, 1), present=True), 2.0)
    assert follower.step(1).seconds == 3.0


def test_answers_of_another_kind_are_refused(tmp_path):
    class Wrong(Slow):
        def step(self, image):
            return (1, 2, 3, 4)

    clock = FakeClock()
    follower = TimedFollower(Wrong(clock, [0.0]), make_sequence(tmp_path, "car", 2))
    follower.start(0, Box(0, 0, 1, 1))
    with pytest.raises(TrackerError, match=r"Observation\(region, …\); got \(1, 2, 3, 4\)"):
        follower.step(1)


def test_what_can_be_closed_is_closed():
    tracker = Slow(FakeClock(), [])
    with pytest.raises(ZeroDivisionError), closing(tracker):
        raise ZeroDivisionError
    assert tracker.closed


def test_trackers_of_files_are_given_paths(tmp_path):
    class OfFiles(Slow):
        def start_file(self, path, region):
            self.paths = [path]

        def step_file(self, path):
            self.paths.append(path)
            return Observation(Box(0, 0, 1, 1))

    sequence = make_sequence(tmp_path, "car", 2)
    tracker = OfFiles(FakeClock(), [])
    follower = TimedFollower(tracker, sequence)
    follower.start(0, Box(0, 0, 1, 1))
    follower.step(1)
    assert tracker.paths == list(sequence.frame_paths)


def test_frames_are_prepared_before_the_clock_runs(tmp_path):
    clock = FakeClock()

    class Prepared(Slow):
        def prepare(self, image):
            clock.now += 100
            return image + 7

    follower = TimedFollower(Prepared(clock, [1.0, 2.0]), make_sequence(tmp_path, "car", 2), clock=clock)
    assert follower.start(0, Box(0, 0, 1, 1)).seconds == 1
    assert follower.step(1) == (Observation(Box(8, 0, 1, 1)), 2)
