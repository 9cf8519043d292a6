import math

import numpy as np
import pytest

from evaluation.made_up import ABSENT, BOX, HALF, LOST, boxes, make_set, run, sequence, still
from lockon.data.testsets.base import BoxTruth
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation import presence
from lockon.evaluation.presence import absent_f, brier_score, false_presence, reliability, shown_frames
from lockon.evaluation.tracks import Track


def flags(text):
    return np.array([letter == "1" for letter in text])


def test_reliability_by_hand():
    confidence = np.array([0.05, 0.15, 0.15, 1.0])
    bins = reliability(confidence, flags("0011"))
    assert bins.counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert bins.hits[[0, 1, 9]].tolist() == [0, 0.5, 1]
    assert math.isnan(bins.hits[5])
    assert bins.expected_calibration_error == pytest.approx((0.05 + 2 * 0.35 + 0) / 4)
    assert brier_score(confidence, flags("0011")) == pytest.approx((0.05**2 + 0.15**2 + 0.85**2) / 4)


def test_a_calibrated_tracker_has_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(200_000)
    assert reliability(confidence, rng.random(200_000) < confidence).expected_calibration_error < 0.005


def test_raw_scores_are_no_probabilities():
    with pytest.raises(DataError, match=r"from 0 to 1; they go from 0\.5 to 7"):
        reliability(np.array([0.5, 7.0]), flags("01"))


def test_calls_on_absent_frames_by_hand():
    shown, present = flags("110000"), flags("101100")
    # Called absent: 3, of which 2 rightly; absent: 4.
    assert absent_f(shown, present) == pytest.approx(2 * 2 / (3 + 4))
    assert false_presence(shown, present) == 0.5
    assert absent_f(flags("11"), flags("11")) is None
    assert false_presence(flags("11"), flags("10")) is None
    assert absent_f(flags("11"), flags("10")) == 0


def test_shown_frames_by_flags_nan_and_size():
    truth = BoxTruth(boxes=boxes(BOX, ABSENT, (5, 5, 0, 4), BOX), visible=flags("1110"))
    assert shown_frames(truth).tolist() == [True, False, False, False]


def test_assessment_pools_frames_but_the_first():
    test_set = make_set(sequence("a", boxes(BOX, BOX, ABSENT)), sequence("b", still(3)), protocol="presence")
    tracks = run(
        {
            "a": Track(boxes=still(3), scores=np.array([0.0, 1.0, 0.25]), present=flags("011")),
            "b": Track(boxes=boxes(BOX, HALF, LOST), scores=np.array([0.0, np.nan, 0.25]), present=flags("010")),
        }
    )
    silent = run({"a": still(3), "b": still(3)})
    assessment = presence.assess(test_set, {"x": [tracks], "silent": [silent]})
    told, none = assessment.trackers
    # Hit, absent, half (no hit, and no confidence), lost.
    assert told.values == pytest.approx(
        {"ECE": 2 * 0.25 / 3, "Brier": 2 * 0.25**2 / 3, "Absent F": 0, "False presence": 100}
    )
    curve = told.curves["reliability_plot"]
    assert (curve.x.tolist(), curve.y.tolist()) == ([0.25, 1], [0, 1])
    assert none.values == {}
    assert any("silent has no calibration" in note for note in assessment.notes)


def test_short_tracks_and_other_rules_are_refused():
    test_set = make_set(sequence("a", still(3)))
    with pytest.raises(DataError, match="2 boxes for 3 frames"):
        presence.assess(test_set, {"x": [run({"a": still(2)})]})
    with pytest.raises(UnknownNameError, match="otb"):
        presence.assess(test_set, {"x": [run({"a": still(3)})]}, rules="otb")
