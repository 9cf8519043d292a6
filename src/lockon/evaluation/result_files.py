"""What a run gave on one sequence, as the content of files and back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import RegionTruth, TestSequence
from lockon.evaluation.tracks import Code, MaskTrack, RegionTrack, Said, Track
from lockon.regions import Region, format_region, parse_region


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelImages:
    """What a run on label images made, before it is on disk."""

    images: Mapping[int, bytes]
    """PNG files by frame (pixel = object number)."""
    seconds: Float[np.ndarray, "frames"] | None = None


Outcome = Track | RegionTrack | Mapping[int, RegionTrack] | LabelImages
"""What a run on one sequence gives; several tracks by anchor frame in multi-start."""


def written(name: str, sequence: TestSequence, outcome: Outcome) -> tuple[str, dict[str, bytes], dict[str, Any]]:
    """A result as files.

    Returns:
        Its kind, the content of its files by name, and what its record says beyond them.
    """
    if isinstance(outcome, Track):
        lines = (",".join(repr(float(value)) for value in box) for box in outcome.boxes)
        present = None if outcome.present is None else [bool(value) for value in outcome.present]
        details = {**_times_and_scores(outcome), "present": present}
        return "boxes", {f"{name}.txt": _text(lines)}, details
    if isinstance(outcome, RegionTrack):
        return "regions", {f"{name}.txt": _region_lines(outcome)}, _times_and_scores(outcome)
    if isinstance(outcome, LabelImages):
        files = {f"{name}/{frame_stem(sequence, frame)}.png": image for frame, image in outcome.images.items()}
        return "labels", files, {"labelled": list(outcome.images), "seconds": _numbers(outcome.seconds)}
    files = {f"{name}/{anchor:08d}.txt": _region_lines(track) for anchor, track in outcome.items()}
    return "anchors", files, {"anchors": {str(key): _times_and_scores(track) for key, track in outcome.items()}}


def frame_stem(sequence: TestSequence, frame: int) -> str:
    """Name of a frame's file without suffix."""
    return sequence.frame_paths[frame].stem if sequence.frame_paths else f"{frame:05d}"


def _region_lines(track: RegionTrack) -> bytes:
    return _text(str(int(one)) if isinstance(one, Code) else format_region(one) for one in track.regions)


def _text(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _times_and_scores(track: Track | RegionTrack) -> dict[str, Any]:
    return {"seconds": _numbers(track.seconds), "scores": _numbers(track.scores)}


def _numbers(values: Float[np.ndarray, "frames"] | None) -> list[float | str | None] | None:
    """JSON has no word for NaN, which is null here, nor for infinity, which is text that `float` reads."""
    return None if values is None else [_number(float(value)) for value in values]


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def digest(contents: Iterable[bytes]) -> str:
    """What tells the contents of several files from others."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


_Files = Mapping[Path, bytes]


def _read_boxes(record: Mapping[str, Any], files: _Files, sequence: TestSequence) -> Track:
    ((path, content),) = files.items()
    rows = [line.split(",") for line in content.decode().splitlines()]
    boxes = np.array(rows, dtype=np.float64).reshape(len(rows), 4)
    _check_length(len(boxes), len(sequence))
    return Track(
        boxes=boxes,
        scores=_array(record["scores"], len(boxes)),
        present=_flags(record["present"], len(boxes)),
        seconds=_array(record["seconds"], len(boxes)),
        path=path,
    )


def _read_regions(record: Mapping[str, Any], files: _Files, sequence: TestSequence) -> RegionTrack:
    ((path, content),) = files.items()
    return _region_track(path, content, record, len(sequence))


def _read_anchors(record: Mapping[str, Any], files: _Files, sequence: TestSequence) -> Mapping[int, RegionTrack]:
    expected = sequence.truth.runs() if isinstance(sequence.truth, RegionTruth) else {}
    if sorted(int(anchor) for anchor in record["anchors"]) != sorted(expected):
        raise ValueError(f"anchors are {sorted(expected)} in the test set")
    return {
        int(anchor): _region_track(path, content, details, len(expected[int(anchor)]))
        for (anchor, details), (path, content) in zip(record["anchors"].items(), files.items(), strict=True)
    }


def _read_labels(record: Mapping[str, Any], files: _Files, sequence: TestSequence) -> MaskTrack:
    paths = dict(zip(record["labelled"], files, strict=True))
    if paths and max(paths) >= len(sequence):
        raise ValueError(f"frame {max(paths)} is beyond the end of the sequence")
    labels = tuple(paths.get(frame) for frame in range(len(sequence)))
    return MaskTrack(labels=labels, seconds=_array(record["seconds"], len(sequence)))


def _region_track(path: Path, content: bytes, record: Mapping[str, Any], frames: int) -> RegionTrack:
    regions = tuple(_region_or_code(line) for line in content.decode().splitlines())
    _check_length(len(regions), frames)
    return RegionTrack(
        regions=regions,
        scores=_array(record["scores"], frames),
        seconds=_array(record["seconds"], frames),
        path=path,
    )


def _region_or_code(line: str) -> Region | Code:
    return Code(int(line)) if line.isdecimal() else parse_region(line)


def _check_length(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"{found} lines for {expected} frames")


def _array(values: Sequence[float | str | None] | None, frames: int) -> Float[np.ndarray, "frames"] | None:
    if values is None:
        return None
    _check_length(len(values), frames)
    return np.array([np.nan if value is None else float(value) for value in values])


def _flags(values: Sequence[bool] | None, frames: int) -> Bool[np.ndarray, "frames"] | None:
    if values is None:
        return None
    _check_length(len(values), frames)
    return np.array(values, dtype=np.bool_)


READERS: Mapping[str, Callable[[Mapping[str, Any], _Files, TestSequence], Said]] = {
    "boxes": _read_boxes,
    "regions": _read_regions,
    "anchors": _read_anchors,
    "labels": _read_labels,
}
"""By kind of result: called with its record, the content of its files, and the sequence."""
