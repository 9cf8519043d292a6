"""The synthetic world as a data set: so many of its endless sequences, numbered from a seed on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lockon.boxes import Box
from lockon.data.synthetic import ImageBank, SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.errors import DataError, UnknownNameError
from lockon.files import user_path
from lockon.images import Image

_FIRST_SEED = {"train": 0, "val": 10**9}
_HELD_OUT = 0.04
"""Share of the photographs that training never sees."""


class SyntheticTarget:
    """A synthetic sequence with its target annotated in some of its frames.

    To know whether a frame shows the target is a good part of the cost of drawing it. So, as in other sparsely
    annotated data sets, only a random choice of frames has a box, and only such a frame may be visible.

    Args:
        sequence: what is shown.
        annotated: how many frames get a box; all of them where the sequence is no longer.
        min_visibility: least share of the target's area that must be seen in a frame that counts as visible.
    """

    category: str | None = None

    def __init__(self, sequence: SyntheticSequence, annotated: int, min_visibility: float) -> None:
        self._sequence, self._annotated, self._min_visibility = sequence, annotated, min_visibility
        self.name = f"{sequence.seed}"

    @cached_property
    def frames(self) -> tuple[int, ...]:
        """The annotated frames, in the order of time."""
        length = len(self._sequence)
        rng = np.random.default_rng([self._sequence.seed, length])
        return tuple(sorted(rng.choice(length, min(self._annotated, length), replace=False).tolist()))

    @cached_property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """`(x, y, w, h)` in pixels: the full extent of the target, hidden or not; NaN where not annotated."""
        boxes = np.full((len(self), 4), np.nan)
        for index in self.frames:
            boxes[index] = self._sequence.box(index)
        return boxes

    @cached_property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        """Annotated frames that show enough of the target."""
        visible = np.zeros(len(self), np.bool_)
        for index in self.frames:
            visible[index] = self._sequence.visibility(index) >= self._min_visibility
        return visible

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._sequence.frame_size

    def __len__(self) -> int:
        return len(self._sequence)

    def frame(self, index: int) -> Image:
        """The whole frame."""
        return self._sequence.frame(index)

    def render(self, index: int, window: Box, size: tuple[int, int]) -> Image:
        """Part of a frame at `size` = (rows, columns); far cheaper than the frame."""
        return self._sequence.render(index, window, size)

    def mask(self, index: int) -> Bool[np.ndarray, "height width"]:
        """The visible part of the target."""
        return self._sequence.mask(index)

    def distractors(self, index: int) -> Float[np.ndarray, "look_alikes 4"]:
        """Boxes `(x, y, w, h)` of the look-alikes; row k is the same object in every frame."""
        return np.array(self._sequence.distractors(index), np.float64).reshape(-1, 4)


class SyntheticDataset:
    """Sequences `first_seed` … `first_seed + length − 1` of a world.

    Args:
        config: how varied the world is.
        images: photographs for grounds and objects; without them everything is procedural.
        length: how many sequences.
        first_seed: number of the first; training and validation take ranges that do not meet.
        name: of the data set.
        annotated: frames with a box in each sequence, see `SyntheticTarget`.
        min_visibility: see `SyntheticTarget`.

    Raises:
        DataError: no sequences, or a negative number.
    """

    is_video = True

    def __init__(
        self,
        config: SyntheticConfig,
        images: ImageBank | None = None,
        *,
        length: int,
        first_seed: int = 0,
        name: str = "synthetic",
        annotated: int = 16,
        min_visibility: float = 0.4,
    ) -> None:
        if length < 1 or first_seed < 0:
            raise DataError(
                f"synthetic sequences are at least one, with numbers from 0 on; got {length} from {first_seed}."
            )
        self.name = name
        self._config, self._images, self._world = config, images, SyntheticWorld(config, images)
        self._length, self._first = length, first_seed
        self._annotated, self._min_visibility = annotated, min_visibility

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> SyntheticTarget:
        if not 0 <= index < self._length:
            raise IndexError(f"sequence {index} of {self._length}")
        return SyntheticTarget(self._world.sequence(self._first + index), self._annotated, self._min_visibility)

    def __iter__(self) -> Iterator[SyntheticTarget]:
        return (self[index] for index in range(self._length))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything the sequences are made from: the numbers of the world, and its photographs."""
        numbers = (self._config, self._length, self._first, self._annotated, self._min_visibility)
        photos = self._images.fingerprint if self._images else ""
        return hashlib.sha256(f"{numbers} {photos}".encode()).hexdigest()


def open_synthetic(
    root: str | Path | None = None,
    split: str | None = None,
    *,
    config: SyntheticConfig | None = None,
    length: int = 1_000_000,
) -> SyntheticDataset:
    """The synthetic world for training (`train`, the default) or for validation (`val`), which share nothing.

    Args:
        root: folder of photographs, see `ImageBank`; of every 25 one is kept for validation. Without it, everything
            is procedural.
        split: `train` or `val`.
        config: how varied the world is.
        length: how many sequences.

    Raises:
        DataError: there are no images under `root`.
        UnknownNameError: no such split.
    """
    split = split or "train"
    if split not in _FIRST_SEED:
        raise UnknownNameError("split of the synthetic world", split, _FIRST_SEED)
    images = None
    if root is not None:
        training, validation = ImageBank.load([user_path(root)]).split(_HELD_OUT)
        images = training if split == "train" else validation
    return SyntheticDataset(
        config or SyntheticConfig(),
        images,
        length=length,
        first_seed=_FIRST_SEED[split],
        name=f"synthetic/{split}",
    )
