"""What happened on a sequence: how each tracker's overlap went over the frames, and where it lost the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from lockon.boxes import Box, iou
from lockon.data.testsets.base import BoxTruth, RegionTruth, SparseTruth, TestSequence, Truth, box_of
from lockon.evaluation.tracks import Code, MaskTrack, RegionTrack, Track

AnyTrack = Track | RegionTrack | MaskTrack
Boxes = Float[np.ndarray, "frames 4"]
Overlaps = Float[np.ndarray, "frames"]

LOST_BELOW = 0.1
"""Overlap under which a tracker is not on the target."""
_LEAST_LOSS = 5
"""Frames that a loss lasts at least."""
_SAME_MOMENT = 10
"""Frames between two losses that make one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A tracker leaves the target, for some time."""

    tracker: str
    frame: int
    """The first in which its overlap is below `LOST_BELOW`."""
    frames: int
    """How many annotated frames it stays away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A frame at which trackers lose the target."""

    frame: int
    losses: tuple[Loss, ...]
    """Longest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One sequence and the first run of every tracker on it."""

    sequence: TestSequence
    truth: Boxes
    """Box around the annotation per frame; NaN where there is none."""
    boxes: Mapping[str, Boxes]
    """By tracker; NaN where there is none."""
    overlaps: Mapping[str, Overlaps]
    """Intersection over union of those boxes, by tracker; NaN where nothing is annotated."""
    moments: tuple[Moment, ...]
    """Worst first."""


def tell(sequence: TestSequence, tracks: Mapping[str, AnyTrack], *, most: int = 3) -> Story | None:
    """The story of a sequence; None where neither annotation nor results are boxes, nor have any around them.

    Polygons and masks are shown by the boxes around them, whatever the protocol measures.
    """
    truth = truth_boxes(sequence.truth, sequence)
    if truth is None:
        return None
    boxes = {}
    for name, track in tracks.items():
        predicted = track_boxes(track)
        if predicted is not None:
            boxes[name] = _fitted(predicted, len(truth))
    overlaps = {name: _overlaps(truth, predicted) for name, predicted in boxes.items()}
    return Story(
        sequence=sequence, truth=truth, boxes=boxes, overlaps=overlaps, moments=worst_moments(overlaps, most)
    )


def truth_boxes(truth: Truth, sequence: TestSequence) -> Boxes | None:
    """Boxes around the annotation, NaN where there is none; None where it has no boxes."""
    match truth:
        case BoxTruth():
            return _empty_as_nan(_fitted(truth.boxes, sequence.length))
        case RegionTruth():
            return _empty_as_nan(np.array([box_of(region) for region in truth.regions], dtype=np.float64))
        case SparseTruth():
            boxes = np.full((sequence.length, 4), np.nan)
            boxes[truth.numbers] = truth.boxes * np.tile(sequence.image_size or (1, 1), 2)
            return boxes
        case _:
            return None


def track_boxes(track: AnyTrack) -> Boxes | None:
    """Boxes around what a tracker said, NaN where it said nothing; None for masks."""
    match track:
        case Track():
            return track.boxes
        case RegionTrack():
            nothing = Box(*[float("nan")] * 4)
            boxes = [nothing if isinstance(region, Code) else box_of(region) for region in track.regions]
            return np.array(boxes, dtype=np.float64)
        case _:
            return None


def worst_moments(overlaps: Mapping[str, Overlaps], most: int) -> tuple[Moment, ...]:
    """Frames at which trackers lose the target, those first where most frames are lost over all trackers."""
    losses = sorted(
        (loss for name, values in overlaps.items() for loss in losses_of(name, values)), key=lambda loss: loss.frame
    )
    groups: list[list[Loss]] = []
    for loss in losses:
        if groups and loss.frame - groups[-1][0].frame <= _SAME_MOMENT:
            groups[-1].append(loss)
        else:
            groups.append([loss])
    groups.sort(key=lambda group: -sum(loss.frames for loss in group))
    return tuple(_moment(group) for group in groups[:most])


def _moment(losses: list[Loss]) -> Moment:
    """The frame at which the last of them begins; of each tracker its longest."""
    by_length = sorted(losses, key=lambda loss: -loss.frames)
    longest = {loss.tracker: loss for loss in reversed(by_length)}
    return Moment(
        frame=max(loss.frame for loss in longest.values()),
        losses=tuple(loss for loss in by_length if longest[loss.tracker] is loss),
    )


def losses_of(tracker: str, overlaps: Overlaps) -> list[Loss]:
    """Runs of annotated frames in which the overlap stays below `LOST_BELOW`."""
    annotated = np.flatnonzero(~np.isnan(overlaps))
    lost: Bool[np.ndarray, "annotated"] = overlaps[annotated] < LOST_BELOW
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    return [
        Loss(tracker=tracker, frame=int(annotated[start]), frames=int(stop - start))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
        if stop - start >= _LEAST_LOSS
    ]


def thinned(values: Overlaps, most: int) -> tuple[Overlaps, int]:
    """At most `most` means over equally long stretches of frames, and how many frames that is."""
    step = -(-len(values) // most)
    padded = np.concatenate([values, np.full(-len(values) % step, np.nan)]).reshape(-1, step)
    known = ~np.isnan(padded)
    sums, counts = np.where(known, padded, 0).sum(axis=1), known.sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), step


def _overlaps(truth: Boxes, predicted: Boxes) -> Overlaps:
    overlaps = iou(torch.from_numpy(truth), torch.from_numpy(predicted)).numpy()
    missed: Overlaps = np.where(np.isnan(overlaps), 0.0, overlaps)
    return np.where(np.isnan(truth).any(axis=1), np.nan, missed)


def _fitted(boxes: Boxes, frames: int) -> Boxes:
    """Cut, or filled with NaN: for the pictures only; what the rules make of it is in the notes."""
    fitted = np.full((frames, 4), np.nan)
    fitted[: len(boxes)] = boxes[:frames]
    return fitted


def _empty_as_nan(boxes: Boxes) -> Boxes:
    return np.where((boxes[:, 2:3] > 0) & (boxes[:, 3:4] > 0), boxes, np.nan)
