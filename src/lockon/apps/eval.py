"""`lockon eval`: run trackers on test sets, here or on a cluster, and go on where an earlier run stopped."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from lockon.apps.eval_progress import EvalProgress
from lockon.apps.integrations.named import has_settings, named_tracker
from lockon.apps.interrupts import INTERRUPTED, deferred_interrupts
from lockon.apps.named_values import named_test_set, named_value
from lockon.apps.table_console import table_console
from lockon.data.testsets.base import TestSet
from lockon.errors import DataError
from lockon.evaluation.external import external_tracker
from lockon.evaluation.protocols import assess
from lockon.evaluation.reports.tables import Cell, Table, overview_table
from lockon.evaluation.reports.text import as_rich
from lockon.evaluation.running.cluster import Cluster
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import Plan, RealTime, make_plan
from lockon.evaluation.running.processes import Processes
from lockon.evaluation.running.sweeps import Axis, Setting, draws, grid
from lockon.evaluation.running.workers import Here, Workers
from lockon.evaluation.store import ResultStore
from lockon.evaluation.trackers import TrackerSpec
from lockon.files import user_path
from lockon.tracking.precision import Precision
from lockon.training.provenance import code_version

FAILED = 1
"""Exit status where a sequence could not be tracked."""


@dataclass(frozen=True)
class Eval:
    """Run trackers on test sets, and print their scores.

    A tracker is a name or path that `lockon track` takes; kcf, mil, csrt or nanotrack of OpenCV; FILE.py:FUNCTION for
    one of your own; or, with --external, any program. NAME=TRACKER gives it another name.

    Every result is kept as soon as it is there. The same command again goes on where it was.

    For example:

    * `lockon eval lockon_s csrt --on otb100=/data/OTB100 --out results --processes 4`
    * `lockon eval mine=my_tracker.py:create --on folder=my_videos`
    * `lockon eval --external mine="./tracker --fast" --on vot2018=/data/vot2018 --runs 15`
    * `lockon eval lockon_s --on folder=my_videos --sweep selector.lost=0.02..0.2:log --draws 20`
    """

    trackers: Annotated[Positional[tuple[str, ...]], arg(metavar="TRACKER")] = ()
    """What to run."""
    on: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="NAME=FOLDER")] = ()
    """Test sets, each with the folder in which it lies; see `lockon data list`."""
    out: Annotated[Path, arg(metavar="FOLDER")] = Path("results")
    """Where results are kept, for `lockon report`."""
    runs: int = 1
    """Runs of each tracker that draws random numbers, each with other seeds."""
    processes: int = 1
    """Sequences at a time on this machine, each in a process; 0 does them in this process."""
    threads: int | None = None
    """Threads of each process; by default the processes share the cores."""
    lockstep: int = 1
    """Sequences that a process follows at once, where a tracker can (Lockon's do): faster on a GPU."""
    cluster: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Run on the Ray cluster at this address instead (`auto`: the one on this machine)."""
    gpus: float = 0.0
    """GPUs that a sequence takes on the cluster; a part of one lets several share it."""
    device: str = "cpu"
    """Where Lockon's trackers run: cpu, cuda, cuda:1, …"""
    precision: Precision = "fp32"
    """Numeric type of the networks of Lockon's trackers."""
    real_time: Annotated[float | None, arg(metavar="FPS")] = None
    """Show frames as a camera of this speed would: those that come while the tracker is busy are lost to it."""
    external: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="NAME=COMMAND")] = ()
    """Programs as trackers; docs/evaluation.md says what they read and write."""
    answer_within: Annotated[float, arg(metavar="SECONDS")] = 60.0
    """Time that such a program may take for a frame."""
    nanotrack: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder with the two ONNX files of NanoTrack v2."""
    set: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="PATH=VALUE")] = ()
    """Changes of the presets of Lockon's trackers, such as selector.lost=0.1."""
    sweep: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="PATH=VALUES")] = ()
    """Settings to try in all combinations: PATH=V1,V2,…; with --draws also PATH=LOW..HIGH, LOW..HIGH:log or :int."""
    draws: int | None = None
    """Try so many combinations at random instead of all."""
    overwrite: FlagCreatePairsOff[bool] = False
    """Make again what is there."""

    def run(self) -> int:
        """Evaluate, print tables, and return the exit status."""
        settings = self._settings()
        trackers = list(self._specs(settings))
        test_sets = [named_test_set(text) for text in chain(*self.on)]
        camera = None if self.real_time is None else RealTime(fps=self.real_time)
        store = ResultStore(user_path(self.out))
        plan = make_plan(
            [spec for spec, _ in trackers],
            test_sets,
            store,
            runs=self.runs,
            overwrite=self.overwrite,
            real_time=camera,
        )
        for line in _preliminaries(plan, test_sets):
            print(line)
        try:
            failures, stopped = self._carry_out(plan, store)
        except KeyboardInterrupt:
            failures, stopped = 0, True
        if stopped:
            print(f"stopped. To go on: {self._again()}")
            return INTERRUPTED
        _print_scores(test_sets, {spec.name: setting for spec, setting in trackers}, store)
        print(f"results: {store.root}; plots and pages: lockon report {shlex.quote(str(self.out))} --on …")
        if failures:
            print(f"{failures} sequences failed. To try them again: {self._again()}")
        return FAILED if failures else 0

    def _carry_out(self, plan: Plan, store: ResultStore) -> tuple[int, bool]:
        """Number of failures, and whether it was stopped before all was done."""
        if not plan.jobs:
            return 0, False
        workers = self._workers()
        with deferred_interrupts() as request, EvalProgress(plan, lambda: request.received) as progress:
            for event in carry_out(
                plan,
                store,
                workers,
                lockstep=self.lockstep,
                should_stop=lambda: request.received,
                environment={"code": code_version()},
            ):
                progress.show(event)
        for details in [failure.details for failure in progress.failures if failure.details][:1]:
            print(details, file=sys.stderr, end="")
        return len(progress.failures), progress.finished + len(progress.failures) < len(plan.jobs)

    def _workers(self) -> Workers:
        if self.cluster is not None:
            return Cluster(self.cluster, threads=self.threads or 1, gpus=self.gpus)
        return Processes(self.processes, self.threads) if self.processes else Here()

    def _again(self) -> str:
        return shlex.join(["lockon", *(word for word in sys.argv[1:] if word != "--overwrite")])

    def _settings(self) -> list[Setting]:
        fixed = tuple(chain(*self.set))
        axes = [Axis.parse(text) for text in chain(*self.sweep)]
        if not axes:
            if self.draws is not None:
                raise DataError("--draws needs something to draw: --sweep PATH=VALUES.")
            return [fixed]
        # The same draws in every run, so that a sweep can go on.
        found = grid(axes) if self.draws is None else draws(axes, self.draws, np.random.default_rng(0))
        return [(*fixed, *setting) for setting in found]

    def _specs(self, settings: Sequence[Setting]) -> Iterator[tuple[TrackerSpec, Setting]]:
        """All trackers, each with the settings that it was changed by."""
        found = [
            *chain.from_iterable(self._spec(text, settings) for text in self.trackers),
            *(
                (external_tracker(name, command, answer_within=self.answer_within), ())
                for name, command in (
                    named_value(text, "COMMAND", 'mine="./tracker --fast"') for text in chain(*self.external)
                )
            ),
        ]
        if not found:
            raise DataError("name a tracker, such as lockon_s, or a program with --external NAME=COMMAND.")
        if settings != [()] and not any(setting for _, setting in found):
            raise DataError("--set and --sweep change presets of Lockon's trackers, and none is named.")
        suffix = "" if self.real_time is None else f"@{self.real_time:g}fps"
        for spec, setting in found:
            yield replace(spec, name=spec.name + suffix), setting

    def _spec(self, text: str, settings: Sequence[Setting]) -> list[tuple[TrackerSpec, Setting]]:
        named = partial(named_tracker, text, device=self.device, precision=self.precision, nanotrack=self.nanotrack)
        if not has_settings(text):
            return [(named(), ())]
        specs = [named(settings=setting) for setting in settings]
        if len({spec.name for spec in specs}) < len(specs):  # the user's own name for all of them
            specs = [
                replace(spec, name="~".join([spec.name, *setting]))
                for spec, setting in zip(specs, settings, strict=True)
            ]
        return list(zip(specs, settings, strict=True))


def _preliminaries(plan: Plan, test_sets: Sequence[TestSet]) -> Iterator[str]:
    for test_set in test_sets:
        for sequence, reason in test_set.excluded:
            yield f"left out of {test_set.title}: {sequence}: {reason}"
        for note in test_set.notes:
            yield f"note on {test_set.title}: {note}"
    for problem in plan.damaged:
        yield f"made again: {problem}"
    if plan.finished:
        yield f"{plan.finished} results are there, {len(plan.jobs)} are missing"


def _print_scores(test_sets: Sequence[TestSet], trackers: Mapping[str, Setting], store: ResultStore) -> None:
    console = table_console()
    for test_set in test_sets:
        stored = {tracker: store.load(test_set, tracker) for tracker in trackers}
        for tracker, result in stored.items():
            for problem in result.problems:
                print(f"no result of {tracker} on {problem.sequence}: {problem.reason}")
        results = {tracker: result.runs for tracker, result in stored.items() if any(result.runs)}
        for tracker in stored.keys() - results.keys():
            print(f"no result of {tracker} on {test_set.title}")
        if not results:
            continue
        try:
            assessment = assess(test_set, results)
        except DataError as error:
            print(f"no scores on {test_set.title}: {error}")
            continue
        console.print(as_rich(_with_settings(overview_table(assessment), trackers)))
        for note in assessment.notes:
            print(f"note: {note}")


def _with_settings(table: Table, settings: Mapping[str, Setting]) -> Table:
    """A column for each setting that trackers differ in."""
    paths = list(dict.fromkeys(change.partition("=")[0] for setting in settings.values() for change in setting))
    if len(settings) == 1 or not paths:
        return table
    rows = []
    for name, *rest in table.rows:
        changes = dict(change.split("=", 1) for change in settings[name.text])
        rows.append((name, *(Cell(text=changes.get(path, "")) for path in paths), *rest))
    return replace(table, columns=(table.columns[0], *paths, *table.columns[1:]), rows=tuple(rows))
