"""One pass over the video track of an open container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import ThreadType

from lockon.types import Frame
from lockon.video.pixels import RgbConverter
from lockon.video.report import BadFrame
from lockon.video.sequencer import Announcements, Numbered, Sequencer
from lockon.video.source import Items

_ONE_PICTURE_A_PACKET = frozenset(
    "h264 hevc vvc av1 vp9 mpeg1video mpeg2video mjpeg ffv1 prores dnxhd png huffyuv ffvhuff rawvideo".split()  # noqa: SIM905
)
"""Codecs whose every packet is one picture to show. Others have packets without (VP8's hidden reference frames,
MPEG-4's empty frames, but not in MP4), so that a picture that does not come says nothing."""

_BROADCAST_FORMATS = frozenset(["mpegts", "hls", "rtsp", "rtp", "sdp", "flv"])
"""Formats that are joined midway; what comes before the first keyframe was never meant for us."""


class TailLostError(Exception):
    """The decoder failed while it was emptied at the end, and pictures it had ready are lost with that."""


@dataclass(slots=True)
class Clock:
    """Seconds on the clock of `Frame.time`."""

    time_base: Fraction
    rate: Fraction
    """For pictures without timestamp."""
    from_first: bool
    """Whether the first frame is at 0 (live sources, whose own clock means nothing) or where the container says."""
    _first: int | None = None

    def seconds(self, timestamp: int | None, index: int) -> float:
        """Time of frame number `index`."""
        if timestamp is None:
            return float(index / self.rate)
        if self._first is None:
            self._first = timestamp if self.from_first else 0
        return float((timestamp - self._first) * self.time_base)


class Reading:
    """Decodes from where the container stands to its end.

    Args:
        container, stream: opened, and sought to a keyframe if `sequencer` knows its number.
        sequencer: numbers the pictures.
        clock: times them.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        sequencer: Sequencer[av.VideoFrame],
        clock: Clock,
    ) -> None:
        self.packets = 0
        """Packets read so far."""
        self.end = 0
        """Where the last picture ends, in ticks of the stream's time base."""
        self.interlaced = False
        """Whether there are interlaced pictures, which may come as two packets, one for each field."""
        self.broken_off: av.FFmpegError | None = None
        """Why reading ended early."""
        self.convert = RgbConverter()
        self.sequencer = sequencer
        self._container = container
        self._stream = stream
        self._clock = clock
        self._scrambled = has_scrambled_times(container, stream)

    def run(self, start: int) -> Items:
        """Frames from number `start` on, bad ones in their place.

        Raises:
            TailLostError: see there; only with frame threads, slice threads keep nothing undecoded back.
        """
        for packet in self._demux():
            yield from self._items(self.sequencer.announce(packet), start)
            try:
                pictures = self._stream.decode(packet)
            except av.FFmpegError:
                yield from self._items(self.sequencer.lose(), start)
            else:
                yield from self._arrivals(pictures, start)
        try:
            pictures = self._stream.decode(None)
        except av.FFmpegError as error:
            if self._stream.codec_context.thread_type & ThreadType.FRAME:
                raise TailLostError from error
            pictures = []
        yield from self._arrivals(pictures, start)
        yield from self._items(self.sequencer.finish(), start)

    def _demux(self) -> Iterator[av.Packet]:
        """Packets with data: an empty one (a frame the recorder dropped) would mean the end to the decoder."""
        try:
            for packet in self._container.demux(self._stream):
                self.packets += packet.dts is not None
                if packet.size:
                    if packet.pts is not None:
                        self.end = max(self.end, packet.pts + (packet.duration or 0))
                    yield packet
        except av.FFmpegError as error:
            self.broken_off = error
        except IndexError:
            pass  # PyAV at the end of a file in which tracks appeared (damaged MPEG-TS)

    def _arrivals(self, pictures: Iterable[av.VideoFrame], start: int) -> Items:
        for picture in pictures:
            if picture.interlaced_frame and not self.interlaced:
                self.interlaced = True
                yield from self._items(self.sequencer.number_as_they_come(), start)
            yield from self._items(self.sequencer.arrive(self._timestamp(picture), picture), start)

    def _items(self, numbered: Numbered[av.VideoFrame], start: int) -> Items:
        for index, picture in numbered:
            if index < start:
                continue
            if picture is None:
                yield BadFrame(index, "it cannot be decoded (it is damaged, or a frame that it builds on is)")
            elif picture.is_corrupt:
                yield BadFrame(index, "parts of it are damaged")
            else:
                yield Frame(index, self._clock.seconds(self._timestamp(picture), index), self.convert(picture))

    def _timestamp(self, picture: av.VideoFrame) -> int | None:
        return None if self._scrambled else picture.pts


def announcements_of(container: av.container.InputContainer, stream: av.VideoStream) -> Announcements | None:
    """For packets of which each is one picture to show and carries its time; None for others."""
    if container.format.name == "mpeg" or has_scrambled_times(container, stream):  # MPEG-PS times some packets only
        return None
    codec = stream.codec_context.codec.canonical_name
    if codec not in _ONE_PICTURE_A_PACKET and not (codec == "mpeg4" and "mp4" in container.format.name):
        return None
    return Announcements(from_keyframe=container.format.name in _BROADCAST_FORMATS)


def has_scrambled_times(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Whether times are those of decoding, put on pictures that are shown in another order: AVI knows no others."""
    return container.format.name == "avi" and stream.codec_context.has_b_frames
