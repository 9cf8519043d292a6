"""A test set as pictures are drawn of data sets: boxes in pixels, and the frames that show the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import BoxTruth, MaskTruth, RegionTruth, SparseTruth, TestSequence, TestSet, box_of
from lockon.images import Image


class PicturedTestSet:
    """The sequences of a test set that have images and boxes, one a frame."""

    is_video = True
    fingerprint = ""

    def __init__(self, test_set: TestSet) -> None:
        self.name = test_set.name
        boxed = (sequence for sequence in test_set.sequences if not isinstance(sequence.truth, MaskTruth))
        self._sequences = [_Pictured(sequence) for sequence in boxed if sequence.has_images]

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> _Pictured:
        return self._sequences[index]


@dataclass(frozen=True, slots=True)
class _Pictured:
    sequence: TestSequence

    @property
    def name(self) -> str:
        return self.sequence.name

    @property
    def category(self) -> str | None:
        return self.sequence.category

    @property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """NaN in frames of which no box is known."""
        boxes, truth = np.full((len(self.sequence), 4), np.nan), self.sequence.truth
        if isinstance(truth, BoxTruth):
            boxes[: len(truth.boxes)] = truth.boxes
        elif isinstance(truth, RegionTruth):
            boxes[:] = [box_of(region) for region in truth.regions]
        elif isinstance(truth, SparseTruth) and self.sequence.image_size:
            boxes[truth.numbers] = truth.boxes * np.tile(self.sequence.image_size, 2)
        return boxes

    @property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        return np.asarray((self.boxes[:, 2:] > 0).all(axis=1))

    def __len__(self) -> int:
        return len(self.sequence)

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0."""
        return self.sequence.frame(index)

    def mask(self, index: int) -> None:
        """Nothing: boxes are drawn."""
