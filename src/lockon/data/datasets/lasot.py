"""LaSOT (Fan et al., CVPR 2019): 1,400 long videos of 70 classes; training set of protocol II."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import (
    absent,
    check_split,
    line_record,
    list_frames,
    read_numbers,
    read_table,
    read_text,
    split_list,
    subfolders,
    wrong_layout,
)
from lockon.data.datasets.records import Clip, Record, Scan
from lockon.data.testsets.tables import table
from lockon.errors import DataError

SPLITS = ("train", "train-train", "train-val")
_LISTS = {"train-train": "lasot_train_train_split.txt", "train-val": "lasot_train_val_split.txt"}
"""KeepTrack trains its association network on one part of the training set and validates on the other."""
_DEPTH = 3
"""Folders of classes may be missing, or lie in one folder each for every archive that was extracted."""


@cache
def names_of_test_set() -> frozenset[str]:
    """The 280 sequences of the test set, which is never trained on."""
    return frozenset(entry.name for entry in table("lasot").entries)


@cache
def _all_names() -> frozenset[str]:
    """Of the 1,400 sequences: 20 of every class, and every class has some in the test set."""
    classes = {name.rpartition("-")[0] for name in names_of_test_set()}
    return frozenset(f"{category}-{number}" for category in classes for number in range(1, 21))


def scan(root: Path, split: str) -> Scan:
    """Find the sequences of a split, wherever below the root their folders are."""
    check_split("lasot", split, SPLITS)
    folders = _sequence_folders(root, _DEPTH)
    _check_level(root, folders)
    names, watched = _names_of_split(root, split)
    clips = [
        Clip(name, partial(_read, root, name, folders[name]), (folders[name], folders[name] / "img"))
        for name in sorted(folders)
        if name in names
    ]
    missing = len(names) - len(clips)
    text = f"{missing} of the {len(names)} sequences of lasot/{split} are not in '{root}'."
    parents = {folder.parent for folder in folders.values()}
    annotations = [clip.paths[0] / "groundtruth.txt" for clip in clips]
    return Scan([*clips, *absent("lasot", missing, text, ())], (root, *sorted(parents), *annotations, *watched))


def _names_of_split(root: Path, split: str) -> tuple[frozenset[str], tuple[Path, ...]]:
    """Names of the sequences, and the files that they were read from."""
    test = names_of_test_set()
    if split == "train":
        return _all_names() - test, ()
    path = split_list(root, _LISTS[split], "LaSOT", "names of sequences, one a line")
    names = frozenset(read_text(path).split())
    if names & test:
        raise DataError(f"'{path}' names '{min(names & test)}', which is in the test set of LaSOT.")
    return names, (path,)


def _sequence_folders(folder: Path, depth: int) -> dict[str, Path]:
    """Folders of sequences by name, at most `depth` levels down."""
    found: dict[str, Path] = {}
    for path in subfolders(folder):
        if path.name in _all_names():
            found[path.name] = path
        elif depth > 1:
            found = _sequence_folders(path, depth - 1) | found
    return found


def _check_level(root: Path, folders: dict[str, Path]) -> None:
    classes = {name.rpartition("-")[0] for name in folders}
    if classes == {root.name}:
        raise DataError(f"'{root}' has only the class '{root.name}' of LaSOT. Give '{root.parent}'.")
    if not folders:
        marker = "folder of a sequence such as airplane/airplane-1"
        raise wrong_layout("lasot", root, marker, lambda place: bool(_sequence_folders(place, 2)))


def _read(root: Path, name: str, folder: Path) -> list[Record]:
    boxes = read_table(folder / "groundtruth.txt", 4)
    seen = tuple(read_numbers(folder / file) == 0 for file in ("full_occlusion.txt", "out_of_view.txt"))
    frames = list_frames(root, (folder / "img").relative_to(root).as_posix())
    category = name.rpartition("-")[0]
    return [line_record(name=name, category=category, frames=frames, first=1, boxes=boxes, seen=seen)]


def _recognises(root: Path) -> bool:
    return any(next(root.glob(f"{levels}*-*/full_occlusion.txt"), None) is not None for levels in ("", "*/", "*/*/"))


READER = Reader(name="lasot", splits=SPLITS, scan=scan, recognises=_recognises)
