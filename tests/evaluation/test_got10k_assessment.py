from pathlib import Path

import numpy as np
import pytest

from evaluation.made_up import BOX, HALF, LOST, boxes, make_set, run, sequence, still
from lockon.data.testsets.base import BoxTruth
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation import got10k
from lockon.evaluation.tracks import Track

SIZE = (640, 480)


def covered(name, cover, category="dog"):
    truth = BoxTruth(boxes=still(len(cover)), cover=np.array(cover))
    return sequence(name, truth, category=category, image_size=SIZE)


def assess(test_set, results):
    return got10k.assess(test_set, results)


def test_frames_of_all_sequences_count_equally_but_for_the_first_and_hidden_ones():
    test_set = make_set(covered("a", [8, 8]), covered("b", [8, 8, 0, 8, 8]), protocol="got10k")
    tracks = run({"a": boxes(LOST, BOX), "b": boxes(BOX, HALF, LOST, HALF, LOST)})
    assessment = assess(test_set, {"x": [tracks]})
    (tracker,) = assessment.trackers
    # Counted: 1 in a; 1/2, 1/2 and 0 in b.
    assert tracker.values["AO"] == pytest.approx(50)
    assert (tracker.values["SR50"], tracker.values["SR75"]) == (25, 25)
    assert tracker.by_sequence["AO"] == pytest.approx({"a": 100, "b": 100 / 3})
    assert tracker.curves["success_plot"].y[[0, 49, 50, 99, 100]].tolist() == [75, 75, 25, 25, 0]
    # All of one class: the mean over sequences.
    assert tracker.values["mAO"] == pytest.approx((100 + 100 / 3) / 2)


def test_classes_are_balanced():
    test_set = make_set(covered("a", [8, 8]), covered("b", [8, 8]), covered("c", [8, 8], category="cat"))
    tracks = run({"a": boxes(BOX, BOX), "b": boxes(BOX, HALF), "c": boxes(BOX, LOST)})
    (tracker,) = assess(test_set, {"x": [tracks]}).trackers
    assert tracker.values["mAO"] == pytest.approx((75 + 0) / 2)
    assert tracker.values["AO"] == pytest.approx(50)


def test_no_class_no_balance():
    assessment = assess(make_set(covered("a", [8, 8], category=None)), {"x": [run({"a": still(2)})]})
    assert [measure.name for measure in assessment.measures] == ["AO", "SR50", "SR75"]


def test_boxes_are_clipped_as_the_toolkit_does():
    # Left of the image: moved in, and not made narrower. Right of it: cut.
    truth = BoxTruth(boxes=boxes(BOX, (0, 0, 20, 10), (630, 0, 10, 10)))
    test_set = make_set(sequence("a", truth, image_size=SIZE))
    (tracker,) = assess(test_set, {"x": [run({"a": boxes(BOX, (-5, 0, 20, 10), (630, 0, 40, 10))})]}).trackers
    assert tracker.values["AO"] == pytest.approx(100)


def test_runs_pool_and_speed_is_the_mean_of_one_by_time():
    test_set = make_set(covered("a", [8, 8]), covered("b", [8, 8]))
    first = {name: Track(boxes=still(2), seconds=np.array([0.0, 0.1])) for name in ("a", "b")}
    second = {name: Track(boxes=boxes(BOX, LOST), seconds=np.array([0.5, 0.25])) for name in ("a", "b")}
    (tracker,) = assess(test_set, {"x": [first, second]}).trackers
    assert (tracker.values["AO"], tracker.runs) == (pytest.approx(50), 2)
    assert tracker.deviations["AO"] == pytest.approx(np.std([100, 0], ddof=1))
    assert tracker.frames_per_second == pytest.approx((10 + 2 + 4) / 3)


@pytest.mark.parametrize(
    ("track", "message"),
    [
        (still(3), r"on 'a' \(/r/a.txt\) has 3 boxes for 2 frames"),
        (boxes(BOX, [np.nan] * 4), r"on 'a' \(/r/a.txt\) has NaN in line 2"),
    ],
)
def test_tracks_that_do_not_fit_are_refused(track, message):
    with pytest.raises(DataError, match=message):
        assess(make_set(covered("a", [8, 8])), {"x": [run({"a": Track(boxes=track, path=Path("/r/a.txt"))})]})


def test_there_are_no_other_rules():
    with pytest.raises(UnknownNameError, match="otb"):
        got10k.assess(make_set(covered("a", [8, 8])), {"x": [run({"a": still(2)})]}, rules="otb")


def test_an_unknown_image_size_needs_the_images():
    test_set = make_set(sequence("a", still(2)))
    with pytest.raises(DataError, match="images are not at hand"):
        assess(test_set, {"x": [run({"a": still(2)})]})
