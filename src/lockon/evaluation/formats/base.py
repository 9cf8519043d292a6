"""What every form of raw results is: a rule where its files lie, and one how such a file is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lockon.data.datasets.layout import is_hidden, subfolders
from lockon.data.testsets.base import TestSequence
from lockon.evaluation.tracks import MaskTrack, RegionTrack, Track

FromFile = Track | RegionTrack | MaskTrack
"""What one file says."""

NUMBERED_RUN = re.compile(r"(?P<name>.+)_(?P<run>\d{3})")
"""A name and the number of a repetition."""
COMPANIONS = ("_time", "_object_presence_scores", "_all_boxes", "_all_scores")
"""Ends of the names of files that lie beside those of the boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """Where one run of a tracker on one sequence lies."""

    tracker: str
    sequence: str
    """As the file is named; it may differ from the name in the test set."""
    path: Path
    """A file, or of masks a folder."""
    run: int = 0
    """Number that tells repetitions apart, as the files have it."""
    anchor: int | None = None
    """Frame in which the run starts, counted from 0 (multi-start); None elsewhere."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where files of results lie, and how one is read."""

    where: str
    """As help and messages show it."""
    find: Callable[[Path], Iterable[ResultFile]]
    """The files in a folder that look like results in this layout, of any sequence. One whose name can be taken in
    several ways is there several times, the likeliest first."""
    read: Callable[[ResultFile, TestSequence], FromFile]


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Files of one kind in a folder by name; none where it cannot be read."""
    try:
        names = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() == suffix and entry.is_file())
    except OSError:
        return []
    return [path for path in names if not is_hidden(path.name)]


def result_texts(folder: Path) -> list[Path]:
    """The text files of a folder without times and scores that lie beside them."""
    return [path for path in files_in(folder, ".txt") if not path.stem.endswith(COMPANIONS)]


def tracker_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """The folder itself, as that of one tracker, and all folders in it, by the tracker's name."""
    yield root.resolve().name, root
    for folder in subfolders(root):
        yield folder.name, folder
