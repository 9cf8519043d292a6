"""Image files: reading one, and folders of them as videos."""

from __future__ import annotations

import glob
import re
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageOps, UnidentifiedImageError

from lockon.errors import ImageError, VideoError
from lockon.images import Image, as_rgb8
from lockon.types import Frame
from lockon.video.report import BadFrame
from lockon.video.source import DEFAULT_FRAME_RATE, BadFramePolicy, Items, VideoInfo, VideoSource

IMAGE_SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".jp2", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tga"]
)


def read_image(path: Path) -> Image:
    """Read an image file as `(H, W, 3)` uint8 RGB, upright by its EXIF orientation.

    8 and 16 bit; grey, palette, RGB, RGBA, CMYK. Alpha is dropped.

    Raises:
        ImageError: the file cannot be read, is damaged, or is no image.
    """
    try:
        return as_rgb8(_pixels(path))
    except (av.FFmpegError, OSError, SyntaxError, ValueError, PilImage.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"'{path}' cannot be read as an image ({reason}). Copy or export it again.") from error


def _pixels(path: Path) -> NDArray[Any]:
    try:
        image = PilImage.open(path)
    except UnidentifiedImageError:
        return _decode_with_ffmpeg(path)
    with image:
        if image.mode.startswith("RGB") and any(";16" in str(tile[-1]) for tile in image.tile):
            return _decode_with_ffmpeg(path)  # Pillow would keep the upper 8 bits only
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "F":
            raise ValueError("its pixels are floating point: convert them to 8 or 16 bit")
        if not upright.mode.startswith("I"):
            return np.asarray(upright.convert("RGB"))
        grey = np.asarray(upright)
        if grey.min() < 0 or grey.max() > np.iinfo(np.uint16).max:
            raise ValueError("its pixels have more than 16 bits: convert them to 8 or 16 bit")
        return grey.astype(np.uint16)


def _decode_with_ffmpeg(path: Path) -> NDArray[Any]:
    """What Pillow does not know, in 16 bits a channel. An open file, because FFmpeg expands '%d' in names."""
    with path.open("rb") as file, av.open(file, "r") as container:
        for picture in container.decode(video=0):
            return picture.to_ndarray(format="rgb48le")
    raise ValueError("it holds no picture")


class ImageFolder(VideoSource):
    """Image files as the frames of a video, `DEFAULT_FRAME_RATE` apart; frame numbers count the files from 0.

    Args:
        paths: the files, in order.
        name: for messages.
        on_bad_frame, prefetch: see `VideoSource`.

    Raises:
        VideoError: not one of the files can be read.
    """

    def __init__(self, paths: Sequence[Path], name: str, *, on_bad_frame: BadFramePolicy, prefetch: int) -> None:
        self._paths = paths
        height, width = _first_readable(paths, name).shape[:2]
        info = VideoInfo(
            width=width,
            height=height,
            frame_rate=None,
            frame_count=len(paths),
            duration=None,
            rotation=0,
            has_audio=False,
            kind="folder",
            name=name,
        )
        super().__init__(info, on_bad_frame, prefetch)

    def count_frames(self) -> int:
        """See `VideoSource.count_frames`."""
        return len(self._paths)

    def _read(self, start: int) -> Items:
        for index in range(start, len(self._paths)):
            try:
                yield Frame(index, _time(index), read_image(self._paths[index]))
            except ImageError as error:
                yield BadFrame(index, str(error).rstrip("."))

    def _checked_index(self, index: int) -> int:
        if index >= len(self._paths):
            raise VideoError(
                f"there is no frame {index} in {self.info.name}: its frames are 0 to {len(self._paths) - 1}."
            )
        return index

    def _index_at(self, seconds: float) -> int:
        return max(bisect_right(range(len(self._paths)), seconds, key=_time) - 1, 0)


def _time(index: int) -> float:
    return float(index / DEFAULT_FRAME_RATE)


def _first_readable(paths: Sequence[Path], name: str) -> Image:
    for path in paths:
        try:
            return read_image(path)
        except ImageError as error:
            last = error
    raise VideoError(f"not one of the {len(paths)} images in {name} can be read; the last: {last}")


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder in natural order, hidden ones left out.

    Raises:
        VideoError: it has none, or may not be read.
    """
    try:
        images = _images(folder)
        if not images:
            nested = next((path for path in sorted(folder.iterdir()) if path.is_dir() and _images(path)), None)
            hint = (
                f"its folder '{nested.name}' has some: give '{nested}'"
                if nested
                else "give a folder of PNG or JPEG files"
            )
            raise VideoError(f"'{folder}' holds no images; {hint}.")
    except PermissionError as error:
        raise VideoError(
            f"no permission to read the folder '{folder}'. Change its permissions (chmod u+rx)."
        ) from error
    return images


def images_matching(pattern: str) -> list[Path]:
    """Image files that match a glob pattern, in natural order.

    Raises:
        VideoError: none does.
    """
    images = [Path(name) for name in glob.glob(pattern, recursive=True) if is_image_name(Path(name))]
    if not images:
        raise VideoError(f"no image matches '{pattern}'. Check the pattern; quote it against the shell.")
    return sorted(images, key=_natural_order)


def is_image_name(path: Path) -> bool:
    """Whether a file's suffix is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _images(folder: Path) -> list[Path]:
    return sorted(filter(is_image_name, folder.iterdir()), key=_natural_order)


def _natural_order(path: Path) -> tuple[list[Any], str]:
    """Sort key under which frame2.png comes before Frame10.png."""
    name = path.as_posix()
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.casefold())], name
