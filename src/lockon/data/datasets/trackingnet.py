"""TrackingNet (Müller et al., ECCV 2018): 30,132 training videos in twelve sets, boxes in every frame."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import line_record, list_frames, read_table, wrong_layout
from lockon.data.datasets.records import Clip, Record, Scan
from lockon.errors import DataError, UnknownNameError

SETS = 12
SPLITS = ("train", "train_0-3", "train_0-10", "train_11")
"""Examples: any sets may be named, such as `train_5` or `train_0-2,7`. DiMP and its successors train on the first
four, ATOM's paper on the first eleven with the last for validation."""


def scan(root: Path, split: str) -> Scan:
    """Find the videos that have an annotation in the sets of a split."""
    clips: list[Clip] = []
    watched: list[Path] = []
    sets = sets_of(split)
    if not _recognises(root):
        raise wrong_layout("trackingnet", root, f"'TRAIN_{sets[0]}/anno'", _recognises)
    for number in sets:
        folder = root / f"TRAIN_{number}"
        if not folder.is_dir():
            raise DataError(f"'{folder}' is missing. Get this set, or name those that are there: train_0-3, say.")
        for part in ("anno", "frames"):
            if not (folder / part).is_dir():
                hint = " Extract the archives in 'zips', each into a folder of its own." if part == "frames" else ""
                raise DataError(f"'{folder}' has no folder '{part}'.{hint}")
            watched.append(folder / part)
        clips += [_clip(root, path) for path in sorted((folder / "anno").glob("[!.]*.txt"))]
    return Scan(clips, tuple(watched))


def sets_of(split: str) -> list[int]:
    """Numbers of the sets that a split names: `train`, or `train_` with numbers and ranges between commas.

    Raises:
        UnknownNameError: it names something else, such as the test set, which is for evaluation.
    """
    if split == "train":
        return list(range(SETS))
    sets: set[int] = set()
    if re.fullmatch(r"train_\d+(-\d+)?(,\d+(-\d+)?)*", split):
        for part in split.removeprefix("train_").split(","):
            first, _, last = part.partition("-")
            sets |= set(range(int(first), int(last or first) + 1))
    if not sets or max(sets) >= SETS:
        raise UnknownNameError("split of trackingnet", split, SPLITS)
    return sorted(sets)


def _clip(root: Path, annotation: Path) -> Clip:
    frames = annotation.parent.parent / "frames" / annotation.stem
    return Clip(annotation.stem, partial(_read, root, annotation, frames), (annotation, frames))


def _read(root: Path, annotation: Path, frames: Path) -> list[Record]:
    if not frames.is_dir():
        raise DataError(f"'{frames}' is missing. Extract 'zips/{frames.name}.zip' into it.")
    return [
        line_record(
            name=annotation.stem,
            category=None,
            frames=list_frames(root, frames.relative_to(root).as_posix()),
            first=0,
            boxes=read_table(annotation, 4),
        )
    ]


def _recognises(root: Path) -> bool:
    return any((root / f"TRAIN_{number}" / "anno").is_dir() for number in range(SETS))


READER = Reader(name="trackingnet", splits=SPLITS, scan=scan, recognises=_recognises)
