"""Sinks: H.264 video files that play in a browser, and folders of images."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from math import ceil
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import av
from PIL import Image as PilImage

from lockon.errors import OutputError
from lockon.files import user_path
from lockon.images import Image, as_rgb8
from lockon.video.audio import AudioTrack, TimedPacket
from lockon.video.container_errors import reason
from lockon.video.encoder import Encoder, find_encoder, keep_complete_fragments
from lockon.video.image_files import is_image_name
from lockon.video.sink import FrameSink
from lockon.video.source import DEFAULT_FRAME_RATE

VIDEO_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Containers by suffix."""

_TICKS_PER_SECOND = 90_000
"""Resolution, at least, of times that come with the frames, as in MPEG-TS."""

_LARGEST_DENOMINATOR = 1001
"""A frame rate given as a float is taken for the nearest fraction up to this: 29.97002997 is 30000/1001."""

_REMEDY = "Free space or write elsewhere."


class VideoWriter(FrameSink):
    """Writes an H.264 video.

    Frames go to a hidden file beside the result, which at any moment is a complete video of the frames up to about a
    second ago. `close` makes the result of it: playable while it loads, with sound if asked for, and put in place in
    one step, so that `path` never holds half a file.

    The size is that of the first frame, made even by repeating the last row or column, and 16 pixels at least; frames
    of other sizes are fitted into it.

    Args:
        path: `.mp4`, `.m4v`, `.mov` or `.mkv`.
        frame_rate: frames per second, `DEFAULT_FRAME_RATE` if None; nominal only where frames come with their times.
        crf: quality, from 0 (lossless) over 18 (looks so) to 51.
        audio_from: file to take the sound from, if it has any, for as long as the video lasts. The video is taken to
            start where the pictures of that file do, or where the time of its first frame says.

    Raises:
        OutputError: nothing can be written there.
        VideoError: `audio_from` cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        frame_rate: Fraction | float | None,
        *,
        crf: int = 20,
        audio_from: str | Path | None = None,
    ) -> None:
        self.path = user_path(path)
        self._rate = _exact_rate(frame_rate)
        if self.path.suffix.lower() not in VIDEO_FORMATS:
            raise OutputError(f"'{self.path}' does not end in {', '.join(VIDEO_FORMATS)}. Choose one of these.")
        if not 0 <= crf <= 51:
            raise OutputError(f"crf is a quality from 0 (best) to 51; got {crf}.")
        find_encoder()
        audio = None if audio_from is None else AudioTrack(user_path(audio_from))
        self._audio = audio if audio and audio.exists else None
        self._crf = crf
        self._part = _part_file(self.path)
        self._encoder: Encoder | None = None
        self._tick = 1 / self._rate
        self._first_time: float | None = None
        self._last = -1
        self._closed = False

    def write(self, image: Image, time: float | None = None) -> None:
        """See `FrameSink.write`."""
        if self._closed:
            raise OutputError(f"'{self.path}' is closed; open a new file to write more frames.")
        image = as_rgb8(image)
        timestamp = self._timestamp(time)
        try:
            if self._encoder is None:
                size = image.shape[1], image.shape[0]
                self._encoder = Encoder(self._part, tick=self._tick, rate=self._rate, size=size, crf=self._crf)
            self._encoder.write(image, timestamp)
        except (av.FFmpegError, OSError) as error:
            raise self._give_up(error) from error
        self._last = timestamp
        self.frames_written += 1

    def _timestamp(self, time: float | None) -> int:
        if self._encoder is None and time is not None:
            # A whole number of ticks a frame, so that a constant rate stays exact.
            self._tick, self._first_time = self._tick / ceil(_TICKS_PER_SECOND * self._tick), time
        if (time is None) != (self._first_time is None):
            raise OutputError("give a time with every frame of a video, or with none.")
        if time is None or self._first_time is None:
            return self._last + 1
        # Sources with a broken clock repeat times or go back; MP4 cannot.
        return max(round((time - self._first_time) / self._tick), self._last + 1)

    def close(self) -> None:
        """See `FrameSink.close`."""
        if self._closed:
            return
        self._closed = True
        if self._encoder is None:
            self._part.unlink()
            return
        try:
            self._encoder.finish()
        except BaseException as error:  # Ctrl-C as well
            failure = self._give_up(error)
            if isinstance(error, av.FFmpegError | OSError):
                raise failure from error
            raise
        whole = self._part.with_suffix(".whole")
        try:
            self._remux(whole)
            os.replace(whole, self.path)
            self._part.unlink()
        except BaseException as error:  # Ctrl-C as well: the video as it was encoded is complete, only not rearranged
            whole.unlink(missing_ok=True)
            os.replace(self._part, self.path)
            if not isinstance(error, av.FFmpegError | OSError):
                raise
            without = "without sound, and " if self._audio else ""
            raise OutputError(
                f"all {self.frames_written} frames are in '{self.path}', but {without}not arranged for playing while "
                f"it loads ({reason(error)}). {_REMEDY}"
            ) from error

    def _remux(self, whole: Path) -> None:
        """Write the result: the encoded video rearranged, and the sound."""
        container_format = VIDEO_FORMATS[self.path.suffix.lower()]
        options = {} if container_format == "matroska" else {"movflags": "faststart"}
        with (
            closing(av.open(str(self._part), "r")) as source,
            closing(av.open(str(whole), "w", format=container_format, options=options)) as target,
        ):
            encoded = source.streams.video[0]
            video = target.add_stream_from_template(encoded, opaque=True)
            video.time_base = encoded.time_base
            tracks = [_video_packets(source, video, 1 / self._rate)]
            if self._audio:
                start = self._audio.video_start if self._first_time is None else Fraction(self._first_time)
                tracks.append(self._audio.packets_for(target, start, self._last * self._tick + 1 / self._rate))
            for _, packet in heapq.merge(*tracks, key=itemgetter(0)):
                target.mux(packet)

    def _give_up(self, error: BaseException) -> OutputError:
        """Keep what is complete; returns the error that says so."""
        self._closed = True
        if self._encoder is not None:
            self._encoder.abandon()
        self.frames_written = keep_complete_fragments(self._part)
        if self.frames_written:
            os.replace(self._part, self.path)
            kept = f"its first {self.frames_written} frames are kept, and play"
        else:
            self._part.unlink()
            kept = "nothing is kept"
        return OutputError(f"'{self.path}' cannot be written on ({reason(error)}); {kept}. {_REMEDY}")


def _video_packets(
    source: av.container.InputContainer, target: av.VideoStream, frame_seconds: Fraction
) -> Iterator[TimedPacket]:
    for packet in source.demux(video=0):
        if packet.size and packet.pts is not None:
            # How long the last frame is shown, without which it would not be; of others their successor tells.
            packet.duration = packet.duration or round(frame_seconds / packet.time_base)
            packet.stream = target
            yield packet.pts * packet.time_base, packet


class ImageFolderWriter(FrameSink):
    """Writes frames as `00000000.jpg`, `00000001.jpg`, ... into a folder; times are not kept.

    Args:
        path: the folder, made if it does not exist.
        suffix: `.jpg` is small, `.png` exact.

    Raises:
        OutputError: the folder cannot be made or written to, or holds images, which would mix with the new ones.
    """

    def __init__(self, path: str | Path, *, suffix: Literal[".jpg", ".png"] = ".jpg") -> None:
        self.path = user_path(path)
        self._suffix = suffix
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            taken = any(map(is_image_name, self.path.iterdir()))
            with TemporaryFile(dir=self.path):
                pass  # it can be written to
        except OSError as error:
            raise OutputError(f"cannot write to the folder '{self.path}' ({reason(error)}). {_REMEDY}") from error
        if taken:
            raise OutputError(f"'{self.path}' holds images already. Give a new folder, or empty this one.")

    def write(self, image: Image, time: float | None = None) -> None:  # noqa: ARG002 - files have no time
        """See `FrameSink.write`."""
        encoded = BytesIO()
        # Chroma in full resolution: thin coloured lines are what annotation draws.
        options = {"quality": 95, "subsampling": 0} if self._suffix == ".jpg" else {"compress_level": 1}
        PilImage.fromarray(as_rgb8(image)).save(encoded, "JPEG" if self._suffix == ".jpg" else "PNG", **options)
        file = self.path / f"{self.frames_written:08d}{self._suffix}"
        try:
            file.write_bytes(encoded.getbuffer())
        except OSError as error:
            file.unlink(missing_ok=True)
            raise OutputError(
                f"'{file}' cannot be written ({reason(error)}); the {self.frames_written} images before it are kept. "
                f"{_REMEDY}"
            ) from error
        self.frames_written += 1

    def close(self) -> None:
        """Nothing is left to do: every image is complete."""


def open_sink(
    path: str | Path,
    frame_rate: Fraction | float | None = None,
    *,
    crf: int = 20,
    audio_from: str | Path | None = None,
) -> FrameSink:
    """Open a sink by the look of its path: a video file by its suffix, else a folder of images.

    Args:
        path: `.mp4`, `.m4v`, `.mov`, `.mkv`; a folder has no suffix, exists, or ends in a slash.
        frame_rate, crf, audio_from: see `VideoWriter`; images have none.

    Raises:
        OutputError: nothing can be written there.
        VideoError: `audio_from` cannot be opened.
    """
    target = user_path(path)
    if target.suffix.lower() in VIDEO_FORMATS and not target.is_dir():
        return VideoWriter(target, frame_rate, crf=crf, audio_from=audio_from)
    if not target.suffix or target.is_dir() or str(path).endswith(("/", os.sep)):
        return ImageFolderWriter(target)
    raise OutputError(
        f"cannot tell what to write to '{target}'. A video ends in {', '.join(VIDEO_FORMATS)}, a folder in '/'."
    )


def _exact_rate(rate: Fraction | float | None) -> Fraction:
    if rate is None:
        return DEFAULT_FRAME_RATE
    try:
        exact = rate if isinstance(rate, Fraction) else Fraction(rate).limit_denominator(_LARGEST_DENOMINATOR)
    except (ValueError, OverflowError) as error:
        raise OutputError(f"a frame rate is a positive number of frames per second; got {rate}.") from error
    if exact <= 0:
        raise OutputError(f"a frame rate is a positive number of frames per second; got {rate}.")
    return exact


def _part_file(path: Path) -> Path:
    """An empty file to write to until the result is complete; making it tells whether anything can be written."""
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder. Give the name of a video file in it.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()
    except FileNotFoundError as error:
        raise OutputError(f"the folder '{path.parent}' does not exist. Make it first.") from error
    except OSError as error:
        raise OutputError(f"'{path}' cannot be written ({reason(error)}). {_REMEDY}") from error
    return part
