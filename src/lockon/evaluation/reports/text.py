"""Tables as text: Markdown, LaTeX, and for a terminal. Names may hold anything; what has a meaning is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from lockon.evaluation.reports.numbers import NONE, Mark
from lockon.evaluation.reports.tables import Cell, Table

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "…": r"\dots{}",
    "±": r"$\pm$",
    "↓": r"$\downarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_NARROWEST = 16
"""Letters that a name has room for, however narrow the terminal."""
_RICH_STYLES: dict[Mark | None, str] = {"best": "bold green", "second": "underline", None: ""}


def markdown_escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in one line."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", _one_line(text)).replace("\\&", "&amp;").replace("\\<", "&lt;")


def latex_escaped(text: str) -> str:
    """Text that LaTeX sets as it stands, in one line."""
    return "".join(_LATEX_SPECIAL.get(character, character) for character in _one_line(text))


def as_markdown(table: Table) -> str:
    """A pipe table under its title: best number bold, second underlined, notes below."""
    lines = [
        f"### {markdown_escaped(table.title)}",
        "",
        _markdown_row([markdown_escaped(name) for name in table.columns]),
        _markdown_row([":---" if is_text else "---:" for is_text in text_columns(table)]),
        *(_markdown_row([_markdown_cell(cell) for cell in row]) for row in table.rows),
    ]
    if table.notes:
        lines += ["", *(f"- {markdown_escaped(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def as_latex(table: Table) -> str:
    """A floating `table` for the package booktabs: best number bold, second underlined."""
    layout = "".join("l" if is_text else "r" for is_text in text_columns(table))
    rows = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{latex_escaped(table.title)}}}",
            f"  \\begin{{tabular}}{{{layout}}}",
            r"    \toprule",
            "    " + " & ".join(latex_escaped(name) for name in table.columns) + r" \\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def as_rich(table: Table) -> RichTable:
    """A table for a terminal: best number bold and green, second underlined."""
    made = RichTable(title=Text(table.title, style="bold"), box=box.SIMPLE_HEAD, title_justify="left")
    for index, (name, is_text) in enumerate(zip(table.columns, text_columns(table), strict=True)):
        made.add_column(
            Text(name),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
            min_width=min(_NARROWEST, max((len(row[index].text) for row in table.rows), default=0)),
        )
    for row in table.rows:
        made.add_row(*(Text(cell.text, style=_RICH_STYLES[cell.mark]) for cell in row))
    return made


def text_columns(table: Table) -> list[bool]:
    """Which columns hold words rather than numbers."""
    return [
        index == 0 or any(row[index].value is None and row[index].text != NONE for row in table.rows)
        for index in range(len(table.columns))
    ]


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell) -> str:
    text = markdown_escaped(cell.text)
    return {"best": f"**{text}**", "second": f"<u>{text}</u>", None: text}[cell.mark]


def _latex_cell(cell: Cell) -> str:
    text = latex_escaped(cell.text)
    return {"best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}", None: text}[cell.mark]


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
