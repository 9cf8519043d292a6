"""What every sink is: something that takes frames one by one and leaves a complete result behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from lockon.images import Image


class FrameSink(ABC):
    """Takes the frames of one video; open it with `lockon.video.open_sink`.

    Leaving the `with` block, by its end, an exception or Ctrl-C, closes the sink: what was written so far is kept.
    """

    path: Path
    """Where the result goes."""
    frames_written: int = 0

    @abstractmethod
    def write(self, image: Image, time: float | None = None) -> None:
        """Add a frame.

        Args:
            image: `(H, W, 3)` uint8 RGB.
            time: when it is shown, in seconds on any clock (`Frame.time`), later for each frame. Given with every
                frame or with none; without, frames follow each other at the frame rate.

        Raises:
            OutputError: it cannot be written; the message says what was kept.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the result. Closing twice does nothing; without a frame there is no result.

        Raises:
            OutputError: it cannot be finished; the message says what was kept.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
