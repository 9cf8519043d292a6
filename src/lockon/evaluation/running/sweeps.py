"""Sweeps over settings: which combinations to try, all of them or some at random."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lockon.errors import DataError

_COMMAS = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One setting and what it may be."""

    path: str
    """Of the setting, such as `selector.lost`."""
    values: tuple[str, ...] = ()
    """To choose from."""
    draw: Callable[[np.random.Generator], str] | None = None
    """Draws a value from a range, where there is one."""

    @classmethod
    def parse(cls, text: str) -> Axis:
        """Read `PATH=V1,V2,…` or a range `PATH=LOW..HIGH`, `LOW..HIGH:log` or `LOW..HIGH:int`.

        Raises:
            DataError: it is neither.
        """
        path, equals, values = text.partition("=")
        if not equals or not path.strip() or not values.strip():
            raise DataError(
                f"'{text}' is no sweep; write PATH=V1,V2,… or PATH=LOW..HIGH, as in selector.lost=0.1,0.2."
            )
        if ".." in values:
            return cls(path=path.strip(), draw=_range(text, values))
        return cls(path=path.strip(), values=tuple(value.strip() for value in _COMMAS.split(values)))


def _range(text: str, values: str) -> Callable[[np.random.Generator], str]:
    first, _, rest = values.partition("..")
    last, colon, scale = rest.partition(":")
    try:
        low, high = float(first), float(last)
    except ValueError as error:
        raise DataError(f"'{text}' is no range; write PATH=LOW..HIGH, as in selector.lost=0.05..0.3.") from error
    if colon and scale not in ("log", "int"):
        raise DataError(f"'{text}' has an unknown scale '{scale}'; choose :log or :int.")
    if not low < high or not math.isfinite(high - low) or (scale == "log" and low <= 0):
        raise DataError(f"'{text}' is no range: LOW must be less than HIGH, and above 0 on a logarithmic scale.")
    if scale == "int":
        return lambda random: str(int(random.integers(math.ceil(low), math.floor(high), endpoint=True)))
    if scale == "log":
        return lambda random: f"{math.exp(random.uniform(math.log(low), math.log(high))):.6g}"
    return lambda random: f"{random.uniform(low, high):.6g}"


Setting = tuple[str, ...]
"""Changes `path=value`, one of every axis."""


def grid(axes: Sequence[Axis]) -> list[Setting]:
    """All combinations.

    Raises:
        DataError: an axis is a range, of which there is no all.
    """
    for axis in axes:
        if axis.draw is not None:
            raise DataError(f"{axis.path} is a range; say how many settings to draw, or list values.")
    return [
        tuple(f"{axis.path}={value}" for axis, value in zip(axes, values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]


def draws(axes: Sequence[Axis], count: int, random: np.random.Generator) -> list[Setting]:
    """Different combinations at random: fewer than `count` where there are not as many.

    Raises:
        DataError: `count` is not positive.
    """
    if count < 1:
        raise DataError(f"the number of settings to draw must be positive; got {count}.")
    found: dict[Setting, None] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        found[tuple(f"{axis.path}={_value(axis, random)}" for axis in axes)] = None
    return list(found)


def _value(axis: Axis, random: np.random.Generator) -> str:
    return axis.values[random.integers(len(axis.values))] if axis.draw is None else axis.draw(random)
