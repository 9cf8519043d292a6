"""The experiments of the protocols, with trackers that say what they are told to."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from toy_trackers import make_sequence

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, MaskTruth, RegionTruth, TestSequence
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.running.experiments import find_experiment, long_term, multi_start, one_pass, supervised
from lockon.evaluation.running.following import Follower, RealTimeFollower, TimedFollower
from lockon.evaluation.running.labels import label_images
from lockon.evaluation.trackers import Observation
from lockon.evaluation.tracks import Code
from lockon.regions import MaskRegion, Polygon, Region

FAR = Box(500, 500, 3, 3)


class Scripted:
    """Answers by the number of the frame, and remembers what it was asked."""

    def __init__(self, answer: Callable[[int], Observation | Region]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []

    def start(self, image, region):
        self.asked.append(("start", int(image[0, 0, 0])))
        self.given = region

    def step(self, image):
        frame = int(image[0, 0, 0])
        self.asked.append(("step", frame))
        answer = self.answer(frame)
        return answer if isinstance(answer, Observation) else Observation(answer)


def opener(tracker: Scripted, sequence: TestSequence):
    @contextmanager
    def open_follower():
        yield TimedFollower(tracker, sequence, clock=iter(np.arange(1000.0)).__next__)

    return open_follower


def with_truth(sequence: TestSequence, truth) -> TestSequence:
    return TestSequence(
        name=sequence.name,
        frame_paths=sequence.frame_paths,
        truth=truth,
        start=truth.regions[0] if isinstance(truth, RegionTruth) else None,
        length=len(sequence),
        image_size=sequence.image_size,
    )


def region_sequence(folder: Path, frames: int, anchors=None, region: Region | None = None) -> TestSequence:
    truth = RegionTruth(regions=(region or Box(2, 2, 6, 6),) * frames, anchors=anchors)
    return with_truth(make_sequence(folder, "car", frames), truth)


def test_one_pass_follows_from_the_first_frame_to_the_last(tmp_path: Path):
    sequence = make_sequence(tmp_path, "car", 3)
    tracker = Scripted(lambda frame: Observation(Box(frame, 0, 1, 1), frame / 10, frame == 1))
    track = one_pass(opener(tracker, sequence), sequence)
    assert tracker.asked == [("start", 0), ("step", 1), ("step", 2)]
    np.testing.assert_array_equal(track.boxes, [sequence.start, [1, 0, 1, 1], [2, 0, 1, 1]])
    np.testing.assert_array_equal(track.scores, [np.nan, 0.1, 0.2])
    np.testing.assert_array_equal(track.present, [True, True, False])
    np.testing.assert_array_equal(track.seconds, [1, 1, 1])


def test_a_tracker_that_decides_nothing_has_no_presence(tmp_path: Path):
    sequence = make_sequence(tmp_path, "car", 3)
    track = one_pass(opener(Scripted(lambda frame: FAR), sequence), sequence)
    assert track.present is None
    assert track.scores is None


def test_long_term_tracks_begin_with_a_code(tmp_path: Path):
    sequence = make_sequence(tmp_path, "car", 2)
    track = long_term(opener(Scripted(lambda frame: Observation(FAR, 0.5)), sequence), sequence)
    assert track.regions == (Code.START, FAR)
    np.testing.assert_array_equal(track.scores, [np.nan, 0.5])


def test_after_a_failure_the_tracker_is_started_five_frames_later(tmp_path: Path):
    sequence = region_sequence(tmp_path, 12)
    tracker = Scripted(lambda frame: FAR if frame in (2, 9) else Box(3, 3, 6, 6))
    track = supervised(opener(tracker, sequence), sequence)
    assert [int(one) if isinstance(one, Code) else "box" for one in track.regions] == [
        1, "box", 2, 0, 0, 0, 0, 1, "box", 2, 0, 0,
    ]  # fmt: skip
    assert tracker.asked == [
        ("start", 0), ("step", 1), ("step", 2), ("start", 7), ("step", 8), ("step", 9),
    ]  # fmt: skip
    np.testing.assert_array_equal(np.isnan(track.seconds), [False] * 3 + [True] * 4 + [False] * 3 + [True] * 2)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (Box(8, 2, 6, 6), True),  # begins where the annotation ends
        (Box(7.5, 2, 6, 6), False),
        (Box(float("nan"), 2, 6, 6), True),
        (Box(3, 3, 1e9, 6), True),
        (Polygon(np.array([[1e30, 2], [20, 2], [20, 9], [np.nan, 9]])), True),
        (Polygon(np.array([[7.0, 2], [20, 2], [20, 9], [7, 9]])), False),
        (MaskRegion(9, 2, np.ones((3, 3), dtype=np.bool_)), True),
    ],
)
def test_no_overlap_on_the_pixel_raster_is_a_failure(tmp_path: Path, answer: Region, failed: bool):
    sequence = region_sequence(tmp_path, 2)
    track = supervised(opener(Scripted(lambda frame: answer), sequence), sequence)
    assert (track.regions[1] is Code.FAILURE) == failed


def test_overlap_outside_the_image_does_not_count(tmp_path: Path):
    sequence = region_sequence(tmp_path, 2, region=Box(20, 2, 30, 6))
    track = supervised(opener(Scripted(lambda frame: Box(40, 2, 10, 6)), sequence), sequence)
    assert track.regions[1] is Code.FAILURE


def test_anchors_are_run_forward_and_backward(tmp_path: Path):
    sequence = region_sequence(tmp_path, 4, anchors=np.array([1, 0, -1, 0]))
    tracker = Scripted(lambda frame: Box(frame, 0, 1, 1))
    tracks = multi_start(opener(tracker, sequence), sequence)
    assert tracker.asked == [
        ("start", 0), ("step", 1), ("step", 2), ("step", 3), ("start", 2), ("step", 1), ("step", 0),
    ]  # fmt: skip
    assert tracks[0].regions == (Code.START, Box(1, 0, 1, 1), Box(2, 0, 1, 1), Box(3, 0, 1, 1))
    assert tracks[2].regions == (Code.START, Box(1, 0, 1, 1), Box(0, 0, 1, 1))


def test_experiments_need_their_kind_of_annotation(tmp_path: Path):
    sequence = make_sequence(tmp_path, "car", 2)
    opened = opener(Scripted(lambda frame: FAR), sequence)
    for experiment in (supervised, multi_start, label_images):
        with pytest.raises(DataError, match="'car'"):
            experiment(opened, sequence)
    without = with_truth(sequence, BoxTruth(boxes=np.ones((2, 4))))
    with pytest.raises(DataError, match="says nothing of the target"):
        one_pass(opened, without)
    with pytest.raises(UnknownNameError, match="vot_supervised"):
        find_experiment("vot_supervise")


# ---------------------------------------------------------------------------------------------- label images


def labelled(folder: Path, objects: dict[int, int], required=None) -> TestSequence:
    """Three frames of 32 × 16; object 1 is at columns 2–5, object 2 at columns 10–13, both in rows 4–7."""
    sequence = make_sequence(folder, "car", 3)
    labels = []
    for frame in range(3):
        image = np.zeros((16, 32), dtype=np.uint8)
        for number, first in objects.items():
            if first == frame:
                image[4:8, 8 * number - 6 : 8 * number - 2] = number
        labels.append(folder / f"label{frame}.png")
        PillowImage.fromarray(image).save(labels[-1])
    return with_truth(sequence, MaskTruth(labels=tuple(labels), objects=objects, required=required))


def decoded(image: bytes) -> np.ndarray:
    return np.array(PillowImage.open(io.BytesIO(image)))


def test_objects_are_painted_together_from_where_they_begin(tmp_path: Path):
    sequence = labelled(tmp_path, {1: 0, 2: 1})
    tracker = Scripted(lambda frame: Box(0, 0, 2, 1))
    result = label_images(opener(tracker, sequence), sequence)
    assert tracker.asked == [("start", 0), ("step", 1), ("step", 2), ("start", 1), ("step", 2)]
    assert isinstance(tracker.given, MaskRegion)
    assert tracker.given.box == Box(10, 4, 4, 4)
    first, second, third = (decoded(result.images[frame]) for frame in range(3))
    assert (first[4:8, 2:6] == 1).all()
    assert first.sum() == 16
    assert (second[4:8, 10:14] == 2).all()
    assert second[0, :2].tolist() == [1, 1]
    assert second.sum() == 2 * 16 + 2
    assert third[0, :2].tolist() == [2, 2]  # no scores: the higher number
    assert third.sum() == 4
    np.testing.assert_array_equal(result.seconds, [1, 2, 2])


def test_the_time_of_a_frame_is_that_of_the_objects_which_saw_it(tmp_path: Path):
    sequence = labelled(tmp_path, {1: 1, 2: 1})
    clock = iter([0, 1, 10, 12, 20, 24, 30, 38]).__next__
    trackers = iter([Scripted(lambda frame: FAR), Scripted(lambda frame: FAR)])

    @contextmanager
    def dropping() -> Iterator[Follower]:
        timed = TimedFollower(next(trackers), sequence, clock=clock)
        yield RealTimeFollower(timed, fps=1, grace=0)

    result = label_images(dropping, sequence)
    # The first object is there in time for frame 2, the second, of four seconds, misses it.
    np.testing.assert_array_equal(result.seconds, [np.nan, 1 + 4, 2])


def test_the_higher_score_wins_a_pixel_and_the_absent_have_none(tmp_path: Path):
    sequence = labelled(tmp_path, {1: 0, 2: 0}, required=(1, 2))
    mask = np.zeros((16, 32), dtype=np.bool_)
    mask[3, 3:9] = True
    answers = iter(
        [
            Observation(FAR, 0.9, True, mask),
            Observation(Box(0, 0, 4, 4), 0.2, np.bool_(False)),
            Observation(Box(-2, 2.6, 6, 1.2), 0.3),
            Observation(MaskRegion(30, 14, np.ones((4, 4), dtype=np.bool_)), 0.1),
        ]
    )
    result = label_images(opener(Scripted(lambda frame: next(answers)), sequence), sequence)
    assert sorted(result.images) == [1, 2]
    second, third = decoded(result.images[1]), decoded(result.images[2])
    assert second[3, :10].tolist() == [2, 2, 2, 1, 1, 1, 1, 1, 1, 0]
    assert second[2, :4].tolist() == [0, 0, 0, 0]
    assert (third[14:, 30:] == 2).all()
    assert third.sum() == 8


def test_merged_objects_are_given_as_one(tmp_path: Path):
    """Masks of DAVIS 2016 are white, or have several numbers, and mean one object."""
    sequence = labelled(tmp_path, {1: 0, 2: 0})
    truth = MaskTruth(labels=sequence.truth.labels, objects={1: 0}, merged=True)
    tracker = Scripted(lambda frame: FAR)
    result = label_images(opener(tracker, with_truth(sequence, truth)), with_truth(sequence, truth))
    assert tracker.given.box == Box(2, 4, 12, 4)
    assert np.unique(decoded(result.images[0])).tolist() == [0, 1]


def test_an_object_without_pixels_is_named(tmp_path: Path):
    sequence = labelled(tmp_path, {1: 0})
    truth = MaskTruth(labels=sequence.truth.labels, objects={3: 0})
    sequence = with_truth(sequence, truth)
    with pytest.raises(DataError, match=r"label0.png' has no pixel of object 3"):
        label_images(opener(Scripted(lambda frame: FAR), sequence), sequence)
