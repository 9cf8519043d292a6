import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.data.testsets.base import SparseTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.oxuva import Rates, assess, best_threshold, with_threshold
from lockon.evaluation.tracks import Track

BOX, AWAY = [0.2, 0.2, 0.4, 0.4], [0.7, 0.7, 0.2, 0.2]
RATE = st.floats(0, 1)


def few(numbers=(0, 30, 60, 90, 120), present=(1, 1, 1, 0, 0), size=None):
    there = np.array(present, dtype=bool)
    truth = SparseTruth(
        numbers=np.array(numbers), present=there, boxes=np.where(there[:, None], np.array([BOX]), np.nan)
    )
    sequence = TestSequence(name="a", frame_paths=(), truth=truth, start=None, length=121, image_size=size)
    return TestSet(name="oxuva_dev", title="OxUvA dev", sequences=(sequence,), protocol="oxuva")


def track(size=(1, 1), **frames):
    """Predictions `f30=(box, present, score)`; nothing is said of the other frames."""
    boxes, present, scores = np.full((121, 4), np.nan), np.zeros(121, dtype=bool), np.full(121, np.nan)
    for name, (box, there, score) in frames.items():
        index = int(name[1:])
        boxes[index], present[index], scores[index] = np.array(box) * np.tile(size, 2), there, score
    return Track(boxes=boxes, present=present, scores=scores)


def test_counts_and_the_rule_of_missing_frames_by_hand():
    # Frame 60 takes what was said in 31; frame 90 is absent and said to be, 120 takes what was said in 100.
    said = track(f30=(BOX, True, 0.9), f31=(AWAY, True, 0.8), f90=(BOX, False, 0.1), f100=(BOX, True, 0.7))
    (scores,) = assess(few(), {"T": [{"a": said}]}).trackers
    assert (scores.values["TPR"], scores.values["TNR"]) == (0.5, 0.5)
    assert scores.values["GM"] == 0.5
    assert scores.values["MaxGM"] == 0.5
    over_time = scores.curves["true_positive_rate_plot"]
    assert over_time.x.tolist() == [30.0]
    assert over_time.y.tolist() == [0.5]


def test_boxes_in_pixels_are_brought_to_the_size_of_the_image():
    said = track((320, 240), f1=(BOX, True, 0.9))
    (scores,) = assess(few(size=(320, 240)), {"T": [{"a": said}]}).trackers
    assert scores.values["TPR"] == 1.0
    # Always present: half of all calls taken back at random is the best that can be had.
    assert (scores.values["GM"], scores.values["MaxGM"]) == (0.0, 0.5)


def test_overlap_may_equal_the_threshold():
    half = [0.25, 0.25, 0.5, 0.25]
    truth = SparseTruth(
        numbers=np.array([0, 1]), present=np.array([True, True]), boxes=np.array([BOX, [0.25, 0.25, 0.5, 0.5]])
    )
    sequence = TestSequence(name="a", frame_paths=(), truth=truth, start=None, length=121)
    test_set = TestSet(name="x", title="X", sequences=(sequence,), protocol="oxuva")
    (scores,) = assess(test_set, {"T": [{"a": track(f1=(half, True, 1.0))}]}).trackers
    assert (scores.values["TPR @0.3"], scores.values["TPR"], scores.values["TPR @0.7"]) == (1.0, 1.0, 0.0)


@given(positive=RATE, negative=RATE)
def test_max_gm_is_the_maximum_over_guessing(positive, negative):
    q = np.linspace(0, 1, 2001)
    brute = np.sqrt((1 - q) * positive * ((1 - q) * negative + q)).max()
    found = float(Rates(np.array(positive), np.array(negative)).max_gm)
    assert brute - 1e-12 <= found <= brute + 1e-3
    assert found >= math.sqrt(positive * negative) - 1e-12


def test_threshold_tuned_on_the_dev_set():
    said = track(f30=(BOX, True, 0.9), f60=(BOX, True, 0.6), f90=(BOX, True, 0.5), f120=(BOX, True, 0.2))
    threshold = best_threshold(few(), [{"a": said}])
    assert 0.5 <= threshold < 0.6
    (scores,) = assess(few(), {"T": [{"a": with_threshold(said, threshold)}]}).trackers
    assert (scores.values["TPR"], scores.values["TNR"]) == (1.0, 1.0)


def test_the_assessment_says_which_threshold_is_best():
    said = track(f30=(BOX, True, 0.9), f60=(AWAY, True, 0.7), f90=(BOX, True, 0.5), f120=(BOX, False, 0.2))
    (note,) = assess(few(), {"T": [{"a": said}]}).notes
    # One frame of two is found, and both without the target are called so.
    assert note == (
        "'T' would be best by calling present what has a score above 0.5: MaxGM 0.707, TPR 0.500, TNR 1.000."
    )


def test_a_threshold_needs_frames_of_both_kinds():
    always = few(present=(1, 1, 1, 1, 1))
    said = track(f30=(BOX, True, 0.9))
    assert assess(always, {"T": [{"a": said}]}).notes == ()
    with pytest.raises(DataError, match="with and without the target"):
        best_threshold(always, [{"a": said}])


def test_without_scores_nothing_is_said_of_thresholds():
    boxes = np.tile(np.array(BOX), (121, 1))
    (note,) = assess(few(), {"T": [{"a": Track(boxes=boxes)}]}).notes
    assert note == "'T' does not say when the target is absent."


def test_a_secret_annotation_is_said_to_be_secret():
    with pytest.raises(DataError, match="secret"):
        assess(few((0,), (1,)), {"T": [{"a": track(f30=(BOX, True, 0.9))}]})


def test_what_is_wrong_with_a_track():
    with pytest.raises(DataError, match="no prediction for frame 30"):
        assess(few(), {"T": [{"a": track(f0=(BOX, True, 1.0), f60=(BOX, True, 1.0))}]})
    with pytest.raises(DataError, match="has 3 rows where the sequence has 121 frames"):
        assess(few(), {"T": [{"a": Track(boxes=np.zeros((3, 4)))}]})
    with pytest.raises(DataError, match="no scores"):
        with_threshold(Track(boxes=np.zeros((3, 4))), 0.5)
