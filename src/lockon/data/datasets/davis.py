"""DAVIS 2017 (Pont-Tuset et al., 2017): 60 training and 30 validation videos with a mask of every object."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lockon.data.datasets.index import Reader
from lockon.data.datasets.label_masks import object_records
from lockon.data.datasets.layout import check_split, read_text, wrong_layout
from lockon.data.datasets.records import Clip, Scan
from lockon.errors import DataError

SPLITS = ("train", "val")
_LISTS, _IMAGES, _MASKS = "ImageSets/2017", "JPEGImages/480p", "Annotations/480p"


def scan(root: Path, split: str) -> Scan:
    """Find the videos that the list of a split names."""
    check_split("davis", split, SPLITS)
    listing = root / _LISTS / f"{split}.txt"
    if not listing.is_file():
        raise wrong_layout("davis", root, f"'{_LISTS}/{split}.txt'", _recognises)
    for folder in (root / _IMAGES, root / _MASKS):
        if not folder.is_dir():
            raise DataError(f"'{folder}' is missing. Get DAVIS 2017 in 480p, images and annotations.")
    clips = [_clip(root, name) for name in read_text(listing).split()]
    masks = (clip.paths[1] for clip in clips)
    return Scan(clips, (listing, root / _IMAGES, root / _MASKS, *masks))


def _clip(root: Path, name: str) -> Clip:
    frames, masks = f"{_IMAGES}/{name}", f"{_MASKS}/{name}"
    read = partial(object_records, root, name=name, frames=frames, masks=masks, categories={}, every_frame=True)
    return Clip(name, read, (root / frames, root / masks))


def _recognises(root: Path) -> bool:
    return (root / _LISTS).is_dir()


READER = Reader(name="davis", splits=SPLITS, scan=scan, recognises=_recognises)
