import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.errors import DataError
from lockon.evaluation.assessment import Measure
from lockon.evaluation.statistics import (
    compare,
    confidence_interval,
    draw_sequences,
    resampled_means,
    resampled_ratios,
)

AUC = Measure(name="AUC")


def draws(count, resamples=4000):
    return draw_sequences(count, np.random.default_rng(3), resamples)


def test_draws_are_test_sets_of_the_same_size():
    drawn = draws(7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.06)
    assert (draws(7) == drawn).all()
    with pytest.raises(DataError, match="two or more sequences; there is 1"):
        draws(1)


def test_means_of_resampled_sets_by_hand():
    values = np.array([10.0, 20.0, 60.0])
    drawn = np.array([[1, 1, 1], [3, 0, 0], [0, 2, 1]])
    np.testing.assert_allclose(resampled_means(values, drawn), [30, 10, 100 / 3])
    weights = np.array([1.0, 1.0, 2.0])
    np.testing.assert_allclose(resampled_means(values, drawn, weights), [37.5, 10, 40])
    unknown = np.array([10.0, np.nan, 60.0])
    np.testing.assert_allclose(resampled_means(unknown, drawn), [35, 10, 60])


def test_spread_of_resampled_means_is_the_standard_error():
    values = np.random.default_rng(0).normal(50, 10, size=100)
    means = resampled_means(values, draws(100))
    assert means.std() == pytest.approx(values.std() / 10, rel=0.05)
    low, high = confidence_interval(means)
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * values.std() / 10, values.mean() + 1.96 * values.std() / 10), abs=0.15
    )


def test_comparison_is_paired():
    # Far apart from sequence to sequence, but always one better than the other: certain.
    hard = np.random.default_rng(0).uniform(0, 100, size=30)
    drawn = draws(30)
    resampled = {"a": resampled_means(hard + 1, drawn), "b": resampled_means(hard, drawn)}
    (pair,) = compare(AUC, {"b": hard.mean(), "a": hard.mean() + 1}, resampled)
    assert (pair.tracker, pair.other, pair.probability) == ("a", "b", 1.0)
    assert pair.difference == pytest.approx(1)
    assert pair.interval == pytest.approx((1, 1))


def test_equal_trackers_are_better_with_one_half_and_errors_are_turned_round():
    drawn = draws(5)
    same = resampled_means(np.arange(5.0), drawn)
    (pair,) = compare(AUC, {"a": 2.0, "b": 2.0}, {"a": same, "b": same})
    assert pair.probability == 0.5
    failures = Measure(name="failures", higher_is_better=False)
    pairs = compare(failures, {"a": 4.0, "b": 3.0, "c": 5.0}, {"a": same + 1, "b": same, "c": same + 2})
    assert [(each.tracker, each.other, each.probability) for each in pairs] == [
        ("b", "a", 1.0),
        ("b", "c", 1.0),
        ("a", "c", 1.0),
    ]


def test_draws_without_a_value_decide_nothing():
    """As where no sequence was drawn that has objects of unseen categories."""
    values = {"a": np.array([3.0, np.nan, 2.0, 1.0]), "b": np.array([2.0, np.nan, 1.0, 1.0])}
    (pair,) = compare(AUC, {"a": 2.0, "b": 1.0}, values)
    assert pair.probability == pytest.approx(2.5 / 3)
    assert not compare(AUC, {"a": 2.0, "b": 1.0}, values | {"b": np.full(4, np.nan)})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=20))
def test_means_stay_within_the_values(values):
    means = resampled_means(np.array(values), draws(len(values), 50))
    assert means.min() >= min(values) - 1e-9
    assert means.max() <= max(values) + 1e-9


def test_ratios_of_totals_by_hand():
    drawn = np.array([[1, 1, 1], [3, 0, 0], [0, 2, 1]])
    ratios = resampled_ratios(np.array([1.0, 2.0, 0.0]), np.array([0.0, 4.0, 1.0]), drawn)
    np.testing.assert_allclose(ratios, [3 / 5, np.nan, 4 / 9])
