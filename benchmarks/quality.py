"""Compare trackers on annotated sequences, in one run: OpenCV's KCF, MIL, CSRT and NanoTrack, and Lockon's.

Only the tracker is timed: start, steps and model updates, never decoding. All trackers get as many threads. Every run
of a tracker on a sequence is stored as it ends, so an interrupted comparison goes on where it was.

    python benchmarks/quality.py SEQUENCES --nanotrack FOLDER --trackers kcf csrt nanotrack lockon_s --seeds 3
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence as Series
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import Progress

import quality_report as report
from competitors import Competitor, MeasuredCompetitor
from lockon.apps.integrations.lockon_tracker import lockon_tracker
from lockon.apps.integrations.opencv import OPENCV_TRACKERS, opencv_tracker
from lockon.data.sequences import Sequence, find_sequences
from lockon.errors import DataError, LockonError
from lockon.tracking.precision import Precision
from machine import describe_machine, limit_threads
from quality_plots import draw_plots
from runs import Run, load_run, run_tracker, save_run, warm_up
from text_tables import TextTable

REFERENCE_TRACKER = "atom_multiscale"


@dataclass(frozen=True)
class Options:
    """What to compare."""

    sequences: Annotated[Path, tyro.conf.Positional]
    """Folder of sequences (each with frames/ and groundtruth.txt), or one sequence."""
    trackers: tuple[str, ...] = ("kcf", "mil", "csrt", "nanotrack", "lockon_s")
    """kcf, mil, csrt and nanotrack are OpenCV's; any other is a name or path for lockon.load."""
    nanotrack: Path | None = None
    """Folder with the two ONNX files of NanoTrack v2."""
    out: Path = Path("outputs/quality")
    """Where raw results (raw/), tables and plots go."""
    device: str = "cpu"
    """Device of the Lockon trackers: cpu or cuda."""
    precision: Precision = "fp32"
    """Numeric type of the Lockon trackers' networks."""
    threads: int = 2
    """Threads of every tracker."""
    seeds: int = 1
    """Runs of each tracker that draws random numbers."""
    rerun: bool = False
    """Measure again what is already stored; needed for speeds that compare."""
    reference: Path | None = None
    """Boxes of the reference ATOM (atom_multiscale_resnet18.json): adds our atom_multiscale and compares the two."""
    trunk: Path | None = None
    """ImageNet ResNet-18 weights for that comparison."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise DataError(f"--seeds must be at least 1; got {self.seeds}.")


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    sequences = find_sequences(options.sequences)
    reference = None if options.reference is None else report.read_reference(options.reference, sequences)
    competitors = make_competitors(options)
    runs = run_all(competitors, sequences, options, console)
    reports = sorted(
        (report.report_tracker(runs[competitor.label], sequences) for competitor in competitors),
        key=lambda item: -item.total.success_auc,
    )
    comparison = None
    if reference is not None:
        ours = runs[lockon_label(REFERENCE_TRACKER, options)]
        comparison = report.compare_with_reference(ours, sequences, reference)
    tables = report.make_tables(reports, comparison)
    for table in tables:
        console.print(table.for_terminal())
    notes = report.describe_runs([run for group in runs.values() for run in group])
    console.print(*notes, sep="\n", highlight=False)
    write_reports(options.out, reports, tables, notes)
    console.print(f"Tables, plots and raw results are in '{options.out}'.", highlight=False)


def make_competitors(options: Options) -> list[Competitor]:
    """Build every tracker of the comparison, so that a wrong name or a missing file fails before any work."""
    names = list(dict.fromkeys(options.trackers))
    if options.reference is not None:
        if options.trunk is None:
            raise DataError("--reference compares on real ImageNet features; pass their file with --trunk.")
        if REFERENCE_TRACKER not in names:
            names.append(REFERENCE_TRACKER)
    competitors = [_make_competitor(name, options) for name in names]
    labels = [competitor.label for competitor in competitors]
    for label in labels:
        if labels.count(label) > 1:
            raise DataError(
                f"two trackers are called '{label}', and results are kept by name; rename one of the files."
            )
    return competitors


def _make_competitor(name: str, options: Options) -> Competitor:
    if name in OPENCV_TRACKERS:
        return MeasuredCompetitor(opencv_tracker(name, options.nanotrack))
    source = options.trunk if name == REFERENCE_TRACKER and options.trunk is not None else name
    spec = lockon_tracker(
        source, device=options.device, precision=options.precision, name=lockon_label(name, options)
    )
    made_for = spec.provenance["tracker"]
    if name == REFERENCE_TRACKER and name != made_for:
        raise DataError(f"'{source}' holds weights of '{made_for}', not an ImageNet trunk for {REFERENCE_TRACKER}.")
    return MeasuredCompetitor(spec)


def lockon_label(name: str, options: Options) -> str:
    """Name of a Lockon tracker in tables and folders; device and precision are part of it where not the default."""
    stem = Path(name).stem if os.sep in name else name
    if (options.device, options.precision) == ("cpu", "fp32"):
        return stem
    return f"{stem}-{options.device.replace(':', '')}-{options.precision}"


def run_all(
    competitors: Series[Competitor], sequences: Series[Sequence], options: Options, console: Console
) -> dict[str, list[Run]]:
    """Read the runs that are stored, make the others, and return all by tracker."""
    raw = options.out / "raw"
    machine = describe_machine(options.device, options.threads)
    session = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    runs: dict[str, list[Run]] = {}
    with Progress(console=console) as progress:
        for competitor in competitors:
            wanted = [(sequence, seed) for sequence in sequences for seed in _seeds(competitor, options)]
            stored = {} if options.rerun else _load_runs(raw, competitor.label, wanted)
            missing = [(sequence, seed) for sequence, seed in wanted if (sequence.name, seed) not in stored]
            task = progress.add_task(competitor.label, total=sum(len(sequence) for sequence, _ in missing))
            if missing:
                warm_up(competitor, missing[0][0])
            for sequence, seed in missing:
                run = run_tracker(
                    competitor,
                    sequence,
                    seed,
                    session=session,
                    machine=machine,
                    on_frame=partial(progress.advance, task),
                )
                save_run(run, raw)
                stored[sequence.name, seed] = run
            runs[competitor.label] = [stored[sequence.name, seed] for sequence, seed in wanted]
    return runs


def _seeds(competitor: Competitor, options: Options) -> range:
    return range(options.seeds if competitor.stochastic else 1)


def _load_runs(raw: Path, label: str, wanted: Series[tuple[Sequence, int]]) -> dict[tuple[str, int], Run]:
    found = {(sequence.name, seed): load_run(raw, label, sequence, seed) for sequence, seed in wanted}
    return {key: run for key, run in found.items() if run is not None}


def write_reports(
    out: Path, reports: Series[report.TrackerReport], tables: Series[TextTable], notes: Series[str]
) -> None:
    """Write every table and plot of the comparison into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    parts = [*(table.as_markdown() for table in tables), "\n".join(f"- {note}" for note in notes) + "\n"]
    (out / "quality.md").write_text("\n".join(parts))
    (out / "quality.json").write_text(json.dumps([report.report_as_json(item) for item in reports], indent=1))
    report.write_csv(out / "quality.csv", [item.total for item in reports])
    report.write_csv(out / "per_sequence.csv", [row for item in reports for row in item.sequences])
    draw_plots(reports, out)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
