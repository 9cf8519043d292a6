"""What a test set at its distributed layout is: how it is found, and what a whole copy of it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from lockon.data.datasets.layout import check_options, subfolders
from lockon.data.testsets.base import TestSequence, TestSet
from lockon.data.testsets.tables import Entry
from lockon.errors import DataError
from lockon.files import user_path

DOCUMENT = "docs/test_sets.md"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a folder."""

    sequences: tuple[TestSequence, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    """Sequences that should be there and cannot be used, each with the reason."""
    notes: tuple[str, ...] = ()
    """What else a reader of numbers should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A test set before it is opened."""

    name: str
    """Of the test set, such as "otb100"."""
    title: str
    """As in papers."""
    protocol: str
    """How it is evaluated by default; a name in `lockon.evaluation.protocols`."""
    layout: str
    """Where annotations and images lie below the root, in one line."""
    marks: tuple[str, ...]
    """Patterns of which one at least matches something below the root where the test set lies."""
    find: Callable[..., Found]
    """Called with the root and options."""
    sequences: int | None = None
    """In a whole copy; None where that is the user's affair."""
    frames: int | None = None
    """In a whole copy that can be evaluated; None where it is not known."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Short and long names of the attributes of sequences."""
    entries: tuple[Entry, ...] = ()
    """What is known of each sequence, where a table has it."""
    is_cut: bool = False
    """Whether sequences are parts of longer videos, so that there may be images without annotation."""

    def fits(self, root: Path) -> bool:
        """Whether something of the test set lies in a folder."""
        return any(next(root.glob(mark), None) is not None for mark in self.marks)

    def open(self, root: str | Path, **options: Any) -> TestSet:
        """Read the annotation and find the images.

        Raises:
            DataError: nothing of it is there, or an option is not known.
        """
        root = user_path(root)
        check_options(self.name, options, list(signature(self.find).parameters)[1:])
        if not root.is_dir():
            raise DataError(f"there is no folder '{root}'; give the one in which {self.title} lies.")
        if not self.fits(root):
            raise self._not_there(root)
        found = self.find(root, **options)
        if not found.sequences:
            reason = "{}: {}".format(*found.excluded[0]) if found.excluded else "It names no sequence."
            raise DataError(f"nothing of {self.title} in '{root}' can be used. {reason}")
        return TestSet(
            name=self.name,
            title=self.title,
            sequences=found.sequences,
            protocol=self.protocol,
            attributes=self.attributes,
            excluded=found.excluded,
            notes=found.notes,
        )

    def _not_there(self, root: Path) -> DataError:
        above = [path for path in root.absolute().parents[:2] if path != path.parent]
        place = next((path for path in (*subfolders(root), *above) if self.fits(path)), None)
        hint = f"Give '{place}', where it seems to be" if place else f"Expected {self.layout}"
        return DataError(f"{self.title} does not lie in '{root}'. {hint}; {DOCUMENT} describes the layout.")


def gather(items: Iterable[Item], name: Callable[[Item], str], read: Callable[[Item], TestSequence]) -> Found:
    """Read sequences one by one; those that cannot be read are excluded with the reason, as is a second of a name.

    Args:
        items: what is known of each.
        name: its name.
        read: raises `DataError` where it cannot be used.
    """
    sequences, excluded = [], []
    times: Counter[str] = Counter()
    for item in items:
        times[name(item)] += 1
        if times[name(item)] > 1:
            excluded.append((name(item), "the name is given twice; the first sequence of this name is used."))
            continue
        try:
            sequences.append(read(item))
        except DataError as error:
            excluded.append((name(item), str(error)))
    return Found(tuple(sequences), tuple(excluded))
