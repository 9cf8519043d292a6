"""Do trackers keep to the target among look-alikes? Identity switches and recoveries on 60 synthetic sequences.

The test set is made first where it is not there (see `lockon data distractors`), and every result is kept as soon as
it is there, so the same command goes on where it was stopped. The others are compared with the tracker named last.

    python benchmarks/distractors.py --photos PHOTOS --trackers keep_track_s lockon_s
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from distractor_plots import draw_strips, draw_summary
from distractor_reference import NAME, follow_by_motion
from distractor_report import make_tables, report_tracker, write_csv
from lockon.apps.eval_progress import EvalProgress
from lockon.apps.integrations.named import named_tracker
from lockon.apps.interrupts import INTERRUPTED, deferred_interrupts
from lockon.apps.test_sets import make_distractors
from lockon.data.testsets.base import TestSet
from lockon.data.testsets.registry import TEST_SETS, open_test_set
from lockon.errors import DataError, LockonError
from lockon.evaluation.one_pass.cases import box_truth
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import make_plan
from lockon.evaluation.running.processes import Processes
from lockon.evaluation.store import ResultStore
from lockon.evaluation.trackers import TrackerSpec
from lockon.evaluation.tracks import Track
from lockon.tracking.precision import Precision
from machine import describe_machine


@dataclass(frozen=True)
class Options:
    """What to compare."""

    trackers: tuple[str, ...] = ("keep_track_s", "lockon_s")
    """As `lockon eval` names them."""
    data: Path = Path("outputs/distractors/sequences")
    """Folder of the test set, or where it is made."""
    photos: tuple[Path, ...] = ()
    """Folders of photographs to make it of, as in training; without them it is procedural."""
    count: int = 60
    """Sequences to make."""
    out: Path = Path("outputs/distractors")
    """Where results (results/), tables and plots go."""
    processes: int = 2
    """Sequences at a time."""
    threads: int = 1
    """Threads of each process."""
    device: str = "cpu"
    """Device of the Lockon trackers."""
    precision: Precision = "fp32"
    """Numeric type of the Lockon trackers' networks."""


def main(options: Options) -> None:
    console = Console()
    specs = [named_tracker(name, device=options.device, precision=options.precision) for name in options.trackers]
    test_set = open_or_make(options)
    tracks = run_all(specs, test_set, options)
    reports = [report_tracker(test_set, tracker, tracks[tracker]) for tracker in tracks]
    motion = {sequence.name: follow_by_motion(box_truth(test_set, sequence)) for sequence in test_set.sequences}
    tables = make_tables(reports, report_tracker(test_set, NAME, motion))
    for table in tables:
        console.print(table.for_terminal())
    machine = ", ".join(f"{key} {value}" for key, value in describe_machine(options.device, options.threads).items())
    note = f"FPS of {options.processes} sequences at a time. Measured with {machine}.\n"
    (options.out / "distractors.md").write_text("\n".join([*(table.as_markdown() for table in tables), note]))
    write_csv(options.out / "distractors.csv", reports)
    draw_summary(reports, options.out / "distractors")
    draw_strips(reports, options.out / "identities")
    console.print(f"Tables, plots and results are in '{options.out}'.", highlight=False)


def open_or_make(options: Options) -> TestSet:
    """The test set that lies there, or that is made or completed.

    Raises:
        DataError: it is not whole, and nothing says what of it could be made.
    """
    if options.photos or not TEST_SETS["distractors"].fits(options.data):
        make_distractors(options.data, options.photos, options.count)
    test_set = open_test_set("distractors", options.data)
    if test_set.excluded:
        name, reason = test_set.excluded[0]
        raise DataError(
            f"'{options.data}' is not whole: {name}: {reason} Complete it with the --photos it was begun of."
        )
    return test_set


def run_all(specs: list[TrackerSpec], test_set: TestSet, options: Options) -> dict[str, dict[str, Track]]:
    """Tracks by tracker and sequence; those that are stored are not made again.

    Raises:
        DataError: a sequence could not be tracked.
        KeyboardInterrupt: the user stopped it; what is whole is kept.
    """
    store = ResultStore(options.out / "results")
    plan = make_plan(specs, [test_set], store)
    workers = Processes(options.processes, options.threads)
    with deferred_interrupts() as request, EvalProgress(plan, lambda: request.received) as progress:
        for event in carry_out(plan, store, workers, should_stop=lambda: request.received):
            progress.show(event)
    if progress.failures:
        raise DataError(f"{len(progress.failures)} sequences failed, the first: {progress.failures[0].problem}")
    if progress.finished < len(plan.jobs):
        raise KeyboardInterrupt
    return {
        spec.name: {
            name: said for name, said in store.load(test_set, spec.name).runs[0].items() if isinstance(said, Track)
        }
        for spec in specs
    }


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
