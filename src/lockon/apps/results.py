"""`lockon results`: raw results in the forms of other programs, and the archives that servers take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg, subcommand

from lockon.apps.named_values import named_test_set
from lockon.data.testsets.base import TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.formats import read_results, submission_form, write_results, write_submission
from lockon.evaluation.oxuva import best_threshold, with_threshold
from lockon.evaluation.store import ResultStore
from lockon.evaluation.tracks import Results, Runs, Said, Track
from lockon.files import check_writable, user_path

_FEW = 5
"""Remarks that are printed."""
_EXPECTED_RUNS = {"got10k": 3, "vot": 15}
"""Repetitions that a benchmark expects of trackers that draw random numbers."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Results on disk."""

    results: Annotated[Positional[Path], arg(metavar="RESULTS")]
    """Folder that `lockon eval` has written to, or one of raw results in any form that can be imported."""
    on: Annotated[str, arg(metavar="NAME=FOLDER")]
    """What the results are of, and where it lies; see `lockon data list`."""
    read_as: Annotated[str | None, arg(metavar="FORM")] = None
    """Form of raw results: pytracking, pysot, got10k, lasot, vot, oxuva, masks, otb_mat or text; found out if not
    given."""

    def _read(self, test_set: TestSet) -> Results:
        """All trackers; what is missing and what is odd is printed."""
        root = user_path(self.results)
        store = ResultStore(root)
        stored = {name: store.load(test_set, name) for name in store.trackers(test_set.name)}
        if stored and self.read_as is None:
            _print_some(_remark(one) for each in stored.values() for one in each.problems)
            return {name: each.runs for name, each in stored.items()}
        found = read_results(root, test_set, self.read_as)
        print(f"{root} is read as {found.form} (--read-as FORM for something else)")
        _print_some(map(_remark, found.exclusions))
        _print_some(found.remarks)
        return found.results


@dataclass(frozen=True, kw_only=True)
class ResultsConvert(_Source):
    """Write results in the form of another program, a folder for each tracker.

    For example: `lockon results convert results --on otb100=/data/OTB100 --form pysot --out for_pysot`
    """

    form: Annotated[str, arg(metavar="FORM")]
    """What to write: text, pysot, pytracking, lasot, trackingnet, got10k, vot, oxuva, davis or youtube_vos."""
    out: Annotated[Path, arg(metavar="FOLDER")]
    """Folder for the trackers' folders."""
    trackers: Annotated[tuple[str, ...], arg(metavar="TRACKER")] = ()
    """Which of them; without it, all."""
    run_number: Annotated[int | None, arg(name="run", metavar="N")] = None
    """Only this run, counted from 0."""

    def run(self) -> int:
        """Convert, and say where."""
        test_set = named_test_set(self.on)
        results = self._read(test_set)
        chosen = {name: _runs(results, name, self.run_number) for name in self.trackers or results}
        write_results(self.form, test_set, chosen, user_path(self.out))
        print(f"{', '.join(chosen)}: {user_path(self.out)}")
        return 0


@dataclass(frozen=True, kw_only=True)
class ResultsSubmit(_Source):
    """Pack the results of a tracker for the server of a benchmark, once nothing is missing or odd.

    For example: `lockon results submit results --on got10k_test=/data/GOT-10k --tracker lockon_s --out lockon_s.zip`
    """

    tracker: Annotated[str, arg(metavar="TRACKER")]
    """Whose."""
    out: Annotated[Path, arg(metavar="FILE.zip")]
    """The archive."""
    form: Annotated[str | None, arg(metavar="FORM")] = None
    """What to write; that of the benchmark if not given."""
    tuned_on: Annotated[str | None, arg(metavar="NAME=FOLDER")] = None
    """Call targets present whose score exceeds the threshold that is best on this test set, of which there are
    results in the same folder: for oxuva_test, oxuva_dev. Without it, what the tracker itself decides counts."""
    run_number: Annotated[int | None, arg(name="run", metavar="N")] = None
    """Only this run, counted from 0; needed where the benchmark takes one and there are several."""

    def run(self) -> int:
        """Check, pack, and say what is in it."""
        archive = user_path(self.out)
        check_writable(archive)
        test_set = named_test_set(self.on)
        form = self.form or submission_form(test_set)
        threshold = None if self.tuned_on is None else self._threshold(named_test_set(self.tuned_on))
        runs = _runs(self._read(test_set), self.tracker, self.run_number)
        if threshold is not None:
            runs = [{name: _decided(track, threshold) for name, track in run.items()} for run in runs]
        count = write_submission(form, test_set, self.tracker, runs, archive)
        expected = _EXPECTED_RUNS.get(form, 1)
        if len(runs) < expected:
            print(f"note: {test_set.title} expects {expected} runs of trackers that draw random numbers")
        print(f"{archive}: {count} files, {len(test_set)} sequences, {len(runs)} runs")
        return 0

    def _threshold(self, known: TestSet) -> float:
        threshold = best_threshold(known, _runs(self._read(known), self.tracker, None))
        print(f"present is what has a score above {threshold:g}, which is best on {known.title}")
        return threshold


Packing = Annotated[
    Annotated[ResultsConvert, subcommand("convert")] | Annotated[ResultsSubmit, subcommand("submit")],
    subcommand("results", description="Convert raw results, and pack them for the servers of benchmarks."),
]


def _decided(said: Said, threshold: float) -> Said:
    if not isinstance(said, Track):
        raise DataError("a threshold is for tracks of boxes with scores, as OxUvA has them; leave --tuned-on out.")
    return with_threshold(said, threshold)


def _runs(results: Results, tracker: str, number: int | None) -> Runs:
    if tracker not in results:
        raise UnknownNameError("tracker with results", tracker, results)
    runs = results[tracker]
    if number is None:
        return runs
    if not 0 <= number < len(runs):
        raise DataError(f"'{tracker}' has {len(runs)} runs, counted from 0; there is no run {number}.")
    return [runs[number]]


def _remark(one: Exclusion) -> str:
    return f"{one.tracker}, {one.sequence}: {one.reason}"


def _print_some(remarks: Iterable[str]) -> None:
    remarks = list(remarks)
    for remark in remarks[:_FEW]:
        print(f"note: {remark}")
    if len(remarks) > _FEW:
        print(f"… and {len(remarks) - _FEW} more")
