import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.errors import DataError
from lockon.evaluation import (
    centre_error,
    false_presence_rate,
    mean_scores,
    normalised_centre_error,
    one_pass_scores,
    overlap,
)

ABSENT = [math.nan] * 4


def boxes(*rows):
    return np.array(rows, dtype=np.float64)


TRUTH = boxes([10, 10, 20, 10], [10, 10, 20, 10], ABSENT, [10, 10, 20, 10])


def test_overlap_by_hand():
    # 20×10 against the same, shifted by half its width, disjoint, and twice as wide.
    truth = np.repeat(TRUTH[:1], 4, axis=0)
    predicted = boxes([10, 10, 20, 10], [20, 10, 20, 10], [100, 10, 20, 10], [10, 10, 40, 10])
    assert overlap(truth, predicted).tolist() == [1.0, 1 / 3, 0.0, 0.5]


def test_centre_errors_by_hand():
    truth = np.repeat(TRUTH[:1], 2, axis=0)
    predicted = boxes([13, 14, 20, 10], [10, 10, 40, 10])
    assert centre_error(truth, predicted).tolist() == [5.0, 10.0]
    # The toolkits' centre x + (w - 1) / 2 divided by the annotated size: (3/20, 4/10), and 10/20.
    np.testing.assert_allclose(normalised_centre_error(truth, predicted), [math.hypot(0.15, 0.4), 0.5], rtol=1e-12)


@pytest.mark.parametrize(("measure", "missed"), [(overlap, 0.0), (centre_error, math.inf)])
def test_absent_target_is_unknown_and_missing_prediction_is_a_miss(measure, missed):
    values = measure(TRUTH, boxes(TRUTH[0], ABSENT, [1, 2, 3, 4], TRUTH[0]))
    assert values[1] == missed
    assert math.isnan(values[2])


def test_perfect_track_scores_twenty_of_twenty_one_thresholds():
    scores = one_pass_scores(TRUTH, np.nan_to_num(TRUTH, nan=7.0))
    assert scores.success.tolist() == [1.0] * 20 + [0.0]
    assert scores.success_auc == pytest.approx(20 / 21)
    assert scores.precision_at_20 == scores.normalised_precision_at_20 == 1.0


def test_start_frame_counts_as_annotated_whatever_was_predicted():
    lost = np.full_like(TRUTH, 500.0)
    scores = one_pass_scores(TRUTH, lost)
    # One of the three annotated frames is the start frame; the absent one counts nowhere.
    np.testing.assert_allclose(scores.success[:20], 1 / 3)
    np.testing.assert_allclose(scores.precision, 1 / 3)
    assert lost[0, 0] == 500.0


def test_overlap_must_exceed_and_error_must_not_exceed_a_threshold():
    truth = np.repeat(TRUTH[:1], 2, axis=0)
    half = one_pass_scores(truth, boxes(TRUTH[0], [10, 10, 40, 10]))
    assert half.success[9] == 1.0
    assert half.success[10] == 0.5
    far = one_pass_scores(truth, boxes(TRUTH[0], [30, 10, 20, 10]))
    assert far.precision[19] == 0.5
    assert far.precision[20] == 1.0


@given(
    st.lists(st.tuples(*[st.floats(-50, 400), st.floats(-50, 400), st.floats(1, 90), st.floats(1, 90)]), min_size=2)
)
def test_curves_are_monotone_shares_and_scale_invariant(rows):
    truth = np.tile(boxes([20, 30, 40, 50]), (len(rows), 1))
    scores = one_pass_scores(truth, boxes(*rows))
    assert (np.diff(scores.success) <= 0).all()
    assert (np.diff(scores.precision) >= 0).all()
    assert (np.diff(scores.normalised_precision) >= 0).all()
    assert 1 / len(rows) <= scores.success[0] <= 1
    # Powers of two scale floats exactly, so no threshold may be crossed.
    assert (one_pass_scores(4 * truth, 4 * boxes(*rows)).success == scores.success).all()


def test_mean_gives_every_sequence_the_same_weight():
    perfect = one_pass_scores(TRUTH[:1], TRUTH[:1])
    poor = one_pass_scores(np.repeat(TRUTH[:1], 100, axis=0), np.full((100, 4), 500.0))
    assert mean_scores([perfect, poor]).precision_at_20 == pytest.approx((1 + 0.01) / 2)


def test_false_presence_is_counted_on_absent_frames_only():
    truth = boxes(TRUTH[0], ABSENT, ABSENT, TRUTH[0], ABSENT, ABSENT)
    assert false_presence_rate(truth, np.array([True, True, False, True, False, False])) == 0.25
    assert false_presence_rate(TRUTH[:2], np.array([True, True])) is None


def test_errors_name_the_problem():
    with pytest.raises(DataError, match=r"\(4, 4\) and \(3, 4\)"):
        one_pass_scores(TRUTH, TRUTH[:3])
    with pytest.raises(DataError, match="frame 0"):
        one_pass_scores(boxes(ABSENT, TRUTH[0]), boxes(TRUTH[0], TRUTH[0]))
    with pytest.raises(DataError, match="no scores"):
        mean_scores([])
