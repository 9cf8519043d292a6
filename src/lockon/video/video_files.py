"""Recorded videos: files, and network addresses that deliver a file."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import av

from lockon.errors import VideoError
from lockon.types import Frame
from lockon.video.container import Opening, Target, Threads, declared_duration, open_reading, seconds_per_tick
from lockon.video.reading import Reading, TailLostError, announcements_of
from lockon.video.report import BadFrame
from lockon.video.source import DEFAULT_FRAME_RATE, BadFramePolicy, Items, VideoSource

_SHORTFALL_SECONDS = 0.1
"""A video may end this much, and two frames, before its declared duration, which is often rounded."""


@dataclass(frozen=True, slots=True)
class _PacketIndex:
    """Where each frame is; timestamps in ticks of the stream's time base."""

    times: list[int]
    """Presentation timestamps of all frames, ascending: frame n is at `times[n]`."""
    keys: list[tuple[int, int]]
    """Presentation and decoding timestamps of the keyframes, ascending."""
    packets: int

    def number_of(self, timestamp: int) -> int:
        return bisect_left(self.times, timestamp)

    def entries(self, index: int) -> list[int | None]:
        """Timestamps to seek to for decoding frame `index`, the cheapest first; None means the beginning.

        Containers search by one kind of timestamp or the other, and a frame just after a keyframe may need the one
        before (open groups of pictures, gradual refresh), so the nearest entry point is not always enough.
        """
        if not 0 < index < len(self.times):
            return [None]
        keys = self.keys[: bisect_right(self.keys, self.times[index], key=lambda key: key[0])]
        return [*(key[0] for key in keys[1:][-1:]), *(key[1] for key in keys[1:-1][-1:]), None]


class VideoFile(VideoSource):
    """A video that can be read again and sought.

    Args:
        target: what is opened for every pass.
        opening: the same, opened to see what it holds; is closed.
        on_bad_frame, prefetch: see `VideoSource`.
    """

    def __init__(self, target: Target, opening: Opening, *, on_bad_frame: BadFramePolicy, prefetch: int) -> None:
        self._target = target
        self._tick = seconds_per_tick(opening.stream)
        self._start = opening.stream.start_time or 0
        self._interlaced = opening.reading.interlaced
        counts_frames = re.search("mp4|avi", opening.container.format.name)  # elsewhere it is a tag, or a guess
        self._declared_frames = opening.stream.frames if counts_frames else 0
        self._declared_duration = declared_duration(opening.container, opening.stream)
        opening.rest.close()
        opening.container.close()
        super().__init__(opening.info, on_bad_frame, prefetch)

    def count_frames(self) -> int:
        """See `VideoSource.count_frames`; decodes only where packets do not tell the frames."""
        if self._index is not None:
            return len(self._index.times)
        return max((item.index + 1 for item in self._read(0)), default=0)

    def _read(self, start: int) -> Items:
        following = start
        try:
            for item in self._pass(start, "AUTO"):
                following = item.index + 1
                yield item
        except TailLostError:
            # Frame threads keep pictures back, and PyAV drops them with the error; slice threads go packet by packet.
            yield from self._pass(following, "SLICE")
            return
        if following == start > 0 and self._index is None:
            raise VideoError(f"there is no frame {start} in {self.info.name}: it ends before.")

    def _pass(self, start: int, threads: Threads) -> Items:
        index = self._index if start else None
        for entry in index.entries(start) if index else [None]:
            container, stream, reading = open_reading(
                self._target, threads, index.number_of if index and entry is not None else None
            )
            with closing(container):
                if entry is not None and not _seek(container, stream, entry):
                    continue
                items = reading.run(start)
                first = next(items, None)
                if entry is None or (isinstance(first, Frame) and first.index == start):
                    if first is not None:
                        yield first
                    yield from items
                    yield from self._missing_end(reading, index.packets if index else reading.packets)
                    return

    def _missing_end(self, reading: Reading, packets: int) -> Items:
        """What the container declares and does not hold."""
        following = reading.sequencer.next
        length = (reading.end - self._start) * self._tick
        early = 0 if self._declared_duration is None else self._declared_duration - length
        frame = 1 / (self.info.frame_rate or DEFAULT_FRAME_RATE)
        if self._declared_frames > packets and early > frame / 2:  # an edit list leaves frames out, but not time
            for index in range(following, following + self._declared_frames - packets):
                yield BadFrame(index, "the file ends before it: it was cut off")
        elif reading.broken_off is not None:
            yield BadFrame(following, f"the file breaks off here ({reading.broken_off.strerror})")
        elif early > _SHORTFALL_SECONDS + 2 * frame:
            yield BadFrame(following, f"the file ends {float(early):.1f} s before its declared end: it was cut off")

    @cached_property
    def _index(self) -> _PacketIndex | None:
        """From one pass over the packets without decoding; None where packets do not tell the frames."""
        container, stream = self._target.open()
        with closing(container):
            announcements = announcements_of(container, stream)
            if announcements is None or self._interlaced:
                return None
            times, keys, packets = [], [], 0
            try:
                for packet in container.demux(stream):
                    packets += packet.dts is not None
                    if not packet.size:
                        continue
                    timestamp = announcements.timestamp(packet)
                    if timestamp is not None:
                        times.append(timestamp)
                    if packet.is_keyframe and packet.pts is not None and packet.dts is not None:
                        keys.append((packet.pts, packet.dts))
            except av.FFmpegError:
                pass  # what is before the damage can be sought; reading up to it tells of it
        return _PacketIndex(sorted(times), sorted(keys), packets) if announcements.reliable and times else None

    def _checked_index(self, index: int) -> int:
        if self._index is not None and index >= len(self._index.times):
            raise VideoError(
                f"there is no frame {index} in {self.info.name}: its frames are 0 to {len(self._index.times) - 1}."
            )
        return index

    def _index_at(self, seconds: float) -> int:
        if self._index is not None:
            after = bisect_right(self._index.times, seconds, key=lambda time: float(time * self._tick))
            return max(after - 1, 0)
        at = 0
        for item in self._read(0):
            if isinstance(item, Frame):
                if item.time > seconds:
                    break
                at = item.index
        return at


def _seek(container: av.container.InputContainer, stream: av.VideoStream, timestamp: int) -> bool:
    try:
        container.seek(timestamp, stream=stream)
    except av.FFmpegError:
        return False
    return True
