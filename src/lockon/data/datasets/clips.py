"""Frames of a user's clips by number: folders of images, and videos read at any place, exactly."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lockon.errors import DataError, ImageError, VideoError
from lockon.images import Image
from lockon.types import Frame
from lockon.video import VideoSource, open_source, read_image

_OPEN_AT_ONCE = 4
"""Videos a process keeps open; each holds a decoder with some frames."""
_DECODE_ON = 24
"""Frames ahead up to which decoding on is taken to be cheaper than seeking."""


class Clip(Protocol):
    """Pictures in order, read one at a time."""

    @property
    def name(self) -> str:
        """Unique within its folder."""

    @property
    def path(self) -> Path:
        """For messages: the video file or the folder."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: it cannot be read.
        """

    def frame_path(self, index: int) -> Path | None:
        """The image file of frame `index`, from 0; None where frames are no files."""


@dataclass(frozen=True, slots=True)
class ImageClip:
    """A folder of images, upright by their EXIF orientation."""

    name: str
    path: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: it cannot be read.
        """
        try:
            return read_image(self.paths[index])
        except ImageError as error:
            raise DataError(str(error)) from error

    def frame_path(self, index: int) -> Path:
        """The image file of frame `index`, from 0."""
        return self.paths[index]


@dataclass(frozen=True, slots=True)
class VideoClip:
    """A video file."""

    name: str
    path: Path
    length: int
    decoders: Decoders
    """Shared by the clips of a folder."""

    def __len__(self) -> int:
        return self.length

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0: the same picture as decoding from the beginning gives.

        Raises:
            DataError: it cannot be read.
        """
        return self.decoders.frame(self.path, index)

    def frame_path(self, index: int) -> None:
        """Nothing: frames of a video are no files."""


@dataclass(slots=True)
class Decoders:
    """The videos that this process read from last, each open where it stands, so that the next frame is cheap.

    For one thread. A copy in another process (a loader worker) opens its own.
    """

    _open: OrderedDict[Path, _Cursor] = field(default_factory=OrderedDict)
    _process: int = field(default_factory=os.getpid)
    _inherited: list[OrderedDict[Path, _Cursor]] = field(default_factory=list)

    def frame(self, path: Path, index: int) -> Image:
        """Read frame `index` (from 0) of a video.

        Raises:
            DataError: it cannot be read.
        """
        if self._process != os.getpid():
            # After a fork the decoders' threads are gone: using or even closing what was opened before would hang.
            self._inherited.append(self._open)
            self._open, self._process = OrderedDict(), os.getpid()
        try:
            if path not in self._open:
                self._open[path] = _Cursor(path)
            self._open.move_to_end(path)
            while len(self._open) > _OPEN_AT_ONCE:
                self._open.popitem(last=False)[1].source.close()
            return self._open[path].read(index)
        except VideoError as error:
            raise DataError(str(error)) from error

    def __reduce__(self) -> tuple[type[Decoders], tuple[()]]:
        return Decoders, ()


class _Cursor:
    """A place in an open video.

    Raises:
        VideoError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.source: VideoSource = open_source(path)
        self._frames = iter(self.source)
        self._last: Frame | None = None

    def read(self, index: int) -> Image:
        """Frame `index`, from 0.

        Raises:
            VideoError: there is no such frame, or it cannot be decoded.
        """
        last = -1 if self._last is None else self._last.index
        if index != last:
            if not last < index <= last + _DECODE_ON:
                self._frames.close()
                self.source.seek_frame(index)
                self._frames = iter(self.source)
            self._last = next((frame for frame in self._frames if frame.index >= index), None)
        if self._last is None or self._last.index != index:
            reasons = (bad.reason for bad in self.source.skipped if bad.index == index)
            reason = next(reasons, "the video ends before it")
            raise VideoError(f"frame {index} of '{self.source.info.name}' cannot be read: {reason}.")
        return self._last.image.copy()
