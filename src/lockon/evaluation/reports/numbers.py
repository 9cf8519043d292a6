"""How numbers are written, and which of several is best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from lockon.evaluation.assessment import Measure

NONE = "–"
"""Stands where there is no number."""
Unit = Literal["percent", "share", "count", "fps"]
Mark = Literal["best", "second"]


def shown(value: float | None, unit: Unit) -> str:
    """A number as tables have it: percent with two decimals, shares with three."""
    if value is None or math.isnan(value):
        return NONE
    match unit:
        case "percent":
            return f"{value:.2f}"
        case "share":
            return f"{value:.3f}"
        case "count":
            return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
        case "fps":
            return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def in_legend(value: float, unit: Unit) -> str:
    """A number as legends have it: percent with one decimal."""
    return f"{value:.1f}" if unit == "percent" and not math.isnan(value) else shown(value, unit)


def marks(values: Sequence[float | None], measure: Measure) -> list[Mark | None]:
    """Which of the numbers is best and which is second; numbers that are written alike are marked alike.

    Nothing is marked where there is nothing to compare with, or where all are alike.
    """
    numbers = [None if value is None or math.isnan(value) else float(shown(value, measure.unit)) for value in values]
    distinct = sorted({number for number in numbers if number is not None}, reverse=measure.higher_is_better)
    if len(distinct) < 2:
        return [None] * len(values)
    names: dict[float | None, Mark] = {distinct[0]: "best", distinct[1]: "second"}
    return [names.get(number) for number in numbers]


def ranked(values: Sequence[float], *, higher_is_better: bool = True) -> list[int]:
    """Indices from the best number to the worst; those that are no numbers come last, equals in the order given."""
    sign = -1 if higher_is_better else 1
    return sorted(range(len(values)), key=lambda index: (math.isnan(values[index]), sign * values[index], index))
