"""OTB-100 (Wu et al., PAMI 2015): 100 targets in 98 videos, in some of which the images do not count from 1."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import numbered_images
from lockon.data.testsets.tables import Entry, table

_DIGITS = 4
_OMITTED = {"Tiger1": 5}
"""Frames that pytracking leaves out at the start."""
_IMAGES = ("img", "jpg")
"""Folders of images; KiteSurf is also distributed with the second."""


def find(root: Path, *, pytracking: bool = True) -> Found:
    """All sequences of OTB-100.

    Args:
        root: folder that has a folder for every video.
        pytracking: start Tiger1 in its sixth frame, as pytracking does, and as most published results do.
    """
    omitted = _OMITTED if pytracking else {}
    return gather(table("otb100").entries, lambda entry: entry.name, partial(_read, root, omitted))


def _read(root: Path, omitted: dict[str, int], entry: Entry) -> TestSequence:
    folder = root / (entry.folder or entry.name)
    path = folder / (entry.annotation or "groundtruth_rect.txt")
    skipped = omitted.get(entry.name, 0)
    boxes = read_truth_boxes(path, entry.frames)[skipped:]
    images = next((folder / name for name in _IMAGES if (folder / name).is_dir()), folder / _IMAGES[0])
    return TestSequence(
        name=entry.name,
        frame_paths=numbered_images(images, entry.first + skipped, len(boxes), entry.digits or _DIGITS),
        truth=BoxTruth(boxes=boxes),
        start=start_box(boxes, path),
        length=len(boxes),
        attributes=entry.attributes,
    )


OTB100 = Benchmark(
    name="otb100",
    title="OTB-100",
    protocol="one_pass",
    layout="SEQUENCE/groundtruth_rect.txt and SEQUENCE/img/0001.jpg",
    marks=("*/groundtruth_rect*.txt",),
    find=find,
    sequences=len(table("otb100").entries),
    frames=table("otb100").frames,
    attributes=table("otb100").attributes,
    entries=table("otb100").entries,
    is_cut=True,
)
