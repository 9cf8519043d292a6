"""Sequences that are annotated by label images: every object is followed on its own, and all are painted together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lockon.data.label_writing import label_png
from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.errors import DataError
from lockon.evaluation.label_images import Labels, read_objects
from lockon.evaluation.result_files import LabelImages
from lockon.evaluation.running.following import Open, Timed
from lockon.evaluation.trackers import covered_pixels
from lockon.regions import MaskRegion

NOTHING = MaskRegion(0, 0, np.zeros((0, 0), dtype=np.bool_))


class _Patch(NamedTuple):
    """What an object covers in a frame."""

    number: int
    mask: MaskRegion
    score: float


def label_images(open_follower: Open, sequence: TestSequence) -> LabelImages:
    """Follow every object from the frame in which it is given.

    A tracker is given the object's pixels; trackers of boxes take the box around them, and what they cover is the
    box. Where objects meet, the pixel is that of the higher score (no score counts as 1), then of the higher number.
    """
    truth = sequence.truth
    if not isinstance(truth, MaskTruth):
        raise DataError(f"sequence '{sequence.name}' is not annotated by label images.")
    patches: list[list[_Patch]] = [[] for _ in range(len(sequence))]
    seconds = np.full((len(truth.objects), len(sequence)), np.nan)
    given = {frame: _read_labels(sequence, truth, frame) for frame in set(truth.objects.values())}
    height, width = next(iter(given.values())).shape
    for own_seconds, (number, first) in zip(seconds, truth.objects.items(), strict=True):
        start = MaskRegion.of(given[first] == number)
        if not start.pixels.size:
            raise DataError(f"'{truth.labels[first]}' has no pixel of object {number}, which begins there.")
        patches[first].append(_Patch(number, start, np.inf))  # what is given goes before what is guessed
        with open_follower() as follower:
            own_seconds[first] = follower.start(first, start).seconds
            for frame in range(first + 1, len(sequence)):
                timed = follower.step(frame)
                own_seconds[frame] = timed.seconds
                patches[frame].append(_patch(number, timed, height, width))
    wanted = range(len(sequence)) if truth.required is None else truth.required
    images = {frame: label_png(_painted(patches[frame], height, width)) for frame in wanted}
    # Of all objects together; NaN only where no object was looked at.
    return LabelImages(
        images=images, seconds=np.where(np.isnan(seconds).all(axis=0), np.nan, np.nansum(seconds, axis=0))
    )


def _read_labels(sequence: TestSequence, truth: MaskTruth, frame: int) -> Labels:
    path = truth.labels[frame]
    if path is None:
        raise DataError(f"sequence '{sequence.name}' has no label image of frame {frame}, in which an object begins.")
    return read_objects(path, truth)


def _patch(number: int, timed: Timed, height: int, width: int) -> _Patch:
    observation = timed.observation
    score = 1.0 if observation.score is None else observation.score
    if observation.present is not None and not observation.present:
        return _Patch(number, NOTHING, score)
    return _Patch(number, covered_pixels(observation, width, height), score)


def _painted(patches: list[_Patch], height: int, width: int) -> Labels:
    labels: Labels = np.zeros((height, width), dtype=np.uint8)
    for number, mask, _ in sorted(patches, key=lambda patch: (patch.score, patch.number)):
        h, w = mask.pixels.shape
        top, left = max(mask.top, 0), max(mask.left, 0)
        bottom, right = min(mask.top + h, height), min(mask.left + w, width)
        if top < bottom and left < right:
            pixels = mask.pixels[top - mask.top : bottom - mask.top, left - mask.left : right - mask.left]
            labels[top:bottom, left:right][pixels] = number
    return labels
