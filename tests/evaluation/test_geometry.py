import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.evaluation.geometry import (
    centre_error,
    intersection_and_union,
    normalised_centre_error,
    overlap,
    scaled_centre_error,
    unknown,
)


def boxes(*rows):
    return np.array(rows, dtype=np.float64)


TRUTH = boxes([10, 10, 20, 10])


def test_overlap_by_hand():
    # 20×10 against the same, shifted by half its width, touching, twice as wide, and inside out.
    predicted = boxes([10, 10, 20, 10], [20, 10, 20, 10], [30, 10, 20, 10], [10, 10, 40, 10])
    assert overlap(np.repeat(TRUTH, 4, axis=0), predicted).tolist() == [1.0, 1 / 3, 0.0, 0.5]


def test_two_empty_boxes_do_not_overlap_and_nan_is_unknown():
    truth = boxes([5, 5, 0, 0], [5, 5, 2, 2])
    predicted = boxes([5, 5, 0, 0], [math.nan, 5, 2, 2])
    overlaps = overlap(truth, predicted)
    assert overlaps[0] == 0
    assert np.isnan(overlaps[1])
    assert np.isnan(centre_error(truth, predicted)).tolist() == [False, True]
    assert unknown(predicted).tolist() == [False, True]


def test_centre_errors_by_hand():
    truth = np.repeat(TRUTH, 2, axis=0)
    predicted = boxes([13, 14, 20, 10], [10, 10, 40, 10])
    assert centre_error(truth, predicted).tolist() == [5.0, 10.0]
    # In widths of 20 and heights of 10: (3/20, 4/10), and 10/20.
    np.testing.assert_allclose(normalised_centre_error(truth, predicted), [math.hypot(0.15, 0.4), 0.5], rtol=1e-12)
    halves = scaled_centre_error(truth, predicted, np.full(2, 10.0), np.full(2, 5.0))
    np.testing.assert_allclose(halves, [math.hypot(0.3, 0.8), 1.0], rtol=1e-12)


def test_order_of_division_and_pixel_centres_decide_ties_as_in_the_toolkits():
    # One of five pixels off. Divided first, 5/5 - 4/5 rounds to just below 0.2; from 5.5 and 4.5 it would be above.
    truth, predicted = boxes([2, 7, 5, 35]), boxes([3, 7, 5, 35])
    assert normalised_centre_error(truth, predicted)[0] == 0.19999999999999996
    assert scaled_centre_error(truth, predicted, truth[:, 2], truth[:, 3])[0] == 0.2


box = st.tuples(st.floats(-50, 400), st.floats(-50, 400), st.floats(1, 90), st.floats(1, 90))


@settings(max_examples=25, deadline=None)
@given(st.lists(box, min_size=1), st.lists(box, min_size=1))
def test_overlap_is_symmetric_bounded_and_scales(first, second):
    count = min(len(first), len(second))
    a, b = boxes(*first[:count]), boxes(*second[:count])
    overlaps = overlap(a, b)
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-12)).all()
    np.testing.assert_allclose(overlap(b, a), overlaps, atol=1e-12)
    # Powers of two scale floats exactly.
    assert (overlap(4 * a, 4 * b) == overlaps).all()
    intersection, union = intersection_and_union(a, b)
    np.testing.assert_allclose(intersection + union, a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3])
