"""Tables of an assessment, apart from how they are written: to a terminal, Markdown, LaTeX or a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lockon.evaluation.assessment import Assessment, Comparison, Measure, TrackerAssessment
from lockon.evaluation.reports.numbers import NONE, Mark, marks, ranked, shown

MEANS_OVER_SETTINGS = "means over settings"
_BESIDE = ("presence", MEANS_OVER_SETTINGS)
"""Protocols that are assessed beside the one that a test set is for."""
_CERTAINTY = 0.001
"""Probabilities nearer to 0 or 1 are not told apart."""
OBJECT_MEASURES = (Measure(name="J", unit="share"), Measure(name="F", unit="share"))
"""What is shown of segmented objects."""
FPS = Measure(name="FPS", unit="fps", meaning="frames per second of the tracker alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    value: float | None = None
    """The number behind the text, to sort by."""
    mark: Mark | None = None
    note: str = ""
    """What else is known of it, where there is room for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; the first column names what a row is about."""

    name: str
    """File name and anchor, such as "overview"."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def ranking(assessment: Assessment) -> tuple[TrackerAssessment, ...]:
    """The trackers, best first by the first measure."""
    first = assessment.measures[0]
    scores = [tracker.values.get(first.name, math.nan) for tracker in assessment.trackers]
    order = ranked(scores, higher_is_better=first.higher_is_better)
    return tuple(assessment.trackers[index] for index in order)


def kind(assessment: Assessment) -> str:
    """What tells it from others of the same results: its rules, and the protocol where it is not the usual one."""
    return f"{assessment.rules}, {assessment.protocol}" if assessment.protocol in _BESIDE else assessment.rules


def overview_table(assessment: Assessment) -> Table:
    """All measures of all trackers, best first; deviations over the runs where there are several."""
    trackers = ranking(assessment)
    columns = [_column(trackers, measure) for measure in assessment.measures]
    names = ["Tracker", *(_heading(measure) for measure in assessment.measures)]
    if any(tracker.frames_per_second is not None for tracker in trackers):
        names.append(FPS.name)
        columns.append(_cells([tracker.frames_per_second for tracker in trackers], FPS))
    if any(tracker.runs > 1 for tracker in trackers):
        names.append("Runs")
        columns.append([Cell(text=str(tracker.runs), value=tracker.runs) for tracker in trackers])
    return Table(
        name="overview",
        title=f"{assessment.test_set}, rules of {kind(assessment)}",
        columns=tuple(names),
        rows=_rows([tracker.tracker for tracker in trackers], columns),
        notes=tuple(f"{measure.name}: {measure.meaning}" for measure in assessment.measures if measure.meaning),
    )


def attribute_table(assessment: Assessment, titles: Mapping[str, str]) -> Table | None:
    """The first measure by attribute, a column each; None where no attributes are known.

    Args:
        assessment: best tracker first.
        titles: long names of attributes.
    """
    measure, trackers = assessment.measures[0], ranking(assessment)
    by_tracker = [tracker.by_attribute.get(measure.name, {}) for tracker in trackers]
    attributes = list(dict.fromkeys(name for values in by_tracker for name in values))
    if not attributes:
        return None
    columns = [_cells([values.get(name) for values in by_tracker], measure) for name in attributes]
    return Table(
        name="attributes",
        title=f"{measure.name} by attribute",
        columns=("Tracker", *attributes),
        rows=_rows([tracker.tracker for tracker in trackers], columns),
        notes=tuple(f"{name}: {titles[name]}" for name in attributes if titles.get(name, name) != name),
    )


def sequence_table(assessment: Assessment, measure: Measure) -> Table | None:
    """One measure by sequence, a column per tracker, hardest sequence first; None where sequences have no such."""
    trackers = ranking(assessment)
    by_tracker = [tracker.by_sequence.get(measure.name, {}) for tracker in trackers]
    if not any(by_tracker):
        return None
    values = {name: [one.get(name) for one in by_tracker] for name in assessment.sequences}
    hardness = [mean_of_known(numbers) for numbers in values.values()]
    order = ranked(hardness, higher_is_better=not measure.higher_is_better)
    names = [list(values)[index] for index in order]
    return Table(
        name="sequences",
        title=f"{measure.name} by sequence",
        columns=("Sequence", "Frames", *(tracker.tracker for tracker in trackers)),
        rows=tuple(
            (
                Cell(text=name),
                Cell(text=str(assessment.sequences[name]), value=assessment.sequences[name]),
                *_cells(values[name], measure),
            )
            for name in names
        ),
    )


def object_table(assessment: Assessment) -> Table | None:
    """J and F of every object, columns for each tracker; None where no objects are segmented."""
    trackers = ranking(assessment)
    measures = [measure for measure in OBJECT_MEASURES if any(measure.name in one.by_object for one in trackers)]
    if not measures:
        return None
    held = [(one, measure) for one in trackers for measure in measures]
    names = [
        (name, number) for name, objects in trackers[0].by_object[measures[0].name].items() for number in objects
    ]
    rows = []
    for name, number in names:
        cells = {
            measure: _cells([one.by_object[measure.name][name][number] for one in trackers], measure)
            for measure in measures
        }
        ordered = [cells[measure][place] for place in range(len(trackers)) for measure in measures]
        rows.append((Cell(text=f"{name}, {number}"), *ordered))
    return Table(
        name="objects",
        title=" and ".join(measure.name for measure in measures) + " by object",
        columns=("Sequence, object", *(f"{one.tracker}: {measure.name}" for one, measure in held)),
        rows=tuple(rows),
    )


def rules_tables(assessments: Sequence[Assessment]) -> tuple[Table, ...]:
    """The same results under several sets of rules: a table per measure that more than one of them has."""
    holders: dict[tuple[str, str], list[Assessment]] = {}
    for assessment in assessments:
        for measure in assessment.measures:
            holders.setdefault((assessment.protocol, measure.name), []).append(assessment)
    return tuple(_rules_table(name, each) for (_, name), each in holders.items() if len(each) > 1)


def _rules_table(name: str, assessments: Sequence[Assessment]) -> Table:
    trackers = [tracker.tracker for tracker in ranking(assessments[0])]
    columns, meanings = [], {}
    for assessment in assessments:
        measure = next(measure for measure in assessment.measures if measure.name == name)
        meanings[assessment.rules] = measure.meaning
        values = {tracker.tracker: tracker.values.get(name) for tracker in assessment.trackers}
        columns.append(_cells([values.get(tracker) for tracker in trackers], measure))
    return Table(
        name=f"rules_{name}",
        title=f"{name} under each set of rules",
        columns=("Tracker", *(assessment.rules for assessment in assessments)),
        rows=_rows(trackers, columns),
        notes=(*_sequence_counts(assessments), *_unlike(meanings)),
    )


def _sequence_counts(assessments: Sequence[Assessment]) -> tuple[str, ...]:
    counts = {assessment.rules: len(assessment.sequences) for assessment in assessments}
    if len(set(counts.values())) == 1:
        return ()
    return (f"Over unequal numbers of sequences: {', '.join(f'{rules} {count}' for rules, count in counts.items())}",)


def _unlike(meanings: Mapping[str, str]) -> tuple[str, ...]:
    """What rules mean, where they call different things by the same name."""
    holders: dict[str, list[str]] = {}
    for rules, meaning in meanings.items():
        holders.setdefault(meaning, []).append(rules)
    return tuple(f"{', '.join(rules)}: {meaning}" for meaning, rules in holders.items()) if len(holders) > 1 else ()


def comparison_table(assessment: Assessment) -> Table | None:
    """With what probability a tracker (row) is better than another (column); None where nobody has compared."""
    if not assessment.comparisons:
        return None
    chances = {(pair.tracker, pair.other): (pair.probability, _difference(pair)) for pair in assessment.comparisons}
    chances |= {(pair.other, pair.tracker): (1 - pair.probability, "") for pair in assessment.comparisons}
    names = [tracker.tracker for tracker in ranking(assessment)]
    return Table(
        name="comparisons",
        title=f"Probability that the tracker of a row beats that of a column in {assessment.measures[0].name}",
        columns=("Tracker", *names),
        rows=tuple((Cell(text=row), *(_chance(chances.get((row, column))) for column in names)) for row in names),
        notes=("By bootstrap: the share of test sets, resampled from the sequences, in which it is.",),
    )


def verdicts(assessment: Assessment) -> list[str]:
    """One sentence for each tracker and the next in the ranking: is it better, and how sure is that?"""
    pairs = {(pair.tracker, pair.other): pair for pair in assessment.comparisons}
    names = [tracker.tracker for tracker in ranking(assessment)]
    neighbours = [pairs[pair] for pair in pairwise(names) if pair in pairs]
    return [
        f"{pair.tracker} is better than {pair.other} with probability {_probability(pair.probability)} "
        f"({pair.measure} {_difference(pair)})"
        for pair in neighbours
    ]


def exclusion_table(assessment: Assessment) -> Table | None:
    """Everything that does not count; None where all does."""
    if not assessment.exclusions:
        return None
    return Table(
        name="exclusions",
        title="What does not count",
        columns=("Sequence", "Tracker", "Reason"),
        rows=tuple(
            tuple(Cell(text=text) for text in (one.sequence, one.tracker or "all", one.reason))
            for one in assessment.exclusions
        ),
    )


def mean_of_known(values: Sequence[float | None]) -> float:
    """Mean of those that are numbers; NaN where none is."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _heading(measure: Measure) -> str:
    return measure.name if measure.higher_is_better else f"{measure.name} ↓"


def _column(trackers: Sequence[TrackerAssessment], measure: Measure) -> list[Cell]:
    cells = _cells([tracker.values.get(measure.name) for tracker in trackers], measure)
    return [_with_deviation(cell, tracker, measure) for cell, tracker in zip(cells, trackers, strict=True)]


def _with_deviation(cell: Cell, tracker: TrackerAssessment, measure: Measure) -> Cell:
    if cell.text == NONE:
        return cell
    deviation, interval = tracker.deviations.get(measure.name), tracker.intervals.get(measure.name)
    return replace(
        cell,
        text=cell.text if deviation is None else f"{cell.text} ± {shown(deviation, measure.unit)}",
        note="" if interval is None else " to ".join(shown(end, measure.unit) for end in interval),
    )


def _difference(pair: Comparison) -> str:
    low, high = pair.interval
    return f"{pair.difference:+.4g}, 95 % interval {low:+.4g} to {high:+.4g}"


def _chance(chance: tuple[float, str] | None) -> Cell:
    if chance is None:
        return Cell(text=NONE)
    return Cell(text=_probability(chance[0]), value=chance[0], note=chance[1])


def _probability(share: float) -> str:
    """In percent; a share of finitely many resampled test sets is never certain."""
    if share > 1 - _CERTAINTY:
        return f"> {100 * (1 - _CERTAINTY):g} %"
    return f"< {100 * _CERTAINTY:g} %" if share < _CERTAINTY else f"{100 * share:.1f} %"


def _cells(values: Sequence[float | None], measure: Measure) -> list[Cell]:
    return [
        Cell(text=shown(value, measure.unit), value=value, mark=mark)
        for value, mark in zip(values, marks(values, measure), strict=True)
    ]


def _rows(names: Sequence[str], columns: Sequence[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple((Cell(text=name), *cells) for name, *cells in zip(names, *columns, strict=True))
