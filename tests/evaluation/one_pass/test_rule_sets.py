"""What each rule set makes of the same odd frames, computed by hand from the descriptions of the toolkits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.made_up import ABSENT, BOX, HALF, LOST, boxes, still
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.one_pass import RULE_SETS, Case, rule_set, score_track
from lockon.evaluation.tracks import Track

ALL_RULES = sorted(RULE_SETS)


def judge(rules, truth, predicted, **fields):
    return rule_set(rules).judge(Case(truth=truth, track=Track(boxes=predicted), **fields))


def values(rules, truth, predicted, **fields):
    frames = judge(rules, truth, predicted, **fields)
    chosen = rule_set(rules)
    curves = chosen.curves(frames)
    stacked = type(curves)(
        success=curves.success[None],
        precision=curves.precision[None],
        normalised_precision=curves.normalised_precision[None],
    )
    return {name: value[0] for name, value in chosen.values(stacked).items()} | dict(frames.extra)


@pytest.mark.parametrize("rules", ALL_RULES)
def test_a_perfect_track_scores_as_much_as_its_rules_allow(rules):
    scores = values(rules, still(8), still(8))
    assert scores["AUC"] == pytest.approx(100 if rules == "trackingnet" else 100 * 20 / 21)
    assert scores["Precision"] == scores["Norm Precision"] == 100


@pytest.mark.parametrize("rules", ALL_RULES)
def test_only_trackingnet_counts_an_overlap_that_equals_the_threshold(rules):
    curves = rule_set(rules).curves(judge(rules, still(2), boxes(BOX, HALF)))
    assert curves.success[10] == (1.0 if rules == "trackingnet" else 0.5)
    assert curves.success[9] == 1.0


@pytest.mark.parametrize("rules", ALL_RULES)
def test_an_error_that_equals_the_threshold_counts(rules):
    truth, predicted = still(2), boxes(BOX, (30, 10, 20, 10))
    precision = rule_set(rules).curves(judge(rules, truth, predicted)).precision
    place = 8 if rules == "trackingnet" else 20
    assert (precision[place - 1], precision[place]) == (0.5, 1.0)


@pytest.mark.parametrize("rules", ALL_RULES)
def test_frame_0_counts_as_annotated_but_for_pysot(rules):
    curves = rule_set(rules).curves(judge(rules, still(4), still(4, LOST)))
    assert curves.success[1] == curves.precision[-1] == (0 if rules == "pysot" else 0.25)


@pytest.mark.parametrize(
    ("rules", "success", "precision", "normalised"),
    [
        ("pytracking", 2 / 4, 2 / 4, 4 / 4),  # misses, misses, hits
        ("pytracking_valid", 2 / 2, 2 / 2, 4 / 2),
        ("got10k", 2 / 2, 2 / 2, 2 / 2),  # nowhere
        ("pysot", 2 / 4, 4 / 4, 4 / 4),  # misses, hits, hits
        ("otb", 2 / 4, 4 / 4, 4 / 4),
        ("lasot", 2 / 4, 4 / 4, 4 / 4),
        ("trackingnet", 2 / 4, 2 / 4, 2 / 4),
    ],
)
def test_frames_with_nan_annotation(rules, success, precision, normalised):
    truth, predicted = boxes(BOX, ABSENT, ABSENT, BOX), still(4)
    curves = rule_set(rules).curves(judge(rules, truth, predicted))
    assert (curves.success[1], curves.precision[-1], curves.normalised_precision[-1]) == (
        success,
        precision,
        normalised,
    )


def test_absent_frames_of_uav123_are_hits_in_pytrackings_precision_alone():
    frames = judge("pytracking", boxes(BOX, ABSENT), still(2), benchmark="uav123")
    assert (frames.overlaps[1], frames.errors[1], frames.normalised_errors[1]) == (-1, -1, -1)
    assert judge("pytracking", boxes(BOX, ABSENT), still(2)).errors[1] == math.inf


@pytest.mark.parametrize(
    ("rules", "benchmark", "success", "precision", "normalised"),
    [
        ("pytracking", "lasot", 1 / 2, 1 / 2, 1 / 2),
        ("pytracking", "lasot_ext", 1 / 2, 1 / 2, 2 / 2),
        ("lasot", "lasot", 1 / 2, 1 / 2, 1 / 2),
        ("pysot", "lasot", 1 / 2, 1 / 2, 1 / 2),
        ("got10k", "lasot", 1, 1, 1),  # looks at no flags
        ("otb", "lasot", 1, 1, 1),
    ],
)
def test_frames_that_are_flagged_absent(rules, benchmark, success, precision, normalised):
    frames = judge(rules, still(2), still(2), visible=np.array([True, False]), benchmark=benchmark)
    curves = rule_set(rules).curves(frames)
    assert (curves.success[1], curves.precision[-1], curves.normalised_precision[-1]) == (
        success,
        precision,
        normalised,
    )


def test_a_box_that_begins_at_the_border_is_valid_for_pysot_and_got10k_only():
    truth = boxes(BOX, (0, 10, 20, 10))
    successes = {rules: values(rules, truth, truth)["OP50"] for rules in ("pytracking", "otb", "pysot", "got10k")}
    assert successes == {"pytracking": 50, "otb": 50, "pysot": 100, "got10k": 100}


def test_empty_boxes_repeat_the_last_one_for_pytracking_and_matlab():
    predicted = boxes(BOX, HALF, (0, 0, 0, 0), (7, 7, 0, 3))
    for rules, repeated in (
        ("pytracking", True),
        ("otb", True),
        ("lasot", True),
        ("pysot", False),
        ("got10k", False),
    ):
        overlaps = judge(rules, still(4), predicted).overlaps
        assert overlaps[1] == 0.5
        assert overlaps[2:].tolist() == pytest.approx([0.5, 0.5] if repeated else [0, 0]), rules


@pytest.mark.parametrize("rules", ["pytracking", "otb", "lasot"])
def test_frames_without_annotation_are_not_repaired(rules):
    # The empty box in the absent frame stays, and is what the next empty box repeats.
    truth, predicted = boxes(BOX, ABSENT, BOX), boxes(BOX, (3, 3, 0, 0), (4, 4, 0, 0))
    assert judge(rules, truth, predicted).overlaps.tolist() == [1, -1, 0]


@pytest.mark.parametrize("row", [ABSENT, (5, 5, -3, 4)])
def test_nan_and_negative_sizes(row):
    predicted = boxes(BOX, HALF, row)
    with pytest.raises(
        DataError, match=r"^run of x has NaN or a negative size in frame 2 \(line 3\).*Repeat the run"
    ):
        judge("pytracking", still(3), predicted, label="run of x")
    assert judge("otb", still(3), predicted).overlaps.tolist() == [1, 0.5, 0.5]


def test_pytracking_refuses_nan_annotation_of_sets_that_have_none():
    with pytest.raises(DataError, match=r"NaN in frame 1 \(line 2\).* on otb100"):
        judge("pytracking", boxes(BOX, ABSENT), still(2), benchmark="otb100")


def test_short_tracks():
    truth, short = still(4), still(3)
    padded = judge("pytracking", truth, short)
    assert (padded.overlaps.tolist(), padded.count) == ([1, 1, 1, 0], 4)
    assert "1 of 4 frames" in padded.remark
    for rules in ("got10k", "otb"):
        cut = judge(rules, truth, short)
        assert (cut.overlaps.tolist(), cut.count) == (pytest.approx([1, 1, 1]), 3)
        assert "1 of 4 frames" in cut.remark
    lost = rule_set("trackingnet").curves(judge("trackingnet", truth, short))
    assert (lost.success[0], lost.precision[-1]) == (0.75, 0.75)
    for rules, benchmark in (("lasot", ""), ("pysot", ""), ("pytracking", "lasot")):
        with pytest.raises(DataError, match="3 boxes for 4 frames"):
            judge(rules, truth, short, benchmark=benchmark)


@pytest.mark.parametrize("rules", ALL_RULES)
def test_boxes_after_the_last_frame_do_not_count(rules):
    longer = np.concatenate([still(3), still(5, LOST)])
    assert values(rules, still(3), longer) == values(rules, still(3), still(3))


def test_trackingnet_rounds_and_takes_areas():
    truth = boxes((10, 10, 10, 10), (10, 10, 10, 10))
    # Half a pixel rounds to even: 10.5 to 10, and 12.5 to 12, whose overlap is 8 × 10 / 120.
    assert judge("trackingnet", truth, boxes(BOX, (10.5, 10, 10, 10))).overlaps[1] == 1
    frames = judge("trackingnet", truth, boxes(BOX, (12.5, 10, 10, 10)))
    assert frames.overlaps[1] == pytest.approx(8 / 12)
    curve = rule_set("trackingnet").curves(frames).success
    # 1 up to 0.65, then a half up to 1, with a slope between 0.65 and 0.7.
    assert curve.tolist() == [1] * 14 + [0.5] * 7
    scores = values("trackingnet", truth, boxes(BOX, (12.5, 10, 10, 10)))
    assert scores["AUC"] == pytest.approx(100 * (0.65 + 0.3 * 0.5 + 0.05 * 0.75))
    # Errors of 2 pixels, and of 0.2 sizes: within 2.5 of 50 pixels, and 0.2 of 0.5.
    assert scores["Precision"] == pytest.approx(100 * (1 - 0.05 * 0.25))
    assert scores["Norm Precision"] == pytest.approx(100 * (0.5 * 0.35 + 0.05 * 0.75 + 0.6))


def test_got10k_counts_sizes_below_a_pixel_as_one():
    truth, predicted = boxes(BOX, (10, 10, 0.5, 0.5)), boxes(BOX, (10.25, 10, 0.5, 0.5))
    assert judge("got10k", truth, predicted).normalised_errors[1] == 0.25
    assert judge("pytracking", truth, predicted).normalised_errors[1] == pytest.approx(0.5)


row = st.tuples(st.floats(1, 400), st.floats(1, 400), st.floats(1, 90), st.floats(1, 90))


@pytest.mark.parametrize("rules", ALL_RULES)
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(row, min_size=2, max_size=30))
def test_curves_are_monotone_shares_counted_frame_by_frame(rules, rows):
    chosen = rule_set(rules)
    frames = chosen.judge(Case(truth=still(len(rows), (90, 80, 40, 50)), track=Track(boxes=boxes(*rows))))
    curves = chosen.curves(frames)
    reach = np.greater_equal if chosen.ties_succeed else np.greater
    counted = [reach(frames.overlaps, threshold).sum() for threshold in chosen.overlap_thresholds]
    np.testing.assert_allclose(curves.success, np.array(counted) / frames.count)
    within = [(frames.errors <= threshold).mean() for threshold in chosen.pixel_thresholds]
    np.testing.assert_allclose(curves.precision, within)
    assert (np.diff(curves.success) <= 0).all()
    assert (np.diff(curves.normalised_precision) >= 0).all()


def test_a_single_track_is_scored_without_a_test_set():
    truth = boxes(BOX, ABSENT, BOX)
    lost = np.full_like(truth, np.nan)
    scores = score_track(truth, lost)
    # Of the two annotated frames one is the start; NaN is a miss.
    assert scores["AUC"] == pytest.approx(100 * 20 / 21 / 2)
    assert scores["Precision"] == 50
    with pytest.raises(DataError, match=r"\(3, 4\) and \(2, 4\)"):
        score_track(truth, still(2))


def test_unknown_rules_are_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'pysott'.*'pysot'"):
        rule_set("pysott")
