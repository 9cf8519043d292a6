"""What is odd about a result that could be read. Protocols deal with it, each in its own way; users should know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lockon.data.testsets.base import RegionTruth, SparseTruth, TestSequence
from lockon.evaluation.formats.base import FromFile
from lockon.evaluation.tracks import MaskTrack, RegionTrack, Track


def defects(said: FromFile, sequence: TestSequence, anchor: int | None = None) -> Iterator[str]:
    """One sentence each, with file and line: another number of frames, NaN or infinite boxes, negative sizes.

    Args:
        said: what was read.
        sequence: what it is of.
        anchor: frame in which a run of several starts; None where all runs start in frame 0.
    """
    if isinstance(said, Track) and not isinstance(sequence.truth, SparseTruth):
        yield from _of_length(len(said.boxes), len(sequence), said, sequence)
        yield from _of_boxes(said)
    elif isinstance(said, RegionTrack):
        expected = len(sequence) if anchor is None else _run_length(sequence, anchor)
        yield from _of_length(len(said.regions), expected, said, sequence)
    elif isinstance(said, MaskTrack) and not any(said.labels):
        yield f"'{sequence.name}' has no label images."


def _run_length(sequence: TestSequence, anchor: int) -> int:
    """Frames of the run from an anchor; where there is none, of one to the end."""
    runs = sequence.truth.runs() if isinstance(sequence.truth, RegionTruth) else {}
    return len(runs.get(anchor, range(anchor, len(sequence))))


def _of_length(count: int, expected: int, said: Track | RegionTrack, sequence: TestSequence) -> Iterator[str]:
    if count != expected:
        yield (
            f"'{said.path}' has {count} lines, '{sequence.name}' {expected} frames. Is it a result of this sequence, "
            f"and did the run end?"
        )


def _of_boxes(track: Track) -> Iterator[str]:
    with np.errstate(invalid="ignore"):
        for bad, what in (
            (~np.isfinite(track.boxes).all(axis=1), "a box that is not finite"),
            ((track.boxes[:, 2:] < 0).any(axis=1), "a negative width or height"),
        ):
            lines = np.flatnonzero(bad) + 1
            if len(lines):
                more = f" and in {len(lines) - 1} more" if len(lines) > 1 else ""
                yield f"'{track.path}' has {what} in line {lines[0]}{more}. Correct it, or run the tracker again."
