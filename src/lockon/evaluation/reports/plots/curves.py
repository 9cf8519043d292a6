"""Plots of curves: success, precision, precision over recall, expected overlap, cumulative means, reliability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lockon.evaluation.assessment import Assessment, Curve, Plot
from lockon.evaluation.precision_recall import PRECISION_RECALL
from lockon.evaluation.reports.numbers import in_legend, ranked
from lockon.evaluation.reports.plots.canvas import add_legend, line_plot_size, new_axes, new_figure, short
from lockon.evaluation.reports.plots.styles import GRID, INK, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RELIABILITY = "reliability_plot"
"""Name of the plot that gets a diagonal."""
_F_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MANY_POINTS = 12
"""From so many points on, a curve needs no markers."""


def curve_plot(assessment: Assessment, plot: Plot, styles: Mapping[str, Style]) -> Figure:
    """The curves that the trackers have for `plot`; the legend ranks them by score, best first."""
    curves = {one.tracker: one.curves[plot.name] for one in assessment.trackers if plot.name in one.curves}
    names = list(curves)
    # What a reliability diagram says of a tracker is its calibration error.
    better = plot.name != RELIABILITY
    order = [names[index] for index in ranked([curves[name].score for name in names], higher_is_better=better)]
    figure = new_figure(*line_plot_size(len(order)))
    axes = new_axes(figure, plot.title)
    axes.set(xlabel=plot.x_label, ylabel=plot.y_label)
    if plot.name == PRECISION_RECALL.name:
        _draw_f_lines(axes)
    if plot.name == RELIABILITY:
        axes.plot((0, 1), (0, 1), color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
    if plot.band is not None:
        axes.axvspan(*plot.band, color=GRID, alpha=0.5, zorder=0, linewidth=0)
    # The best is drawn last, above the others.
    handles = {name: _draw_curve(axes, curves[name], styles[name]) for name in reversed(order)}
    labels = [f"{short(name)} [{in_legend(curves[name].score, plot.unit)}]" for name in order]
    add_legend(axes, [handles[name] for name in order], labels)
    if plot.x_range:
        axes.set_xlim(*plot.x_range)
    if plot.y_range:
        axes.set_ylim(*plot.y_range)
    return figure


def _draw_curve(axes: Axes, curve: Curve, style: Style) -> object:
    marker = style.marker if len(curve.x) < _MANY_POINTS else None
    drawn = ~np.isnan(curve.y)
    (line,) = axes.plot(
        curve.x[drawn],
        curve.y[drawn],
        color=style.colour,
        linestyle=style.line,
        linewidth=1.8,
        marker=marker,
        markersize=4,
    )
    if curve.marked is not None:
        axes.plot(*curve.marked, color=style.colour, marker=style.marker, markersize=8, linestyle="")
    return line


def _draw_f_lines(axes: Axes) -> None:
    for level in _F_LEVELS:
        # From F = 2PR/(P + R); below R = F/2 no precision is high enough.
        recall = np.linspace(level / (2 - level), 1, 100)
        precision = level * recall / (2 * recall - level)
        axes.plot(recall, precision, color=GRID, linewidth=0.8, zorder=1)
        axes.annotate(
            f"F {level:.1f}",
            (1, precision[-1]),
            (-2, 1),
            textcoords="offset points",
            fontsize=7,
            ha="right",
            color=INK,
            alpha=0.6,
        )
