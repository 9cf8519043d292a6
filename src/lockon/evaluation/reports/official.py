"""The files that toolkits of video object segmentation write of a tracker, name by name and column by column.

Those of davis2017-evaluation, and of pytracking for the held-out videos of YouTube-VOS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from lockon.evaluation.assessment import Assessment, TrackerAssessment
from lockon.evaluation.reports.csv_files import Row, write_csv
from lockon.files import make_folder

_J = {"J-Mean": "J", "J-Recall": "J recall", "J-Decay": "J decay"}
_F = {"F-Mean": "F", "F-Recall": "F recall", "F-Decay": "F decay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Two files: one row of the whole test set, and a row an object."""

    overall: str
    """File name."""
    by_object: str
    columns: Mapping[str, str]
    """Measures of the whole by the names of their columns."""
    object_columns: Mapping[str, str]


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "davis": _Form(
            overall="global_results-val.csv",
            by_object="per-sequence_results-val.csv",
            columns={"J&F-Mean": "J&F", **_J, **_F},
            object_columns={"J-Mean": "J", "F-Mean": "F"},
        ),
        "jjval": _Form(
            overall="jjval_global_results.csv",
            by_object="jjval_per-sequence_results.csv",
            columns=_J,
            object_columns={"J-Mean": "J"},
        ),
    }
)
"""By rules."""


def write_official(assessment: Assessment, folder: Path) -> list[Path]:
    """Write the files of every tracker into `folder/TEST SET/TRACKER`; none where no toolkit writes any.

    Raises:
        OutputError: a file cannot be written.
    """
    form = _FORMS.get(assessment.rules)
    if form is None:
        return []
    paths = []
    for tracker in assessment.trackers:
        place = folder / quote(assessment.test_set, safe="") / quote(tracker.tracker, safe=" ~=@+,")
        make_folder(place)
        overall = tuple(_rounded(tracker.values[measure]) for measure in form.columns.values())
        write_csv(place / form.overall, tuple(form.columns), [overall])
        write_csv(place / form.by_object, ("Sequence", *form.object_columns), _objects(tracker, form))
        paths += [place / form.overall, place / form.by_object]
    return paths


def _objects(tracker: TrackerAssessment, form: _Form) -> Iterator[Row]:
    measures: Sequence[str] = list(form.object_columns.values())
    for sequence, objects in tracker.by_object.get(measures[0], {}).items():
        for number in objects:
            values = (_rounded(tracker.by_object[measure][sequence][number]) for measure in measures)
            yield (f"{sequence}_{number}", *values)


def _rounded(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
