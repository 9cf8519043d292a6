"""Videos whose objects are annotated by images of labels: DAVIS and YouTube-VOS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lockon.data.datasets.layout import list_frames
from lockon.data.datasets.records import Issue, MaskFiles, Record
from lockon.data.datasets.segmentation import box_of_mask
from lockon.data.image_reading import read_labels
from lockon.errors import DataError

BACKGROUND, VOID = 0, 255
"""Labels of no object. Void is where annotators did not decide."""


def object_records(
    root: Path, *, name: str, frames: str, masks: str, categories: Mapping[int, str], every_frame: bool
) -> Iterator[Record | Issue]:
    """Every object of a video, in the frames that have an image of labels; boxes are drawn around its pixels.

    Args:
        root: of the data set.
        name: of the video; that of a record is followed by the object's label.
        frames, masks: folders below the root.
        categories: of objects by label, where known.
        every_frame: whether every image should have labels.

    Raises:
        DataError: images or masks are missing, unreadable or not numbered.
    """
    images, labels = list_frames(root, frames), list_frames(root, masks)
    if isinstance(images.keys, tuple) or isinstance(labels.keys, tuple):
        raise DataError(f"the images of '{name}' and their masks are not named by the same numbers.")
    numbers, rows, _ = np.intersect1d(images.keys, labels.keys, return_indices=True)
    lost = max(len(labels), len(images) if every_frame else 0) - len(numbers)
    if lost:
        text = f"'{name}' has {len(images)} images and {len(labels)} masks; the {len(numbers)} with both are used."
        yield Issue(name, "frames", lost, text)
    boxes: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.full((len(numbers), 4), np.nan))
    for index, number in enumerate(numbers.tolist()):
        pixels = read_labels(root / (labels.pattern % number))
        for label in np.flatnonzero(np.bincount(pixels.ravel())).tolist():
            if label not in {BACKGROUND, VOID}:
                boxes[label][index] = box_of_mask(pixels == label)
    for label in sorted(boxes):
        yield Record(
            name=f"{name}/{label}",
            category=categories.get(label),
            frames=images.take(rows),
            boxes=boxes[label],
            visible=~np.isnan(boxes[label][:, 0]),
            masks=MaskFiles(labels.pattern, label),
        )
