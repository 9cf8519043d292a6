"""Cameras and live network streams."""

from __future__ import annotations

from typing import NoReturn

from lockon.errors import VideoError
from lockon.video.container import Opening
from lockon.video.report import BadFrame
from lockon.video.source import BadFramePolicy, Items, VideoSource


class LiveVideo(VideoSource):
    """A video that happens now: every frame comes once, and an iteration goes on where the last one stopped.

    Args:
        opening: the camera or stream, read up to its first frame.
        on_bad_frame, prefetch: see `VideoSource`.
    """

    def __init__(self, opening: Opening, *, on_bad_frame: BadFramePolicy, prefetch: int) -> None:
        super().__init__(opening.info, on_bad_frame, prefetch)
        self._container = opening.container
        self._items = _all_items(opening)

    def count_frames(self) -> NoReturn:
        """Live sources have no end."""
        raise VideoError(f"{self.info.name} is live: nobody knows how many frames come. Record it to a file first.")

    def _read(self, start: int) -> Items:  # noqa: ARG002 - always 0: it cannot be sought
        while (
            item := next(self._items, None)
        ) is not None:  # 'yield from' would close the stream with this iteration
            yield item

    def _checked_index(self, index: int) -> NoReturn:  # noqa: ARG002
        self._refuse_to_seek()

    def _index_at(self, seconds: float) -> NoReturn:  # noqa: ARG002
        self._refuse_to_seek()

    def _refuse_to_seek(self) -> NoReturn:
        raise VideoError(f"{self.info.name} is live and cannot be sought. Record it to a file first.")

    def close(self) -> None:
        """Let go of the device or connection."""
        super().close()
        try:
            self._items.close()
        except ValueError:
            return  # another thread is reading: its iteration ends with the next frame, and the container with it
        self._container.close()


def _all_items(opening: Opening) -> Items:
    yield from opening.head
    yield from opening.rest
    if opening.reading.broken_off is not None:
        yield BadFrame(
            opening.reading.sequencer.next, f"the stream broke off ({opening.reading.broken_off.strerror})"
        )
