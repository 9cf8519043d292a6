"""Facts about the benchmarks, one JSON file each: sequences in order, their lengths, attributes and odd names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a sequence before anything is read."""

    name: str
    frames: int | None = None
    """How many are annotated; None where that is not known."""
    first: int = 1
    """Number of the first annotated image."""
    digits: int | None = None
    """Of the names of images, where they differ from the other sequences'."""
    folder: str | None = None
    """Of the images, where it is not called as the sequence."""
    annotation: str | None = None
    """Name of the annotation file, where it differs from the other sequences'."""
    absent: int | None = None
    """Frames in which the target is not visible by the benchmark's flags, or has no box; None where not known."""
    flat: int | None = None
    """Boxes without area; None where not known."""
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All sequences of a benchmark."""

    attributes: Mapping[str, str]
    """Short and long names."""
    entries: tuple[Entry, ...]

    @property
    def frames(self) -> int | None:
        """Annotated frames in all; None where they are not known."""
        lengths = [entry.frames for entry in self.entries if entry.frames is not None]
        return sum(lengths) if len(lengths) == len(self.entries) else None


@cache
def table(name: str) -> Table:
    """The table of a benchmark."""
    content = json.loads((resources.files(__name__) / f"{name}.json").read_text(encoding="utf-8"))
    entries = tuple(
        Entry(**{**fields, "attributes": frozenset(fields.get("attributes", "").split())})
        for fields in content["sequences"]
    )
    return Table(attributes=content["attributes"], entries=entries)
