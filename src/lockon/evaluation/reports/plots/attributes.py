"""How trackers do on sequences with an attribute: bars and radar."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lockon.evaluation.assessment import Assessment
from lockon.evaluation.reports.numbers import in_legend, ranked
from lockon.evaluation.reports.plots.canvas import add_legend, line_plot_size, new_axes, new_figure, short
from lockon.evaluation.reports.plots.styles import INK, Style
from lockon.evaluation.reports.tables import mean_of_known, ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 4
"""Attributes side by side."""
LEAST_AXES = 3
"""A radar needs so many attributes."""


def attributes_of(assessment: Assessment) -> dict[str, dict[str, float]]:
    """The first measure by attribute, then by tracker, best tracker first."""
    measure, trackers = assessment.measures[0], ranking(assessment)
    names = dict.fromkeys(name for tracker in trackers for name in tracker.by_attribute.get(measure.name, {}))
    return {
        name: {one.tracker: one.by_attribute.get(measure.name, {}).get(name, math.nan) for one in trackers}
        for name in names
    }


def attribute_bars(assessment: Assessment, styles: Mapping[str, Style]) -> Figure:
    """A panel of bars per attribute; trackers in the same order in all of them, best over the whole set on top."""
    by_attribute, measure = attributes_of(assessment), assessment.measures[0]
    trackers = [tracker.tracker for tracker in ranking(assessment)]
    columns = min(_PANELS, len(by_attribute))
    rows = math.ceil(len(by_attribute) / columns)
    figure = new_figure(2.0 + 2.1 * columns, rows * (0.7 + 0.21 * len(trackers)) + 0.3)
    highest = max(
        (value for values in by_attribute.values() for value in values.values() if value == value), default=1
    )
    for number, (attribute, values) in enumerate(by_attribute.items()):
        axes = new_axes(figure, short(attribute), rows, columns, number + 1)
        lengths = [values[name] for name in trackers]
        axes.barh(
            range(len(trackers)), np.nan_to_num(lengths), 0.72, color=[styles[name].colour for name in trackers]
        )
        for place, value in enumerate(lengths):
            axes.text(
                np.nan_to_num(value),
                place,
                f" {in_legend(value, measure.unit)}",
                va="center",
                fontsize=7.5,
                color=INK,
            )
        axes.set(ylim=(len(trackers) - 0.4, -0.6), xlim=(0, 1.22 * highest))
        axes.set_yticks(range(len(trackers)), [short(name) for name in trackers] if number % columns == 0 else [])
        axes.tick_params(labelsize=8, length=0)
        axes.grid(visible=False, axis="y")
    return figure


def attribute_radar(assessment: Assessment, styles: Mapping[str, Style]) -> Figure:
    """One axis per attribute; the legend ranks trackers by the mean over the attributes."""
    by_attribute, measure = attributes_of(assessment), assessment.measures[0]
    trackers = [tracker.tracker for tracker in ranking(assessment)]
    means = [mean_of_known([values[name] for values in by_attribute.values()]) for name in trackers]
    order = ranked(means, higher_is_better=measure.higher_is_better)
    angles = np.linspace(0, 2 * np.pi, len(by_attribute), endpoint=False)
    width, height = line_plot_size(len(trackers))
    figure = new_figure(width + 0.6, max(height, 4.8))
    axes: Any = new_axes(figure, f"{measure.name} [mean over attributes]", projection="polar")
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    handles = []
    for index in order:
        style, values = styles[trackers[index]], [of[trackers[index]] for of in by_attribute.values()]
        (line,) = axes.plot(
            _closed(angles),
            _closed(values),
            color=style.colour,
            linestyle=style.line,
            linewidth=1.6,
            marker=style.marker,
            markersize=3.5,
        )
        handles.append(line)
    axes.set_xticks(angles, list(by_attribute))
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_ylim(bottom=0)
    axes.spines["polar"].set_color("none")
    labels = [f"{short(trackers[index])} [{in_legend(means[index], measure.unit)}]" for index in order]
    add_legend(axes, handles, labels, gap=0.2)
    return figure


def _closed(values: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.append(values, values[0])
