"""LaSOT's test set (Fan et al., CVPR 2019) of 280 long videos, and its extension (IJCV 2021) of 150."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from lockon.data.datasets.layout import read_numbers
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import numbered_images
from lockon.data.testsets.tables import Entry, table
from lockon.errors import DataError

_DIGITS = 8
_FLAGS = ("full_occlusion.txt", "out_of_view.txt")


def find(name: str, root: Path) -> Found:
    """All sequences of a table; their folders lie in the root, or in those of their classes."""
    return gather(table(name).entries, lambda entry: entry.name, partial(_read, root))


def _read(root: Path, entry: Entry) -> TestSequence:
    category = entry.name.rpartition("-")[0]
    folder = next((path for path in (root / category / entry.name, root / entry.name) if path.is_dir()), None)
    if folder is None:
        raise DataError(f"there is neither '{root / category / entry.name}' nor '{root / entry.name}'.")
    path = folder / "groundtruth.txt"
    boxes = read_truth_boxes(path, entry.frames)
    return TestSequence(
        name=entry.name,
        frame_paths=numbered_images(folder / "img", 1, len(boxes), _DIGITS),
        truth=BoxTruth(boxes=boxes, visible=_visible(folder, len(boxes))),
        start=start_box(boxes, path),
        length=len(boxes),
        attributes=entry.attributes,
        category=category,
    )


def _visible(folder: Path, frames: int) -> Bool[np.ndarray, "frames"]:
    visible = np.ones(frames, dtype=np.bool_)
    for name in _FLAGS:
        flags = read_numbers(folder / name)
        if len(flags) != frames:
            raise DataError(f"'{folder / name}' has {len(flags)} flags for {frames} boxes. Extract this part again.")
        visible &= flags == 0
    return visible


def _benchmark(name: str, title: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=title,
        protocol="one_pass",
        layout="CLASS/SEQUENCE/groundtruth.txt, full_occlusion.txt, out_of_view.txt and img/00000001.jpg",
        marks=("*-*/full_occlusion.txt", "*/*-*/full_occlusion.txt"),
        find=partial(find, name),
        sequences=len(table(name).entries),
        frames=table(name).frames,
        attributes=table(name).attributes,
        entries=table(name).entries,
    )


LASOT = _benchmark("lasot", "LaSOT")
LASOT_EXT = _benchmark("lasot_ext", "LaSOT extension")
