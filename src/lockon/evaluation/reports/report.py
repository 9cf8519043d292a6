"""A report on disk: tables, plots, files of numbers, and the page that shows it all."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from lockon.data.testsets.base import TestSet
from lockon.evaluation.assessment import Assessment
from lockon.evaluation.reports.exports import write_exports
from lockon.evaluation.reports.origins import Origin, origin_table
from lockon.evaluation.reports.page import Part, render_page
from lockon.evaluation.reports.pictures import MOST_BYTES, moment_pictures
from lockon.evaluation.reports.plots.canvas import require_matplotlib, save
from lockon.evaluation.reports.plots.drawing import MOST_TRACKERS, plots_of
from lockon.evaluation.reports.plots.styles import Style, tracker_styles
from lockon.evaluation.reports.stories import AnyTrack, Story, tell
from lockon.evaluation.reports.tables import (
    Table,
    attribute_table,
    comparison_table,
    exclusion_table,
    kind,
    overview_table,
    ranking,
    rules_tables,
    sequence_table,
)
from lockon.evaluation.reports.text import as_latex, as_markdown
from lockon.evaluation.tracks import Results
from lockon.files import make_folder, replacing

PAGE = "index.html"
_VERSIONS = ("lockon", "numpy", "torch", "matplotlib", "Pillow")
_NOT_IN_FILES = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One test set, the results on it, and what protocols made of them."""

    test_set: TestSet
    results: Results
    assessments: tuple[Assessment, ...]
    """Under one or several sets of rules."""
    origins: tuple[Origin, ...] = ()
    """Of the results of every tracker."""
    remarks: tuple[str, ...] = ()
    """What else a reader should know, such as rules that reject the results."""


def write_report(
    assessed: Sequence[Assessed],
    folder: Path,
    *,
    command: str = "",
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Path]:
    """Write everything into a folder, made if need be, and give the files; the page comes first.

    Args:
        assessed: one a test set.
        folder: where to; what is there of an earlier report is replaced.
        command: what was typed to make it, if anything.
        progress: told how many test sets are done, of how many.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: something cannot be written.
    """
    require_matplotlib()
    make_folder(folder)
    all_assessments = [assessment for one in assessed for assessment in one.assessments]
    styles = tracker_styles(tracker.tracker for one in all_assessments for tracker in ranking(one))
    origin = report_origin(command)
    parts, paths = [], [folder / PAGE]
    for done, one in enumerate(assessed):
        progress(done, len(assessed))
        part, files = _part(one, styles, folder, MOST_BYTES // len(assessed))
        parts.append(part)
        paths += files
    progress(len(assessed), len(assessed))
    tables = [table for one in assessed for table in text_tables(one)]
    paths += [
        _write(folder / "tables.md", "\n".join(as_markdown(table) for table in tables)),
        _write(folder / "tables.tex", "\n".join(as_latex(table) for table in tables)),
        *write_exports(all_assessments, origin, folder),
    ]
    _write(paths[0], render_page(parts, origin, styles))
    return paths


def text_tables(assessed: Assessed) -> list[Table]:
    """Every table of a test set, as the text files have them."""
    tables: list[Table | None] = []
    for one in assessed.assessments:
        tables += [
            overview_table(one),
            comparison_table(one),
            attribute_table(one, assessed.test_set.attributes),
            sequence_table(one, one.measures[0]),
            exclusion_table(one),
        ]
    tables += rules_tables(assessed.assessments)
    if assessed.origins:
        tables.append(origin_table(assessed.origins))
    return [table for table in tables if table is not None]


def report_origin(command: str) -> dict[str, str]:
    """Date, versions and machine."""
    versions = ", ".join(f"{name} {version}" for name in _VERSIONS if (version := _version(name)))
    return {
        "Made": datetime.now(UTC).isoformat(timespec="seconds"),
        "Versions": f"{versions}, Python {platform.python_version()}",
        "System": platform.platform(),
        **({"Command": command} if command else {}),
    }


def stories_of(assessed: Assessed) -> tuple[Story, ...]:
    """A story for every sequence that counts, from the first run of every tracker on it."""
    best_first = (tracker.tracker for one in assessed.assessments for tracker in ranking(one))
    order = [name for name in dict.fromkeys(best_first) if name in assessed.results]
    stories = []
    for sequence in assessed.test_set.sequences:
        if any(sequence.name in one.sequences for one in assessed.assessments):
            tracks = {name: track for name in order if (track := _first_track(assessed.results, name, sequence.name))}
            stories.append(tell(sequence, tracks))
    return tuple(story for story in stories if story is not None)


def _first_track(results: Results, tracker: str, sequence: str) -> AnyTrack | None:
    found = next((run[sequence] for run in results.get(tracker, ()) if sequence in run), None)
    return None if isinstance(found, Mapping) else found


def _part(assessed: Assessed, styles: Mapping[str, Style], folder: Path, most_bytes: int) -> tuple[Part, list[Path]]:
    plots: dict[str, list[tuple[str, str, str]]] = {}
    paths = []
    for assessment in assessed.assessments:
        place = folder / "plots" / _file_name(assessment.test_set) / _file_name(kind(assessment))
        make_folder(place)
        drawn = plots.setdefault(kind(assessment), [])
        for name, title, make in plots_of(assessment, styles):
            path = place / _file_name(name)
            drawn.append((name, title, save(make(), path)))
            paths += [path.with_name(f"{path.name}.svg"), path.with_name(f"{path.name}.png")]
    stories = stories_of(assessed)
    part = Part(
        title=assessed.test_set.title,
        assessments=assessed.assessments,
        attributes=assessed.test_set.attributes,
        plots=plots,
        stories=stories,
        pictures=moment_pictures(stories, styles, most_bytes),
        origins=assessed.origins,
        remarks=(*assessed.remarks, *_left_out_of_plots(assessed)),
    )
    return part, paths


def _left_out_of_plots(assessed: Assessed) -> list[str]:
    count = max(len(one.trackers) for one in assessed.assessments)
    return [f"Plots show the best {MOST_TRACKERS} of {count} trackers."] if count > MOST_TRACKERS else []


def _file_name(name: str) -> str:
    return _NOT_IN_FILES.sub("_", name)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _write(path: Path, text: str) -> Path:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
