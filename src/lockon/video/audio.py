"""The sound of another video, for a video that is written: copied as it is, or as AAC where MP4 cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path

import av

from lockon.errors import VideoError
from lockon.video.container_errors import check_file, explain_file

_MP4_CODECS = frozenset(["aac", "mp3", "opus", "flac", "alac", "ac3", "eac3"])
"""What players expect in MP4."""

_AAC_RATE = 48_000
"""Samples per second where the source's rate is none of AAC's."""

TimedPacket = tuple[Fraction, av.Packet]
"""When a packet is due, in seconds from the start of the video, and the packet."""


class AudioTrack:
    """The first sound track of a file.

    Args:
        path: any file that PyAV reads.

    Raises:
        VideoError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise VideoError(f"'{path}', to copy the sound from, does not exist. Check the path.")
        check_file(path)
        self._path = path
        container = self._open()
        with closing(container):
            self.exists = bool(container.streams.audio)
            video = container.streams.video[0] if container.streams.video else None
            start = video.start_time * video.time_base if video and video.start_time and video.time_base else 0
            self.video_start = Fraction(start)
            """When the pictures of the file start, in seconds."""

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(f"file:{self._path}", metadata_errors="replace")
        except (av.FFmpegError, ValueError) as error:
            raise explain_file(self._path, error) from error

    def packets_for(
        self, output: av.container.OutputContainer, start: Fraction, duration: Fraction
    ) -> Iterator[TimedPacket]:
        """Add a track to `output`, at once, and give its packets when iterated over.

        Args:
            output: an MP4 whose header is not written yet.
            start: second of this file at which the video starts.
            duration: of the video, in seconds; no sound goes on after it.
        """
        container = self._open()
        source = container.streams.audio[0]
        if source.codec_context.codec.canonical_name in _MP4_CODECS:
            packets = _copied(container, source, output.add_stream_from_template(source), start)
        else:
            rate = source.rate if source.rate in (av.Codec("aac", "w").audio_rates or ()) else _AAC_RATE
            target = output.add_stream("aac", rate=rate, layout="mono" if source.channels == 1 else "stereo")
            packets = _transcoded(container, source, target, start)
        return _within(packets, duration)


def _copied(
    container: av.container.InputContainer, source: av.AudioStream, target: av.AudioStream, start: Fraction
) -> Iterator[av.Packet]:
    with closing(container):
        shift = _ticks(start, source)
        for packet in container.demux(source):
            if packet.size and packet.pts is not None and packet.dts is not None:
                packet.pts -= shift
                packet.dts -= shift
                packet.stream = target
                yield packet


def _transcoded(
    container: av.container.InputContainer, source: av.AudioStream, target: av.AudioStream, start: Fraction
) -> Iterator[av.Packet]:
    with closing(container):
        shift = _ticks(start, source)
        for packet in container.demux(source):
            with suppress(av.FFmpegError):  # damaged: a moment of silence
                for frame in source.decode(packet):
                    if frame.pts is not None and frame.pts >= shift:
                        frame.pts -= shift
                        yield from target.encode(frame)
        yield from target.encode(None)


def _within(packets: Iterator[av.Packet], duration: Fraction) -> Iterator[TimedPacket]:
    """Those packets that lie between the start and the end of the video."""
    for packet in packets:
        begin = (packet.pts or 0) * packet.time_base
        end = begin + (packet.duration or 0) * packet.time_base
        if end > duration:
            return
        if end > 0:
            yield begin, packet


def _ticks(seconds: Fraction, stream: av.AudioStream) -> int:
    return round(seconds / stream.time_base) if stream.time_base else 0
