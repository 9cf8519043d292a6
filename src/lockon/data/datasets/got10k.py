"""GOT-10k (Huang et al., PAMI 2021): 9,335 training videos of 480 classes of moving objects, 180 for validation."""

from __future__ import annotations

import configparser
from functools import partial
from pathlib import Path

from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import (
    check_split,
    line_record,
    list_frames,
    read_numbers,
    read_table,
    read_text,
    split_list,
    wrong_layout,
)
from lockon.data.datasets.records import Clip, Record, Scan
from lockon.errors import DataError

SPLITS = ("train", "val", "vot-train", "vot-val")
_LISTS = {"vot-train": "got10k_vot_train_split.txt", "vot-val": "got10k_vot_val_split.txt"}
"""Parts of the training set, without the thousand videos that VOT also has."""


def scan(root: Path, split: str) -> Scan:
    """Find the sequences that `list.txt` names, or those of them that a list of numbers picks."""
    check_split("got10k", split, SPLITS)
    part = "val" if split == "val" else "train"
    listing = root / part / "list.txt"
    if not listing.is_file():
        raise wrong_layout("got10k", root, f"'{part}/list.txt'", _recognises)
    names = read_text(listing).split()
    watched = [listing, listing.parent]
    if split in _LISTS:
        path = split_list(root, _LISTS[split], "GOT-10k", "numbers of lines of train/list.txt, from 0, one a line")
        names = [names[number] for number in _line_numbers(path, len(names))]
        watched.append(path)
    clips = [Clip(name, partial(_read, root, f"{part}/{name}"), (root / part / name,)) for name in names]
    return Scan(clips, tuple(watched))


def _line_numbers(path: Path, lines: int) -> list[int]:
    numbers: list[int] = read_numbers(path).astype(int).tolist()
    if not numbers or min(numbers) < 0 or max(numbers) >= lines:
        raise DataError(f"'{path}' should hold numbers from 0 to {lines - 1}, lines of train/list.txt.")
    if len(set(numbers)) < len(numbers):
        raise DataError(f"'{path}' names a line of train/list.txt twice.")
    return numbers


def _read(root: Path, folder: str) -> list[Record]:
    place = root / folder
    boxes = read_table(place / "groundtruth.txt", 4)
    seen = (read_numbers(place / "absence.label") == 0, read_numbers(place / "cover.label") > 0)
    frames = list_frames(root, folder)
    category = _object_class(place / "meta_info.ini")
    return [line_record(name=place.name, category=category, frames=frames, first=1, boxes=boxes, seen=seen)]


def _object_class(path: Path) -> str | None:
    """What the video shows; it is not needed, so a file that is missing or broken does no harm."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return None
    return parser.get("METAINFO", "object_class", fallback=None)


def _recognises(root: Path) -> bool:
    return any(
        (root / part / "list.txt").is_file() and next((root / part).glob("GOT-10k_*"), None) is not None
        for part in ("train", "val")
    )


READER = Reader(name="got10k", splits=SPLITS, scan=scan, recognises=_recognises)
