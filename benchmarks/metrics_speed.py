"""How long the numbers of a large result set take, beside loops that judge one frame after the other.

Annotation and tracks are drawn at random, as many as LaSOT's test set has. The loops do the work of the rules
'pytracking' frame by frame and threshold by threshold, on a few of the tracks; their time is scaled up.

    python benchmarks/metrics_speed.py --sequences 280 --frames 2500 --trackers 20
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError, LockonError
from lockon.evaluation import one_pass
from lockon.evaluation.tracks import Track
from machine import describe_machine, limit_threads
from text_tables import TextTable

Boxes = Float[np.ndarray, "frames 4"]
Results = dict[str, list[dict[str, Track]]]


@dataclass(frozen=True)
class Options:
    """How large a result set."""

    sequences: int = 280
    """Sequences of the test set."""
    frames: int = 2500
    """Frames of each."""
    trackers: int = 20
    """Trackers, each with one run."""
    looped: int = 20
    """Tracks that the loops judge."""
    threads: int = 2
    """Threads that numpy may use."""
    out: Path = Path("outputs/metrics_speed")
    """Where metrics_speed.md goes."""

    def __post_init__(self) -> None:
        if min(self.sequences, self.frames, self.trackers, self.looped) < 1:
            raise DataError("--sequences, --frames, --trackers and --looped must be at least 1.")


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    test_set, results = generate(options, np.random.default_rng(0))
    rows = [time_rules(rules, test_set, results) for rules in one_pass.RULE_SETS]
    loops = time_loops(test_set, results, options)
    table = make_table(rows, loops, options)
    console.print(table.for_terminal())
    machine = ", ".join(f"{key} {value}" for key, value in describe_machine("cpu", options.threads).items())
    note = f"Largest memory of the process, results included: {peak_memory():.2f} GiB. Measured with {machine}."
    console.print(note, highlight=False)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "metrics_speed.md").write_text(f"{table.as_markdown()}\n{note}\n")


def generate(options: Options, rng: np.random.Generator) -> tuple[TestSet, Results]:
    """Targets that wander and change in size, each absent now and then, and trackers of different quality."""
    sequences, results = [], {f"tracker {number:02d}": [{}] for number in range(options.trackers)}
    for number in range(options.sequences):
        name = f"sequence-{number:03d}"
        steps = rng.normal(scale=(3, 3, 0.5, 0.5), size=(options.frames, 4))
        wandering = np.cumsum(steps, axis=0)
        truth = np.abs(wandering + np.array([600, 400, 90, 60])) + 1
        visible = rng.random(options.frames) > 0.03
        sequences.append(
            TestSequence(
                name=name,
                frame_paths=(),
                truth=BoxTruth(boxes=truth, visible=visible),
                start=None,
                length=options.frames,
                attributes=frozenset({f"A{number % 14}"}),
            )
        )
        for quality, runs in enumerate(results.values()):
            errors = rng.normal(scale=2 + quality, size=truth.shape)
            runs[0][name] = Track(boxes=np.abs(truth + errors))
    attributes = {f"A{number}": f"attribute {number}" for number in range(14)}
    return (
        TestSet(
            name="lasot",
            title="a set as large as LaSOT's",
            sequences=tuple(sequences),
            protocol="one_pass",
            attributes=attributes,
        ),
        results,
    )


class Timing(NamedTuple):
    """From raw boxes to all numbers, curves, attributes, intervals and comparisons."""

    rules: str
    seconds: float
    processor_seconds: float
    """Of all threads; these compare on a machine that has other work to do."""


def time_rules(rules: str, test_set: TestSet, results: Results) -> Timing:
    """Assess all trackers under a rule set."""
    begin, begin_processor = time.perf_counter(), time.process_time()
    one_pass.assess(test_set, results, rules=rules)
    return Timing(rules, time.perf_counter() - begin, time.process_time() - begin_processor)


def time_loops(test_set: TestSet, results: Results, options: Options) -> float:
    """Processor seconds of loops for all tracks, from those for a few of them; the AUC has to be the same."""
    tracks = [(sequence, runs[0][sequence.name]) for sequence in test_set.sequences for runs in results.values()]
    chosen = list(islice(tracks, options.looped))
    seconds = 0.0
    for sequence, track in chosen:
        assert isinstance(sequence.truth, BoxTruth)
        truth = sequence.truth.boxes
        begin = time.process_time()
        looped = loop_auc(truth, track.boxes)
        seconds += time.process_time() - begin
        vectorised = one_pass.score_track(truth, track.boxes, rules=one_pass.rule_set("pytracking"))["AUC"]
        if not math.isclose(looped, vectorised, abs_tol=1e-9):
            raise DataError(f"loops give an AUC of {looped}, arrays {vectorised}: one of them is wrong.")
    return seconds * len(tracks) / len(chosen)


def loop_auc(truth: Boxes, predicted: Boxes) -> float:
    """Success AUC in percent, with the curves of precision and normalised precision counted beside it."""
    success, precision, normalised = [0] * 21, [0] * 51, [0] * 51
    for index, (t, p) in enumerate(zip(truth.tolist(), predicted.tolist(), strict=True)):
        overlap, error, relative = judge_frame(t, t if index == 0 else p)
        for place in range(21):
            success[place] += overlap > place * 0.05
        for place in range(51):
            precision[place] += error <= place
            normalised[place] += relative <= place / 100
    return 100 * sum(success) / len(success) / len(truth)


def judge_frame(t: Sequence[float], p: Sequence[float]) -> tuple[float, float, float]:
    """Overlap, centre error and normalised centre error of two boxes."""
    width = min(t[0] + t[2], p[0] + p[2]) - max(t[0], p[0])
    height = min(t[1] + t[3], p[1] + p[3]) - max(t[1], p[1])
    intersection = max(width, 0) * max(height, 0)
    union = t[2] * t[3] + p[2] * p[3] - intersection
    dx = p[0] + (p[2] - 1) / 2 - t[0] - (t[2] - 1) / 2
    dy = p[1] + (p[3] - 1) / 2 - t[1] - (t[3] - 1) / 2
    return intersection / union, math.sqrt(dx * dx + dy * dy), math.hypot(dx / t[2], dy / t[3])


def make_table(rows: Sequence[Timing], loops: float, options: Options) -> TextTable:
    """One line a rule set, and the loops."""
    lines = [
        (row.rules, f"{row.seconds:.1f}", f"{row.processor_seconds:.1f}", f"{loops / row.processor_seconds:.0f}")
        for row in rows
    ]
    looped = min(options.looped, options.sequences * options.trackers)
    lines.append((f"loops over frames (scaled from {looped} tracks)", "–", f"{loops:.0f}", "1"))
    title = f"{options.sequences} sequences of {options.frames} frames, {options.trackers} trackers"
    return TextTable(title, ("rules", "seconds", "processor seconds", "times faster than loops"), tuple(lines))


def peak_memory() -> float:
    """GiB."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
