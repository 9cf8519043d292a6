"""GOT-10k's sets for validation and for testing (Huang et al., PAMI 2021), 180 videos each."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lockon.data.datasets.layout import read_numbers, read_text
from lockon.data.image_reading import image_size
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import counted_images, numbered_images
from lockon.errors import DataError

_DIGITS = 8
_COUNT = 180


def find(split: str, root: Path) -> Found:
    """The sequences that `list.txt` names, or all where there is no such file."""
    folder = root / split
    listing = folder / "list.txt"
    names = read_text(listing).split() if listing.is_file() else _names(split)
    read = _read_secret if split == "test" else _read
    return gather(names, str, partial(read, folder))


def _names(split: str) -> list[str]:
    return [f"GOT-10k_{split.capitalize()}_{number:06d}" for number in range(1, _COUNT + 1)]


def _read(root: Path, name: str) -> TestSequence:
    folder = root / name
    boxes = read_truth_boxes(folder / "groundtruth.txt")
    truth = BoxTruth(
        boxes=boxes,
        visible=_labels(folder / "absence.label", len(boxes)) == 0,
        cover=_labels(folder / "cover.label", len(boxes)),
    )
    return _sequence(folder, truth, numbered_images(folder, 1, len(boxes), _DIGITS), len(boxes))


def _read_secret(root: Path, name: str) -> TestSequence:
    """A sequence of the test set: only the first box is public, so the images tell how long it is."""
    folder = root / name
    boxes = read_truth_boxes(folder / "groundtruth.txt")[:1]
    images = counted_images(folder, 1, _DIGITS)
    return _sequence(folder, BoxTruth(boxes=boxes), images, len(images))


def _sequence(folder: Path, truth: BoxTruth, images: Sequence[Path], length: int) -> TestSequence:
    about = read_meta_info(folder / "meta_info.ini")
    size = about.size or (image_size(images[0]) if images else None)
    return TestSequence(
        name=folder.name,
        frame_paths=images,
        truth=truth,
        start=start_box(truth.boxes, folder / "groundtruth.txt"),
        length=length,
        category=about.object_class,
        image_size=size,
    )


def _labels(path: Path, frames: int) -> Int[np.ndarray, "frames"]:
    labels = read_numbers(path)
    if len(labels) != frames:
        raise DataError(f"'{path}' has {len(labels)} labels for {frames} boxes. Extract this part again.")
    return labels.astype(np.int64)


@dataclass(frozen=True, slots=True)
class MetaInfo:
    """What `meta_info.ini` says of a video; none of it where the file is missing or broken."""

    object_class: str | None = None
    size: tuple[int, int] | None = None
    """Width and height of the images."""


def read_meta_info(path: Path) -> MetaInfo:
    """Read the class of the object and the size of the images."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return MetaInfo()
    size = re.findall(r"\d+", parser.get("METAINFO", "resolution", fallback=""))
    return MetaInfo(
        parser.get("METAINFO", "object_class", fallback=None),
        (int(size[0]), int(size[1])) if len(size) == 2 else None,
    )


def _benchmark(split: str, title: str) -> Benchmark:
    return Benchmark(
        name=f"got10k_{split}",
        title=title,
        protocol="got10k",
        layout=f"{split}/list.txt, {split}/SEQUENCE/groundtruth.txt and {split}/SEQUENCE/00000001.jpg",
        marks=(f"{split}/list.txt", f"{split}/GOT-10k_*/groundtruth.txt"),
        find=partial(find, split),
        sequences=_COUNT,
    )


GOT10K_VAL = _benchmark("val", "GOT-10k val")
GOT10K_TEST = _benchmark("test", "GOT-10k test")
