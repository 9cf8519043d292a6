"""VOT's sequences: short-term with resets (to 2019) or several starts (from 2020), and long-term."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from lockon.data.datasets.layout import read_numbers, read_text, subfolders
from lockon.data.image_reading import image_size
from lockon.data.testsets.base import BoxTruth, RegionTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.boxes import read_truth_boxes, start_box
from lockon.data.testsets.images import numbered_images
from lockon.data.testsets.tables import Entry, table
from lockon.errors import DataError
from lockon.regions import Region, parse_region

_DIGITS = 8
_TRUTH = "groundtruth.txt"
_FIRST_ANCHORED = 2020
"""From this year on, trackers are started in several frames instead of again after failures."""
TAGS = table("vot2019").attributes
"""What frames may be tagged with, short and long."""
_TAG_SUFFIXES = (".tag", ".label")
"""Now, and in the first years."""


def find(known: Sequence[Entry], read: Callable[[Path, str], TestSequence], root: Path) -> Found:
    """The sequences that `list.txt` names, or all folders with an annotation where there is no such file.

    Args:
        known: all sequences, where a table has them.
        read: reads one of them.
        root: folder that has a folder for every sequence.
    """
    listing = root / "list.txt"
    if listing.is_file():
        names = read_text(listing).split()
    else:
        names = [folder.name for folder in subfolders(root) if (folder / _TRUTH).is_file()]
    lengths = {entry.name: entry.frames for entry in known}
    if not lengths.keys().isdisjoint(names):
        names += [name for name in lengths if name not in names]
    return gather(names, str, lambda name: _checked(read(root, name), lengths.get(name)))


def _checked(sequence: TestSequence, frames: int | None) -> TestSequence:
    if frames is not None and len(sequence) != frames:
        raise DataError(f"its annotation is for {len(sequence)} frames; the benchmark has {frames}.")
    return sequence


def read_short_term(root: Path, name: str) -> TestSequence:
    """A sequence of regions, with tags and perhaps with anchors.

    Raises:
        DataError: a file is missing or malformed, or has another length than the annotation.
    """
    folder = root / name
    regions = _read_regions(folder / _TRUTH)
    tags = {tag: _read_tag(folder, tag, len(regions)) for tag in TAGS}
    images = _images(folder, len(regions))
    return TestSequence(
        name=name,
        frame_paths=images,
        truth=RegionTruth(regions=regions, tags=tags, anchors=_read_anchors(folder / "anchor.value", len(regions))),
        start=regions[0],
        length=len(regions),
        attributes=_present(tags),
        image_size=_size(folder, images),
    )


def read_long_term(root: Path, name: str) -> TestSequence:
    """A sequence of boxes, NaN where the target is not visible.

    Raises:
        DataError: the annotation is missing or malformed.
    """
    folder = root / name
    boxes = read_truth_boxes(folder / _TRUTH)
    images = _images(folder, len(boxes))
    return TestSequence(
        name=name,
        frame_paths=images,
        truth=BoxTruth(boxes=boxes),
        start=start_box(boxes, folder / _TRUTH),
        length=len(boxes),
        attributes=_present({tag: _read_tag(folder, tag, len(boxes)) for tag in TAGS}),
        image_size=_size(folder, images),
    )


def _images(folder: Path, frames: int) -> Sequence[Path]:
    return numbered_images(folder / "color", 1, frames, _DIGITS) or numbered_images(folder, 1, frames, _DIGITS)


def _read_regions(path: Path) -> tuple[Region, ...]:
    lines = read_text(path).rstrip().splitlines()
    if not lines:
        raise DataError(f"'{path}' is empty. Copy or extract this part again.")
    regions = []
    for number, line in enumerate(lines, start=1):
        try:
            regions.append(parse_region(line))
        except DataError as error:
            raise DataError(f"'{path}', line {number}: {error}") from error
    return tuple(regions)


def _read_tag(folder: Path, tag: str, frames: int) -> Bool[np.ndarray, "frames"]:
    """Frames that have a tag; those that the file has no line for, or all without a file, do not have it."""
    tagged = np.zeros(frames, dtype=np.bool_)
    path = next((path for suffix in _TAG_SUFFIXES if (path := folder / f"{tag}{suffix}").is_file()), None)
    if path is not None:
        values = read_numbers(path)
        if len(values) > frames:
            raise DataError(f"'{path}' has {len(values)} lines for {frames} frames. Extract this part again.")
        tagged[: len(values)] = values != 0
    return tagged


def _read_anchors(path: Path, frames: int) -> Int[np.ndarray, "frames"] | None:
    if not path.is_file():
        return None
    values = read_numbers(path)
    if len(values) != frames:
        raise DataError(f"'{path}' has {len(values)} anchors for {frames} frames. Extract this part again.")
    signs: Int[np.ndarray, "frames"] = np.sign(values).astype(np.int64)
    return signs


def _present(tags: dict[str, Bool[np.ndarray, "frames"]]) -> frozenset[str]:
    return frozenset(tag for tag, tagged in tags.items() if tagged.any())


def _size(folder: Path, images: Sequence[Path]) -> tuple[int, int] | None:
    """Width and height as the file `sequence` says, or as the first image has them."""
    path = folder / "sequence"
    lines = read_text(path).splitlines() if path.is_file() else []
    about = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    if about.get("width", "").isdigit() and about.get("height", "").isdigit():
        return int(about["width"]), int(about["height"])
    return image_size(images[0]) if images else None


_LAYOUT = "SEQUENCE/groundtruth.txt and SEQUENCE/color/00000001.jpg"


def _short_term(year: int, *, known: tuple[Entry, ...] = (), frames: int | None = None) -> Benchmark:
    anchored = year >= _FIRST_ANCHORED
    return Benchmark(
        name=f"vot{year}",
        title=f"VOT{year}",
        protocol="vot_multistart" if anchored else "vot_supervised",
        layout=_LAYOUT + " and SEQUENCE/anchor.value" * anchored,
        marks=("*/anchor.value" if anchored else f"*/{_TRUTH}",),
        find=partial(find, known, read_short_term),
        sequences=len(known) or None,
        frames=frames,
        attributes=TAGS,
        entries=known,
    )


def _long_term(year: int, sequences: int, frames: int) -> Benchmark:
    return Benchmark(
        name=f"vot{year}_lt",
        title=f"VOT{year}-LT",
        protocol="vot_longterm",
        layout=_LAYOUT,
        marks=(f"*/{_TRUTH}",),
        find=partial(find, (), read_long_term),
        sequences=sequences,
        frames=frames,
        attributes=TAGS,
    )


VOT = (
    _short_term(2018, known=table("vot2018").entries, frames=21_356),
    _short_term(2019, known=table("vot2019").entries, frames=table("vot2019").frames),
    _short_term(2020),
    _short_term(2021),
    _short_term(2022),
    _long_term(2018, 35, 146_817),
    _long_term(2019, 50, 215_294),
    _long_term(2020, 50, 215_294),
)
