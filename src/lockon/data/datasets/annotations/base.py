"""What every annotation format gives: boxes of objects in frames of clips, each with its place in the file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.boxes import Box
from lockon.errors import DataError

LEAST_VISIBILITY = 0.25
"""Where a format grades visibility from 0 to 1: below this share the object is taken for hidden."""


class Observation(NamedTuple):
    """One object in one frame, as a file states it."""

    where: str
    """For messages: the file, and the line or record in it."""
    clip: str | None
    """Name or path of the clip, where the file names clips."""
    frame: int | None
    """Frame number from 0, where the file numbers frames."""
    file: str | None
    """Name or path of the image, where the file names images."""
    track: str
    """Which object, unique within the clip."""
    category: str | None
    box: Box
    """In pixels; width or height may be 0, then it is not `visible`."""
    visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """All that one file says."""

    path: Path
    observations: tuple[Observation, ...]
    lengths: Mapping[str | None, int] = field(default_factory=dict)
    """Numbers of frames that the file states, by clip (None: the one clip it is for)."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object in one clip, in the frames that were annotated."""

    id: str
    category: str | None
    frames: Int[np.ndarray, "n"]
    """Frame numbers from 0, ascending."""
    boxes: Float[np.ndarray, "n 4"]
    """`(x, y, w, h)` in pixels."""
    visible: Bool[np.ndarray, "n"]

    def spread(self, length: int) -> tuple[Float[np.ndarray, "length 4"], Bool[np.ndarray, "length"]]:
        """Boxes and visibility of every frame of a clip; NaN and False where nothing was annotated."""
        boxes, visible = np.full((length, 4), np.nan), np.zeros(length, dtype=bool)
        boxes[self.frames], visible[self.frames] = self.boxes, self.visible
        return boxes, visible


def gather_tracks(numbered: Iterable[tuple[int, Observation]]) -> tuple[Track, ...]:
    """Join the observations of one clip to tracks, in the order in which the objects are first mentioned.

    Args:
        numbered: observations with their frame number from 0.

    Raises:
        DataError: an object has two boxes in a frame.
    """
    by_track: dict[str, dict[int, Observation]] = {}
    for frame, observation in numbered:
        seen = by_track.setdefault(observation.track, {})
        if frame in seen:
            raise DataError(
                f"{observation.where}: a second box of object '{observation.track}' in frame {frame} (counted from "
                f"0); the first is in {seen[frame].where}. Give each object an id of its own."
            )
        seen[frame] = observation
    return tuple(_track(name, seen) for name, seen in by_track.items())


def _track(name: str, seen: dict[int, Observation]) -> Track:
    frames = sorted(seen)
    categories = (seen[frame].category for frame in frames)
    return Track(
        id=name,
        category=next((category for category in categories if category), None),
        frames=np.array(frames, dtype=np.int64),
        boxes=np.array([seen[frame].box for frame in frames], dtype=np.float64).reshape(-1, 4),
        visible=np.array([seen[frame].visible for frame in frames], dtype=bool),
    )


def parse_box(values: Sequence[str | float], where: str) -> Box | None:
    """Four numbers x, y, w, h; None for the usual ways to say "absent": blank, NaN, or all four 0.

    Raises:
        DataError: something else than four finite numbers, or a negative width or height.
    """
    numbers = [math.nan if value == "" else parse_number(value, where) for value in values]
    if any(map(math.isnan, numbers)) or not any(numbers):
        return None
    box = Box(*numbers)
    if not all(map(math.isfinite, box)):
        raise DataError(f"{where}: the box {_text(box)} is not finite.")
    if box.w < 0 or box.h < 0:
        raise DataError(
            f"{where}: the box {_text(box)} (x, y, w, h) has a negative size. Check the order of the numbers, and "
            "whether they are corners or sizes."
        )
    return box


def corners_to_box(corners: Sequence[str | float], where: str) -> Box | None:
    """Four numbers x1, y1, x2, y2 as a box; None and errors as in `parse_box`."""
    numbers = [math.nan if value == "" else parse_number(value, where) for value in corners]
    left, top, right, bottom = numbers
    return parse_box([left, top, right - left, bottom - top] if any(numbers) else numbers, where)


def parse_number(value: str | float, where: str) -> float:
    """A number.

    Raises:
        DataError: it is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: expected a number; got {value!r}.") from error


def parse_frame(value: str | float, where: str, first: int = 0) -> int:
    """A frame number counted from 0, read from one that is counted from `first`.

    Raises:
        DataError: it is no whole number, or lies before the first frame.
    """
    number = parse_number(value, where)
    if not math.isfinite(number) or number != int(number):
        raise DataError(f"{where}: a frame number is whole; got {value}.")
    if number < first:
        raise DataError(f"{where}: frame {int(number)} comes before the first, which is frame {first} here.")
    return int(number) - first


def read_text(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        DataError: it cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"'{path}' is not a text file in UTF-8.") from error


def _text(box: Box) -> str:
    return ",".join(f"{value:g}" for value in box)
