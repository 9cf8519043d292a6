"""What a tracker looks like: one colour, line and marker in every plot of a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = ("#237baa", "#db960a", "#d12964", "#28a69b", "#7059cf", "#e1745d")
"""Told apart by readers with any kind of colour vision, and seen on white as on near black."""
LINES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (1.2, 1.2)),
    (0, (6, 1.4, 1.2, 1.4)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")

INK, GRID, PAPER = "#1b1f24", "#d4d9df", "#fefefe"
"""Text and axes, lines behind the data, and ground; the page replaces them by its own."""


@dataclass(frozen=True, slots=True)
class Style:
    """Of one tracker."""

    colour: str
    line: str | tuple[int, tuple[float, ...]]
    marker: str


def tracker_styles(trackers: Iterable[str]) -> dict[str, Style]:
    """A style for each tracker: colours first, then dashes; 24 trackers look different, 120 with markers."""
    return {
        name: Style(
            colour=COLOURS[index % len(COLOURS)],
            line=LINES[index // len(COLOURS) % len(LINES)],
            marker=MARKERS[index % len(MARKERS)],
        )
        for index, name in enumerate(dict.fromkeys(trackers))
    }
