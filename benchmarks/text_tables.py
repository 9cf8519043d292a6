"""Tables of text, for the terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text; the first column names the line, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def for_terminal(self) -> Table:
        """The table as rich draws it."""
        table = Table(*self.columns, title=self.title)
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.justify = "right"
        for line in self.lines:
            table.add_row(*line)
        return table

    def as_markdown(self) -> str:
        """The table in Markdown, under its title."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        rows = "\n".join("| " + " | ".join(line) + " |" for line in (self.columns, rule, *self.lines))
        return f"**{self.title}**\n\n{rows}\n"
