"""What every protocol returns, and every report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that trackers are compared by."""

    name: str
    """Column title, such as "AUC"."""
    unit: Literal["percent", "share", "count", "fps"] = "percent"
    """percent: 0 to 100, shown with 1 or 2 decimals; share: 0 to 1, shown with 3."""
    higher_is_better: bool = True
    meaning: str = ""
    """One line for the foot of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line of a plot."""

    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    score: float
    """What the legend says, and lines are ranked by."""
    marked: tuple[float, float] | None = None
    """A point of interest, such as that of the best F."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What the curves of one kind show."""

    name: str
    """Key in `TrackerAssessment.curves` and name of its file, such as "success_plot"."""
    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    unit: Literal["percent", "share", "count", "fps"] = "percent"
    """Of the scores in its legend."""
    band: tuple[float, float] | None = None
    """Part of the x axis that the scores are means over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerAssessment:
    """The numbers of one tracker, means over its runs."""

    tracker: str
    values: Mapping[str, float]
    """Of the whole test set, by name of the measure."""
    by_sequence: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By name of the measure, then by name of the sequence; for those measures that a sequence has."""
    by_attribute: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By name of the measure, then by attribute."""
    by_object: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    """By name of the measure, then of the sequence, then number of the object; for objects that are segmented."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    runs: int = 1
    deviations: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation over the runs by name of the measure, where there are several."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """95 % confidence interval by name of the measure, by bootstrap over the sequences; where it can be had."""
    frames_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Whether a tracker is better than another, judged by resampling the sequences."""

    tracker: str
    other: str
    measure: str
    difference: float
    """Value of `tracker` less that of `other`."""
    interval: tuple[float, float]
    """95 % confidence interval of the difference."""
    probability: float
    """Share of the resampled test sets in which `tracker` is the better one; half of a draw counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A sequence, or a result, that does not count, and why."""

    sequence: str
    tracker: str | None
    """None: for all trackers."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The outcome of one protocol under one set of rules."""

    test_set: str
    protocol: str
    rules: str
    """Whose rules made the numbers, such as "pytracking"; reports always say."""
    measures: tuple[Measure, ...]
    """The first is what trackers are ranked by."""
    trackers: tuple[TrackerAssessment, ...]
    sequences: Mapping[str, int]
    """Those that count, with their numbers of frames."""
    plots: tuple[Plot, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    """Every pair of trackers by the first measure, the one with the higher rank first."""
    notes: tuple[str, ...] = ()
