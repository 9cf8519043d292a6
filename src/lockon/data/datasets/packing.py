"""Packing any data set into shards (see `lockon.data.datasets.shards`); a run that was stopped can go on."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import ExifTags
from PIL import Image as PillowImage

from lockon.data.datasets.base import SequenceDataset, TargetSequence
from lockon.data.datasets.fingerprints import annotation_digest
from lockon.data.datasets.index import Progress
from lockon.data.datasets.pictures import picture_file, picture_identity
from lockon.data.datasets.shards import MANIFEST, Shard, digest_of_shards, mask_suffix, read_manifest, shard_path
from lockon.data.datasets.tar_parts import add_part
from lockon.data.image_reading import opened_image
from lockon.errors import DataError, OutputError
from lockon.files import cannot_write, replacing

_JPEG_SUFFIXES = (".jpg", ".jpeg")
_QUALITY = 95
"""Of frames that are encoded anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    """How a data set is packed."""

    shard_bytes: int = 1 << 30
    """A shard ends with the clip that makes it this large."""
    max_side: int | None = None
    """Frames whose longer side has more pixels are shrunk to it, and their boxes with them."""

    def __post_init__(self) -> None:
        if self.shard_bytes < 1 or (self.max_side is not None and self.max_side < 1):
            raise DataError("a shard has at least one byte, and a frame at least one pixel a side.")


@dataclass(slots=True)
class PackReport:
    """What was done."""

    shards: int = 0
    """Of the whole data set."""
    kept: int = 0
    """Of those, which an earlier run had finished."""
    frames: int = 0
    """Packed in this run."""
    unreadable: list[str] = field(default_factory=list)
    """Why frames were packed without a picture."""


def pack(
    dataset: SequenceDataset,
    out: Path,
    config: PackConfig | None = None,
    *,
    progress: Progress | None = None,
) -> PackReport:
    """Pack a data set into shards in the folder `out`.

    JPEG files are copied as they are; other frames become JPEG. Shards appear under their name when they are whole,
    so a run that was killed loses at most the one it was writing, and the same call goes on after the last.

    Args:
        dataset: what to pack.
        out: made where it does not exist; holds nothing else.
        config: see `PackConfig`.
        progress: called with the number of sequences that are packed, and of all.

    Raises:
        OutputError: the folder holds something else, or the disk is full.
        DataError: a shard of an earlier run is damaged.
    """
    config = config or PackConfig()
    manifest = _claim(dataset, out, config)
    packed = _finished(out)
    report = PackReport(shards=len(packed), kept=len(packed))
    groups = _groups(dataset, sum(map(len, packed)))
    group = next(groups, None)
    while group is not None:
        path = shard_path(out, report.shards)
        with replacing(path) as part, tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            while group is not None and archive.offset < config.shard_bytes:
                report.frames += _add_group(archive, group, config.max_side, report.unreadable)
                if progress:
                    progress(group.first + len(group.sequences), len(dataset))
                group = next(groups, None)
        packed.append(Shard.open(path, rebuild=True))
        report.shards += 1
    if config.max_side is not None:  # shrunk boxes are other annotations
        sequences = (sequence for shard in packed for sequence in shard.sequences())
        manifest["fingerprint"] = annotation_digest(sequences)
    known = {"annotations": digest_of_shards(packed), "shards": report.shards, "complete": True}
    _write_manifest(out, manifest | known)
    return report


def _claim(dataset: SequenceDataset, out: Path, config: PackConfig) -> dict[str, Any]:
    """Say in `out` what is packed there.

    Raises:
        OutputError: it holds something else already.
    """
    manifest = {
        "name": dataset.name,
        "is_video": dataset.is_video,
        "source": dataset.fingerprint,
        "fingerprint": dataset.fingerprint,
        "max_side": config.max_side,
        "complete": False,
    }
    known = read_manifest(out)
    same = all(known.get(key) == manifest[key] for key in ("source", "max_side"))
    if (known and not same) or (not known and out.is_dir() and any(out.iterdir())):
        raise OutputError(
            f"'{out}' holds something else than '{dataset.name}' packed in this way. Give a folder that is new, or "
            "empty it."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    _write_manifest(out, manifest)
    return manifest


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    with replacing(out / MANIFEST) as part:
        part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _finished(out: Path) -> list[Shard]:
    """The shards of an earlier run, without gap from the first.

    Raises:
        DataError: one of them is damaged.
    """
    shards: list[Shard] = []
    while (path := shard_path(out, len(shards))).is_file():
        shards.append(Shard.open(path))
    return shards


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring sequences that share frames: the targets of one clip, or a single one."""

    first: int
    """Number of the first of them."""
    sequences: list[TargetSequence]
    places: list[list[Hashable]]
    """Of each sequence, what its frames are; equal where they are the same picture."""

    def samples(self) -> dict[Hashable, list[tuple[int, int]]]:
        """Pictures in order of time as far as one sequence tells, with sequence (in the group) and frame."""
        samples: dict[Hashable, list[tuple[int, int]]] = {}
        for sequence, places in enumerate(self.places):
            for frame, place in enumerate(places):
                samples.setdefault(place, []).append((sequence, frame))
        return samples


def _groups(dataset: SequenceDataset, first: int) -> Iterator[_Group]:
    group = _Group(first, [], [])
    seen: set[Hashable] = set()
    for number in range(first, len(dataset)):
        sequence = dataset[number]
        places = [picture_identity(sequence, index) for index in range(len(sequence))]
        if group.sequences and seen.isdisjoint(places):
            yield group
            group, seen = _Group(number, [], []), set()
        group.sequences.append(sequence)
        group.places.append(places)
        seen.update(places)
    if group.sequences:
        yield group


def _add_group(archive: tarfile.TarFile, group: _Group, max_side: int | None, unreadable: list[str]) -> int:
    """Write the samples of one group, and return their number."""
    samples = group.samples()
    for position, targets in enumerate(samples.values()):
        key = f"{group.first:08d}_{position:06d}"
        sequence, frame = targets[0]
        try:
            picture = _picture(group.sequences[sequence], frame, max_side)
        except DataError as error:
            unreadable.append(str(error))
            picture = _Picture(b"", 1.0, 1.0)
        if picture.jpeg:
            add_part(archive, f"{key}.jpg", picture.jpeg)
        descriptions = [_describe(group, *target, picture) for target in targets]
        add_part(archive, f"{key}.json", json.dumps({"targets": descriptions}, ensure_ascii=True).encode())
        for number, (sequence, frame) in enumerate(targets):
            mask = _mask(group.sequences[sequence], frame, picture, unreadable)
            if mask is not None:
                add_part(archive, f"{key}.{mask_suffix(number)}", mask)
    return len(samples)


def _describe(group: _Group, number: int, frame: int, picture: _Picture) -> dict[str, Any]:
    sequence = group.sequences[number]
    return {
        "sequence": group.first + number,
        "name": sequence.name,
        "category": sequence.category,
        "frame": frame,
        "frames": len(sequence),
        "box": _plain(np.asarray(sequence.boxes[frame], np.float32), picture),
        "visible": bool(sequence.visible[frame]),
    }


def _plain(box: Float[np.ndarray, "4"], picture: _Picture) -> list[float] | None:
    if np.isnan(box).any():
        return None
    scaled = box * np.array([picture.scale_x, picture.scale_y] * 2, np.float32)
    return [float(str(value)) for value in scaled]  # the shortest text that reads back as the same float32


@dataclass(frozen=True, slots=True)
class _Picture:
    """A frame as it is packed."""

    jpeg: bytes
    """Empty where the frame cannot be read."""
    scale_x: float
    scale_y: float
    """By which it was shrunk."""
    size: tuple[int, int] | None = None
    """Width and height it was shrunk to, if it was."""


def _picture(sequence: TargetSequence, index: int, max_side: int | None) -> _Picture:
    """A frame as JPEG: the file itself where it is one that needs no change.

    Raises:
        DataError: it cannot be read.
    """
    path = picture_file(sequence, index)
    if path is not None and path.suffix.lower() in _JPEG_SUFFIXES:
        data = _unchanged(path, max_side)
        if data is not None:
            return _Picture(data, 1.0, 1.0)
    image = PillowImage.fromarray(sequence.frame(index))
    width, height = image.size
    size = _shrunk(width, height, max_side)
    if size != (width, height):
        image = image.resize(size, PillowImage.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return _Picture(buffer.getvalue(), size[0] / width, size[1] / height, size if size != (width, height) else None)


def _unchanged(path: Path, max_side: int | None) -> bytes | None:
    """The bytes of a file that is JPEG, upright and small enough."""
    with opened_image(path, f"the image '{path}'") as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        fits = _shrunk(*image.size, max_side) == image.size
        return path.read_bytes() if image.format == "JPEG" and fits and not turned else None


def _shrunk(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _mask(sequence: TargetSequence, index: int, picture: _Picture, unreadable: list[str]) -> bytes | None:
    try:
        mask = sequence.mask(index)
    except DataError as error:
        unreadable.append(str(error))
        return None
    if mask is None:
        return None
    image = PillowImage.fromarray(mask)
    buffer = io.BytesIO()
    (image.resize(picture.size, PillowImage.Resampling.NEAREST) if picture.size else image).save(buffer, "PNG")
    return buffer.getvalue()
