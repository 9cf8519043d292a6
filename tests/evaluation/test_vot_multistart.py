import numpy as np
import pytest
import vot_cases as few
from vot_cases import AWAY, HALF, TARGET

from lockon.errors import DataError
from lockon.evaluation.tracks import Code
from lockon.evaluation.vot.multistart import Run, assess, curve_sums, progress_of


def test_ten_low_overlaps_on_end_are_a_failure():
    overlaps = np.array([0.0] + [0.5] * 4 + [0.1] * 9 + [0.2] + [0.1] * 10 + [0.9])
    nothing = np.zeros(len(overlaps), dtype=bool)
    assert progress_of(overlaps, nothing) == 15
    assert progress_of(overlaps[:24], nothing[:24]) == 24
    # A frame without a target among them ends the streak.
    empty = nothing.copy()
    empty[20] = True
    assert progress_of(overlaps, empty) == len(overlaps)
    # The first frame counts as low: a tracker that is off at once has come nowhere.
    assert progress_of(np.zeros(30), np.zeros(30, dtype=bool)) == 0


def test_accuracy_and_robustness_by_hand():
    anchors = np.zeros(40, dtype=int)
    anchors[0], anchors[30] = 1, -1
    forward = few.run(Code.START, *[HALF] * 19, *[AWAY] * 20)
    backward = few.run(Code.START, *[TARGET] * 30)
    test_set = few.together(few.sequence("a", 40, anchors=anchors), protocol="vot_multistart")
    (scores,) = assess(test_set, {"T": [{"a": {0: forward, 30: backward}}]}).trackers
    assert scores.values["Robustness"] == pytest.approx((20 + 31) / (40 + 31))
    assert scores.values["Accuracy"] == pytest.approx((19 * 0.5 + 30) / 51)


def test_curve_by_hand():
    lost = Run(np.array([0, 0.5, 0.5, 0.9]), progress=2)
    found = Run(np.array([0, 1.0, 1.0]), progress=3)
    sums, totals = curve_sums([lost, found], 6)
    assert totals.tolist() == [0, 2, 2, 1, 1, 1]
    # Beyond the end of the lost run its sum is divided by one less than the length.
    assert sums.tolist() == pytest.approx([0, 1.5, 1.25, 0.5 / 3, 0.5 / 3, 0.5 / 4])


def test_every_anchor_needs_a_run():
    anchors = np.zeros(12, dtype=int)
    anchors[0], anchors[6] = 1, 1
    test_set = few.together(few.sequence("a", 12, anchors=anchors), protocol="vot_multistart")
    run = few.run(Code.START, *[TARGET] * 11)
    with pytest.raises(DataError, match="no run from frame 6"):
        assess(test_set, {"T": [{"a": {0: run}}]})
    with pytest.raises(DataError, match=r"anchor\.value"):
        assess(few.together(few.sequence("a", 12)), {"T": [{"a": {0: run}}]})
