"""Settings to try: all of them, or some at random."""

import math

import numpy as np
import pytest

from lockon.errors import DataError
from lockon.evaluation.running.sweeps import Axis, draws, grid


def test_a_grid_has_all_combinations():
    axes = [Axis.parse("a.b=1,2"), Axis.parse("c=(1,2),(3,4),none")]
    assert grid(axes) == [
        ("a.b=1", "c=(1,2)"),
        ("a.b=1", "c=(3,4)"),
        ("a.b=1", "c=none"),
        ("a.b=2", "c=(1,2)"),
        ("a.b=2", "c=(3,4)"),
        ("a.b=2", "c=none"),
    ]


def values(text: str, count: int = 400) -> list[float]:
    settings = draws([Axis.parse(text)], count, np.random.default_rng(0))
    return [float(setting[0].partition("=")[2]) for setting in settings]


@pytest.mark.parametrize(("low", "high"), [("0.1", "0.3"), ("-1", "1"), ("1e-3", "1"), (".5", "2.5")])
def test_ranges_are_drawn_from_evenly(low: str, high: str):
    drawn = values(f"x={low}..{high}")
    assert float(low) <= min(drawn)
    assert max(drawn) <= float(high)
    assert abs(np.mean(drawn) - (float(low) + float(high)) / 2) < 0.1 * (float(high) - float(low))


def test_logarithmic_ranges_are_even_in_the_logarithm():
    drawn = values("x=0.001..10:log")
    assert abs(np.mean(np.log10(drawn)) - -1) < 0.2
    assert math.isclose(min(drawn), 0.001, rel_tol=0.1)


def test_whole_numbers_include_both_ends():
    assert sorted(values("x=2..5:int")) == [2, 3, 4, 5]


def test_draws_are_repeatable_and_differ():
    axes = [Axis.parse("a=1,2,3"), Axis.parse("b=0..1")]
    first = draws(axes, 5, np.random.default_rng(7))
    assert first == draws(axes, 5, np.random.default_rng(7))
    assert first != draws(axes, 5, np.random.default_rng(8))
    assert len(set(first)) == 5
    assert len(draws(axes[:1], 5, np.random.default_rng(7))) == 3


@pytest.mark.parametrize(
    "text", ["a", "a=", "=1", "a=1..", "a=x..y", "a=2..1", "a=0..1:log", "a=0..inf", "a=0..1:lin"]
)
def test_what_is_no_sweep_is_refused(text: str):
    with pytest.raises(DataError):
        grid([Axis.parse(text)])


def test_a_range_has_no_grid():
    with pytest.raises(DataError, match="a is a range"):
        grid([Axis.parse("a=0..1")])
