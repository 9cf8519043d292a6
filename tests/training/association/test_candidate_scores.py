"""Scores in a later frame: noise, order, rivals."""

import numpy as np
import pytest

from lockon.training.association.scores import vary_scores

ALL = np.ones(5, np.bool_)


class Noise:
    """Gives the numbers it is told, in place of random ones."""

    def __init__(self, noise, case=None):
        self._noise, self._case = np.array(noise, float), case

    def standard_normal(self, count):
        assert count == len(self._noise)
        return self._noise

    def integers(self, high):
        assert self._case is not None, "no case is to be drawn"
        assert high == 3
        return self._case


def varied(scores, noise, real=ALL, case=None, *, complete=True, scale=1.0):
    scores = np.array(scores, float)
    changed = vary_scores(scores, real[: len(scores)], Noise(noise, case), complete=complete, scale=scale)
    return pytest.approx(changed.tolist())


def test_a_tenth_of_the_noise_is_added_and_nothing_falls_below_the_least():
    assert varied([0.9, 0.3, 0.2], [1, -1, 1]) == [1.0, 0.3, 0.2]
    assert varied([0.9, 0.3, 0.1], [0, 0, -5]) == [0.9, 0.3, 0.075]


def test_the_order_of_the_candidates_is_kept():
    assert varied([0.9, 0.3, 0.2], [-8, 2, 5]) == [0.7, 0.5, 0.1]


def test_artificial_candidates_keep_their_scores_and_do_not_join_the_order():
    real = np.array([True, False, True])
    assert varied([0.3, 0.06, 0.25], [-2, 1], real) == [0.35, 0.06, 0.1]


@pytest.mark.parametrize(("case", "expected"), [(0, [0.9, 0.7, 0.3]), (1, [0.9, 0.7, 0.3]), (2, [0.7, 0.9, 0.3])])
def test_rivals_may_come_closer_or_change_places(case, expected):
    assert varied([0.8, 0.6, 0.3], [-1, 3, 0], case=case) == expected


def test_noise_of_rivals_counts_without_its_sign():
    assert varied([0.8, 0.6, 0.3], [2, -3, 0], case=0) == [1.0, 0.3, 0.3]
    assert varied([0.8, 0.6, 0.3], [2, -3, 0], case=1) == [0.9, 0.6, 0.3]
    assert varied([0.8, 0.6, 0.3], [2, -3, 0], case=2) == [0.6, 0.9, 0.3]


def test_the_others_are_ordered_among_themselves():
    assert varied([0.8, 0.6, 0.3, 0.2], [1, 1, -1, 3], case=2) == [0.7, 0.7, 0.5, 0.2]


@pytest.mark.parametrize(
    ("scores", "complete"),
    [
        ([0.8, 0.6], True),  # two only
        ([0.8, 0.4, 0.3], True),  # half is not more than half
        ([0.3, 0.2, 0.1], True),  # not strong enough
        ([0.8, 0.6, 0.3], False),  # something is missing
    ],
)
def test_when_there_are_no_rivals_no_case_is_drawn(scores, complete):
    assert varied(scores, [0.0] * len(scores), complete=complete) == scores


def test_the_scale_is_that_of_noise_and_bounds():
    assert varied([0.09, 0.03, 0.02], [1, -1, 1], scale=0.1) == [0.1, 0.03, 0.02]
    assert varied([0.09, 0.03, 0.001], [0, 0, 0], scale=0.1) == [0.09, 0.03, 0.0075]
    assert varied([0.08, 0.06, 0.03], [-1, 3, 0], case=2, scale=0.1) == [0.07, 0.09, 0.03]
