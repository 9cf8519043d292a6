"""What results were made from: provenance, versions and dates, as the records beside them say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockon.data.testsets.base import TestSet
from lockon.errors import DataError
from lockon.evaluation.reports.tables import Cell, Table
from lockon.evaluation.store import ResultKey, ResultStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Of the results of one tracker."""

    tracker: str
    made: str
    """When, or from where they were imported."""
    facts: tuple[str, ...]
    """Each such as "torch: 2.13"; several values where results differ."""


def stored_origin(store: ResultStore, test_set: TestSet, tracker: str) -> Origin:
    """From the records of the first run of every sequence; a record that cannot be read is passed over here, since
    its result is an exclusion.
    """
    records = list(_records(store, test_set, tracker))
    dates = sorted(str(record.get("made", ""))[:10] for record in records)
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        for part in ("provenance", "environment"):
            for name, value in _flat(record.get(part) or {}):
                facts.setdefault(name, {})[value] = None
    return Origin(
        tracker=tracker,
        made=" to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else "",
        facts=tuple(f"{name}: {' / '.join(values)}" for name, values in facts.items()),
    )


def origin_table(origins: Iterable[Origin]) -> Table:
    """A row a tracker."""
    return Table(
        name="origins",
        title="What the results were made from",
        columns=("Tracker", "Made", "Made from"),
        rows=tuple(
            (Cell(text=one.tracker), Cell(text=one.made), Cell(text="; ".join(one.facts) or "not recorded"))
            for one in origins
        ),
    )


def _records(store: ResultStore, test_set: TestSet, tracker: str) -> Iterable[Mapping[str, Any]]:
    for sequence in test_set.sequences:
        try:
            record = store.record(ResultKey(test_set.name, tracker, 0, sequence.name))
        except DataError:
            continue
        if record is not None:
            yield record


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}", str(value)
