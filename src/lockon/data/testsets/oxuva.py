"""OxUvA (Valmadre et al., ECCV 2018): long videos, annotated once a second, in which targets disappear."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lockon.boxes import Box
from lockon.data.datasets.layout import read_text
from lockon.data.image_reading import image_size
from lockon.data.testsets.base import SparseTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.images import numbered_images
from lockon.errors import DataError

_DIGITS = 6
_ATTRIBUTES = {"CUT": "Contains Cuts", "VIS": "Always Visible"}
_Corners = tuple[float, float, float, float]
"""Left, right, top, bottom relative to the image size: the benchmark's own order."""


class _Task(NamedTuple):
    """What is to be tracked, from which frame to which, both included."""

    video: str
    target: str
    first: int
    last: int
    start: _Corners

    @property
    def name(self) -> str:
        return f"{self.video}_{self.target}"


class _Label(NamedTuple):
    """One annotated frame."""

    category: str
    attributes: frozenset[str]
    frame: int
    corners: _Corners | None
    """None where the target is absent."""


def find(split: str, root: Path) -> Found:
    """All tasks of a split; the annotation of the test set is secret."""
    path = root / "annotations" / f"{split}.csv"
    labels = _read_labels(path) if split == "dev" else {}
    tasks = list(_read_tasks(root / "tasks" / f"{split}.csv"))
    return gather(tasks, lambda task: task.name, partial(_read, root / "images" / split, path, labels))


def _read(images: Path, path: Path, labels: dict[str, list[_Label]], task: _Task) -> TestSequence:
    own = [label for label in labels.get(task.name, ()) if task.first < label.frame <= task.last]
    if labels and not own:
        raise DataError(f"'{path}' has no annotation of '{task.name}' after its first frame.")
    length = task.last - task.first + 1
    paths = numbered_images(images / task.video, task.first, length, _DIGITS)
    size = image_size(paths[0]) if paths else None
    return TestSequence(
        name=task.name,
        frame_paths=paths,
        truth=_truth(task, own),
        start=_in_pixels(task.start, size) if size else None,
        length=length,
        attributes=own[0].attributes if own else frozenset(),
        category=own[0].category if own else None,
        image_size=size,
        first_number=task.first,
    )


def _truth(task: _Task, labels: Sequence[_Label]) -> SparseTruth:
    corners = [task.start, *(label.corners for label in labels)]
    boxes = np.array([(np.nan,) * 4 if four is None else _as_box(four) for four in corners])
    return SparseTruth(
        numbers=np.array([0, *(label.frame - task.first for label in labels)], dtype=np.int64),
        present=~np.isnan(boxes[:, 0]),
        boxes=boxes,
    )


def _as_box(corners: _Corners) -> _Corners:
    left, right, top, bottom = corners
    return left, top, right - left, bottom - top


def _in_pixels(corners: _Corners, size: tuple[int, int]) -> Box:
    x, y, w, h = _as_box(corners)
    width, height = size
    return Box(x * width, y * height, w * width, h * height)


def _read_tasks(path: Path) -> Iterator[_Task]:
    """Lines `video, object, first frame, last frame, xmin, xmax, ymin, ymax`."""
    for where, row in _rows(path, 8):
        first, last = (_number(word, where) for word in row[2:4])
        if not 0 <= first < last:
            raise DataError(f"{where}: a task from frame {first} to frame {last} has no frames to track in.")
        yield _Task(row[0], row[1], first, last, _corners(row[4:], where))


def _read_labels(path: Path) -> dict[str, list[_Label]]:
    """Lines `video, object, class, name, cuts, always visible, frame, presence, xmin, xmax, ymin, ymax` by task."""
    labels: dict[str, list[_Label]] = defaultdict(list)
    for where, row in _rows(path, 12):
        if row[7] not in {"present", "absent"}:
            raise DataError(f"{where}: expected 'present' or 'absent', got '{row[7]}'.")
        attributes = frozenset(name for name, word in zip(_ATTRIBUTES, row[4:6], strict=True) if word == "true")
        corners = _corners(row[8:], where) if row[7] == "present" else None
        labels[f"{row[0]}_{row[1]}"].append(_Label(row[3], attributes, _number(row[6], where), corners))
    for own in labels.values():
        own.sort(key=lambda label: label.frame)
    return labels


def _rows(path: Path, columns: int) -> Iterator[tuple[str, list[str]]]:
    for number, row in enumerate(csv.reader(read_text(path).splitlines(), skipinitialspace=True), start=1):
        where = f"'{path}', line {number}"
        if len(row) != columns:
            raise DataError(f"{where}: expected {columns} values, got {len(row)}.")
        yield where, row


def _number(word: str, where: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise DataError(f"{where}: expected a frame number, got '{word}'.") from error


def _corners(words: Sequence[str], where: str) -> _Corners:
    try:
        left, right, top, bottom = (float(word) for word in words)
    except ValueError as error:
        raise DataError(f"{where}: expected xmin, xmax, ymin, ymax, got '{', '.join(words)}'.") from error
    return left, right, top, bottom


def _benchmark(split: str, sequences: int) -> Benchmark:
    return Benchmark(
        name=f"oxuva_{split}",
        title=f"OxUvA {split}",
        protocol="oxuva",
        layout=f"tasks/{split}.csv, images/{split}/VIDEO/000000.jpeg" + ", annotations/dev.csv" * (split == "dev"),
        marks=(f"tasks/{split}.csv",),
        find=partial(find, split),
        sequences=sequences,
        attributes=_ATTRIBUTES,
        is_cut=True,
    )


OXUVA_DEV = _benchmark("dev", 200)
OXUVA_TEST = _benchmark("test", 166)
