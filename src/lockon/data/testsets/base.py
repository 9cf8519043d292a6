"""What a test set gives: sequences with the benchmark's own annotation, neither repaired nor shifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.boxes import Box
from lockon.data.datasets.clips import Clip
from lockon.data.image_reading import image_size, read_rgb
from lockon.errors import DataError
from lockon.images import Image
from lockon.regions import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTruth:
    """A box a frame, as annotated: NaN, zeros and empty boxes stay, as protocols differ in what they make of them."""

    boxes: Float[np.ndarray, "frames 4"]
    """`(x, y, w, h)`; only one row where the annotation of the other frames is secret."""
    visible: Bool[np.ndarray, "frames"] | None = None
    """Frames that show the target by the benchmark's own flags; None where it has none."""
    cover: Int[np.ndarray, "frames"] | None = None
    """Eighths of the target that are visible (GOT-10k); None elsewhere."""
    look_alikes: Float[np.ndarray, "look_alikes frames 4"] | None = None
    """Boxes of what can be mistaken for the target, one object a row; None where they are not annotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTruth:
    """A region a frame: box, polygon or mask (VOT short-term)."""

    regions: tuple[Region, ...]
    tags: Mapping[str, Bool[np.ndarray, "frames"]] = field(default_factory=dict)
    """Per-frame attributes."""
    anchors: Int[np.ndarray, "frames"] | None = None
    """Where runs start (multi-start): above 0 forward, below 0 backward, 0 nowhere."""

    def runs(self) -> dict[int, range]:
        """The frames of the run from every anchor, in its order: to the last frame, or backward to the first."""
        anchors = np.zeros(0, dtype=np.int64) if self.anchors is None else self.anchors
        return {
            int(frame): range(frame, len(self.regions)) if anchors[frame] > 0 else range(frame, -1, -1)
            for frame in np.flatnonzero(anchors).tolist()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseTruth:
    """Boxes in some frames only, and in the others nothing is known (OxUvA)."""

    numbers: Int[np.ndarray, "annotated"]
    """The annotated frames, counted from the first of the sequence; frame 0 is the start."""
    present: Bool[np.ndarray, "annotated"]
    boxes: Float[np.ndarray, "annotated 4"]
    """`(x, y, w, h)` relative to the image size; NaN where absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTruth:
    """Label images in some frames or all, one or several objects (DAVIS, YouTube-VOS)."""

    labels: tuple[Path | None, ...]
    """The label image per frame (pixel = object number); None where there is none."""
    objects: Mapping[int, int]
    """Number of every object, and the frame (from 0) in which it is given."""
    categories: Mapping[int, str] = field(default_factory=dict)
    """Category of an object, where the data set says so."""
    required: tuple[int, ...] | None = None
    """Frames for which results are expected; None: all."""
    merged: bool = False
    """Everything that is marked, whatever its number, is the one object 1 (DAVIS 2016)."""


Truth = BoxTruth | RegionTruth | SparseTruth | MaskTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSequence:
    """One entry of a test set: frames in order, and what is known of the target."""

    __test__: ClassVar[bool] = False  # pytest takes a class of such a name for tests

    name: str
    """As in reports and names of result files; unique in the test set."""
    frame_paths: Sequence[Path]
    """Images in order; empty where frames are no files, or where only the annotation is at hand, which suffices to
    score results."""
    truth: Truth
    start: Region | None
    """What a tracker is given in frame 0. None for label images, whose objects start as `MaskTruth.objects` says, and
    for boxes relative to the size of an image that is not at hand."""
    length: int
    """Frames, whether the images are at hand or not."""
    clip: Clip | None = None
    """Where frames are no files: the video that they are in."""
    benchmark: str = ""
    """Name of the test set that the sequence was made for, where several are joined to one; else empty."""
    first_number: int = 0
    """What the benchmark's own result files call frame 0."""
    attributes: frozenset[str] = frozenset()
    category: str | None = None
    image_size: tuple[int, int] | None = None
    """Width and height where a protocol needs them and they are known without reading an image."""

    def __len__(self) -> int:
        return self.length

    @property
    def has_images(self) -> bool:
        """Whether trackers can be run on it."""
        return self.clip is not None or len(self.frame_paths) > 0

    def size_of_images(self) -> tuple[int, int]:
        """Width and height, read from the first image where they are not known.

        Raises:
            DataError: they are not known, and there are no images, or the first cannot be read.
        """
        if self.image_size is not None:
            return self.image_size
        if self.frame_paths:
            return image_size(self.frame_paths[0])
        height, width = self.frame(0).shape[:2]
        return width, height

    def frame(self, index: int) -> Image:
        """Read frame `index` (from 0) as `(H, W, 3)` uint8 RGB.

        Raises:
            DataError: there are no images, or this one cannot be read.
        """
        if self.clip is not None:
            return self.clip.frame(index)
        if not self.frame_paths:
            raise DataError(f"sequence '{self.name}' has annotations only; its images are not at hand.")
        return read_rgb(self.frame_paths[index])


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """Sequences that are evaluated together."""

    __test__: ClassVar[bool] = False

    name: str
    """In `lockon.data.testsets.registry`, such as "otb100"."""
    title: str
    """As in papers, such as "OTB-100"."""
    sequences: tuple[TestSequence, ...]
    protocol: str
    """How it is evaluated by default; a name in `lockon.evaluation.protocols`."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Short and long names of the attributes that sequences may have."""
    excluded: tuple[tuple[str, str], ...] = ()
    """Sequences that should be there and are not used, each with the reason; reports list them."""
    notes: tuple[str, ...] = ()
    """What else a reader of numbers should know of how it was read."""

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, name: str) -> TestSequence:
        try:
            return next(sequence for sequence in self.sequences if sequence.name == name)
        except StopIteration:
            raise DataError(f"test set '{self.name}' has no sequence '{name}'.") from None


def box_of(region: Region) -> Box:
    """The axis-aligned box that a tracker of boxes starts with."""
    return region if isinstance(region, Box) else region.box
