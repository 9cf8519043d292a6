"""Which frames of a data set are the same picture: those of several targets in one clip are."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

from lockon.data.datasets.base import TargetSequence


def picture_file(sequence: TargetSequence, index: int) -> Path | None:
    """The image file of frame `index` (from 0), where the sequence has a `frame_path` that tells it."""
    frame_path: Callable[[int], Path | None] | None = getattr(sequence, "frame_path", None)
    return frame_path(index) if frame_path else None


def picture_identity(sequence: TargetSequence, index: int) -> Hashable:
    """A value for frame `index` (from 0), equal where pictures are: its file, or else its clip and number.

    Sequences that name no `clip` are one of their own.
    """
    return picture_file(sequence, index) or (getattr(sequence, "clip", sequence.name), index)
