"""Places in a video, as a user gives them: a frame number or a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from lockon.errors import VideoError
from lockon.video import VideoSource

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame number from 0 or, where that is None, a time in seconds."""

    frame: int | None = None
    seconds: float = 0.0

    @classmethod
    def parse(cls, value: int | str) -> Self:
        """Read `120` (a frame), `"4.5s"`, `"1:02.5"` or `"1:00:00"` (a time).

        Raises:
            VideoError: none of these.
        """
        text = str(value).strip()
        if text.isdecimal():
            return cls(frame=int(text))
        if match := _SECONDS.fullmatch(text):
            return cls(seconds=float(match[1]))
        if match := _CLOCK.fullmatch(text):
            hours, minutes, seconds = match.groups()
            return cls(seconds=int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds))
        raise VideoError(f"'{value}' is no place in a video. Give a frame number (120) or a time (4.5s, 1:02.5).")

    def __str__(self) -> str:
        return f"{self.seconds:g} s" if self.frame is None else f"frame {self.frame}"

    def seek(self, source: VideoSource) -> None:
        """Let the source go on here; frame 0 is where every source, live ones too, begins by itself.

        Raises:
            VideoError: the source ends before, or cannot be sought.
        """
        if self.frame is None:
            source.seek_time(self.seconds)
        elif self.frame > 0:
            source.seek_frame(self.frame)

    def is_reached_by(self, frame: int, time: float) -> bool:
        """Whether the frame of this number and time lies here or later."""
        return frame >= self.frame if self.frame is not None else time >= self.seconds
