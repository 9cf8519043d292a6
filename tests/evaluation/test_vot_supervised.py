import math

import numpy as np
import pytest
import vot_cases as few
from vot_cases import AWAY, HALF, TARGET

from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.tracks import Code
from lockon.evaluation.vot.expected_overlap import (
    Interval,
    interval_of_lengths,
    matlab_fragments,
    score,
    toolkit_fragments,
)
from lockon.evaluation.vot.supervised import assess


def values_of(test_set, runs, rules):
    (scores,) = assess(test_set, {"T": runs}, rules=rules).trackers
    return scores


def test_accuracy_and_robustness_by_hand():
    # 40 frames, lost in frame 20, started anew in 25: frames 10..19 and 35..39 count for accuracy.
    sequence = few.sequence("a", 40)
    other = few.sequence("b", 20)
    runs = [{"a": few.run_with_failure(40, 20, HALF), "b": few.run(Code.START, *[TARGET] * 19)}]
    toolkit = values_of(few.together(sequence, other), runs, "vot_toolkit")
    assert toolkit.by_sequence["Accuracy"] == {"a": pytest.approx(0.5), "b": 1.0}
    assert toolkit.values["Accuracy"] == pytest.approx((40 * 0.5 + 20) / 60)
    assert toolkit.values["Robustness"] == pytest.approx(40 / 60)
    assert toolkit.values["R_S"] == pytest.approx(math.exp(-30 * (40 / 60) / 30))
    pysot = values_of(few.together(sequence, other), runs, "pysot")
    overlap = 21 * 11 / 21**2
    assert pysot.values["Accuracy"] == pytest.approx((15 * overlap + 10) / 25)
    assert pysot.values["Robustness"] == pytest.approx(100 / 60)
    assert pysot.values["Lost"] == 1
    assert pysot.values["R_S"] == pytest.approx(math.exp(-30 / 60))


def test_repetitions_are_averaged_before_anything_else():
    sequence = few.sequence("a", 30)
    runs = [{"a": few.run(Code.START, *[TARGET] * 29)}, {"a": few.run_with_failure(30, 14, HALF)}]
    scores = values_of(few.together(sequence), runs, "pysot")
    # Frames 10..13 and 29 have both runs, 14..28 one of them only.
    both = (1 + 21 * 11 / 21**2) / 2
    assert scores.values["Accuracy"] == pytest.approx((5 * both + 15) / 20)
    assert scores.values["Lost"] == 0.5
    assert scores.runs == 2
    assert scores.deviations["Lost"] == pytest.approx(math.sqrt(0.5))


def test_sequences_may_have_fewer_repetitions_than_others():
    sequences = few.sequence("a", 30), few.sequence("b", 25)
    full = {"a": few.run(Code.START, *[TARGET] * 29), "b": few.run(Code.START, *[TARGET] * 24)}
    scores = values_of(few.together(*sequences), [full, {"a": full["a"]}], "matlab")
    assert scores.values["Accuracy"] == 1.0
    assert scores.runs == 2
    assert scores.deviations == {}


@pytest.mark.parametrize("rules", ["pysot", "vot_toolkit"])
def test_tags_choose_frames(rules):
    tags = {"occlusion": few.flags(30, *range(10, 20)), "motion_change": few.flags(30, 5, 26)}
    regions = [Code.START, *[TARGET] * 9, *[HALF] * 10, *[TARGET] * 10]
    scores = values_of(few.together(few.sequence("a", 30, tags)), [{"a": few.run(*regions)}], rules)
    by_tag = scores.by_attribute["Accuracy"]
    assert by_tag["occlusion"] == pytest.approx(0.5 if rules == "vot_toolkit" else 11 / 21)
    assert by_tag["motion_change"] == by_tag["empty"] == 1.0
    assert scores.by_attribute["Lost"]["empty"] == 0


def test_accuracy_weighted_by_tags():
    # Frames 10..29 count for accuracy; 10..19 overlap by 11/21, the others fully.
    tags = {"occlusion": few.flags(30, *range(8, 20)), "size_change": few.flags(30, *range(15, 25), 0)}
    regions = [Code.START, *[TARGET] * 9, *[HALF] * 10, *[TARGET] * 10]
    test_set = few.together(few.sequence("a", 30, tags), few.sequence("b", 15, {"occlusion": few.flags(15, 3, 4)}))
    runs = [{"a": few.run(*regions), "b": few.run(Code.START, *[TARGET] * 14)}]
    scores = values_of(test_set, runs, "matlab")
    half = 11 / 21
    # Tagged are 12 + 2 frames, 11, and of the rest 7 (1..7) + 5 (25..29) + 13, weighing even where none counts.
    occlusion, size_change, empty = half, (5 * half + 5) / 10, 1.0
    expected = (14 * occlusion + 11 * size_change + 25 * empty) / (14 + 11 + 25)
    assert scores.values["Tag accuracy"] == pytest.approx(expected)
    # A tag of which no frame counts has no weight: in sequence b, "occlusion".
    assert scores.by_sequence["Tag accuracy"]["b"] == 1.0
    assert scores.by_attribute["Tag accuracy"] == {}
    assert "Tag accuracy" not in values_of(test_set, runs, "pysot").values
    untagged = values_of(few.together(few.sequence("b", 15)), [{"b": runs[0]["b"]}], "matlab")
    assert math.isnan(untagged.values["Tag accuracy"])


def test_expected_overlap_of_a_perfect_and_a_lost_run():
    names = [few.sequence("a", 30), few.sequence("b", 20)]
    perfect = {each.name: few.run(Code.START, *[TARGET] * (len(each) - 1)) for each in names}
    for rules in ("pysot", "matlab", "vot_toolkit"):
        assert values_of(few.together(*names), [perfect], rules).values["EAO"] == 1.0
    # Lost in frame 5: one fragment of overlaps 1 for 4 frames, then 0; the second, from frame 10, reaches to the end.
    lost = few.sequence("a", 30)
    curve = values_of(
        few.together(lost, few.sequence("b", 30)),
        [{"a": few.run_with_failure(30, 5), "b": few.run_with_failure(30, 5)}],
        "pysot",
    ).curves["expected_overlap_plot"]
    assert curve.y[:5] == pytest.approx(1.0)
    # Length 11: mean of frames 1 to 10 after the start, of which the lost fragment has 4 right.
    assert curve.y[10] == pytest.approx((0.4 + 1) / 2)
    assert curve.y[29] == pytest.approx(4 / 29)


def test_fragments_by_both_rules():
    overlaps = np.array([np.nan, 0.5, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0.8, np.nan])
    failures, starts = np.array([2, 9]), np.array([0, 7])
    matlab = matlab_fragments(overlaps, failures, last_start=9)
    assert [fragment.overlaps.tolist() for fragment in matlab] == [[0, 0.5, 0, 0, 0, 0, 0, 0], [0, 0.8, 0]]
    assert [fragment.padded for fragment in matlab] == [True, False]
    toolkit = toolkit_fragments(overlaps, failures, starts)
    assert [fragment.overlaps.tolist() for fragment in toolkit] == [[0, 0.5], [0, 0.8]]
    assert [fragment.padded for fragment in toolkit] == [True, True]
    # A restart one frame after the end makes PySOT's last fragment empty, and the one before it lost.
    late = matlab_fragments(overlaps, np.array([5]), last_start=10)
    assert [len(fragment.overlaps) for fragment in late] == [10, 0]
    assert [len(fragment.overlaps) for fragment in matlab_fragments(overlaps, np.array([5]), last_start=9)] == [10]


def test_score_is_the_mean_over_the_interval_as_far_as_the_curve_reaches():
    curve = np.array([1.0, 0.8, 0.6, 0.4])
    assert score(curve, Interval(2, 3, 2), 1) == pytest.approx(0.7)
    assert score(curve, Interval(2, 3, 2), 0) == pytest.approx(0.5)
    assert score(curve, Interval(3, 90, 9), 1) == pytest.approx(0.5)
    assert np.isnan(score(curve, Interval(9, 90, 9), 1))


def test_interval_lies_around_the_usual_length():
    rng = np.random.default_rng(0)
    lengths = [int(length) for length in rng.normal(200, 15, 60)]
    interval = interval_of_lengths([*lengths, 1200])
    assert 190 < interval.peak < 210
    assert 150 < interval.low < interval.peak < interval.high < 260
    assert interval_of_lengths([100, 100]) == (99, 100, 100)


def test_what_is_wrong_with_a_run():
    test_set = few.together(few.sequence("a", 12), few.sequence("b", 11))
    good = few.run(Code.START, *[TARGET] * 10)
    with pytest.raises(DataError, match="'a' has 11 lines where the run has 12 frames"):
        assess(test_set, {"T": [{"a": good, "b": good}]})
    with pytest.raises(DataError, match="code 1"):
        assess(test_set, {"T": [{"a": few.run(*[AWAY] * 12), "b": good}]})
    with pytest.raises(UnknownNameError, match="pysot"):
        assess(test_set, {"T": [{"b": good}]}, rules="pysott")
    left_out = assess(test_set, {"T": [{"b": good}]}).exclusions
    assert [(each.sequence, each.tracker) for each in left_out] == [("a", "T")]
