"""Which frame is which: numbering decoded pictures by the packets they were announced with.

A decoder says too little about what it could not decode: with frame threads an error is reported some packets late,
and pictures that lack their reference are dropped without a word. But a container gives each packet the timestamp of
its picture, so a timestamp that was announced and never came out is a missing frame, with its exact number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

Picture = TypeVar("Picture")
Numbered = Iterator[tuple[int, Picture | None]]

_MOST_HELD = 4
"""Pictures held back while an earlier one may still come: damage makes decoders put out a few in the wrong order."""


class TimedPacket(Protocol):
    """The part of a container packet that matters here; timestamps in units of the stream's time base."""

    @property
    def pts(self) -> int | None:
        """When its picture is shown."""

    @property
    def dts(self) -> int | None:
        """When it is decoded."""

    @property
    def is_keyframe(self) -> bool:
        """Whether decoding can start with it."""

    @property
    def is_discard(self) -> bool:
        """Whether its picture is decoded for others to build on, but not shown."""


class Announcements:
    """Timestamps of the pictures that packets announce, in decoding order.

    Pictures marked to be discarded (edit lists) are not shown and have no number; neither have those that are shown
    before the start, which cannot be decoded.

    Args:
        from_keyframe: whether the start is the first keyframe (a broadcast joined midway) or the first packet.
    """

    def __init__(self, from_keyframe: bool) -> None:
        self._from_keyframe = from_keyframe
        self.start: int | None = None
        """Timestamp of the first picture that counts."""
        self.reliable = True
        """False once a packet has no timestamp or the clock jumps back: then timestamps identify nothing."""
        self._dts: int | None = None

    def timestamp(self, packet: TimedPacket) -> int | None:
        """Timestamp of the picture this packet announces, None if it announces none that is shown."""
        if packet.pts is None or (packet.dts is not None and self._dts is not None and packet.dts < self._dts):
            self.reliable = False
            return None
        self._dts = packet.dts
        if self.start is None and (packet.is_keyframe or not self._from_keyframe):
            self.start = packet.pts
        if self.start is None or packet.pts < self.start or packet.is_discard:
            return None
        return packet.pts


class Sequencer(Generic[Picture]):
    """Gives out `(number, picture)` in order of time, `(number, None)` for a picture that was announced but lost.

    Args:
        announcements: None where packets do not announce their pictures: those are numbered as they come.
        number_of: number of the first picture at or after a timestamp, asked for the start; from 0 without.
    """

    def __init__(self, announcements: Announcements | None, number_of: Callable[[int], int] | None = None) -> None:
        self.next = 0
        """Number of the next picture."""
        self._announcements = announcements
        self._number_of = number_of
        self._expected: list[int] = []
        self._held: list[tuple[int, int, Picture]] = []
        self._arrivals = count()
        self._last: int | None = None

    def announce(self, packet: TimedPacket) -> Numbered[Picture]:
        """A packet goes to the decoder."""
        if self._announcements is None:
            return
        timestamp = self._announcements.timestamp(packet)
        if not self._announcements.reliable:
            yield from self.number_as_they_come()
        elif timestamp is not None:
            if self._number_of is not None and self._announcements.start is not None:
                self.next, self._number_of = self._number_of(self._announcements.start), None
            heappush(self._expected, timestamp)

    def arrive(self, timestamp: int | None, picture: Picture) -> Numbered[Picture]:
        """A picture came out of the decoder."""
        if timestamp is not None and timestamp in self._expected:
            heappush(self._held, (timestamp, next(self._arrivals), picture))
            yield from self._release(_MOST_HELD)
        elif not self._passed(timestamp):
            yield from self.number_as_they_come()
            yield self._count(), picture

    def lose(self) -> Numbered[Picture]:
        """The decoder reported an error. Where pictures are announced their absence will tell."""
        if self._announcements is None:
            yield self._count(), None

    def finish(self) -> Numbered[Picture]:
        """No more pictures come."""
        yield from self._release(0)
        while self._expected:
            heappop(self._expected)
            yield self._count(), None

    def _passed(self, timestamp: int | None) -> bool:
        """Whether a picture is from before the start, or comes after it was given out as lost."""
        if timestamp is None or self._announcements is None:
            return False
        before = self._announcements.start if self._last is None else self._last
        return before is not None and timestamp <= before

    def number_as_they_come(self) -> Numbered[Picture]:
        """From now on do without announcements: what is held goes out, and further pictures as they arrive."""
        self._announcements = None
        self._expected.clear()
        yield from self._release(0)

    def _release(self, most_held: int) -> Numbered[Picture]:
        while self._held:
            timestamp = self._held[0][0]
            if self._expected and self._expected[0] < timestamp and len(self._held) <= most_held:
                return
            while self._expected and self._expected[0] < timestamp:
                heappop(self._expected)
                yield self._count(), None
            if self._expected and self._expected[0] == timestamp:
                heappop(self._expected)
            self._last = timestamp
            yield self._count(), heappop(self._held)[2]

    def _count(self) -> int:
        self.next += 1
        return self.next - 1
