"""Tables whose rows can be chosen; page.js does it."""

from __future__ import annotations

from collections.abc import Mapping

from lockon.evaluation.reports.page.parts import card

_NAME = '<input class="name" type="search" placeholder="name contains" aria-label="name contains">'
_COUNT = '<span class="count"></span>'
_KINDS: Mapping[str, str] = {
    "any": "all sequences",
    "some": "some tracker below",
    "best": "best tracker below",
    "spread": "spread above",
}
_LIMIT = '<input class="limit" type="number" step="any" value="50" aria-label="limit">'


def filtered_by_name(title: str, table: str) -> str:
    """A table of which rows can be found by name."""
    return card(title, f'<div class="tools">{_NAME}{_COUNT}</div>', table, extra=" filtered")


def filtered_sequences(title: str, table: str) -> str:
    """A table of sequences, to be found by name and by how well trackers did on them."""
    options = "".join(f'<option value="{kind}">{text}</option>' for kind, text in _KINDS.items())
    kinds = f'<select class="kind" aria-label="which sequences">{options}</select>'
    return card(title, f'<div class="tools">{_NAME}{kinds}{_LIMIT}{_COUNT}</div>', table, extra=" filtered")
