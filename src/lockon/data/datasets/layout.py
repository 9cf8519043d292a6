"""What the readers share: tables of numbers, lines paired with frames, lists of splits, errors about folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from lockon.data.datasets.annotations.base import read_text as read_user_text
from lockon.data.datasets.records import Clip, FrameFiles, Issue, Record
from lockon.data.image_reading import image_names
from lockon.errors import DataError, UnknownNameError
from lockon.files import lockon_home

_ARCHIVES = ("*.zip", "*.tar", "*.tar.gz", "*.tgz")


def check_split(dataset: str, split: str, splits: Iterable[str]) -> None:
    """Check that a data set has a split.

    Raises:
        UnknownNameError: it has not; the message names those it has.
    """
    if split not in splits:
        raise UnknownNameError(f"split of {dataset}", split, splits)


def check_options(dataset: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check that a data set has the options that are given.

    Raises:
        DataError: it has not; the message names those it has.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise DataError(f"{dataset} has no option '{name}'; its options: {', '.join(names) or 'none'}.")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: archives that a Mac made bring a folder of shadows along."""
    return name.startswith(".") or name == "__MACOSX"


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not is_hidden(entry.name))
    except OSError:
        return []


def read_text(path: Path) -> str:
    """An annotation file as text.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_user_text(path)
    except DataError as error:
        raise DataError(f"{error} Copy or extract this part again.") from error


def read_numbers(path: Path) -> Float[np.ndarray, "count"]:
    """All numbers of a text file, between commas, blanks or line ends.

    Raises:
        DataError: it cannot be read, or holds something else.
    """
    words = read_text(path).replace(",", " ").split()
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"'{path}' should hold numbers only: {error}.") from error


def read_table(path: Path, columns: int) -> Float[np.ndarray, "lines columns"]:
    """Numbers in lines of equal length.

    Raises:
        DataError: the file cannot be read or is empty, or a line has another number of numbers.
    """
    lines = read_text(path).replace(",", " ").strip().splitlines()
    if not lines:
        raise DataError(f"'{path}' is empty. Copy or extract this part again.")
    words = [line.split() for line in lines]
    bad = next((number for number, line in enumerate(words, start=1) if len(line) != columns), None)
    if bad is not None:
        raise DataError(f"'{path}', line {bad}: expected {columns} numbers, got '{lines[bad - 1]}'.")
    try:
        return np.array([[float(word) for word in line] for line in words]).reshape(-1, columns)
    except ValueError as error:
        raise DataError(f"'{path}' should hold numbers only: {error}.") from error


def list_frames(root: Path, folder: str) -> FrameFiles:
    """The images in a folder below the root.

    Raises:
        DataError: the folder is missing or has no images.
    """
    names = image_names(root / folder)
    if not names:
        raise DataError(f"'{root / folder}' has no images. Copy or extract this part again.")
    return FrameFiles.of_names(folder, names)


def line_record(
    *,
    name: str,
    category: str | None,
    frames: FrameFiles,
    first: int,
    boxes: Float[np.ndarray, "lines 4"],
    seen: tuple[Bool[np.ndarray, "_"], ...] = (),
) -> Record:
    """A target that is annotated in one line a frame.

    Where there are more lines than images, or the other way round, the frames that have both are kept.

    Args:
        name, category: of the sequence.
        frames: all images of the clip.
        first: number of the image that the first line is for.
        boxes: one a line.
        seen: labels, one a line, that all have to be true where the target is visible.
    """
    lines = min(len(boxes), *map(len, seen)) if seen else len(boxes)
    rows = _lines_of_frames(frames, lines, first)
    kept = np.flatnonzero((rows >= 0) & (rows < lines))
    visible = np.ones(lines, bool)
    for labels in seen:
        visible &= labels[:lines]
    lengths = [len(boxes), *map(len, seen), len(frames)]
    issues: tuple[Issue, ...] = ()
    if {len(kept)} != set(lengths):
        given = f"{lengths[0]} boxes, " + "".join(f"{length} labels, " for length in lengths[1:-1])
        text = f"'{name}' has {given}{lengths[-1]} images; the {len(kept)} frames that have all are used."
        issues = (Issue(name, "frames", max(lengths) - len(kept), text),)
    rows = rows[kept]
    return Record(
        name=name,
        category=category,
        frames=frames.take(kept),
        boxes=boxes[rows],
        visible=visible[rows],
        issues=issues,
    )


def _lines_of_frames(frames: FrameFiles, lines: int, first: int) -> NDArray[np.int64]:
    """Which line each image belongs to: by its number, or by its place where the numbers start elsewhere."""
    keys = frames.keys
    if isinstance(keys, tuple) or not len(keys):
        return np.arange(len(keys))
    whole = len(keys) == lines and keys[-1] - keys[0] == lines - 1
    return keys - (keys[0] if whole or keys[0] < first else first)


def split_list(root: Path, name: str, dataset: str, what: str) -> Path:
    """A list of a split that Lockon does not bring along: the user's file in the data set or in the home of Lockon.

    Raises:
        DataError: it is in neither.
    """
    places = (root / name, lockon_home() / "splits" / name)
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"this split of {dataset} is defined by the file '{name}' ({what}), which does not come with Lockon. "
        f"Put it in '{places[0].parent}' or '{places[1].parent}'."
    )


def absent(dataset: str, count: int, text: str, paths: tuple[Path, ...]) -> list[Clip]:
    """One clip that stands for all that a data set lacks, or none where it lacks nothing."""
    issue = Issue(dataset, "left out", count, text)
    return [Clip(dataset, lambda: (issue,), paths)] if count else []


def wrong_layout(dataset: str, root: Path, marker: str, fits: Callable[[Path], bool]) -> DataError:
    """The error for a folder in which a data set does not lie, with a hint where it does.

    Args:
        dataset: name of the reader.
        root: the folder given.
        marker: what there should be in it.
        fits: whether the data set lies in another folder.
    """
    places = (root.parent, root.parent.parent, *subfolders(root))
    place = next((path for path in places if fits(path)), None)
    if place:
        hint = f"Give '{place}', which has it."
    elif any(next(root.glob(pattern), None) for pattern in _ARCHIVES):
        hint = "Extract the archives in it first."
    else:
        hint = "Give the folder that has it, and see docs/datasets.md for the layout."
    return DataError(f"{dataset} does not lie in '{root}': there is no {marker}. {hint}")
