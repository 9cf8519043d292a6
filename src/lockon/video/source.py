"""What every video source is: an iterable of frames with one policy for the frames that cannot be read."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Literal, Self, get_args

from lockon.errors import VideoError
from lockon.types import Frame
from lockon.video.prefetch import read_ahead
from lockon.video.report import BadFrame, ReadReport

BadFramePolicy = Literal["skip", "stop", "raise"]
"""What to do at a frame that cannot be read: go on with the next, end there, or raise a `VideoError`."""

SourceKind = Literal["file", "folder", "camera", "stream"]

DEFAULT_FRAME_RATE = Fraction(25)
"""Frames per second assumed where a source has neither a rate nor timestamps (image folders)."""

Items = Generator[Frame | BadFrame, None, None]
"""Frames in order, bad ones in their place."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself before the first frame is read."""

    width: int
    """Pixels, as displayed (after `rotation`)."""
    height: int
    frame_rate: Fraction | None
    """Frames per second, exact (30000/1001, not 29.97); the average where the rate varies, None where unknown."""
    frame_count: int | None
    """As the container declares it; None where it does not."""
    duration: float | None
    """Seconds."""
    rotation: int
    """Degrees clockwise (0, 90, 180, 270) by which stored pictures are turned for display; already applied."""
    has_audio: bool
    kind: SourceKind
    name: str


class VideoSource(ABC):
    """Frames of one video; open it with `lockon.video.open_source`.

    Iterating reads from the first frame (files, folders), as often as you like, or goes on from the present one
    (cameras, live streams). `seek_frame` and `seek_time` say where the iteration that is running goes on, or else
    where the next one starts. Frames keep their number and time when frames before them are skipped.

    Args:
        info: see `VideoInfo`.
        on_bad_frame: see `BadFramePolicy`; `skipped` tells what was skipped, whatever the policy.
        prefetch: number of frames that a thread keeps ready; 0 reads in the caller's thread.
    """

    def __init__(self, info: VideoInfo, on_bad_frame: BadFramePolicy, prefetch: int) -> None:
        if on_bad_frame not in get_args(BadFramePolicy):
            raise VideoError(f"on_bad_frame is one of {', '.join(get_args(BadFramePolicy))}; got {on_bad_frame!r}.")
        if prefetch < 0:
            raise VideoError(f"prefetch is a number of frames, 0 or more; got {prefetch}.")
        self.info = info
        self.skipped = ReadReport()
        self._on_bad_frame = on_bad_frame
        self._prefetch = prefetch
        self._sought: int | None = None
        self._closed = False
        self._running: weakref.WeakSet[Generator[Frame, None, None]] = weakref.WeakSet()

    @abstractmethod
    def _read(self, start: int) -> Items:
        """Frames from number `start` on, bad ones in their place."""

    @abstractmethod
    def _checked_index(self, index: int) -> int:
        """`index` if the source has, or may have, a frame of this number; else a `VideoError`."""

    @abstractmethod
    def _index_at(self, seconds: float) -> int:
        """Number of the frame on screen at a time."""

    @abstractmethod
    def count_frames(self) -> int:
        """Exact number of frames, the unreadable ones included; seldom needs decoding.

        Raises:
            VideoError: the source has no end (camera, live stream).
        """

    def seek_frame(self, index: int) -> None:
        """Go on with frame number `index`, exactly.

        Raises:
            VideoError: no frame has this number, or the source cannot be sought (camera, live stream).
        """
        if index < 0:
            raise VideoError(f"frames are numbered from 0; there is no frame {index} in {self.info.name}.")
        self._sought = self._checked_index(index)

    def seek_time(self, seconds: float) -> None:
        """Go on with the frame that is on screen at `seconds` (on the clock of `Frame.time`).

        Before the first frame that is the first, after the last it is the last.

        Raises:
            VideoError: the source cannot be sought (camera, live stream).
        """
        self._sought = self._index_at(seconds)

    def __iter__(self) -> Generator[Frame, None, None]:
        if self._closed:
            raise VideoError(f"{self.info.name} is closed; open it again with open_source().")
        frames = self._frames()
        self._running.add(frames)
        return frames

    def _frames(self) -> Generator[Frame, None, None]:
        start: int | None = self._take_sought() or 0
        size: tuple[int, ...] | None = None
        while start is not None:
            items = self._read(start)
            start = None
            with closing(read_ahead(items, self._prefetch) if self._prefetch else items) as ready:
                for item in ready:
                    if isinstance(item, BadFrame):
                        if not self._go_on_after(item):
                            return
                        continue
                    size = self._note_size(item, size)
                    yield item
                    if self._closed:
                        return
                    if (start := self._take_sought()) is not None:
                        break

    def _take_sought(self) -> int | None:
        sought, self._sought = self._sought, None
        return sought

    def _go_on_after(self, bad: BadFrame) -> bool:
        self.skipped.add(bad)
        if self._on_bad_frame == "raise":
            raise VideoError(
                f"frame {bad.index} of {self.info.name} cannot be read: {bad.reason}. "
                "Use on_bad_frame='skip' to go on with the next readable frame."
            )
        return self._on_bad_frame == "skip"

    def _note_size(self, frame: Frame, before: tuple[int, ...] | None) -> tuple[int, ...]:
        size = frame.image.shape[1::-1]
        if before not in (None, size):
            self.skipped.note(frame.index, f"the size changes from {_pixels(before)} to {_pixels(size)} pixels")
        return size

    def close(self) -> None:
        """Let go of files, devices and threads; iterations that are running end."""
        self._closed = True
        for frames in list(self._running):
            with suppress(ValueError):  # being advanced by another thread: ends by itself, since _closed is set
                frames.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _pixels(size: tuple[int, ...] | None) -> str:
    return "×".join(map(str, size or ()))
