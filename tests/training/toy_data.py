"""Data sets in memory, small enough to know every pixel of."""

from dataclasses import dataclass, field

import numpy as np

from lockon.errors import DataError


@dataclass
class ToySequence:
    """A clip whose frames are made by a function; reading one of `broken` fails."""

    boxes: np.ndarray
    visible: np.ndarray
    make: object = None
    name: str = "clip"
    category: str | None = None
    broken: frozenset = frozenset()
    reads: list = field(default_factory=list)

    def __len__(self):
        return len(self.boxes)

    def frame(self, index):
        self.reads.append(index)
        if index in self.broken:
            raise DataError(f"cannot read the image '{self.name}/{index}.jpg'.")
        return self.make(index)

    def mask(self, index):
        return None


@dataclass
class ToyDataset:
    """A list of sequences."""

    sequences: list
    name: str = "toy"
    is_video: bool = True
    fingerprint: str = "0" * 64

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        return self.sequences[index]


def noise_frame(index, seed=0, size=(120, 160)):
    """A smooth random image, another for every frame."""
    rng = np.random.default_rng([seed, index])
    coarse = rng.integers(0, 256, (size[0] // 8 + 1, size[1] // 8 + 1, 3))
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)[: size[0], : size[1]].astype(np.uint8)


def toy_sequence(length=40, visible=None, seed=0, **options):
    """A target that moves to the right by one pixel a frame."""
    boxes = np.tile([40.0, 50.0, 24.0, 18.0], (length, 1))
    boxes[:, 0] += np.arange(length)
    seen = np.ones(length, bool) if visible is None else np.asarray(visible, bool)
    return ToySequence(boxes, seen, make=lambda index: noise_frame(index, seed), **options)
