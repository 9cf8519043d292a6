"""`lockon report`: what results are worth, as tables, plots and a page."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, TypeVar

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from lockon.apps.named_values import named_value
from lockon.apps.progress import progress_bar
from lockon.apps.table_console import table_console
from lockon.data.testsets.base import TestSet
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment, Exclusion, TrackerAssessment
from lockon.evaluation.cumulative import assess_models
from lockon.evaluation.formats import FORMATS, read_results
from lockon.evaluation.formats.got10k_server import GOT10K_SERVER, assess_by_server, read_server_report
from lockon.evaluation.protocols import PROTOCOLS, RULES, assess, assess_under_all_rules
from lockon.evaluation.reports import (
    Assessed,
    Origin,
    as_rich,
    overview_table,
    rules_tables,
    stored_origin,
    verdicts,
    write_report,
)
from lockon.evaluation.reports.plots.canvas import require_matplotlib
from lockon.evaluation.reports.tables import MEANS_OVER_SETTINGS
from lockon.evaluation.store import ResultStore
from lockon.evaluation.tracks import Results, Runs
from lockon.files import user_path

ALL_RULES = "all"
ONE_PASS = "one_pass"
PRESENCE = "presence"
"""What else is asked of results of the protocol `ONE_PASS`: whether trackers know that they have the target."""
_FEW = 5
"""Exclusions that are printed; the report lists all."""
_Found = TypeVar("_Found")
"""What there is of a tracker."""


@dataclass(frozen=True)
class Report:
    """Compare trackers by their stored results: tables here and, with --out, plots, files and a page.

    For example: `lockon report results --on otb100=/data/OTB100 --rules all --out report`
    """

    results: Annotated[Positional[Path], arg(metavar="RESULTS")]
    """Folder that `lockon eval` has written to; it may be missing where all results are imported."""
    on: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="NAME=FOLDER")] = ()
    """Test sets, each with the folder in which it lies; see `lockon data list`."""
    rules: str | None = None
    """Whose rules make the numbers, such as pytracking, otb or lasot (docs/reports.md has all, with options); "all"
    shows those of the protocol side by side."""
    trackers: Annotated[tuple[str, ...], arg(metavar="TRACKER")] = ()
    """Which trackers to compare; without it, all that have results."""
    imports: Annotated[
        UseAppendAction[tuple[tuple[str, ...], ...]], arg(name="import", metavar="NAME=FOLDER[:FORMAT]")
    ] = ()
    """Raw results of other programs, and what to call their tracker here; or what GOT-10k's server said
    (NAME=FILE.json)."""
    over_settings: FlagCreatePairsOff[bool] = False
    """Compare models by their means over all settings that `lockon eval --sweep` has tried."""
    out: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder for the report; without it, nothing is written."""

    def run(self) -> int:
        """Assess, print the tables, and write the report."""
        if self.out is not None:
            require_matplotlib()
        store = ResultStore(user_path(self.results))
        places = [named_value(text) for text in chain(*self.on)]
        if not places:
            raise DataError("say where the test set lies, such as --on otb100=/data/OTB100.")
        if len({name for name, _ in places}) < len(places):
            raise DataError("a test set is given twice with --on; give each once.")
        test_sets = [open_test_set(name, user_path(folder)) for name, folder in places]
        imports = [_Import.parse(text) for text in chain(*self.imports)]
        assessed = [self._assessed(test_set, store, imports) for test_set in test_sets]
        for one in assessed:
            _print(one)
        if self.out is not None:
            command = shlex.join(["lockon", *sys.argv[1:]])
            with progress_bar("drawing") as progress:
                paths = write_report(assessed, user_path(self.out), command=command, progress=progress)
            print(f"report: {paths[0]}, and {len(paths) - 1} files beside it")
        return 0

    def _gathered(self, test_set: TestSet, store: ResultStore, imports: Sequence[_Import]) -> _Gathered:
        gathered = _Gathered(test_set)
        stored = store.trackers(test_set.name)
        for tracker in stored:
            if not self.trackers or tracker in self.trackers:
                gathered.take_stored(store, tracker)
        for one in imports:
            gathered.take_imported(one)
        if gathered.remarks and not gathered.results:
            raise DataError(" ".join(gathered.remarks))
        gathered.results = _chosen(gathered.results, self.trackers, stored, test_set)
        gathered.problems = [one for one in gathered.problems if one.tracker in {*gathered.results, *stored}]
        return gathered

    def _assessed(self, test_set: TestSet, store: ResultStore, imports: Sequence[_Import]) -> Assessed:
        if any(one.form == GOT10K_SERVER for one in imports):
            return self._by_server(test_set, store, imports)
        gathered = self._gathered(test_set, store, imports)
        chosen = gathered.results
        assessments, rejections = _assessments(test_set, chosen, self.rules)
        if self.over_settings:
            models = assess_models(assessments[:1], models_of(chosen))
            assessments.insert(0, replace(models, protocol=MEANS_OVER_SETTINGS))
        return Assessed(
            test_set=test_set,
            results=chosen,
            assessments=tuple(
                replace(one, exclusions=_merged([*gathered.problems, *one.exclusions])) for one in assessments
            ),
            origins=tuple(one for one in gathered.origins if one.tracker in chosen),
            remarks=(*test_set.notes, *gathered.remarks, *rejections),
        )

    def _by_server(self, test_set: TestSet, store: ResultStore, imports: Sequence[_Import]) -> Assessed:
        """What GOT-10k's server said alone, as other results cannot be assessed without its annotation."""
        trackers: dict[str, TrackerAssessment] = {}
        origins = []
        reports = [one for one in imports if one.form == GOT10K_SERVER]
        for one in reports:
            found = read_server_report(one.folder)
            for name, tracker in ((one.called(each, found), found[each]) for each in found):
                if name in trackers:
                    raise _clash(name)
                trackers[name] = replace(tracker, tracker=name)
                origins.append(Origin(tracker=name, made="imported", facts=(f"report of the server: {one.folder}",)))
        chosen = _chosen(trackers, self.trackers, (), test_set)
        others = [*store.trackers(test_set.name), *(one.name for one in imports if one not in reports)]
        left_out = [
            f"'{name}' is left out, as there is no report of the server on it; see `lockon results submit`."
            for name in others
            if name not in trackers and (not self.trackers or name in self.trackers)
        ]
        given = {"--rules": self.rules is not None, "--over-settings": self.over_settings}
        without_effect = [
            f"{option} has no effect on what the server said." for option, is_given in given.items() if is_given
        ]
        return Assessed(
            test_set=test_set,
            results={},
            assessments=(assess_by_server(test_set, chosen),),
            origins=tuple(one for one in origins if one.tracker in chosen),
            remarks=(*left_out, *without_effect),
        )


@dataclass(slots=True)
class _Gathered:
    """Results on a test set from all places."""

    test_set: TestSet
    results: dict[str, Runs] = field(default_factory=dict)
    problems: list[Exclusion] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def take_stored(self, store: ResultStore, tracker: str) -> None:
        stored = store.load(self.test_set, tracker)
        self.problems += stored.problems
        if not any(stored.runs):
            why = f": {stored.problems[0].reason}" if stored.problems else "; its folder is empty."
            self.remarks.append(f"'{tracker}' is left out, as none of its results on this test set counts{why}")
            return
        self.results[tracker] = stored.runs
        self.origins.append(stored_origin(store, self.test_set, tracker))

    def take_imported(self, one: _Import) -> None:
        found = read_results(one.folder, self.test_set, one.form)
        names = {tracker: one.called(tracker, found.results) for tracker in found.results}
        if clash := self.results.keys() & set(names.values()):
            raise _clash(min(clash))
        for tracker, name in names.items():
            self.results[name] = found.results[tracker]
            facts = (f"raw results in the form '{found.form}'", f"folder: {one.folder}")
            self.origins.append(Origin(tracker=name, made="imported", facts=facts))
        self.problems += [replace(each, tracker=names.get(each.tracker or "")) for each in found.exclusions]
        self.remarks += [f"{one.name}: {remark}" for remark in found.remarks]


@dataclass(frozen=True, slots=True)
class _Import:
    """Raw results of another program, or the report of a server."""

    name: str
    folder: Path
    """Of a server's report the file."""
    form: str | None

    @classmethod
    def parse(cls, text: str) -> _Import:
        name, folder = named_value(text)
        place, _, form = folder.rpartition(":")
        if form in {*FORMATS, GOT10K_SERVER}:
            return cls(name, user_path(place), form)
        return cls(name, user_path(folder), GOT10K_SERVER if folder.endswith(".json") else None)

    def called(self, tracker: str, among: Sized) -> str:
        """What one tracker of those that were found is called here."""
        return self.name if len(among) == 1 else f"{self.name}/{tracker}"


def models_of(trackers: Iterable[str]) -> dict[str, list[str]]:
    """Trackers that differ in settings alone, by what is left of their names (`lockon_s~selector.lost=0.1`)."""
    models: dict[str, list[str]] = {}
    for tracker in trackers:
        model = "~".join(part for part in tracker.split("~") if "=" not in part)
        models.setdefault(model, []).append(tracker)
    return models


def _clash(name: str) -> DataError:
    return DataError(f"there are several results of '{name}'. Import them under another name.")


def _chosen(
    results: Mapping[str, _Found], wanted: Sequence[str], stored: Sequence[str], test_set: TestSet
) -> dict[str, _Found]:
    known = {*stored, *results}
    if not known:
        raise DataError(
            f"there are no results on {test_set.title}. Make some with `lockon eval`, or import some with --import."
        )
    for name in wanted:
        if name not in known:
            raise UnknownNameError("tracker with results", name, known)
    return {name: runs for name, runs in results.items() if not wanted or name in wanted}


def _assessments(test_set: TestSet, results: Results, rules: str | None) -> tuple[list[Assessment], list[str]]:
    """What the protocol makes of the results under the rules asked for, and why others reject them."""
    if rules == ALL_RULES and test_set.protocol in RULES:
        outcomes: Mapping[str, Assessment | DataError] = assess_under_all_rules(test_set, results)
    else:
        outcomes = {"": assess(test_set, results, rules=None if rules == ALL_RULES else rules)}
    assessments = [outcome for outcome in outcomes.values() if isinstance(outcome, Assessment)]
    rejections = [
        f"the rules of {name} reject these results: {outcome}"
        for name, outcome in outcomes.items()
        if isinstance(outcome, DataError)
    ]
    if not assessments:
        raise DataError(" ".join(rejections))
    if test_set.protocol == ONE_PASS:
        try:
            presence = PROTOCOLS[PRESENCE](test_set, results)
        except DataError as error:
            return assessments, [*rejections, f"nothing is said of presence: {error}"]
        if any(tracker.values for tracker in presence.trackers):
            assessments.append(presence)
    return assessments, rejections


def _merged(exclusions: Sequence[Exclusion]) -> tuple[Exclusion, ...]:
    """One for each sequence and tracker, with all that is known of it."""
    reasons: dict[tuple[str, str | None], list[str]] = {}
    for one in exclusions:
        reasons.setdefault((one.sequence, one.tracker), []).append(one.reason)
    return tuple(
        Exclusion(
            sequence=sequence, tracker=tracker, reason="; ".join(dict.fromkeys(text.rstrip(".") for text in texts))
        )
        for (sequence, tracker), texts in reasons.items()
    )


def _print(assessed: Assessed) -> None:
    console = table_console()
    console.print(as_rich(overview_table(assessed.assessments[0])))
    for table in rules_tables(assessed.assessments):
        console.print(as_rich(table))
        for note in table.notes:
            print(note)
    first = assessed.assessments[0]
    for line in (*verdicts(first), *first.notes, *assessed.remarks):
        print(line)
    for one in first.exclusions[:_FEW]:
        print(f"does not count: {one.sequence} ({one.tracker or 'all trackers'}): {one.reason}")
    if len(first.exclusions) > _FEW:
        print(f"… and {len(first.exclusions) - _FEW} more; the report lists all (--out FOLDER)")
