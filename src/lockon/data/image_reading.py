"""Image files of annotated data: which ones a folder holds, in which order, and their pixels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from lockon.errors import DataError
from lockon.images import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def image_names(folder: Path) -> list[str]:
    """Names of the images in a folder, in order of time: shorter ones first, so that 2.jpg comes before 10.jpg.

    Hidden files are left out: archives made on a Mac bring a `._2.jpg` along with every `2.jpg`.

    Raises:
        DataError: there is no such folder, or it may not be read.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"'{folder}' is missing; expected a folder of images whose names sort in time.") from error
    except OSError as error:
        raise DataError(f"cannot read the folder '{folder}': {error.strerror}.") from error
    images = [(os.path.splitext(name)[0], name) for name in names if _is_image(name)]
    return [name for _, name in sorted(images, key=lambda image: (len(image[0]), image))]


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")


def read_rgb(path: Path) -> Image:
    """An image file as `(H, W, 3)` uint8 RGB.

    Raises:
        DataError: the file is not a readable image.
    """
    with _opened(path) as image:
        return np.asarray(image.convert("RGB"))


def read_grey(path: Path) -> UInt8[np.ndarray, "height width"]:
    """An image file as `(H, W)` uint8, colours by their luminance.

    Raises:
        DataError: the file is not a readable image.
    """
    with _opened(path) as image:
        return np.asarray(image.convert("L"))


def read_labels(path: Path) -> UInt8[np.ndarray, "height width"]:
    """An image of labels: numbers of palette entries, not their colours; or the values of a grey image.

    Raises:
        DataError: the file is not a readable image, or one of colours without a palette.
    """
    with _opened(path) as image:
        if image.mode not in {"P", "L", "1"}:
            raise DataError(f"'{path}' is no mask of objects: expected a palette or grey PNG, it is {image.mode}.")
        return np.asarray(image).astype(np.uint8, copy=False)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file in pixels, from its header.

    Raises:
        DataError: the file is not a readable image.
    """
    with _opened(path) as image:
        return image.size


def _opened(path: Path) -> AbstractContextManager[PillowImage.Image]:
    return opened_image(path, f"the image '{path}'")


@contextmanager
def opened_image(source: Path | BinaryIO, name: str) -> Iterator[PillowImage.Image]:
    """An image file while it is open; its pixels are decoded when they are asked for.

    Args:
        source: a path, or the content of a file.
        name: for messages.

    Raises:
        DataError: it is not a readable image, or turns out not to be one while it is decoded.
    """
    try:
        with PillowImage.open(source) as image:
            yield image
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"cannot read {name}: it is no image, or damaged.") from error
    # Pillow reports broken PNG chunks as SyntaxError or ValueError, images of absurd size as an error of its own.
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        raise DataError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}.") from error
