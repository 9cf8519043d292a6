"""Where the images of a sequence are, without asking the disk for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from lockon.data.image_reading import IMAGE_SUFFIXES, image_names
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
        return self.folder / self.name(index)

    def name(self, index: int) -> str:
        """File name of one image."""
        return f"{self.numbers[index]:0{self.digits}d}{self.suffix}"


def numbered_images(folder: Path, first: int, length: int, digits: int) -> Sequence[Path]:
    """The images of a sequence, of which only the first is looked for; none where the folder has none.

    Args:
        folder: in which they lie.
        first: number of the first that is used.
        length: how many there are.
        digits: of their names.

    Raises:
        DataError: there are images, but not the first.
    """
    stem = f"{first:0{digits}d}"
    for suffix in (".jpg", *sorted(IMAGE_SUFFIXES - {".jpg"})):
        if (folder / f"{stem}{suffix}").is_file():
            return NumberedImages(folder, range(first, first + length), digits, suffix)
    if folder.is_dir() and image_names(folder):
        raise DataError(f"'{folder}' has no image '{stem}.jpg', with which the sequence starts. Extract it again.")
    return ()


def counted_images(folder: Path, first: int, digits: int) -> Sequence[Path]:
    """All images in a folder, of which there is no other count.

    Args:
        folder: in which they lie.
        first: number of the first.
        digits: of their names.

    Raises:
        DataError: there are none, or one is missing between the others.
    """
    names = image_names(folder)
    if not names:
        raise DataError(f"'{folder}' has no images. Extract it again.")
    images = NumberedImages(folder, range(first, first + len(names)), digits, Path(names[0]).suffix)
    lost = next((images.name(index) for index, name in enumerate(names) if images.name(index) != name), None)
    if lost is not None:
        raise DataError(f"'{folder}' has {len(names)} images, but no '{lost}' among them. Extract it again.")
    return images
