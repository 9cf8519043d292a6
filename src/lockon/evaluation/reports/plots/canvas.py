"""Empty figures, legends, and files: the only module that imports matplotlib, and only when a plot is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockon.errors import MissingExtraError
from lockon.evaluation.reports.plots.styles import GRID, INK, PAPER
from lockon.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SETTINGS: dict[str, Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,
}
_LONGEST_LABEL = 32
_DPI = 150
_ROW = 0.19
"""Inches that a line of a legend takes."""


def require_matplotlib() -> None:
    """Find out whether plots can be drawn, before any work is done.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a report with plots", "plot") from error


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; sizes in inches."""
    require_matplotlib()
    from matplotlib.figure import Figure

    with _house_style():
        return Figure(figsize=(width, height), layout="constrained")


def new_axes(figure: Figure, title: str, *position: int, **options: Any) -> Axes:
    """Axes with a title and a quiet grid behind the data."""
    with _house_style():
        axes: Axes = figure.add_subplot(*position, **options)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=10)
    axes.set_axisbelow(True)
    axes.grid(visible=True)
    return axes


def line_plot_size(entries: int) -> tuple[float, float]:
    """Inches of a plot with a legend of so many lines beside it."""
    return 7.0, max(3.8, 1.0 + _ROW * entries)


def add_legend(axes: Axes, handles: Sequence[Any], labels: Sequence[str], *, gap: float = 0.02) -> None:
    """A legend to the right of the axes, in the order given: it hides nothing, however many trackers there are.

    Args:
        axes: what it belongs to.
        handles: a line or marker for each label.
        labels: what it says.
        gap: between axes and legend, in widths of the axes.
    """
    with _house_style():
        axes.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(1 + gap, 1.0), borderaxespad=0, handlelength=2.6
        )


def short(label: str) -> str:
    """A label that leaves room for the plot; tables have the names in full."""
    text = " ".join(label.split())
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 12]}…{text[-11:]}"


def svg_text(figure: Figure, salt: str) -> str:
    """A figure as SVG. The same figure and salt give the same text, and another salt gives other identifiers."""
    file = io.StringIO()
    with _house_style(salt):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def save(figure: Figure, path: Path) -> str:
    """Write a figure as `.svg` and `.png` beside each other, and give the SVG.

    Raises:
        OutputError: a file cannot be written.
    """
    text = svg_text(figure, "/".join(path.parts[-3:]))
    figure.set_layout_engine("none")  # the layout is found by now, and finding it takes as long as drawing
    with replacing(path.with_name(f"{path.name}.svg")) as part:
        part.write_text(text, encoding="utf-8")
    with replacing(path.with_name(f"{path.name}.png")) as part, _house_style():
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})
    return text


def _house_style(salt: str | None = None) -> AbstractContextManager[None]:
    from matplotlib import rc_context

    settings: Any = {**_SETTINGS, "svg.hashsalt": salt}
    return rc_context(settings)
