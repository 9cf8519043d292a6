"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

_WIDE = 200
"""Columns of a table that goes to a file."""


def table_console() -> Console:
    """Standard output; what goes to a file or another program is not folded to the width of a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
