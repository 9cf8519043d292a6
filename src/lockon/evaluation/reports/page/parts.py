"""Pieces of HTML. Every text that comes from outside goes through `escape`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from lockon.evaluation.reports.plots.styles import GRID, INK, PAPER, Style
from lockon.evaluation.reports.tables import Cell, Table
from lockon.evaluation.reports.text import text_columns

_NOT_IN_ANCHORS = re.compile(r"[^A-Za-z0-9.-]")
_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_THEMED = {INK: "var(--ink)", GRID: "var(--line)", PAPER: "var(--card)"}

FirstCell = Callable[[Cell], str]


def anchor(*words: str) -> str:
    """An identifier for a place on the page; different words give different ones."""
    return "-".join(_NOT_IN_ANCHORS.sub(lambda found: f"_{ord(found[0]):x}_", word) for word in words)


def table_html(table: Table, first_cell: FirstCell) -> str:
    """A table that can be sorted.

    Args:
        table: what it shows.
        first_cell: HTML of what names a row.
    """
    words = text_columns(table)
    heads = "".join(
        f'<th scope="col"{_class("words" if is_words else "")}><button type="button">{escape(name)}</button></th>'
        for name, is_words in zip(table.columns, words, strict=True)
    )
    rows = "".join(
        f"<tr>{_first(row[0], first_cell)}"
        + "".join(_cell(cell, is_words) for cell, is_words in zip(row[1:], words[1:], strict=True))
        + "</tr>\n"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table class="data"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>{bullets(table.notes)}"
    )


def bullets(lines: Sequence[str]) -> str:
    """A list of remarks; nothing where there are none."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="notes">{items}</ul>' if items else ""


def card(title: str, *content: str, extra: str = "") -> str:
    """A framed part of the page."""
    return f'<div class="card{extra}"><h3>{escape(title)}</h3>{"".join(content)}</div>\n'


def swatch(style: Style) -> str:
    """A small line that looks like the tracker in the plots."""
    return (
        f'<svg class="swatch" viewBox="0 0 24 12" aria-hidden="true"><line x1="0" x2="24" y1="6" y2="6" '
        f'stroke="{style.colour}" stroke-width="3" stroke-dasharray="{dash(style)}"/></svg>'
    )


def dash(style: Style) -> str:
    """Dashes of a tracker's line as SVG has them."""
    return "none" if isinstance(style.line, str) else " ".join(f"{2 * length:g}" for length in style.line[1])


def tracker_cell(styles: Mapping[str, Style]) -> FirstCell:
    """Names of trackers with their swatches."""
    return lambda cell: (swatch(styles[cell.text]) if cell.text in styles else "") + escape(cell.text)


def plot_html(svg: str, title: str, *, wide: bool) -> str:
    """A figure of matplotlib in the colours of the page."""
    text = _METADATA.sub("", _PROLOGUE.sub("", svg, count=1))
    for colour, themed in _THEMED.items():
        text = text.replace(colour, themed)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return f'<figure class="card{" wide" if wide else ""}">{text}</figure>\n'


def _first(cell: Cell, first_cell: FirstCell) -> str:
    return f'<td class="words">{first_cell(cell)}</td>'


def _cell(cell: Cell, is_words: bool) -> str:
    value = "" if cell.value is None or cell.value != cell.value else f' data-value="{cell.value!r}"'
    note = f"<small>{escape(cell.note)}</small>" if cell.note else ""
    kind = _class(cell.mark or ("words" if is_words else ""))
    return f"<td{kind}{value}><span>{escape(cell.text)}</span>{note}</td>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
