"""What sharing one pass of the backbone among the targets of a frame gains and costs, on annotated sequences.

Beside the annotated object, boxes of similar sizes at random places of the first frame are tracked. Accuracy is that
of the object; it shows what the company costs it.

    python benchmarks/sharing.py SEQUENCES --tracker lockon_s --targets 8
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console
from rich.progress import track

import lockon
from lockon.data.sequences import Sequence, find_sequences
from lockon.errors import LockonError
from lockon.evaluation.one_pass import score_track
from lockon.tracking.precision import Precision
from machine import describe_machine, limit_threads
from text_tables import TextTable


@dataclass(frozen=True)
class Options:
    """What to compare."""

    sequences: Annotated[Path, tyro.conf.Positional]
    """Folder of sequences (each with frames/ and groundtruth.txt), or one sequence."""
    tracker: str = "lockon_s"
    """Name or path for lockon.load."""
    targets: int = 8
    """Targets per frame, the annotated object among them."""
    frames: int = 300
    """Only the first frames of longer sequences."""
    precision: Precision = "bf16"
    """Numeric type of the networks."""
    threads: int = 2
    """Threads of the tracker."""
    out: Path = Path("outputs/sharing")
    """Where sharing.md goes."""


class Outcome(NamedTuple):
    """One run on one sequence."""

    auc: float
    targets_per_second: float


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    machine = describe_machine("cpu", options.threads)
    trackers = [
        lockon.load(options.tracker, precision=options.precision, share_backbone=share) for share in (False, True)
    ]
    sequences = find_sequences(options.sequences)
    outcomes = {
        sequence.name: [measure(tracker, sequence, options) for tracker in trackers]
        for sequence in track(sequences, description="Tracking", console=console)
    }
    table = make_table(outcomes, options)
    console.print(table.for_terminal())
    options.out.mkdir(parents=True, exist_ok=True)
    note = "Measured with " + ", ".join(f"{key} {value}" for key, value in machine.items()) + "."
    (options.out / "sharing.md").write_text(f"{table.as_markdown()}\n{note}\n")


def make_table(outcomes: dict[str, list[Outcome]], options: Options) -> TextTable:
    """One line a sequence, and the mean."""
    mean = [Outcome(*np.mean([pair[share] for pair in outcomes.values()], axis=0)) for share in (0, 1)]
    lines = tuple(
        (
            name,
            f"{100 * separate.auc:.1f}",
            f"{100 * shared.auc:.1f}",
            f"{separate.targets_per_second:.0f}",
            f"{shared.targets_per_second:.0f}",
            f"{shared.targets_per_second / separate.targets_per_second:.2f}",
        )
        for name, (separate, shared) in [*outcomes.items(), ("mean", mean)]
    )
    columns = ("sequence", "AUC separate", "AUC shared", "targets/s separate", "targets/s shared", "ratio")
    return TextTable(f"{options.tracker}, {options.precision}, {options.targets} targets", columns, lines)


def measure(tracker: lockon.Tracker, sequence: Sequence, options: Options) -> Outcome:
    """Track the object and its company; only the steps are timed."""
    count = min(len(sequence), options.frames)
    state = tracker.start(sequence.frame(0), company(sequence, options.targets))
    boxes, seconds = [np.asarray(sequence.start_box)], 0.0
    for image in _images(sequence, count):
        begin = time.perf_counter()
        state, result = tracker.step(state, image, inplace=True)
        state = tracker.learn(state)
        seconds += time.perf_counter() - begin
        boxes.append(result.box[0])
    auc = score_track(sequence.boxes[:count], np.stack(boxes))["AUC"] / 100
    return Outcome(auc, options.targets * (count - 1) / seconds)


def company(sequence: Sequence, targets: int) -> Float[np.ndarray, "targets 4"]:
    """The box of the object, and boxes of 0.8 to 1.25 times its size within the image."""
    rng = np.random.default_rng(0)
    height, width = sequence.frame(0).shape[:2]
    start = np.asarray(sequence.start_box)
    others = start[2:] * rng.uniform(0.8, 1.25, (targets - 1, 1))
    others = np.minimum(others, (width, height))
    corners = rng.uniform(0, 1, (targets - 1, 2)) * ((width, height) - others)
    return np.concatenate([start[None], np.concatenate([corners, others], axis=1)])


def _images(sequence: Sequence, count: int) -> Iterator[np.ndarray]:
    return (sequence.frame(index) for index in range(1, count))


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
