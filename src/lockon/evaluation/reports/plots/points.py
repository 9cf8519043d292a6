"""Plots with a point per tracker: accuracy and robustness, ranking, speed; and the map of sequences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lockon.evaluation.assessment import Assessment, Measure
from lockon.evaluation.reports.numbers import in_legend, ranked, shown
from lockon.evaluation.reports.plots.canvas import add_legend, line_plot_size, new_axes, new_figure, short
from lockon.evaluation.reports.plots.styles import INK, Style
from lockon.evaluation.reports.tables import mean_of_known, ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST_SPAN = 0.3
"""Of the axes of the A-R plot."""
_MOST_NUMBERED = 60
"""Sequences up to which the map says its numbers."""


def scatter(
    points: Mapping[str, tuple[float, float]],
    scores: Mapping[str, str],
    styles: Mapping[str, Style],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_log: bool = False,
) -> Figure:
    """A point per tracker; the legend has them in the order of `points`, each with what `scores` says of it."""
    figure = new_figure(*line_plot_size(len(points)))
    axes = new_axes(figure, title)
    axes.set(xlabel=x_label, ylabel=y_label)
    if x_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    handles = []
    for name, (x, y) in points.items():
        (handle,) = axes.plot(x, y, linestyle="", marker=styles[name].marker, color=styles[name].colour, markersize=9)
        handles.append(handle)
    axes.margins(0.12)
    add_legend(axes, handles, [f"{short(name)} [{scores[name]}]" for name in points])
    return figure


def accuracy_robustness(
    assessment: Assessment, accuracy: Measure, robustness: Measure, styles: Mapping[str, Style]
) -> Figure:
    """The A-R plot: better trackers lie to the upper right; the legend ranks by the first measure."""
    first = assessment.measures[0]
    points = _points(assessment, robustness, accuracy)
    scores = {one.tracker: shown(one.values.get(first.name), first.unit) for one in assessment.trackers}
    figure = scatter(
        points,
        scores,
        styles,
        title=f"Accuracy and robustness [{first.name}]",
        x_label=_explained(robustness),
        y_label=_explained(accuracy),
    )
    axes = figure.axes[0]
    axes.set_xlim(*_widened(*axes.get_xlim()))
    axes.set_ylim(*_widened(*axes.get_ylim()))
    return figure


def _explained(measure: Measure) -> str:
    return f"{measure.name} ({measure.meaning})" if measure.meaning else measure.name


def _widened(low: float, high: float) -> tuple[float, float]:
    """A part of [0, 1] of some width: without it, hardly different trackers would look far apart."""
    missing = max(0.0, _LEAST_SPAN - (high - low)) / 2
    return max(0.0, low - missing), min(1.0, high + missing)


def speed_accuracy(assessment: Assessment, styles: Mapping[str, Style]) -> Figure:
    """The first measure over frames per second, for trackers whose speed is known."""
    measure = assessment.measures[0]
    points = {
        one.tracker: (one.frames_per_second, one.values[measure.name])
        for one in ranking(assessment)
        if one.frames_per_second and measure.name in one.values
    }
    scores = {name: f"{in_legend(y, measure.unit)}, {shown(x, 'fps')} FPS" for name, (x, y) in points.items()}
    return scatter(
        points,
        scores,
        styles,
        title="Speed and accuracy",
        x_label="Frames per second",
        y_label=measure.name,
        x_log=True,
    )


def rank_plot(assessment: Assessment, measure: Measure, styles: Mapping[str, Style]) -> Figure:
    """A measure over the rank it gives, the best to the right (the ranking plot of the VOT reports)."""
    values = {one.tracker: one.values[measure.name] for one in assessment.trackers if measure.name in one.values}
    names = list(values)
    order = [names[index] for index in ranked(list(values.values()), higher_is_better=measure.higher_is_better)]
    points = {name: (float(rank), values[name]) for rank, name in enumerate(order, start=1)}
    scores = {name: in_legend(value, measure.unit) for name, value in values.items()}
    figure = scatter(points, scores, styles, title=f"{measure.name} ranking", x_label="Rank", y_label=measure.name)
    axes = figure.axes[0]
    axes.set_xlim(len(points) + 0.5, 0.5)
    axes.set_xticks(range(1, len(points) + 1))
    axes.tick_params(axis="x", labelsize=8)
    axes.set_ylim(bottom=0)
    return figure


def sequence_map(assessment: Assessment, measure: Measure) -> Figure:
    """A measure of every tracker on every sequence as colours, the hardest sequence on top."""
    trackers = ranking(assessment)
    values = np.array(
        [[one.by_sequence[measure.name].get(name, math.nan) for one in trackers] for name in assessment.sequences]
    )
    hardness = [mean_of_known(row) for row in values.tolist()]
    order = ranked(hardness, higher_is_better=not measure.higher_is_better)
    names = list(assessment.sequences)
    row = 0.2 if len(names) <= _MOST_NUMBERED else 0.13
    figure = new_figure(2.6 + max(2.6, 0.55 * len(trackers)), 1.7 + row * len(names))
    axes = new_axes(figure, f"{measure.name} by sequence")
    axes.grid(visible=False)
    picture = axes.imshow(values[order], aspect="auto", cmap="cividis", interpolation="nearest")
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(trackers)), [short(one.tracker) for one in trackers])
    axes.tick_params(axis="x", labelsize=8, labelrotation=40)
    for label in axes.get_xticklabels():
        label.set(horizontalalignment="left", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [short(names[index]) for index in order], fontsize=8 if row > 0.15 else 6)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(picture, ax=axes, shrink=min(1, 4 / (row * len(names))), pad=0.02)
    bar.ax.tick_params(color=INK, labelcolor=INK, labelsize=8)
    bar.outline.set(visible=False)
    if len(names) <= _MOST_NUMBERED:
        _write_numbers(figure, values[order], measure)
    return figure


def _write_numbers(figure: Figure, values: np.ndarray, measure: Measure) -> None:
    axes = figure.axes[0]
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        if not math.isnan(value):
            colour = "#ffffff" if value < middle else "#101010"
            axes.text(column, row, in_legend(value, measure.unit), ha="center", va="center", fontsize=7, color=colour)


def _points(assessment: Assessment, x: Measure, y: Measure) -> dict[str, tuple[float, float]]:
    return {
        one.tracker: (one.values[x.name], one.values[y.name])
        for one in ranking(assessment)
        if {x.name, y.name} <= set(one.values)
    }
