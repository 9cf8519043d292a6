"""ImageNet-VID (ILSVRC 2015): 3,862 training videos of 30 classes, every object of them a sequence."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import check_split, list_frames, read_text, subfolders, wrong_layout
from lockon.data.datasets.records import Clip, Issue, Record, Scan
from lockon.errors import DataError

SPLITS = ("train", "val")
_ANNOTATIONS, _IMAGES = "Annotations/VID", "Data/VID"


class _Sighting(NamedTuple):
    frame: int
    box: tuple[float, float, float, float]
    occluded: bool
    category: str


def scan(root: Path, split: str) -> Scan:
    """Find the videos that have an annotation."""
    check_split("imagenet_vid", split, SPLITS)
    annotations, images = root / _ANNOTATIONS / split, root / _IMAGES / split
    if not annotations.is_dir():
        raise wrong_layout("imagenet_vid", root, f"'{_ANNOTATIONS}/{split}'", _recognises)
    if not images.is_dir():
        raise DataError(f"'{images}' is missing: the annotations are there, the images are not. Extract them, too.")
    groups = [
        annotations,
        *(folder for folder in subfolders(annotations) if re.search(r"_VID_train_\d+$", folder.name)),
    ]
    videos = [folder for group in groups for folder in subfolders(group) if folder not in groups]
    clips = [_clip(root, folder.relative_to(root / _ANNOTATIONS)) for folder in videos]
    return Scan(clips, (*groups, *(images / group.relative_to(annotations) for group in groups)))


def _clip(root: Path, video: Path) -> Clip:
    places = (root / _ANNOTATIONS / video, root / _IMAGES / video)
    return Clip(video.name, partial(_read, root, video), places)


def _read(root: Path, video: Path) -> Iterator[Record | Issue]:
    images = list_frames(root, f"{_IMAGES}/{video.as_posix()}")
    if isinstance(images.keys, tuple):
        raise DataError(f"the images in '{root / _IMAGES / video}' are not numbered as their annotations are.")
    tracks: dict[str, list[_Sighting]] = defaultdict(list)
    annotated = set()
    for path in sorted((root / _ANNOTATIONS / video).glob("[!.]*.xml")):
        if not path.stem.isdecimal():
            raise DataError(f"'{path}' is not named by the number of a frame.")
        annotated.add(int(path.stem))
        for track, sighting in _sightings(path, int(path.stem)):
            tracks[track].append(sighting)
    rows = {number: row for row, number in enumerate(images.keys.tolist())}
    missing = len(annotated ^ rows.keys())
    if missing:
        text = f"'{video.name}' has {len(annotated)} annotations and {len(rows)} images; frames with both are used."
        yield Issue(video.name, "frames", missing, text)
    for track, sightings in sorted(tracks.items()):
        kept = [sighting for sighting in sightings if sighting.frame in rows]
        if not kept:
            continue
        first, last = rows[kept[0].frame], rows[kept[-1].frame]
        boxes, visible = np.full((len(rows), 4), np.nan), np.zeros(len(rows), bool)
        for sighting in kept:
            boxes[rows[sighting.frame]] = sighting.box
            visible[rows[sighting.frame]] = not sighting.occluded
        span = np.arange(first, last + 1)
        yield Record(
            name=f"{video.name}/{track}",
            category=kept[0].category,
            frames=images.take(span),
            boxes=boxes[span],
            visible=visible[span],
        )


def _sightings(path: Path, frame: int) -> Iterator[tuple[str, _Sighting]]:
    """The objects of one frame with the numbers of their tracks."""
    text = read_text(path)
    try:
        for item in ElementTree.fromstring(text).iter("object"):
            left, top, right, bottom = (
                float(item.findtext(f"bndbox/{side}") or "nan") for side in ("xmin", "ymin", "xmax", "ymax")
            )
            box = (left, top, right - left, bottom - top)
            occluded = item.findtext("occluded", "0") != "0"
            yield item.findtext("trackid", ""), _Sighting(frame, box, occluded, item.findtext("name", ""))
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"'{path}' is not an annotation of ImageNet-VID: {error}.") from error


def _recognises(root: Path) -> bool:
    return (root / _ANNOTATIONS).is_dir()


READER = Reader(name="imagenet_vid", splits=SPLITS, scan=scan, recognises=_recognises)
