"""Annotated sequences on disk: frames read one at a time, boxes read and checked up front.

The layout of one sequence is a folder with `frames/` (images whose names sort in time), `groundtruth.txt` (one line a
frame: x, y, w, h in pixels, separated by commas, tabs or blanks, NaN where the target is absent) and, for some,
`masks/` (one image a frame, zero outside the target).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lockon.boxes import Box
from lockon.data.image_reading import image_names, read_grey, read_rgb
from lockon.errors import DataError
from lockon.images import Image


@dataclass(frozen=True, slots=True)
class Sequence:
    """One annotated sequence. Iterating reads the frames in order; nothing is kept."""

    name: str
    frame_paths: tuple[Path, ...]
    boxes: Float[np.ndarray, "frames 4"]
    """Annotated `(x, y, w, h)` in pixels per frame; NaN where the target is absent, never in frame 0."""
    mask_paths: tuple[Path, ...] = ()
    """One mask a frame, or empty."""

    def __len__(self) -> int:
        return len(self.frame_paths)

    def __iter__(self) -> Iterator[Image]:
        return (self.frame(index) for index in range(len(self)))

    @property
    def start_box(self) -> Box:
        """The target in frame 0."""
        return Box.parse(self.boxes[0].tolist())

    def frame(self, index: int) -> Image:
        """Read frame `index` (from 0) as `(H, W, 3)` uint8 RGB.

        Raises:
            DataError: the file is not a readable image.
        """
        return read_rgb(self.frame_paths[index])

    def mask(self, index: int) -> Bool[np.ndarray, "height width"]:
        """Read the target's mask in frame `index` (from 0).

        Raises:
            DataError: the sequence has no masks, or the file is not a readable image.
        """
        if not self.mask_paths:
            raise DataError(f"sequence '{self.name}' has no masks; it is annotated with boxes only.")
        return read_grey(self.mask_paths[index]) > 0


def read_sequence(folder: Path) -> Sequence:
    """Read the annotation of one sequence folder and list its frames.

    Raises:
        DataError: frames or annotation are missing, malformed, or differ in number; or frame 0 has no target.
    """
    annotation = folder / "groundtruth.txt"
    if not annotation.is_file():
        raise DataError(f"'{folder}' is not a sequence: it has no groundtruth.txt (one line x,y,w,h per frame).")
    boxes = read_boxes(annotation)
    frames = _list_images(folder / "frames")
    if len(frames) != len(boxes):
        raise DataError(f"'{annotation}' has {len(boxes)} boxes, but '{folder / 'frames'}' has {len(frames)} images.")
    if np.isnan(boxes[:1]).any():
        raise DataError(f"'{annotation}' has no target in frame 0; cut the sequence to where the target appears.")
    masks = _list_images(folder / "masks") if (folder / "masks").exists() else ()
    if masks and len(masks) != len(frames):
        raise DataError(
            f"'{folder / 'masks'}' has {len(masks)} images for {len(frames)} frames; there must be one each."
        )
    return Sequence(folder.resolve().name, frames, boxes, masks)


def find_sequences(root: Path) -> list[Sequence]:
    """Every sequence below `root` by name, or `root` itself where it is one.

    Raises:
        DataError: there is none, or one is malformed.
    """
    if (root / "groundtruth.txt").is_file():
        return [read_sequence(root)]
    folders = sorted(path.parent for path in root.glob("*/groundtruth.txt"))
    if not folders:
        raise DataError(f"no sequence found in '{root}': expected folders with frames/ and groundtruth.txt.")
    return [read_sequence(folder) for folder in folders]


def read_boxes(path: Path) -> Float[np.ndarray, "frames 4"]:
    """Read one box `(x, y, w, h)` per line; four NaN, or any of them, for a frame without target.

    Raises:
        DataError: the file is empty or unreadable, or a line is not four numbers with a positive size.
    """
    try:
        lines = path.read_text().rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the boxes in '{path}': {error}.") from error
    if not lines:
        raise DataError(f"'{path}' is empty; expected one line x,y,w,h per frame.")
    return np.array([_parse_box(line, f"'{path}', line {number}") for number, line in enumerate(lines, start=1)])


def _parse_box(line: str, where: str) -> list[float]:
    try:
        values = [float(part) for part in re.split(r"[,\s]+", line.strip())]
    except ValueError as error:
        raise DataError(f"{where}: expected four numbers x,y,w,h; got '{line}'.") from error
    if len(values) != 4:
        raise DataError(f"{where}: expected four numbers x,y,w,h; got {len(values)}.")
    if np.isnan(values).any():
        return [float("nan")] * 4
    if not np.isfinite(values).all() or min(values[2:]) <= 0:
        raise DataError(f"{where}: box '{line}' has no area; write NaN,NaN,NaN,NaN where the target is absent.")
    return values


def _list_images(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in image_names(folder))
