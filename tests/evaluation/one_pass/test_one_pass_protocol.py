import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.made_up import ABSENT, BOX, HALF, LOST, boxes, make_set, run, sequence, still
from lockon.data.testsets import base
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation import one_pass
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.one_pass.pooled import pool
from lockon.evaluation.tracks import Code, RegionTrack, Track

PERFECT = 100 * 20 / 21
TEST_SET = make_set(
    sequence("easy", still(4), attributes=frozenset({"OCC"})),
    sequence("hard", still(4), attributes=frozenset({"OCC", "LR"})),
    attributes={"OCC": "occlusion", "LR": "low resolution", "FM": "fast motion"},
)
GOOD = run({"easy": still(4), "hard": np.concatenate([still(2), still(2, LOST)])})
POOR = run({"easy": np.concatenate([still(1), still(3, LOST)]), "hard": np.concatenate([still(1), still(3, LOST)])})


def assess(results, rules=None, test_set=TEST_SET):
    return one_pass.assess(test_set, results, rules=rules)


def test_every_sequence_has_the_same_weight_and_attributes_theirs():
    (tracker,) = assess({"good": [GOOD]}).trackers
    assert tracker.values["AUC"] == pytest.approx(PERFECT * 0.75)
    assert tracker.by_sequence["AUC"] == pytest.approx({"easy": PERFECT, "hard": PERFECT / 2})
    assert tracker.by_attribute["AUC"] == pytest.approx({"OCC": PERFECT * 0.75, "LR": PERFECT / 2})
    curve = tracker.curves["success_plot"]
    assert (curve.score, curve.y[0], curve.y[20]) == (pytest.approx(PERFECT * 0.75), 75, 0)
    assert tracker.curves["precision_plot"].score == 75


def test_matlab_rules_show_no_attribute_of_a_single_sequence():
    (tracker,) = assess({"good": [GOOD]}, rules="otb").trackers
    assert tracker.by_attribute["AUC"].keys() == {"OCC"}


def test_runs_are_averaged_with_their_deviation():
    (tracker,) = assess({"both": [GOOD, POOR]}).trackers
    assert tracker.runs == 2
    assert tracker.by_sequence["AUC"]["easy"] == pytest.approx(PERFECT * (1 + 0.25) / 2)
    assert tracker.deviations["AUC"] == pytest.approx(np.std([0.75 * PERFECT, 0.25 * PERFECT], ddof=1))
    assert assess({"good": [GOOD]}).trackers[0].deviations == {}


def test_better_tracker_is_said_to_be_better():
    (pair,) = assess({"poor": [POOR], "good": [GOOD]}).comparisons
    assert (pair.tracker, pair.other, pair.measure, pair.probability) == ("good", "poor", "AUC", 1.0)
    assert pair.difference == pytest.approx(PERFECT / 2)
    assert pair.interval == pytest.approx((PERFECT / 4, PERFECT * 0.75))


def test_speed_is_the_mean_over_sequences():
    timed = {
        "easy": Track(boxes=still(4), seconds=np.array([0.7, 0.1, 0.1, 0.1])),
        "hard": Track(boxes=still(4), seconds=np.full(4, 0.05)),
    }
    assert assess({"timed": [timed]}).trackers[0].frames_per_second == pytest.approx((4 + 20) / 2)


def test_a_sequence_that_one_tracker_lacks_is_left_out_for_all_and_said_so():
    assessment = assess({"good": [GOOD], "other": [POOR, run({"easy": still(4), "odd": still(4)})]})
    assert list(assessment.sequences) == ["easy"]
    assert "Results over 1 of 2 sequences." in assessment.notes
    assert assessment.trackers[0].values["AUC"] == pytest.approx(PERFECT)
    assert assessment.exclusions == (
        Exclusion(sequence="hard", tracker="other", reason="no result of run 1 of 2: left out for all trackers"),
        Exclusion(sequence="odd", tracker="other", reason="a result, but the set has no such sequence"),
    )


def test_trackingnet_takes_a_missing_result_as_lost():
    assessment = assess({"good": [run({"easy": still(4)})]}, rules="trackingnet")
    (tracker,) = assessment.trackers
    # Frame 0 counts as annotated; the overlap of the others is 0, which reaches the threshold 0.
    assert tracker.by_sequence["AUC"]["hard"] == pytest.approx(25 + 75 * 0.05 / 2)
    assert tracker.values["Coverage"] == pytest.approx(100 * 5 / 8)
    assert "counts as lost" in assessment.exclusions[0].reason


def test_what_is_cut_or_filled_up_is_listed():
    tracks = run({"easy": still(3), "hard": still(6)})
    reasons = {each.sequence: each.reason for each in assess({"x": [tracks]}).exclusions}
    assert reasons == {
        "easy": "1 of 4 frames have no box; they count as lost",
        "hard": "2 boxes after the last of 4 frames are cut",
    }


def test_matlab_rules_drop_sequences_without_any_hit():
    outside = replace(TEST_SET, sequences=(TEST_SET.sequences[0], sequence("hard", still(4, (-5, 10, 20, 10)))))
    assessment = assess({"good": [GOOD]}, rules="otb", test_set=outside)
    assert assessment.trackers[0].values["AUC"] == pytest.approx(PERFECT)
    assert [each.sequence for each in assessment.exclusions] == ["hard"]
    assert assess({"good": [GOOD]}, test_set=outside).trackers[0].values["AUC"] == pytest.approx(PERFECT / 2)


def test_default_rules_are_those_of_the_papers_or_of_the_server():
    assert assess({"good": [GOOD]}).rules == "pytracking"
    assert assess({"good": [GOOD]}, test_set=replace(TEST_SET, name="trackingnet")).rules == "trackingnet"
    with pytest.raises(UnknownNameError, match="unknown rule set 'lasott'"):
        assess({"good": [GOOD]}, rules="lasott")


def test_sequences_of_a_joined_set_keep_the_rules_of_their_own():
    truth = boxes(BOX, ABSENT)
    joined = make_set(sequence("uav_x", truth, benchmark="uav123"), sequence("nfs_x", still(2)), name="nuo323")
    (tracker,) = assess({"x": [run({"uav_x": still(2), "nfs_x": still(2)})]}, test_set=joined).trackers
    assert tracker.by_sequence["Precision"] == {"uav_x": 100, "nfs_x": 100}


def bad(reason, results, test_set=TEST_SET, rules=None):
    return pytest.param(results, test_set, rules, reason)


@pytest.mark.parametrize(
    ("results", "test_set", "rules", "message"),
    [
        bad("there are no results on the set", {}),
        bad("tracker 'x' has no result of any sequence of the set", {"x": [run({"odd": still(4)})]}),
        bad("tracker 'x' has no result", {"x": []}),
        bad(
            "no sequence of the set has a result of every run of 'x', 'y'",
            {"x": [run({"easy": still(4)})], "y": [run({"hard": still(4)})]},
        ),
        bad(
            r"the result of 'x' on 'easy' \(/r/easy.txt\) is empty. Delete it",
            {"x": [run({"easy": Track(boxes=np.zeros((0, 4)), path=Path("/r/easy.txt")), "hard": still(4)})]},
        ),
        bad(
            r"the result of 'x' on 'hard' \(/r/hard.txt\) has NaN or a negative size in frame 3",
            {
                "x": [
                    run(
                        {
                            "easy": still(4),
                            "hard": Track(boxes=boxes(BOX, BOX, BOX, ABSENT), path=Path("/r/hard.txt")),
                        }
                    )
                ]
            },
        ),
        bad(
            "'x' on 'hard' has 3 boxes for 4 frames, which the rules 'pysot' reject",
            {"x": [run({"easy": still(4), "hard": still(3)})]},
            rules="pysot",
        ),
        bad(
            "4 boxes and 3 confidences",
            {"x": [run({"easy": still(4), "hard": Track(boxes=still(4), scores=np.ones(3))})]},
        ),
        bad(
            "'x' on 'easy' is not a track of boxes",
            {"x": [{"easy": RegionTrack(regions=(Code.START,)), "hard": Track(boxes=still(4))}]},
        ),
        bad(
            "the set has 'easy' more than once",
            {"x": [GOOD]},
            make_set(sequence("easy", still(4)), sequence("easy", still(4))),
        ),
        bad(
            "sequence 'easy' has the attribute 'XX', unknown to the set. Known: OCC",
            {"x": [run({"easy": still(4)})]},
            make_set(sequence("easy", still(4), attributes=frozenset({"XX"})), attributes={"OCC": "occlusion"}),
        ),
        bad(
            "the annotation of the set is secret",
            {"x": [run({"easy": still(4)})]},
            make_set(sequence("easy", still(1), length=4)),
        ),
        bad(
            "4 annotated boxes and 3 flags",
            {"x": [run({"easy": still(4)})]},
            make_set(sequence("easy", base.BoxTruth(boxes=still(4), visible=np.ones(3, dtype=bool)))),
        ),
        bad(
            "'easy' of the set is not annotated with boxes .* protocol 'davis'",
            {"x": [run({"easy": still(4)})]},
            make_set(
                replace(sequence("easy", still(4)), truth=base.MaskTruth(labels=(), objects={})),
                protocol="davis",
            ),
        ),
    ],
)
def test_bad_input_is_named_with_its_remedy(results, test_set, rules, message):
    with pytest.raises(DataError, match=message):
        assess(results, rules=rules, test_set=test_set)


def test_pooled_precision_and_recall_by_hand():
    truth, predicted = still(3), boxes(BOX, HALF, LOST)
    track = Track(boxes=predicted, scores=np.array([np.nan, 0.4, 0.9]))
    case = one_pass.Case(truth=truth, track=track)
    curve = pool([case])
    # By confidence: the start (1), the lost one (0.9), the half one (0.4).
    np.testing.assert_allclose(curve.precision, [1, 1, 1 / 2, 1.5 / 3])
    np.testing.assert_allclose(curve.recall, [0, 1 / 3, 1 / 3, 1.5 / 3])
    assert curve.f[curve.best] == pytest.approx(0.5)
    assert curve.thresholds.tolist() == [1, 0.9, 0.4, -np.inf]


def test_of_every_sequence_each_third_frame_is_in_the_pool():
    def case(*rows):
        return one_pass.Case(truth=still(4), track=Track(boxes=boxes(*rows), scores=np.array([1, 0.9, 0.8, 0.7])))

    # Frames 0 and 3 of both: hit, hit; hit, lost.
    curve = pool([case(BOX, LOST, LOST, BOX), case(BOX, BOX, BOX, LOST)], every=3)
    np.testing.assert_allclose(curve.precision, [1, 1, 1, 1, 3 / 4])
    np.testing.assert_allclose(curve.recall, [0, 1 / 4, 2 / 4, 3 / 4, 3 / 4])


def test_pytrackings_options():
    half = run({"easy": np.concatenate([still(2), still(2, HALF)]), "hard": still(4)})
    scored = {name: Track(boxes=each.boxes, scores=np.array([1, 0.9, 0.8, 0.7])) for name, each in half.items()}
    chosen = "pytracking:plot_bin_gap=0.01,anno_period=3"
    assessment = assess({"x": [scored]}, rules=chosen)
    (tracker,) = assessment.trackers
    assert (assessment.rules, "over 101 thresholds" in assessment.measures[0].meaning) == (chosen, True)
    # Overlaps are 1 (above 100 of 101 thresholds) or 1/2 (above 50 of them), and 1/2 is not above 1/2.
    assert tracker.by_sequence["AUC"] == pytest.approx({"easy": 100 * 75 / 101, "hard": 100 * 100 / 101})
    assert (tracker.by_sequence["OP50"]["easy"], tracker.by_sequence["OP75"]["easy"]) == (50, 50)
    assert len(tracker.curves["success_plot"].x) == 101
    # Frames 0 and 3: three hits and one half.
    assert tracker.values["F"] == pytest.approx(7 / 8)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            "pytracking:bin_gap=0.01",
            "unknown option of the rules 'pytracking' 'bin_gap'. Did you mean 'plot_bin_gap'",
        ),
        ("pytracking:plot_bin_gap=0.03", "'plot_bin_gap=0.03' is no good"),
        ("pytracking:plot_bin_gap=0", "'plot_bin_gap=0' is no good"),
        ("pytracking:anno_period=-1", "'anno_period=-1' is no good"),
        ("pytracking:anno_period", "'anno_period' is no good"),
        ("otb:anno_period=3", "rules 'otb' have no options"),
    ],
)
def test_options_that_do_not_exist_are_named(rules, message):
    with pytest.raises((DataError, UnknownNameError), match=re.escape(message)):
        assess({"good": [GOOD]}, rules=rules)


def test_confidence_adds_precision_and_recall_to_pytrackings_rules_alone():
    scored = {name: Track(boxes=each.boxes, scores=np.ones(4)) for name, each in GOOD.items()}
    assessment = assess({"scored": [scored], "good": [GOOD]})
    # Six hits, then two misses, in the order of the test set: the best F has precision 1 and recall 6/8.
    values = {each.tracker: each.values.get("F") for each in assessment.trackers}
    assert values == {"scored": pytest.approx(6 / 7), "good": None}
    assert assessment.measures[-1].name == "F"
    assert assessment.plots[-1].name == "precision_recall_plot"
    assert "F" not in assess({"scored": [scored]}, rules="otb").trackers[0].values
