"""What checks of data found, on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage
from rich.console import Console
from rich.table import Table

from lockon.data.datasets.base import SequenceDataset
from lockon.data.datasets.check import Finding, grouped
from lockon.data.datasets.contact_sheet import contact_sheet
from lockon.data.datasets.folder_layout import CHECK_PICTURE
from lockon.files import make_folder, replacing

EXAMPLES = 3
"""Findings of a kind that are printed; the JSON report holds all."""


def print_summary(rows: Sequence[tuple[str, str]]) -> None:
    """Print what there is, a name and a text in each row."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for name, text in rows:
        table.add_row(name, text)
    Console(soft_wrap=True).print(table)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print what is wrong by kind, and how many errors and warnings there are."""
    for severity, kind, some in grouped(findings):
        print(f"{severity}: {kind}, {len(some)}×")
        for finding in some[:EXAMPLES]:
            print(f"  {_line(finding)}")
        if len(some) > EXAMPLES:
            print("  …")
    errors = sum(finding.severity == "error" for finding in findings)
    print(f"errors: {errors}, warnings: {len(findings) - errors}")


def counts(numbers: dict[str, int], most: int = 6) -> str:
    """Numbers by name in one line, the first of them only where there are many."""
    if not numbers:
        return "none"
    shown = ", ".join(f"{name} {count}" for name, count in list(numbers.items())[:most])
    return shown if len(numbers) <= most else f"{shown}, … ({len(numbers)} in all)"


def write_check(dataset: SequenceDataset, content: dict[str, Any], folder: Path) -> None:
    """Write a picture of some frames with their boxes, and all that was found as JSON, and print where.

    Raises:
        OutputError: they cannot be written.
    """
    picture = folder / f"{dataset.name.replace('/', '_')}{CHECK_PICTURE}"
    record = picture.with_suffix(".json")
    make_folder(folder)
    if len(dataset):
        with replacing(picture) as part:
            PillowImage.fromarray(contact_sheet(dataset)).save(part, "PNG")
        print(f"frames with boxes: {picture}")
    with replacing(record) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"report: {record}")


def _line(finding: Finding) -> str:
    frames = ""
    if finding.frames:
        numbers = ", ".join(map(str, finding.frames[:EXAMPLES]))
        frames = f" (frame {numbers}{', …' if len(finding.frames) > EXAMPLES else ''})"
    named = "" if not finding.sequence or finding.sequence in finding.text else f"{finding.sequence}: "
    return f"{named}{finding.text}{frames}"
