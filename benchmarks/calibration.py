"""Is a tracker's score a probability? Measures it on synthetic video with absences, and fits the presence settings.

    python benchmarks/calibration.py --tracker lockon_s --images PHOTOS --sequences 24

A frame is a hit if the target is visible and the box overlaps it by more than half. The settings are fitted on every
other sequence and judged on the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

import lockon
from lockon.boxes import iou
from lockon.data.synthetic import ImageBank, SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.errors import DataError
from lockon.tracking.config import PresenceConfig
from machine import limit_threads
from text_tables import TextTable

WORLD = SyntheticConfig(
    length=80,
    target_size=(18.0, 120.0),
    change=1.5,
    motion_spread=0.7,
    compression_probability=0.6,
    occluder_probability=0.5,
    distractors=3,
    photo_share=0.95,
    excursion_probability=0.4,
)
"""Half of the targets are occluded, and four in ten leave the view and return."""
HELD_OUT = 0.04
"""Share of the photographs that the training of `lockon_s` leaves out; the sequences are made of these."""
FIRST_SEED = 2_000_000_001
VISIBLE = 0.2
"""Least visible share of a target that is there."""
BINS = 10


@dataclass(frozen=True)
class Options:
    """What to measure."""

    tracker: str = "lockon_s"
    """Name or path for lockon.load."""
    images: tuple[Path, ...] = ()
    """Folders of photographs; without them all is procedural."""
    sequences: int = 24
    """How many, of 80 frames each."""
    out: Path = Path("outputs/calibration")
    """Where the table and the plot go."""
    threads: int = 2
    """Threads of the tracker."""


class Observations(NamedTuple):
    """One row a frame, start frames left out."""

    sequence: Float[np.ndarray, "frames"]
    peak: Float[np.ndarray, "frames"]
    score: Float[np.ndarray, "frames"]
    present: Bool[np.ndarray, "frames"]
    visible: Bool[np.ndarray, "frames"]
    hit: Bool[np.ndarray, "frames"]

    def of(self, rows: Bool[np.ndarray, "frames"]) -> Observations:
        """Some of the rows."""
        return Observations(*(column[rows] for column in self))


class Reliability(NamedTuple):
    """How far scores are probabilities."""

    expected_error: float
    """ECE: mean distance of score and share of hits over bins of the score, weighted by frames."""
    brier: float
    """Mean squared distance of score and outcome."""
    scores: Float[np.ndarray, "bins"]
    """Mean score in each bin; NaN where it is empty."""
    hits: Float[np.ndarray, "bins"]
    """Share of hits in each bin."""
    frames: Float[np.ndarray, "bins"]


def main(options: Options) -> None:
    limit_threads(options.threads)
    bank = ImageBank.load(options.images).split(HELD_OUT)[1] if options.images else None
    tracker = lockon.load(options.tracker)
    observed = observe(tracker, SyntheticWorld(WORLD, bank), options.sequences)
    odd = observed.sequence % 2 == 1
    fitted = fit_presence(observed.of(~odd).peak, observed.of(~odd).hit)
    judged = observed.of(odd)
    reports = {
        "as it is": reliability(judged.score, judged.hit),
        "refitted": reliability(probability(judged.peak, fitted), judged.hit),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    absent = judged.of(~judged.visible)
    figures = {
        "tracker": options.tracker,
        "frames": len(judged.hit),
        "absent frames": len(absent.hit),
        "false present": float(absent.present.mean()) if len(absent.hit) else None,
        "hits said present": float(judged.present[judged.hit].mean()),
        "fitted": asdict(fitted),
        **{name: {"ECE": report.expected_error, "Brier": report.brier} for name, report in reports.items()},
    }
    (options.out / "calibration.json").write_text(json.dumps(figures, indent=1) + "\n")
    table = describe(reports, len(judged.hit))
    (options.out / "calibration.md").write_text(table.as_markdown())
    console = Console()
    console.print(table.for_terminal())
    console.print_json(data=figures)
    draw(reports, options.out / "calibration")


def observe(tracker: lockon.Tracker, world: SyntheticWorld, count: int) -> Observations:
    """Track `count` sequences whose target is in view at the start."""
    rows: list[tuple[float, ...]] = []
    seed = FIRST_SEED
    for number in track(range(count), description="tracking"):
        sequence = world.sequence(seed)
        while sequence.visibility(0) < 0.9:
            seed += 1
            sequence = world.sequence(seed)
        rows += [(number, *row) for row in _track(tracker, sequence)]
        seed += 1
    if not rows:
        raise DataError("no sequences to measure on; --sequences must be at least 1.")
    columns = np.array(rows).T
    return Observations(*columns[:3], *(column > 0.5 for column in columns[3:]))


def _track(tracker: lockon.Tracker, sequence: SyntheticSequence) -> list[tuple[float, float, bool, bool, bool]]:
    """Peak, score, presence, visibility and hit of every frame but the first."""
    rows = []
    state = tracker.start(sequence.frame(0), sequence.box(0), seed=0)
    for index in range(1, len(sequence)):
        state, results = tracker.step(state, sequence.frame(index), inplace=True)
        state = tracker.learn(state)
        result = results[0]
        visible = sequence.visibility(index) > VISIBLE
        overlap = float(iou(torch.as_tensor(result.box).float(), torch.tensor(sequence.box(index)).float()))
        rows.append(
            (float(result.peak), float(result.score), bool(result.present), visible, visible and overlap > 0.5)
        )
    return rows


def probability(peak: Float[np.ndarray, "n"], presence: PresenceConfig) -> Float[np.ndarray, "n"]:
    """What a tracker with these settings says of peaks of this height."""
    result: Float[np.ndarray, "n"] = 1 / (1 + np.exp((presence.threshold - peak) / presence.temperature))
    return result


def fit_presence(peak: Float[np.ndarray, "n"], hit: Bool[np.ndarray, "n"]) -> PresenceConfig:
    """The settings under which the hits are likeliest: logistic regression by Newton's method.

    Raises:
        DataError: all frames are hits, or none, or higher peaks do not mean more hits.
    """
    if hit.all() or not hit.any():
        raise DataError("a calibration needs hits and misses; measure on more sequences.")
    scale = float(peak.std())
    inputs = np.stack([peak / scale, np.ones_like(peak)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (hit - chance)
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        weights = weights + np.linalg.solve(curvature, gradient)
    slope, offset = weights[0] / scale, weights[1]
    if slope <= 0:
        raise DataError("higher peaks do not mean more hits here; measure on more sequences.")
    return PresenceConfig(threshold=float(-offset / slope), temperature=float(1 / slope))


def reliability(score: Float[np.ndarray, "n"], hit: Bool[np.ndarray, "n"]) -> Reliability:
    """Compare scores with outcomes in `BINS` equal bins."""
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    frames = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        scores, hits = (np.bincount(bins, value, BINS) / frames for value in (score, hit.astype(float)))
    error = float(np.nansum(np.abs(scores - hits) * frames) / len(score))
    return Reliability(error, float(np.mean((score - hit) ** 2)), scores, hits, frames)


def describe(reports: dict[str, Reliability], frames: int) -> TextTable:
    return TextTable(
        f"Scores as probabilities of a hit, {frames} frames",
        ("score", "ECE", "Brier"),
        tuple((name, f"{report.expected_error:.3f}", f"{report.brier:.3f}") for name, report in reports.items()),
    )


def draw(reports: dict[str, Reliability], path: Path) -> None:
    """Reliability diagram as SVG and PNG."""
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], "k:", linewidth=1)
    for name, report in reports.items():
        used = report.frames > 0
        axes.plot(report.scores[used], report.hits[used], "o-", label=f"{name} (ECE {report.expected_error:.3f})")
    axes.set(xlabel="score", ylabel="share of hits", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    with rc_context({"svg.hashsalt": "lockon"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main(tyro.cli(Options))
