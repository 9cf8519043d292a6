"""TrackingNet's test set (Müller et al., ECCV 2018): 511 videos, of which only the first box is public."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import counted_images
from lockon.errors import DataError


def find(root: Path) -> Found:
    """All sequences that have an annotation file; there is no other list of them."""
    paths = sorted((root / "TEST" / "anno").glob("[!.]*.txt"))
    return gather(paths, lambda path: path.stem, partial(_read, root / "TEST" / "frames"))


def _read(frames: Path, path: Path) -> TestSequence:
    boxes = read_truth_boxes(path)[:1]
    folder = frames / path.stem
    if not folder.is_dir():
        raise DataError(f"'{folder}' is missing. Extract 'zips/{path.stem}.zip' into it.")
    images = counted_images(folder, 0, 1)
    return TestSequence(
        name=path.stem,
        frame_paths=images,
        truth=BoxTruth(boxes=boxes),
        start=start_box(boxes, path),
        length=len(images),
    )


TRACKINGNET = Benchmark(
    name="trackingnet",
    title="TrackingNet",
    protocol="one_pass",
    layout="TEST/anno/SEQUENCE.txt and TEST/frames/SEQUENCE/0.jpg",
    marks=("TEST/anno/*.txt",),
    find=find,
    sequences=511,
)
