"""UAV123 (Mueller et al., ECCV 2016): 123 sequences cut out of 91 videos from drones."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import numbered_images
from lockon.data.testsets.tables import Entry, table

_DIGITS = 6
_TABLE = table("uav123")


def find(root: Path) -> Found:
    """All sequences, each a range of the images of a video; NaN where the target is not visible."""
    return gather(_TABLE.entries, lambda entry: entry.name, partial(_read, root))


def _read(root: Path, entry: Entry) -> TestSequence:
    path = root / "anno" / "UAV123" / f"{entry.name}.txt"
    boxes = read_truth_boxes(path, entry.frames)
    images = root / "data_seq" / "UAV123" / (entry.folder or entry.name)
    return TestSequence(
        name=entry.name,
        frame_paths=numbered_images(images, entry.first, len(boxes), _DIGITS),
        truth=BoxTruth(boxes=boxes),
        start=start_box(boxes, path),
        length=len(boxes),
        attributes=entry.attributes,
    )


UAV123 = Benchmark(
    name="uav123",
    title="UAV123",
    protocol="one_pass",
    layout="anno/UAV123/SEQUENCE.txt and data_seq/UAV123/VIDEO/000001.jpg",
    marks=("anno/UAV123/*.txt",),
    find=find,
    sequences=len(_TABLE.entries),
    frames=_TABLE.frames,
    attributes=_TABLE.attributes,
    entries=_TABLE.entries,
    is_cut=True,
)
