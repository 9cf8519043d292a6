"""What every training set gives: sequences of one target each, read frame by frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from lockon.images import Image


class TargetSequence(Protocol):
    """One target in one clip, annotations in memory, pixels on demand."""

    @property
    def name(self) -> str:
        """Unique within the data set."""

    @property
    def category(self) -> str | None:
        """What the target is, where the data set says so."""

    @property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """`(x, y, w, h)` per frame in pixels, continuous top-left corner; NaN where there is none."""

    @property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        """Frames that show enough of the target to learn from; their boxes have an area."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: the image cannot be read.
        """

    def mask(self, index: int) -> Bool[np.ndarray, "height width"] | None:
        """The target's pixels in frame `index`, from 0; None where the data set has no mask.

        Raises:
            DataError: the mask cannot be read.
        """


class SequenceDataset(Protocol):
    """Sequences by number, found without reading any pixel."""

    @property
    def name(self) -> str:
        """Of the data set and split, as in recipes."""

    @property
    def is_video(self) -> bool:
        """False where every sequence is a single image, which samples repeat."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, lengths and annotations: equal where the training data are equal."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> TargetSequence: ...
