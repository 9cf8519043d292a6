"""The pictures of the distractor benchmark: whom each tracker follows over time, and how often it goes astray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from distractor_report import Entry, Report, scenarios
from lockon.evaluation.aggregation import SEED
from lockon.evaluation.identity import NOBODY, TARGET, UNDECIDED, recovered_within
from lockon.evaluation.statistics import confidence_interval, draw_sequences, resampled_means

# Told apart by most who are colour-blind: Okabe and Ito's palette.
KINDS = (
    ("on the target", "#0072B2"),
    ("on the target and a look-alike at once", "#A6CEE3"),
    ("on the first look-alike", "#D55E00"),
    ("on the second", "#E69F00"),
    ("on the third", "#CC79A7"),
    ("on nobody, target in view", "#D9D9D9"),
    ("on nobody, target away or hidden", "#404040"),
)
_UNDECIDED, _FIRST, _ASTRAY, _AWAY = 1, 2, 5, 6
"""Places in `KINDS`."""
_BEYOND = -1
"""After the end of a shorter sequence."""


def kinds(entry: Entry) -> Int[np.ndarray, "frames"]:
    """Places in `KINDS` of all frames; look-alikes beyond the third share its colour."""
    followed = entry.following.followed
    found: Int[np.ndarray, "frames"] = np.minimum(followed + _FIRST - 1, _ASTRAY - 1)
    found[followed == TARGET] = 0
    found[followed == UNDECIDED] = _UNDECIDED
    found[followed == NOBODY] = np.where(entry.visible, _ASTRAY, _AWAY)[followed == NOBODY]
    return found


def draw_strips(reports: Sequence[Report], path: Path) -> None:
    """One strip for each sequence, a column of them for each tracker."""
    groups = scenarios(reports[0])
    heights = [int(reports[0].of(group).sum()) for group in groups]
    figure = Figure(figsize=(1.2 + 4.6 * len(reports), 1.6 + 0.15 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(groups), len(reports), squeeze=False, sharex=True, height_ratios=heights)
    for row, group in zip(grid, groups, strict=True):
        for axes, report in zip(row, reports, strict=True):
            _draw_group(axes, [entry for entry in report.entries if entry.scenario == group])
            axes.set_title(
                f"{report.tracker}, {group}: {report.column('switches')[report.of(group)].sum():.0f} switches"
            )
    for axes in grid[-1]:
        axes.set_xlabel("frame")
    handles = [Patch(facecolor=colour, label=name) for name, colour in KINDS]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, 2 * len(reports)), fontsize="small")
    _save(figure, path)


def _draw_group(axes: Axes, entries: Sequence[Entry]) -> None:
    length = max(len(entry.visible) for entry in entries)
    strips = np.full((len(entries), length), _BEYOND)
    for strip, entry in zip(strips, entries, strict=True):
        strip[: len(entry.visible)] = kinds(entry)
    colours = ListedColormap(["white", *(colour for _, colour in KINDS)])
    axes.imshow(strips, cmap=colours, vmin=_BEYOND, vmax=len(KINDS) - 1, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(entries)), [entry.sequence for entry in entries], fontsize=5)
    axes.set_yticks(np.arange(0.5, len(entries) - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)


def draw_summary(reports: Sequence[Report], path: Path) -> None:
    """Switches by scenario, and how soon losses are over."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_switches(left, reports)
    for report in reports:
        if report.losses:
            times, over = recovered_within(report.losses)
            right.step(times, 100 * over, where="post", label=f"{report.tracker} ({len(report.losses)} losses)")
    right.set(
        xlabel="frames that show the target since it was lost", ylabel="losses that are over [%]", ylim=(0, 100)
    )
    right.grid(alpha=0.3)
    right.legend(fontsize="small")
    _save(figure, path)


def _draw_switches(axes: Axes, reports: Sequence[Report]) -> None:
    groups = scenarios(reports[0])
    width = 0.8 / len(reports)
    for place, report in enumerate(reports):
        switches = [report.column("switches")[report.of(group)] for group in groups]
        means = np.array([values.mean() for values in switches])
        positions = np.arange(len(groups)) + (place + 0.5) * width - 0.4
        axes.bar(positions, means, width, label=report.tracker)
        bounds = np.array([_interval(values) for values in switches]).T
        axes.errorbar(positions, means, np.abs(bounds - means), fmt="none", color="black", capsize=3, linewidth=1)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(ylabel="identity switches a sequence, 95 % interval")
    axes.legend(fontsize="small")


def _interval(values: Float[np.ndarray, "sequences"]) -> tuple[float, float]:
    if len(values) < 2:
        return float(values[0]), float(values[0])
    return confidence_interval(resampled_means(values, draw_sequences(len(values), np.random.default_rng(SEED))))


def _save(figure: Figure, path: Path) -> None:
    # A fixed salt and no date: the same results give the same file.
    with rc_context({"svg.hashsalt": "lockon"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)
