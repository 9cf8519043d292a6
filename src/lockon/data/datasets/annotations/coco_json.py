"""COCO JSON of objects that are followed: with `videos` and track ids (COCO-VID, TAO, YouTube-VIS), or file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockon.data.datasets.annotations.base import Annotation, Observation, parse_box, parse_frame
from lockon.errors import DataError

_TRACK_KEYS = ("track_id", "instance_id", "object_id")
_FRAME_KEYS = ("frame_index", "frame_id", "frame")

Item = Mapping[str, Any]
"""An object of the JSON file."""


def track_of(annotation: Item) -> Any:
    """Which object an annotation is of; None where it does not say."""
    return _first(annotation, _TRACK_KEYS)


def frame_of(image: Item) -> Any:
    """Which frame of its video an image is; None where it does not say."""
    return _first(image, _FRAME_KEYS)


def _first(record: Item, keys: Sequence[str]) -> Any:
    """The value of the first of these keys, at the top or among the attributes."""
    attributes = record.get("attributes") or {}
    places = (place[key] for key in keys for place in (record, attributes) if place.get(key) is not None)
    return next(places, None)


@dataclass(frozen=True, slots=True)
class _Tables:
    """The file's lists by id."""

    path: Path
    videos: Mapping[Any, Item]
    images: Mapping[Any, Item]
    categories: Mapping[Any, str]


def read_coco(content: Item, path: Path) -> Annotation:
    """Read tracks from parsed COCO JSON.

    Frame ids count from 0; where images have file names and the clip is a folder of images, the names count. Objects
    without track id are told apart by category, so a frame may then hold one of each.

    Args:
        content: the JSON object.
        path: its file, for messages.

    Raises:
        DataError: a list or a record is malformed, or refers to one that is not there; or the file has several
            objects of a category in an image and no track ids, so that it annotates still images.
    """
    tables = _Tables(
        path,
        videos=_by_id(content.get("videos", []), f"'{path}', videos"),
        images=_by_id(_records(content, "images", path, optional="videos" in content), f"'{path}', images"),
        categories={
            number: str(record.get("name", number))
            for number, record in _by_id(content.get("categories", []), f"'{path}', categories").items()
        },
    )
    annotations = _records(content, "annotations", path)
    _check_identities(annotations, path)
    observations = [
        observation
        for number, record in enumerate(annotations)
        if not record.get("iscrowd")
        for observation in _read_annotation(record, f"'{path}', annotation {record.get('id', number)}", tables)
    ]
    lengths: dict[str | None, int] = {
        _video_name(video): int(video["length"]) for video in tables.videos.values() if video.get("length")
    }
    return Annotation(path=path, observations=tuple(observations), lengths=lengths)


def _read_annotation(record: Item, where: str, tables: _Tables) -> Iterator[Observation]:
    category = tables.categories.get(record.get("category_id"))
    track = track_of(record)
    if "bboxes" in record:  # YouTube-VIS: one record is a track
        yield from _read_track(record, where, category, tables)
        return
    image = _refer(tables.images, record, "image_id", where)
    video = _refer(tables.videos, image, "video_id", where) if "video_id" in image else None
    box = parse_box(_four(record.get("bbox"), where), where)
    if box is None:
        return
    frame = frame_of(image)
    attributes = record.get("attributes") or {}
    yield Observation(
        where=where,
        clip=None if video is None else _video_name(video),
        frame=None if frame is None else parse_frame(frame, where),
        file=image.get("file_name"),
        track=str(track if track is not None else category),
        category=category,
        box=box,
        visible=not attributes.get("occluded") and box.w > 0 and box.h > 0,
    )


def _read_track(record: Item, where: str, category: str | None, tables: _Tables) -> Iterator[Observation]:
    video = _refer(tables.videos, record, "video_id", where)
    files = video.get("file_names") or []
    for frame, values in enumerate(record["bboxes"]):
        place = f"{where}, frame {frame}"
        box = None if values is None else parse_box(_four(values, place), place)
        if box is not None:
            file = files[frame] if frame < len(files) else None
            visible = box.w > 0 and box.h > 0
            track = str(record.get("id", where))
            yield Observation(place, _video_name(video), frame, file, track, category, box, visible)


def _check_identities(annotations: Sequence[Item], path: Path) -> None:
    """Without track ids a frame may hold one object of each category."""
    loose = Counter(
        (record.get("image_id"), record.get("category_id"))
        for record in annotations
        if "bboxes" not in record and track_of(record) is None and not record.get("iscrowd")
    )
    for (image, category), count in loose.items():
        if count > 1:
            raise DataError(
                f"'{path}' has {count} objects of category {category} in image {image} and no track_id to tell them "
                "apart over time. If the images are no video, read it as 'coco'."
            )


def _records(content: Item, key: str, path: Path, *, optional: bool = False) -> list[Item]:
    records = content.get(key, [] if optional else None)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f"'{path}' has no list \"{key}\" of objects; COCO JSON has.")
    return records


def _by_id(records: Sequence[Item], where: str) -> dict[Any, Item]:
    found: dict[Any, Item] = {}
    for number, record in enumerate(records):
        if "id" not in record:
            raise DataError(f"{where}: entry {number} has no id.")
        if record["id"] in found:
            raise DataError(f"{where}: the id {record['id']} is given twice.")
        found[record["id"]] = record
    return found


def _refer(table: Mapping[Any, Item], record: Item, key: str, where: str) -> Item:
    if record.get(key) not in table:
        raise DataError(f"{where}: {key} {record.get(key)} is not in the file.")
    return table[record[key]]


def _video_name(video: Item) -> str:
    name = video.get("name") or video.get("file_name")
    if name is None and video.get("file_names"):
        name = str(Path(video["file_names"][0]).parent)
    return str(name if name is not None else video["id"])


def _four(values: Any, where: str) -> list[float]:
    if not isinstance(values, list) or len(values) != 4:
        raise DataError(f"{where}: expected bbox [x, y, w, h]; got {values!r}.")
    return values
