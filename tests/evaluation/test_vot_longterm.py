import numpy as np
import pytest

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.tracks import Track
from lockon.evaluation.vot.longterm import Confidences, assess, reported, thresholds_of

TARGET, HALF, AWAY, ABSENT = [10.0, 10, 20, 20], [10.0, 10, 20, 10], [60.0, 40, 9, 9], [np.nan] * 4


def one_sequence(*rows):
    boxes = np.array(rows, dtype=np.float64)
    sequence = TestSequence(
        name="a", frame_paths=(), truth=BoxTruth(boxes=boxes), start=None, length=len(boxes), image_size=(80, 60)
    )
    return TestSet(name="few", title="Few", sequences=(sequence,), protocol="vot_longterm")


def track(rows, scores):
    return Track(boxes=np.array(rows, dtype=np.float64), scores=np.array(scores))


@pytest.mark.parametrize("rules", ["vot_toolkit", "matlab"])
def test_best_f_by_hand(rules):
    test_set = one_sequence(TARGET, TARGET, TARGET, ABSENT, TARGET)
    said = track([TARGET, TARGET, HALF, TARGET, AWAY], [1.0, 0.9, 0.8, 0.7, 0.2])
    (scores,) = assess(test_set, {"T": [{"a": said}]}, rules=rules).trackers
    half = 0.5 if rules == "vot_toolkit" else 21 * 11 / 21**2
    # Best with the first two reported; the start counts as a frame to be found, with an overlap of 0.
    precision, recall = (1 + half) / 2, (1 + half) / 4
    assert scores.values["Precision"] == pytest.approx(precision)
    assert scores.values["Recall"] == pytest.approx(recall)
    assert scores.values["F"] == pytest.approx(2 * precision * recall / (precision + recall))
    curve = scores.curves["precision_recall_plot"]
    assert (curve.x[0], curve.y[0]) == (0.0, 1.0)
    assert curve.marked == (pytest.approx(recall), pytest.approx(precision))
    # Thresholds: above all, of the five confidences (0 in the first frame), below all.
    f = scores.curves["f_plot"]
    assert f.x == pytest.approx(np.arange(7) / 6)
    assert f.y == pytest.approx([2 * p * r / (p + r) for p, r in zip(curve.y, curve.x, strict=True)])
    assert f.y[:2] == pytest.approx([0.0, 2 * (1 / 4) / (1 + 1 / 4)])
    assert f.marked == (pytest.approx(2 / 6), pytest.approx(scores.values["F"]))
    assert f.score == scores.values["F"]


def test_thresholds_are_spaced_in_the_order_of_confidences():
    few = thresholds_of(np.array([0.2, 0.9, 0.2]), ascending=False)
    assert few.tolist() == [np.inf, 0.9, 0.2, 0.2, -np.inf]
    many = np.arange(980) / 980
    for ascending, first in ((False, 969), (True, 970)):
        thresholds = thresholds_of(many, ascending=ascending)
        assert len(thresholds) == 100
        assert thresholds[1] == first / 980
        assert (np.diff(thresholds) < 0).all()


def test_frames_of_equal_confidence_are_reported_together():
    run = Confidences(np.array([0, 1.0, 0.5, 0.25]), np.array([np.nan, 0.5, 0.5, 0.1]), visible=4)
    thresholds = np.array([np.inf, 0.5, 0.1, -np.inf])
    overlaps, counts = reported(run, thresholds, zero_is_unreported=False)
    assert overlaps.tolist() == [0, 1.5, 1.75, 1.75]
    assert counts.tolist() == [0, 2, 3, 4]
    assert reported(run, thresholds, zero_is_unreported=True)[1].tolist() == [0, 2, 3, 3]


def test_a_track_needs_confidences_and_all_frames():
    test_set = one_sequence(TARGET, TARGET)
    with pytest.raises(DataError, match="no confidences for 2 frames"):
        assess(test_set, {"T": [{"a": Track(boxes=np.array([TARGET, TARGET]))}]})
    with pytest.raises(DataError, match="has 1 lines where the sequence has 2 frames"):
        assess(test_set, {"T": [{"a": track([TARGET], [1.0])}]})
