"""YouTube-BoundingBoxes (Real et al., CVPR 2017): tracks of 23 classes, one box a second.

The data set is a table of annotations; whoever uses it gets the videos and takes the frames out of them. The frames
of a segment are expected in one folder; the names of their files end with their time in milliseconds.
"""

from __future__ import annotations

import csv
import gzip
from array import array
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import absent, check_split, list_frames, subfolders, wrong_layout
from lockon.data.datasets.records import Clip, Issue, Record, Scan
from lockon.data.image_reading import image_size
from lockon.errors import DataError

SPLITS = ("train", "validation")
_COLUMNS = 10
_VALUES = 6


class _Segment(NamedTuple):
    """One object in one video."""

    video: str
    category: str
    number: str
    name: str

    @property
    def folder_names(self) -> tuple[str, str]:
        return f"{self.video}+{self.category}+{self.number}", self.video


Tables = Mapping[_Segment, "array[float]"]
"""Time in milliseconds, presence, and relative xmin, xmax, ymin, ymax, for every annotated moment."""


def scan(root: Path, split: str) -> Scan:
    """Find the segments of the table that have frames."""
    check_split("youtube_bb", split, SPLITS)
    stem = f"yt_bb_detection_{split}"
    table = next((path for path in (root / f"{stem}.csv", root / f"{stem}.csv.gz") if path.is_file()), None)
    if table is None:
        raise wrong_layout("youtube_bb", root, f"'{stem}.csv'", _recognises)
    frames = next((path for path in (root / "frames", root / stem) if path.is_dir()), None)
    if frames is None:
        raise DataError(f"'{root / 'frames'}' is missing: take the frames out of the videos, see docs/datasets.md.")
    groups = [frames, *(folder for folder in subfolders(frames) if folder.name.isdecimal())]
    folders = {folder.name: folder for group in groups for folder in subfolders(group)}
    segments = _read_table(table)
    clips = []
    for segment, values in sorted(segments.items()):
        folder = next((folders[name] for name in segment.folder_names if name in folders), None)
        if folder:
            name = segment.folder_names[0]
            clips.append(Clip(name, partial(_read, root, segment, values, folder), (folder,)))
    missing = len(segments) - len(clips)
    text = f"{missing} of the {len(segments)} segments in '{table.name}' have no folder of frames in '{frames}'."
    return Scan([*clips, *absent("youtube_bb", missing, text, ())], (table, *groups))


def _read_table(path: Path) -> Tables:
    """Moments by segment, without those that are marked as uncertain."""
    segments: dict[_Segment, array[float]] = {}
    try:
        with _text_of(path) as file:
            for line in csv.reader(file):
                if len(line) != _COLUMNS:
                    raise ValueError(f"a line has {len(line)} columns instead of {_COLUMNS}: {line}")
                video, time, category, name, number, presence, *sides = line
                if presence in {"present", "absent"}:
                    values = segments.setdefault(_Segment(video, category, number, name), array("d"))
                    values.extend((float(time), presence == "present", *map(float, sides)))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read '{path}': {error}. Get it again, as it is distributed.") from error
    return segments


def _text_of(path: Path) -> TextIO:
    return gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="")


def _read(root: Path, segment: _Segment, values: array[float], folder: Path) -> Iterator[Record | Issue]:
    frames = list_frames(root, folder.relative_to(root).as_posix())
    if isinstance(frames.keys, tuple):
        raise DataError(f"the images in '{folder}' are not named by their time in milliseconds, all in one way.")
    moments = np.frombuffer(values).reshape(-1, _VALUES)
    times, lines, rows = np.intersect1d(moments[:, 0].astype(int), frames.keys, return_indices=True)
    name = segment.folder_names[0]
    if len(times) < len(moments):
        text = f"'{name}' has {len(moments)} annotated moments; {len(times)} of them have an image."
        yield Issue(name, "frames", len(moments) - len(times), text)
    if not len(times):
        return
    frames = frames.take(rows)
    width, height = image_size(root / (frames.pattern % int(times[0])))
    left, right, top, bottom = moments[lines, 2:].T * [[width], [width], [height], [height]]
    yield Record(
        name=name,
        category=segment.name,
        frames=frames,
        boxes=np.stack([left, top, right - left, bottom - top], axis=1),
        visible=moments[lines, 1] > 0,
    )


def _recognises(root: Path) -> bool:
    return next(root.glob("yt_bb_detection_*.csv*"), None) is not None


READER = Reader(name="youtube_bb", splits=SPLITS, scan=scan, recognises=_recognises)
