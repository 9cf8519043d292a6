"""Tables as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from lockon.files import replacing

Row = tuple[str | int | float | None, ...]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a heading and rows.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
