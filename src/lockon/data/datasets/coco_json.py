"""Annotations in the JSON format of COCO, as many tools export them: of images, and of videos with tracks.

Tracks are understood in two forms: annotations of images that carry the number of a track, with images that carry
that of a video (as TAO has them), and annotations with one box for every frame of a video (as YouTube-VIS has them).
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.annotations.coco_json import Item, frame_of, track_of
from lockon.data.datasets.index import Reader
from lockon.data.datasets.layout import absent, check_split, read_text, subfolders
from lockon.data.datasets.records import Clip, FrameFiles, Issue, Record, Scan, literal
from lockon.data.datasets.segmentation import encode_segmentation
from lockon.errors import DataError

SPLITS = ("all",)
_IMAGES_A_CLIP = 1000
_TRIED = 20
"""Images that are looked for where it is not said in which folder they are."""


def scan(root: Path, split: str, annotations: str | None = None, images: str | None = None) -> Scan:
    """Read a JSON file about the images in a folder.

    Args:
        root: the folder below which the images are.
        split: there is one only.
        annotations: the JSON file, by its path from the folder or a whole one; by default the only one in the folder
            and in its folder `annotations`.
        images: the folder from which the names of the images count, likewise; by default the root, or else a folder
            not far below that has them.
    """
    check_split("coco_json", split, SPLITS)
    path = root / annotations if annotations else _only_json(root)
    return scan_annotations("coco_json", root, path, images)


def _only_json(root: Path) -> Path:
    found = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"'{path.name}'" for path in found[:5]) or "none"
    raise DataError(
        f"'{root}' should hold one JSON file of annotations; there is {names}. Name it: annotations=FILE."
    )


def scan_annotations(dataset: str, root: Path, annotations: Path, folder: str | None) -> Scan:
    """The sequences of a JSON file: tracks where it has tracks, else single images, crowds left out in both.

    Args:
        dataset: name of the reader.
        root: of the data set.
        annotations: the JSON file.
        folder: below the root, where the images are; None: it is looked for.

    Raises:
        DataError: the file cannot be read, or is another kind of JSON; or the images could be in several folders.
    """
    content = _content(annotations)
    try:
        images = {image["id"]: image for image in content.get("images", [])}
        videos = {video["id"]: video for video in content.get("videos", [])}
        entries = [entry for entry in content["annotations"] if not entry.get("iscrowd")]
        folder = _image_folder(root, annotations, _some_names(images, videos)) if folder is None else folder
        source = _Source(root, folder, {item["id"]: str(item["name"]) for item in content.get("categories", [])})
        if entries and "bboxes" in entries[0]:
            clips = _video_clips(source, videos, _grouped(entries, lambda entry: entry["video_id"]))
        elif entries and track_of(entries[0]) is not None and "video_id" in images[entries[0]["image_id"]]:
            clips = _track_clips(source, images, entries)
        else:
            return Scan(
                _image_clips(dataset, source, images, _grouped(entries, lambda entry: entry["image_id"])),
                (annotations, root / folder),
                is_video=False,
            )
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"'{annotations}' is not laid out as COCO annotations are: {error!r}.") from error
    return Scan(clips, (annotations, root / folder))


def _some_names(images: Mapping[Any, Item], videos: Mapping[Any, Item]) -> list[str]:
    """Names of a few images, spread over the file."""
    names = [image["file_name"] for image in images.values()]
    names = names or [video["file_names"][0] for video in videos.values() if video.get("file_names")]
    return names[:: -(-len(names) // _TRIED) or 1]


def _image_folder(root: Path, annotations: Path, names: Sequence[str]) -> str:
    """The folder from which the names of images count: that of the root, of the JSON file, or one not far below.

    TAO has its images in `frames`, YouTube-VIS in `train/JPEGImages`, exports of many tools in `images`.

    Raises:
        DataError: several folders have images of these names.
    """

    def share(folder: Path) -> int:
        return sum((folder / name).is_file() for name in names)

    for folder in (root, annotations.parent):
        if share(folder):
            return Path(os.path.relpath(folder, root)).as_posix()
    below = [folder for outer in subfolders(root) for folder in (outer, *subfolders(outer))]
    shares = {folder: share(folder) for folder in below}
    most = max(shares.values(), default=0)
    best = [folder.relative_to(root).as_posix() for folder, found in shares.items() if found == most]
    if most and len(best) > 1:
        raise DataError(
            f"images of the names in '{annotations}' are in '{best[0]}' and in '{best[1]}'. Say which is meant: "
            "images=FOLDER."
        )
    return best[0] if most else "."


def _content(path: Path) -> Any:
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"'{path}' is not JSON: {error}. Get it again.") from error


class _Source:
    """Where the images are, which of them are there, and what the categories are called."""

    def __init__(self, root: Path, folder: str, categories: Mapping[Any, str]) -> None:
        self.root, self.folder, self.categories = root, folder, categories
        self._names = cache(self._listing)

    def has(self, file: str) -> bool:
        """Whether an image is there."""
        folder, _, name = file.rpartition("/")
        return name in self._names(folder)

    def files(self, names: list[str]) -> FrameFiles:
        """Images by their names in the JSON file."""
        folders = {name.rpartition("/")[0] for name in names}
        if len(folders) > 1:
            return FrameFiles(f"{literal(self.folder)}/%s", tuple(names))
        folder = (PurePosixPath(self.folder) / folders.pop()).as_posix()
        return FrameFiles.of_names("" if folder == "." else folder, [name.rpartition("/")[2] for name in names])

    def category(self, entry: Item) -> str | None:
        """What an annotation shows."""
        return self.categories.get(entry.get("category_id"))

    def _listing(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(self.root / self.folder / folder))
        except OSError:
            return frozenset()


def _grouped(entries: Iterable[Item], key: Callable[[Item], Any]) -> dict[Any, list[Item]]:
    groups: dict[Any, list[Item]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups


def _image_clips(
    dataset: str, source: _Source, images: Mapping[Any, Item], entries: Mapping[Any, list[Item]]
) -> list[Clip]:
    shown = [image for image in images.values() if image["id"] in entries]
    there = [image for image in shown if source.has(image["file_name"])]
    parts = [there[start : start + _IMAGES_A_CLIP] for start in range(0, len(there), _IMAGES_A_CLIP)]
    clips = [Clip(dataset, partial(_read_images, source, part, entries)) for part in parts]
    missing = len(shown) - len(there)
    lost = next((image["file_name"] for image in shown if not source.has(image["file_name"])), None)
    place = source.root / source.folder
    text = f"{missing} of the {len(shown)} annotated images are not in '{place}', such as '{lost}'."
    return [*clips, *absent(dataset, missing, text, ())]


def _read_images(source: _Source, images: list[Item], entries: Mapping[Any, list[Item]]) -> Iterator[Record]:
    for image in images:
        frames = source.files([image["file_name"]])
        for entry in entries[image["id"]]:
            segmentation = _segmentation(entry.get("segmentation"), image)
            yield Record(
                name=f"{image['id']}/{entry['id']}",
                category=source.category(entry),
                frames=frames,
                boxes=_box(entry.get("bbox"))[None],
                visible=np.ones(1, bool),
                masks=(segmentation,) if segmentation else None,
            )


def _track_clips(source: _Source, images: Mapping[Any, Item], entries: list[Item]) -> list[Clip]:
    """Videos of images, whose annotations carry the number of a track."""
    videos = _grouped(images.values(), lambda image: image["video_id"])
    by_video = _grouped(entries, lambda entry: images[entry["image_id"]]["video_id"])
    clips = []
    for video, shown in by_video.items():
        frames = sorted(videos[video], key=_time)
        place = {image["id"]: index for index, image in enumerate(frames)}
        tracks = []
        for track, sightings in _grouped(shown, track_of).items():
            moments: list[Item | None] = [None] * len(frames)
            for entry in sightings:
                moments[place[entry["image_id"]]] = entry
            tracks.append(_Track(f"{video}/{track}", moments, frames))
        clips.append(_clip(source, str(video), [image["file_name"] for image in frames], tracks))
    return clips


def _video_clips(source: _Source, videos: Mapping[Any, Item], entries: Mapping[Any, list[Item]]) -> list[Clip]:
    """Videos whose annotations have one box for every frame."""
    clips = []
    for video, shown in entries.items():
        about = videos[video]
        files = about["file_names"]
        tracks = []
        for entry in shown:
            segmentations = entry.get("segmentations") or [None] * len(files)
            moments: list[Item | None] = [
                {"bbox": box, "segmentation": segmentation, "category_id": entry.get("category_id")} if box else None
                for box, segmentation in zip(entry["bboxes"], segmentations, strict=True)
            ]
            tracks.append(_Track(f"{video}/{entry['id']}", moments, [about] * len(files)))
        clips.append(_clip(source, str(video), files, tracks))
    return clips


class _Track:
    """One target: its annotation in every frame of a video, or nothing, and the frames' sizes."""

    def __init__(self, name: str, moments: list[Item | None], frames: list[Item]) -> None:
        self.name, self.moments, self.frames = name, moments, frames

    def record(self, source: _Source, files: list[str], there: list[int]) -> Record | None:
        """The frames that are there, from the first with a box to the last."""
        shown = [index for index in there if self.moments[index]]
        if not shown:
            return None
        rows = [index for index in there if shown[0] <= index <= shown[-1]]
        moments = [self.moments[row] or {} for row in rows]
        shapes = [moment.get("segmentation") for moment in moments]
        masks = tuple(_segmentation(shape, self.frames[row]) for shape, row in zip(shapes, rows, strict=True))
        return Record(
            name=self.name,
            category=source.category(self.moments[shown[0]] or {}),
            frames=source.files([files[row] for row in rows]),
            boxes=np.stack([_box(moment.get("bbox")) for moment in moments]),
            visible=np.array([bool(moment) for moment in moments]),
            masks=masks if any(masks) else None,
        )


def _clip(source: _Source, name: str, files: list[str], tracks: list[_Track]) -> Clip:
    folders = {source.root / source.folder / file.rpartition("/")[0] for file in files}
    return Clip(name, partial(_read_tracks, source, name, files, tracks), tuple(sorted(folders)))


def _read_tracks(source: _Source, name: str, files: list[str], tracks: list[_Track]) -> Iterator[Record | Issue]:
    there = [index for index, file in enumerate(files) if source.has(file)]
    if not there:
        raise DataError(f"none of the {len(files)} images of '{name}' is there, such as '{files[0]}'.")
    if len(there) < len(files):
        text = f"'{name}' has annotations of {len(files)} images; {len(there)} are there."
        yield Issue(name, "frames", len(files) - len(there), text)
    yield from filter(None, (track.record(source, files, there) for track in tracks))


def _time(image: Item) -> Any:
    frame = frame_of(image)
    return image["file_name"] if frame is None else frame


def _box(values: Any) -> Float[np.ndarray, "4"]:
    """A box as it is written; NaN for anything else."""
    try:
        return np.asarray(values, float).reshape(4)
    except (TypeError, ValueError):
        return np.full(4, np.nan)


def _segmentation(shape: Any, image: Item) -> str:
    if not isinstance(shape, dict) and "height" not in image:
        return ""
    return encode_segmentation(shape, image.get("height", 0), image.get("width", 0))


def _recognises(root: Path) -> bool:
    """Whether a list of COCO's begins in the first part of a JSON file: a whole one may take long to read."""
    for path in [*root.glob("*.json"), *root.glob("annotations/*.json")]:
        with path.open("rb") as file:
            beginning = file.read(65536)
        if re.search(rb'"(images|annotations|categories|videos)"\s*:\s*\[', beginning):
            return True
    return False


READER = Reader(name="coco_json", splits=SPLITS, scan=scan, recognises=_recognises, options=("annotations", "images"))
