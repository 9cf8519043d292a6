"""The plots of one-pass evaluation: success, precision, and AUC per sequence."""

from __future__ import annotations

from collections.abc import Sequence as Series
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from lockon.evaluation.one_pass import PLOTS
from quality_report import TrackerReport

LINE_STYLES = ("-", "--", ":", "-.")


def draw_plots(reports: Series[TrackerReport], folder: Path) -> None:
    """Write every plot as SVG and PNG; `reports` come best first."""
    for plot in PLOTS:
        figure = Figure(figsize=(6, 4.5), layout="constrained")
        axes = figure.add_subplot()
        lines = [(report.total.tracker, report.curves[plot.name]) for report in reports]
        for index, (tracker, curve) in enumerate(sorted(lines, key=lambda line: -line[1].score)):
            style = LINE_STYLES[index // 10 % len(LINE_STYLES)]
            axes.plot(curve.x, curve.y, style, label=f"{tracker} [{curve.score:.1f}]")
        axes.set(xlabel=plot.x_label, ylabel=plot.y_label, xlim=plot.x_range, ylim=plot.y_range)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        _save(figure, folder / plot.name)
    _draw_bars(reports, folder / "per_sequence")


def _draw_bars(reports: Series[TrackerReport], path: Path) -> None:
    names = [row.sequence for row in reports[0].sequences]
    positions = np.arange(len(names))
    width = 0.8 / len(reports)
    figure = Figure(figsize=(max(6.0, 0.7 * len(names)), 4.5), layout="constrained")
    axes = figure.add_subplot()
    for index, report in enumerate(reports):
        heights = [100 * row.success_auc for row in report.sequences]
        axes.bar(positions + (index + 0.5) * width - 0.4, heights, width, label=report.total.tracker)
    axes.set(ylabel="success AUC [%]", ylim=(0, 100))
    axes.set_xticks(positions, names, rotation=45, ha="right")
    axes.legend(fontsize="small", ncols=4)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    # A fixed salt and no date: the same results give the same file.
    with rc_context({"svg.hashsalt": "lockon"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)
