"""All numbers of a report in full precision: tidy CSV files (one number a line) and one JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lockon.evaluation.assessment import Assessment
from lockon.evaluation.reports.csv_files import Row, write_csv
from lockon.evaluation.reports.official import write_official
from lockon.files import replacing

_WHICH = ("test_set", "protocol", "rules", "tracker")


def write_exports(assessments: Sequence[Assessment], origin: dict[str, str], folder: Path) -> list[Path]:
    """Write `report.json`, and the values of trackers, their parts, curves, comparisons and exclusions as CSV.

    What toolkits write of segmented objects is written as they do, in `official/TEST SET/TRACKER`.

    Args:
        assessments: what to write.
        origin: versions, date and what else says how the report came to be.
        folder: exists already.

    Raises:
        OutputError: a file cannot be written.
    """
    tables: dict[str, tuple[tuple[str, ...], Iterable[Row]]] = {
        "values": ((*_WHICH, "measure", "unit", "value", "deviation", "low", "high", "runs"), _values(assessments)),
        "sequences": ((*_WHICH, "sequence", "frames", "measure", "value"), _by_sequence(assessments)),
        "attributes": ((*_WHICH, "attribute", "measure", "value"), _by_attribute(assessments)),
        "objects": ((*_WHICH, "sequence", "object", "measure", "value"), _by_object(assessments)),
        "curves": ((*_WHICH, "plot", "x", "y"), _curves(assessments)),
        "comparisons": (
            (*_WHICH, "other", "measure", "difference", "low", "high", "probability"),
            _pairs(assessments),
        ),
        "exclusions": ((*_WHICH[:3], "sequence", "tracker", "reason"), _exclusions(assessments)),
    }
    paths = []
    for name, (header, rows) in tables.items():
        paths.append(folder / f"{name}.csv")
        write_csv(paths[-1], header, rows)
    for assessment in assessments:
        paths += write_official(assessment, folder / "official")
    paths.append(folder / "report.json")
    record = {"report": origin, "assessments": [plain(assessment) for assessment in assessments]}
    with replacing(paths[-1]) as part:
        part.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return paths


def plain(thing: Any) -> Any:
    """Data classes, mappings and arrays as JSON has them; null for what is not a finite number."""
    if is_dataclass(thing) and not isinstance(thing, type):
        return {field.name: plain(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, np.ndarray):
        return plain(thing.tolist())
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    if isinstance(thing, float | np.floating):
        return float(thing) if math.isfinite(thing) else None
    return thing.item() if isinstance(thing, np.generic) else thing


def _of(assessment: Assessment) -> tuple[str, str, str]:
    return assessment.test_set, assessment.protocol, assessment.rules


def _values(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for one in assessment.trackers:
            which = (*_of(assessment), one.tracker)
            for measure in assessment.measures:
                value, deviation = one.values.get(measure.name), one.deviations.get(measure.name)
                low, high = one.intervals.get(measure.name, (None, None))
                yield (*which, measure.name, measure.unit, value, deviation, low, high, one.runs)
            if one.frames_per_second is not None:
                yield (*which, "FPS", "fps", one.frames_per_second, None, None, None, one.runs)


def _by_sequence(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for tracker in assessment.trackers:
            for measure, values in tracker.by_sequence.items():
                for name, value in values.items():
                    yield (*_of(assessment), tracker.tracker, name, assessment.sequences.get(name), measure, value)


def _by_attribute(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for tracker in assessment.trackers:
            for measure, values in tracker.by_attribute.items():
                for name, value in values.items():
                    yield (*_of(assessment), tracker.tracker, name, measure, value)


def _by_object(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for tracker in assessment.trackers:
            for measure, sequences in tracker.by_object.items():
                for name, objects in sequences.items():
                    for number, value in objects.items():
                        yield (*_of(assessment), tracker.tracker, name, number, measure, value)


def _curves(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for tracker in assessment.trackers:
            for name, curve in tracker.curves.items():
                for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True):
                    yield (*_of(assessment), tracker.tracker, name, x, y)


def _pairs(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for pair in assessment.comparisons:
            which = (*_of(assessment), pair.tracker, pair.other, pair.measure)
            yield (*which, pair.difference, *pair.interval, pair.probability)


def _exclusions(assessments: Sequence[Assessment]) -> Iterator[Row]:
    for assessment in assessments:
        for one in assessment.exclusions:
            yield (*_of(assessment), one.sequence, one.tracker or "all", one.reason)
