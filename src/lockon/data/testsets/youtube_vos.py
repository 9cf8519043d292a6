"""YouTube-VOS's validation sets of 2018 and 2019 (Xu et al., ECCV 2018): objects that appear at any time."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from lockon.data.datasets.layout import read_text
from lockon.data.image_reading import image_names
from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.errors import DataError

_SPLIT, _META = "valid", "meta.json"


def find(year: int, root: Path, *, all_frames: bool = False) -> Found:
    """All videos that `meta.json` names.

    Args:
        year: of the release; its folder may lie in the root.
        root: folder that has `valid`, or a folder called as the year that has it.
        all_frames: give trackers every frame, from `valid_all_frames`, not only those that results are expected for.
    """
    base = root if (root / _SPLIT).is_dir() else root / str(year)
    path = base / _SPLIT / _META
    try:
        videos = json.loads(read_text(path))["videos"]
        items = [(name, _frames_of(videos[name]["objects"])) for name in sorted(videos)]
        categories = {name: _categories(videos[name]["objects"]) for name in videos}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"'{path}' does not list videos and their objects: {error!r}. Extract it again.") from error
    images = base / (f"{_SPLIT}_all_frames" if all_frames else _SPLIT) / "JPEGImages"
    read = partial(_read, images, base / _SPLIT / "Annotations", categories)
    return gather(items, lambda item: item[0], read)


def _frames_of(objects: dict[str, dict[str, Any]]) -> dict[int, list[str]]:
    """Names of the frames in which each object is annotated, the first of which gives its mask."""
    return {int(number): sorted(about["frames"]) for number, about in objects.items()}


def _categories(objects: dict[str, dict[str, Any]]) -> dict[int, str]:
    return {int(number): str(about["category"]) for number, about in objects.items() if "category" in about}


def _read(
    images: Path, masks: Path, categories: dict[str, dict[int, str]], item: tuple[str, dict[int, list[str]]]
) -> TestSequence:
    name, frames = item
    paths = tuple(images / name / file for file in image_names(images / name)) if images.is_dir() else ()
    stems = [path.stem for path in paths] or sorted({frame for own in frames.values() for frame in own})
    numbers = {stem: index for index, stem in enumerate(stems)}
    for number, own in frames.items():
        if not own:
            raise DataError(f"'{_META}' names no frame of object {number} of '{name}'.")
        lost = next((frame for frame in own if frame not in numbers), None)
        if lost is not None:
            raise DataError(f"'{images / name}' has no frame '{lost}', in which object {number} is annotated.")
    given = {path.stem: path for path in (masks / name / file for file in image_names(masks / name))}
    for number, own in frames.items():
        if own[0] not in given:
            raise DataError(f"'{masks / name}' has no '{own[0]}.png', which gives object {number}.")
    return TestSequence(
        name=name,
        frame_paths=paths,
        truth=MaskTruth(
            labels=tuple(given.get(stem) for stem in stems),
            objects={number: numbers[own[0]] for number, own in sorted(frames.items())},
            categories=categories[name],
            required=tuple(sorted({numbers[frame] for own in frames.values() for frame in own})),
        ),
        start=None,
        length=len(stems),
    )


def _benchmark(year: int, sequences: int) -> Benchmark:
    return Benchmark(
        name=f"youtube_vos{year}",
        title=f"YouTube-VOS {year} valid",
        protocol="youtube_vos",
        layout=f"{_SPLIT}/{_META}, {_SPLIT}/Annotations/VIDEO/00000.png and {_SPLIT}/JPEGImages/VIDEO/00000.jpg",
        marks=(f"{_SPLIT}/{_META}", f"{year}/{_SPLIT}/{_META}"),
        find=partial(find, year),
        sequences=sequences,
    )


YOUTUBE_VOS2018 = _benchmark(2018, 474)
YOUTUBE_VOS2019 = _benchmark(2019, 507)
