"""COCO (Lin et al., ECCV 2014), detection annotations of 2014 and 2017: every instance is a sequence of one image."""

from __future__ import annotations

from pathlib import Path

from lockon.data.datasets.coco_json import scan_annotations
from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import check_split, wrong_layout
from lockon.data.datasets.records import Scan
from lockon.errors import DataError

SPLITS = ("train2017", "val2017", "train2014", "val2014")


def scan(root: Path, split: str) -> Scan:
    """Read the instances of a split; those that stand for a crowd are left out."""
    check_split("coco", split, SPLITS)
    annotations = root / "annotations" / f"instances_{split}.json"
    if not annotations.is_file():
        raise wrong_layout("coco", root, f"'annotations/{annotations.name}'", _recognises)
    folder = next((name for name in (split, f"images/{split}") if (root / name).is_dir()), None)
    if folder is None:
        raise DataError(
            f"'{root / split}' is missing: the annotations are there, the images are not. Extract them, too."
        )
    return scan_annotations("coco", root, annotations, folder)


def _recognises(root: Path) -> bool:
    return any((root / "annotations" / f"instances_{split}.json").is_file() for split in SPLITS)


READER = Reader(name="coco", splits=SPLITS, scan=scan, recognises=_recognises)
