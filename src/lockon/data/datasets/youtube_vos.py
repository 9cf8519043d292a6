"""YouTube-VOS (Xu et al., ECCV 2018): 3,471 training videos with masks of their objects in every fifth frame."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from lockon.data.datasets.index import Reader
from lockon.data.datasets.label_masks import object_records
from lockon.data.datasets.layout import check_split, read_text, subfolders, wrong_layout
from lockon.data.datasets.records import Clip, Scan
from lockon.errors import DataError

SPLITS = ("train",)
"""The other splits have masks of the frames alone in which an object appears."""


def scan(root: Path, split: str) -> Scan:
    """Find the videos that `meta.json` names."""
    check_split("youtube_vos", split, SPLITS)
    if not _recognises(root):
        raise wrong_layout("youtube_vos", root, "'train/meta.json'", _recognises)
    images, masks = root / split / "JPEGImages", root / split / "Annotations"
    for folder in (images, masks):
        if not folder.is_dir():
            raise DataError(f"'{folder}' is missing. Extract the whole archive of the split '{split}'.")
    listing = root / split / "meta.json"
    text = read_text(listing)
    try:
        videos = json.loads(text)["videos"]
        clips = [_clip(root, split, name, videos[name]["objects"]) for name in sorted(videos)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"'{listing}' does not list videos and their objects: {error!r}. Extract it again."
        ) from error
    return Scan(clips, (listing, images, masks))


def _clip(root: Path, split: str, name: str, objects: dict[str, dict[str, Any]]) -> Clip:
    frames, masks = f"{split}/JPEGImages/{name}", f"{split}/Annotations/{name}"
    categories = {int(label): str(about["category"]) for label, about in objects.items() if "category" in about}
    read = partial(
        object_records, root, name=name, frames=frames, masks=masks, categories=categories, every_frame=False
    )
    return Clip(name, read, (root / frames, root / masks))


def _recognises(root: Path) -> bool:
    return (root / "train" / "meta.json").is_file() and bool(subfolders(root / "train"))


READER = Reader(name="youtube_vos", splits=SPLITS, scan=scan, recognises=_recognises)
