"""A data set as its index file describes it: arrays mapped into memory, images read on demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.datasets.building import TEXTS
from lockon.data.datasets.columns import Columns, Texts, read_columns
from lockon.data.datasets.records import Issue
from lockon.data.datasets.segmentation import decode_segmentation
from lockon.data.image_reading import read_labels, read_rgb
from lockon.errors import DataError
from lockon.images import Image


@dataclass(frozen=True, slots=True)
class IndexedSequence:
    """One target in one clip of an indexed data set."""

    dataset: IndexedDataset
    number: int

    @property
    def name(self) -> str:
        """Unique within the data set."""
        return self.dataset.texts["names"][self.number]

    @property
    def category(self) -> str | None:
        """What the target is, where the data set says so."""
        return self._text("categories", self._of("category"))

    @property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """`(x, y, w, h)` per frame in pixels, float32, read-only; NaN where there is none."""
        return self.dataset.columns["boxes"][self._frames]

    @property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        """Frames that show enough of the target to learn from; read-only."""
        return self.dataset.columns["visible"][self._frames]

    def __len__(self) -> int:
        return int(self._frames.stop - self._frames.start)

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: the image cannot be read.
        """
        return read_rgb(self.frame_path(index))

    def frame_bytes(self, index: int) -> bytes | None:
        """The file of frame `index` as it is, where it is a JPEG.

        Raises:
            DataError: the file cannot be read.
        """
        path = self.frame_path(index)
        if path.suffix.lower() not in {".jpg", ".jpeg"}:
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read the image '{path}': {error.strerror}.") from error

    @property
    def clip(self) -> str:
        """What the frames are: sequences with the same clip are targets in the same frames."""
        return f"{self._file(0)}..{self._file(-1)}"

    def frame_path(self, index: int) -> Path:
        """The image file of frame `index`, from 0."""
        return self.dataset.root / self._file(index)

    def _file(self, index: int) -> str:
        """Path from the root."""
        pattern, number = self.dataset.texts["patterns"][self._of("pattern")], self._frame_number(index)
        by_name = pattern.rpartition("/")[2] == "%s"
        return pattern % (self.dataset.texts["files"][number] if by_name else number)

    def mask(self, index: int) -> Bool[np.ndarray, "height width"] | None:
        """The target's pixels in frame `index`, from 0; None where the data set has no mask.

        Raises:
            DataError: the mask cannot be read.
        """
        pattern = self._text("patterns", self._of("mask_pattern"))
        if pattern is not None:
            labels = read_labels(self.dataset.root / (pattern % self._frame_number(index)))
            return np.asarray(labels == self._of("label"))
        segmentations = self.dataset.texts["segmentations"]
        text = segmentations[self._frames.start + range(len(self))[index]] if len(segmentations) else ""
        return decode_segmentation(text) if text else None

    @property
    def _frames(self) -> slice:
        first, end = self.dataset.columns["starts"][self.number : self.number + 2].tolist()
        return slice(first, end)

    def _frame_number(self, index: int) -> int:
        return int(self.dataset.columns["numbers"][self._frames.start + range(len(self))[index]])

    def _of(self, column: str) -> int:
        return int(self.dataset.columns[column][self.number])

    def _text(self, table: str, code: int) -> str | None:
        return self.dataset.texts[table][code] if code >= 0 else None


class IndexedDataset:
    """A data set by its index. Pickled, it is the path of the index file and no more.

    Args:
        path: of the index file.
        columns: arrays of the index.
        about: the rest of it.
    """

    def __init__(self, path: Path, columns: Columns, about: dict[str, Any]) -> None:
        self.path, self.columns, self.about = path, columns, about
        self.texts = {name: Texts(columns, name) for name in TEXTS}
        self.root = Path(about["root"])
        """Folder of the data set."""

    @classmethod
    def read(cls, path: Path) -> IndexedDataset:
        """Map an index file into memory.

        Raises:
            DataError: it is missing or damaged.
        """
        return cls(path, *read_columns(path))

    @property
    def name(self) -> str:
        """Reader and split, as in `lasot/train`."""
        return f"{self.about['reader']}/{self.about['split']}"

    @property
    def is_video(self) -> bool:
        """False where every sequence is a single image."""
        return bool(self.about["is_video"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, categories, boxes and visibility; where the files are does not matter."""
        return str(self.about["fingerprint"])

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What is wrong with the data set."""
        return tuple(Issue(**issue) for issue in self.about["issues"])

    def __len__(self) -> int:
        return len(self.columns["starts"]) - 1

    def __getitem__(self, index: int) -> IndexedSequence:
        return IndexedSequence(self, range(len(self))[index])

    def __iter__(self) -> Iterator[IndexedSequence]:
        return map(self.__getitem__, range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.fingerprint)


def _reopen(path: Path, fingerprint: str) -> IndexedDataset:
    dataset = IndexedDataset.read(path)
    if dataset.fingerprint != fingerprint:
        raise DataError(f"{dataset.name} in '{dataset.root}' was changed and indexed anew meanwhile; start again.")
    return dataset
