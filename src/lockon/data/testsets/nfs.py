"""Need for Speed (Kiani Galoogahi et al., ICCV 2017): 100 videos at 240 frames per second, and every eighth frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.layout import read_text
from lockon.data.image_reading import image_names
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import numbered_images
from lockon.data.testsets.tables import Entry, table
from lockon.errors import DataError

_DIGITS = 5
_TABLE = table("nfs30")
_STEP = 8
"""Frames of the full rate for one of the reduced rate."""
_CORNERS = slice(1, 5)
"""Columns xmin, ymin, xmax, ymax; before them is the number of the track."""


def find_30(root: Path) -> Found:
    """All sequences at 30 frames per second, as the authors or as pytracking lay them out."""
    read = _read_converted if (root / "anno").is_dir() else _read_30
    return gather(_TABLE.entries, lambda entry: entry.name, partial(read, root))


def find_240(root: Path) -> Found:
    """All sequences at 240 frames per second."""
    return gather(_TABLE.entries, lambda entry: entry.name, partial(_read_240, root))


def _read_converted(root: Path, entry: Entry) -> TestSequence:
    path = root / "anno" / f"nfs_{entry.name}.txt"
    return _sequence(entry, path, read_truth_boxes(path, entry.frames), root / "sequences" / entry.name)


def _read_30(root: Path, entry: Entry) -> TestSequence:
    path = root / entry.name / "30" / f"{entry.name}.txt"
    if path.is_file():
        boxes = _read_original(path)
    else:
        path = root / entry.name / "240" / f"{entry.name}.txt"
        boxes = _read_original(path)[::_STEP]
    if entry.frames is not None and len(boxes) < entry.frames:
        raise DataError(f"'{path}' has {len(boxes)} boxes at this rate; the benchmark has {entry.frames}.")
    return _sequence(entry, path, boxes[: entry.frames], root / entry.name / "30" / entry.name)


def _read_240(root: Path, entry: Entry) -> TestSequence:
    path, images = root / entry.name / "240" / f"{entry.name}.txt", root / entry.name / "240" / entry.name
    boxes = _read_original(path)
    if images.is_dir():
        boxes = boxes[: len(image_names(images))]  # some videos are shorter than their annotation
    return _sequence(entry, path, boxes, images)


def _sequence(entry: Entry, path: Path, boxes: Float[np.ndarray, "frames 4"], images: Path) -> TestSequence:
    return TestSequence(
        name=entry.name,
        frame_paths=numbered_images(images, 1, len(boxes), _DIGITS),
        truth=BoxTruth(boxes=boxes),
        start=start_box(boxes, path),
        length=len(boxes),
        attributes=entry.attributes,
    )


def _read_original(path: Path) -> Float[np.ndarray, "frames 4"]:
    """Lines `track xmin ymin xmax ymax frame lost occluded generated "label"`, as corners and sizes.

    Raises:
        DataError: the file is missing, empty or malformed.
    """
    lines = read_text(path).strip().splitlines()
    if not lines:
        raise DataError(f"'{path}' is empty. Copy or extract this part again.")
    corners = np.array([_corners(line, f"'{path}', line {number}") for number, line in enumerate(lines, start=1)])
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def _corners(line: str, where: str) -> list[float]:
    words = line.split()[_CORNERS]
    try:
        corners = [float(word) for word in words]
    except ValueError:
        corners = []
    if len(corners) != 4:
        raise DataError(f"{where}: expected a track number and four corners, got '{line}'.")
    return corners


NFS30 = Benchmark(
    name="nfs30",
    title="NFS (30 fps)",
    protocol="one_pass",
    layout="anno/nfs_SEQUENCE.txt and sequences/SEQUENCE/00001.jpg, or SEQUENCE/30/SEQUENCE.txt and "
    "SEQUENCE/30/SEQUENCE/00001.jpg",
    marks=("anno/nfs_*.txt", "*/30/*.txt", "*/240/*.txt"),
    find=find_30,
    sequences=len(_TABLE.entries),
    frames=_TABLE.frames,
    attributes=_TABLE.attributes,
    entries=_TABLE.entries,
)
NFS240 = Benchmark(
    name="nfs240",
    title="NFS (240 fps)",
    protocol="one_pass",
    layout="SEQUENCE/240/SEQUENCE.txt and SEQUENCE/240/SEQUENCE/00001.jpg",
    marks=("*/240/*.txt",),
    find=find_240,
    sequences=len(_TABLE.entries),
    attributes=_TABLE.attributes,
    entries=_TABLE.entries,
)
