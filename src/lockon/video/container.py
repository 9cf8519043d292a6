"""Opening what FFmpeg reads (through PyAV): files, cameras, network streams."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av
from av.stream import Disposition

from lockon.errors import VideoError
from lockon.types import Frame
from lockon.video.reading import Clock, Reading, TailLostError, announcements_of
from lockon.video.report import BadFrame
from lockon.video.sequencer import Sequencer
from lockon.video.source import DEFAULT_FRAME_RATE, Items, SourceKind, VideoInfo

_HIGHEST_RATE = 1000
"""Frames per second above which a declared rate is the tick of a clock (90000), not a rate."""

Threads = Literal["AUTO", "SLICE"]
"""How decoding is spread: AUTO, over frames, is fastest; SLICE has no delay and keeps no frame back."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to open and how."""

    kind: SourceKind
    name: str
    """For messages: a path, a URL without password, a camera's number."""
    address: str
    explain: Callable[[Exception], VideoError]
    """Makes the error for an address that does not open."""
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds to wait for an answer when opening, and for each packet; None waits for ever."""

    def open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        """The opened container and its video track.

        Raises:
            VideoError: it does not open, or has no video track that can be decoded.
        """
        try:
            container = av.open(
                self.address,
                format=self.format,
                options=self.options,
                timeout=self.timeout,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self.explain(error) from error
        try:
            return container, self._video_track(container)
        except VideoError:
            container.close()
            raise

    def _video_track(self, container: av.container.InputContainer) -> av.VideoStream:
        tracks = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
        if not tracks:
            holds = "only sound" if container.streams.audio else "no video track"
            raise VideoError(f"{self.name} holds {holds}. Give a file or an address with pictures.")
        best = container.streams.best("video")
        track = best if best in tracks else tracks[0]
        if track.codec_context is None:
            raise VideoError(
                f"{self.name} uses a video codec that cannot be decoded. Convert it to H.264, e.g. with "
                "'ffmpeg -i INPUT OUTPUT.mp4'."
            )
        return track


@dataclass(frozen=True, slots=True)
class Opening:
    """An opened target that has been read up to its first good frame."""

    container: av.container.InputContainer
    stream: av.VideoStream
    reading: Reading
    head: list[Frame | BadFrame]
    """What was read: bad frames, if any, and the first good one."""
    rest: Items
    info: VideoInfo


def open_reading(
    target: Target, threads: Threads, number_of: Callable[[int], int] | None = None
) -> tuple[av.container.InputContainer, av.VideoStream, Reading]:
    """An opened target and a reading from where it will stand.

    Args:
        threads: see `Threads`.
        number_of: for a container that is going to be sought: number of the first frame at or after a timestamp.
    """
    container, stream = target.open()
    stream.thread_type = threads
    sequencer: Sequencer[av.VideoFrame] = Sequencer(announcements_of(container, stream), number_of)
    rate = _frame_rate(stream) or DEFAULT_FRAME_RATE
    clock = Clock(seconds_per_tick(stream), rate, from_first=is_live(target, container))
    return container, stream, Reading(container, stream, sequencer, clock)


def read_first(target: Target, threads: Threads) -> Opening:
    """Open a target and read its first good frame.

    Raises:
        VideoError: it does not open, or not one frame of it can be decoded.
    """
    container, stream, reading = open_reading(target, threads)
    items = reading.run(0)
    head: list[Frame | BadFrame] = []
    try:
        for item in items:
            head.append(item)
            if isinstance(item, Frame):
                info = _describe(target, container, stream, reading, item)
                return Opening(container, stream, reading, head, items, info)
    except TailLostError:
        container.close()
        return read_first(target, "SLICE")
    container.close()
    remedy = "Download it and give the file" if target.kind == "stream" else "Copy or record it again"
    raise VideoError(f"not one frame of {target.name} can be decoded. {remedy}.")


def is_live(target: Target, container: av.container.InputContainer) -> bool:
    """Whether what a target delivers happens now, so that it has no end and cannot be read again."""
    return target.kind == "camera" or (target.kind == "stream" and container.duration is None)


def seconds_per_tick(stream: av.VideoStream) -> Fraction:
    """The unit of the stream's timestamps."""
    return stream.time_base or Fraction(1, av.time_base)


def declared_duration(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Seconds of video as the container declares them; the container's own total may be that of the sound."""
    if stream.duration is not None:
        return stream.duration * seconds_per_tick(stream)
    total = None if container.duration is None else Fraction(container.duration, av.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska
    if tag is None or total is None:
        return total
    hours, minutes, seconds = map(Fraction, tag.groups())
    return min(total, hours * 3600 + minutes * 60 + seconds)


def _frame_rate(stream: av.VideoStream) -> Fraction | None:
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((Fraction(rate) for rate in rates if rate and 0 < rate <= _HIGHEST_RATE), None)


def _describe(
    target: Target, container: av.container.InputContainer, stream: av.VideoStream, reading: Reading, first: Frame
) -> VideoInfo:
    height, width = first.image.shape[:2]
    duration = declared_duration(container, stream)
    return VideoInfo(
        width=width,
        height=height,
        frame_rate=_frame_rate(stream),
        frame_count=stream.frames or None,
        duration=None if duration is None or is_live(target, container) else float(duration),
        rotation=reading.convert.rotation,
        has_audio=bool(container.streams.audio),
        kind=target.kind,
        name=target.name,
    )
