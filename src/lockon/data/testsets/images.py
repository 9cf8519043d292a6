"""Where the images of a sequence are, without asking the disk for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from lockon.data.image_reading import IMAGE_SUFFIXES
from lockon.errors import DataError


@dataclass(frozen=True, slots=True)
class NumberedImages(Sequence[Path]):
    """Images whose names count up, such as `00000001.jpg`, `00000002.jpg`."""

    folder: Path
    numbers: range
    digits: int
    """At least so many; filled with zeros."""
    suffix: str

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> NumberedImages: ...

    def __getitem__(self, index: int | slice) -> Path | NumberedImages:
        if isinstance(index, slice):
            return NumberedImages(self.folder, self.numbers[index], self.digits, self.suffix)
        return self.folder / f"{self.numbers[index]:0{self.digits}d}{self.suffix}"


def numbered_images(folder: Path, first: int, length: int, digits: int) -> Sequence[Path]:
    """The images of a sequence, of which only the first is looked for; none where there is no such folder.

    Args:
        folder: in which they lie.
        first: number of the first that is used.
        length: how many there are.
        digits: of their names.

    Raises:
        DataError: there is a folder without the first image.
    """
    stem = f"{first:0{digits}d}"
    for suffix in (".jpg", *sorted(IMAGE_SUFFIXES - {".jpg"})):
        if (folder / f"{stem}{suffix}").is_file():
            return NumberedImages(folder, range(first, first + length), digits, suffix)
    if folder.is_dir():
        raise DataError(f"'{folder}' has no image '{stem}.jpg', with which the sequence starts. Extract it again.")
    return ()
