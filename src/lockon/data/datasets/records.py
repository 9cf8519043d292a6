"""What the reader of a data set finds, before it is indexed: clips, their targets, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

IssueKind = Literal["left out", "hidden", "frames", "boxes"]
"""A sequence that cannot be used; one that shows its target in no frame; frames and annotation that differ in number;
boxes without area."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong with a data set that does not keep the rest of it from being used."""

    sequence: str
    kind: IssueKind
    count: int
    """Sequences, frames or boxes that are lost by it."""
    text: str


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The image files of a clip: a pattern, and what stands in its one gap for each frame."""

    pattern: str
    """Path below the root of the data set as printf writes it, `%08d` or `%s` in the last part."""
    keys: NDArray[np.int64] | tuple[str, ...]
    """Frame numbers for a pattern with `%d`, whole file names for `%s`."""

    @classmethod
    def of_names(cls, folder: str, names: Sequence[str]) -> FrameFiles:
        """Files of one folder by their names, in the order given; numbered ones are recognised."""
        prefix = literal(folder) + "/" if folder else ""
        numbered = _numbering(names)
        if numbered is None:
            return cls(f"{prefix}%s", tuple(names))
        form, numbers = numbered
        return cls(prefix + form, numbers)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: NDArray[np.int64]) -> FrameFiles:
        """The files of some frames."""
        if isinstance(self.keys, tuple):
            return FrameFiles(self.pattern, tuple(self.keys[row] for row in rows))
        return FrameFiles(self.pattern, self.keys[rows])


def literal(text: str) -> str:
    """Text as part of a printf pattern that means just this text."""
    return text.replace("%", "%%")


def _numbering(names: Sequence[str]) -> tuple[str, NDArray[np.int64]] | None:
    """The printf pattern of file names and their numbers; None where there is no such pattern."""
    parts = [re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", name) for name in names]
    if not parts or None in parts:
        return None
    digits = [part[2] for part in parts if part]
    width = min(map(len, digits))
    alike = len({(part[1], part[3]) for part in parts if part}) == 1
    padded = all(len(number) == width or number[0] != "0" for number in digits)
    numbers = np.array([int(number) for number in digits])
    if not (alike and padded and numbers.max() < 2**31):
        return None
    prefix, suffix = parts[0][1], parts[0][3]  # type: ignore[index]
    return f"{literal(prefix)}%0{width}d{literal(suffix)}", numbers


@dataclass(frozen=True, slots=True)
class MaskFiles:
    """One image of labels a frame, named by the numbers of the frames."""

    pattern: str
    """As in `FrameFiles`, with `%d`."""
    label: int
    """Of the target's pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One target in one clip."""

    name: str
    category: str | None
    frames: FrameFiles
    boxes: Float[np.ndarray, "frames 4"]
    """`(x, y, w, h)` in pixels as annotated; those without area will be NaN in the index."""
    visible: Bool[np.ndarray, "frames"]
    """What the annotation says, whether or not the box has an area."""
    masks: MaskFiles | tuple[str, ...] | None = None
    """Files of labels, or one text a frame as `lockon.data.datasets.segmentation` reads it."""
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of a data set that is read at one go, one video as a rule."""

    name: str
    read: Callable[[], Iterable[Record | Issue]]
    """Raises DataError where nothing of the clip can be used."""
    paths: tuple[Path, ...] = ()
    """Where something changes when what is wrong with the clip is put right."""


@dataclass(frozen=True, slots=True)
class Scan:
    """All clips of a split, in an order that does not depend on the file system."""

    clips: Sequence[Clip]
    watched: tuple[Path, ...]
    """Files and folders: when size or time of change of one of them is another, the index is out of date."""
    is_video: bool = True
    """False where every clip is a single image."""
