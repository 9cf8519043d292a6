"""Draw the training curves of `lockon_s` from its logs.

    python benchmarks/training_curves.py docs/assets/lockon_s_curves.jsonl --out docs/assets/lockon_s_curves

Every line of the log is one point: `{"leg": ..., "kind": "train" or "validation", "step": ..., "box": ..., ...}`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from matplotlib import rc_context
from matplotlib.figure import Figure

from lockon.errors import DataError

CURVES = {"box": "box divergence", "centre": "centre cross-entropy"}
SMOOTHING = 7
"""Points a training curve is averaged over."""


@dataclass(frozen=True)
class Options:
    """What to draw."""

    log: Annotated[Path, tyro.conf.Positional]
    """The points, one JSON object a line."""
    out: Path
    """The plot, without its ending."""


def main(options: Options) -> None:
    points = [json.loads(line) for line in options.log.read_text().splitlines()]
    if not points:
        raise DataError(f"'{options.log}' has no points.")
    names = [name for name in CURVES if any(name in point for point in points)]
    figure = Figure(figsize=(5 * len(names), 3.6), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), place)
        for leg in dict.fromkeys(point["leg"] for point in points):
            drawn = [point for point in points if point["leg"] == leg and name in point]
            if not drawn:
                continue
            steps, values = series(drawn, "train", name)
            (line,) = axes.plot(*smooth(steps, values), label=leg)
            axes.plot(*series(drawn, "validation", name), "o--", color=line.get_color(), markersize=4)
        axes.set(xlabel="step", ylabel=CURVES[name])
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", title="dots: held out", title_fontsize="small")
    with rc_context({"svg.hashsalt": "lockon"}):
        figure.savefig(options.out.with_suffix(".svg"), metadata={"Date": None})


def series(points: list[dict[str, float]], kind: str, name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one curve."""
    chosen = [point for point in points if point["kind"] == kind]
    return [point["step"] for point in chosen], [point[name] for point in chosen]


def smooth(steps: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """Running means; shorter series stay as they are."""
    if len(values) < 2 * SMOOTHING:
        return steps, values
    return steps[SMOOTHING // 2 : -(SMOOTHING // 2)], np.convolve(
        values, np.ones(SMOOTHING) / SMOOTHING, "valid"
    ).tolist()


if __name__ == "__main__":
    main(tyro.cli(Options))
