"""Puts the page together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

from lockon.evaluation.assessment import Assessment
from lockon.evaluation.reports.origins import Origin, origin_table
from lockon.evaluation.reports.page.drilldown import Pictures, story_data, story_html
from lockon.evaluation.reports.page.filters import filtered_by_name, filtered_sequences
from lockon.evaluation.reports.page.parts import anchor, bullets, card, plot_html, table_html, tracker_cell
from lockon.evaluation.reports.plots.styles import Style
from lockon.evaluation.reports.stories import Story
from lockon.evaluation.reports.tables import (
    Cell,
    Table,
    attribute_table,
    comparison_table,
    exclusion_table,
    kind,
    object_table,
    overview_table,
    rules_tables,
    sequence_table,
)

_WIDE_PLOTS = ("attribute_bars", "sequence_map")
_DRILL_DOWN = (
    "Click a sequence for its overlap over frames and its worst moments: the frames from which on trackers stay "
    "below an overlap of 0.1 longest, with the annotation in white and the trackers in their colours. Overlap is "
    "intersection over union of the boxes around annotation and result of each tracker's first run, as stored; the "
    "scores above follow their rules."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the page shows of one test set."""

    title: str
    """As in papers."""
    assessments: tuple[Assessment, ...]
    """The same results, under one or several sets of rules."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Long names of attributes."""
    plots: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    """By kind of assessment: name, title and SVG of every plot."""
    stories: tuple[Story, ...] = ()
    pictures: Pictures = field(default_factory=dict)
    origins: tuple[Origin, ...] = ()
    """Of the results of every tracker."""
    remarks: tuple[str, ...] = ()
    """What else is to be said, such as rules that reject the results."""


def render_page(parts: Sequence[Part], origin: Mapping[str, str], styles: Mapping[str, Style]) -> str:
    """The whole page.

    Args:
        parts: one a test set.
        origin: versions, date and what else says how the report came to be.
        styles: of every tracker.
    """
    links = "".join(f'<a href="#{anchor("set", part.title)}">{escape(part.title)}</a>' for part in parts)
    facts = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in origin.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Tracking report</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n"
        f'<header class="top"><h1>Tracking report</h1><nav>{links}<a href="#origin">Origin</a></nav>'
        '<button type="button" id="theme">Light / dark</button></header>\n<main>\n'
        + "".join(_section(part, styles) for part in parts)
        + f'<section id="origin"><h2>Origin</h2><ul class="notes">{facts}</ul></section>\n'
        f"</main>\n<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _section(part: Part, styles: Mapping[str, Style]) -> str:
    place, data = anchor("set", part.title), anchor("stories", part.title)
    first, named = part.assessments[0], tracker_cell(styles)
    facts = f"{first.protocol}, {len(first.sequences)} sequences, {sum(first.sequences.values())} frames"
    origins = origin_table(part.origins)
    side_by_side = "".join(card(table.title, table_html(table, named)) for table in rules_tables(part.assessments))
    return "".join(
        [
            f'<section id="{place}" data-stories="{data}">\n<h2>{escape(part.title)}</h2>',
            f'<p class="facts">{escape(facts)}</p>\n',
            _choice(part) if len(part.assessments) > 1 else "",
            *(_under_rules(part, one, styles, hidden=one is not first) for one in part.assessments),
            f'<div class="tables">{side_by_side}</div>\n' if side_by_side else "",
            card("Remarks", bullets(part.remarks)) if part.remarks else "",
            card(origins.title, table_html(origins, named)) if part.origins else "",
            _drill_down(part, styles),
            f'<script type="application/json" id="{data}">{story_data(part.stories, styles)}</script>\n</section>\n',
        ]
    )


def _choice(part: Part) -> str:
    buttons = "".join(
        f'<button type="button" aria-pressed="{str(number == 0).lower()}" '
        f'data-shows="{anchor("rules", part.title, kind(one))}">{escape(kind(one))}</button>'
        for number, one in enumerate(part.assessments)
    )
    return f'<div class="tools choice">Rules of {buttons}</div>\n'


def _under_rules(part: Part, assessment: Assessment, styles: Mapping[str, Style], *, hidden: bool) -> str:
    """Everything that one set of rules makes of the results."""
    named, place = tracker_cell(styles), anchor("rules", part.title, kind(assessment))
    overview, comparisons = overview_table(assessment), comparison_table(assessment)
    attributes = attribute_table(assessment, part.attributes)
    sequences, objects = sequence_table(assessment, assessment.measures[0]), object_table(assessment)
    drawn = part.plots.get(kind(assessment), ())
    plots = "".join(plot_html(svg, title, wide=name in _WIDE_PLOTS) for name, title, svg in drawn)
    return "".join(
        [
            f'<div class="rules" id="{place}"{" hidden" if hidden else ""}>\n',
            card(overview.title, table_html(overview, named)),
            card(comparisons.title, table_html(comparisons, named)) if comparisons else "",
            f'<div class="plots">{plots}</div>\n',
            card(attributes.title, table_html(attributes, named)) if attributes else "",
            _by_sequence(sequences, part) if sequences else "",
            _by_name(objects) if objects else "",
            _excluded(assessment),
            card("Notes", bullets(assessment.notes)) if assessment.notes else "",
            "</div>\n",
        ]
    )


def _by_sequence(table: Table, part: Part) -> str:
    told = {story.sequence.name for story in part.stories}

    def linked(cell: Cell) -> str:
        if cell.text not in told:
            return escape(cell.text)
        return f'<a href="#{anchor("sequence", part.title, cell.text)}">{escape(cell.text)}</a>'

    return filtered_sequences(table.title, table_html(table, linked))


def _excluded(assessment: Assessment) -> str:
    table = exclusion_table(assessment)
    if table is None:
        return card("What does not count", '<p class="facts">Nothing was left out.</p>')
    return _by_name(table)


def _by_name(table: Table) -> str:
    return filtered_by_name(table.title, table_html(table, lambda cell: escape(cell.text)))


def _drill_down(part: Part, styles: Mapping[str, Style]) -> str:
    if not part.stories:
        return ""
    stories = "".join(story_html(story, part.title, styles, part.pictures) for story in part.stories)
    return card("Sequences", f'<p class="facts">{escape(_DRILL_DOWN)}</p>', stories)
