"""Label images of results against those of the annotation, object by object."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from lockon.data.image_reading import read_labels
from lockon.data.testsets.base import MaskTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.masks import contour_accuracy, region_similarity
from lockon.evaluation.tracks import MaskTrack

Labels = UInt8[np.ndarray, "height width"]


class ObjectScores(NamedTuple):
    """Of one object, in those frames that count for it."""

    j: Float[np.ndarray, "frames"]
    f: Float[np.ndarray, "frames"]
    """Empty where contours were not asked for."""


def mask_truth(sequence: TestSequence, test_set: TestSet) -> MaskTruth:
    """The label images of a sequence.

    Raises:
        DataError: it is annotated otherwise.
    """
    if not isinstance(sequence.truth, MaskTruth):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} is not annotated with masks; "
            f"assess it by the protocol '{test_set.protocol}'."
        )
    return sequence.truth


def compare_labels(
    truth: MaskTruth,
    track: object,
    frames: Mapping[int, Collection[int]],
    label: str,
    *,
    contours: bool = True,
) -> dict[int, ObjectScores]:
    """J and F of every object.

    Args:
        truth: the annotation, with a label image in every frame that counts.
        track: the result. An object that no pixel of an image is marked with is not there.
        frames: by number of the object, the frames that count for it.
        label: name of the result, for messages.
        contours: whether F is wanted, which takes most of the time.

    Raises:
        DataError: the result is no label images, lacks one, or has one of another size or with an unknown object.
    """
    if not isinstance(track, MaskTrack):
        raise DataError(f"{label} has no masks; assess it by the protocol it was made for.")
    if len(track.labels) != len(truth.labels):
        raise DataError(f"{label} has {len(track.labels)} masks where the sequence has {len(truth.labels)} frames.")
    values: dict[int, list[tuple[float, float]]] = {number: [] for number in frames}
    for frame in sorted({frame for counted in frames.values() for frame in counted}):
        annotated = _read(truth.labels[frame], truth, "the annotation", frame)
        found = _read(track.labels[frame], truth, label, frame)
        _check(annotated, found, truth, f"{label}: '{track.labels[frame]}'")
        for number in (number for number, counted in frames.items() if frame in counted):
            pair = annotated == number, found == number
            values[number].append((region_similarity(*pair), contour_accuracy(*pair) if contours else np.nan))
    scores = {number: np.array(each, dtype=np.float64).reshape(-1, 2).T for number, each in values.items()}
    return {number: ObjectScores(each[0], each[1] if contours else each[1, :0]) for number, each in scores.items()}


def read_objects(path: Path, truth: MaskTruth) -> Labels:
    """The number of the object in every pixel, 0 where there is none.

    Raises:
        DataError: the file is no image of labels.
    """
    labels = read_labels(path)
    return (labels > 0).astype(np.uint8) if truth.merged else labels


def _read(path: Path | None, truth: MaskTruth, label: str, frame: int) -> Labels:
    if path is None:
        raise DataError(f"{label} has no mask of frame {frame} (counted from 0). Complete it.")
    return read_objects(path, truth)


def _check(annotated: Labels, found: Labels, truth: MaskTruth, label: str) -> None:
    if annotated.shape != found.shape:
        raise DataError(
            f"{label} has {found.shape[1]}×{found.shape[0]} pixels where the annotation has "
            f"{annotated.shape[1]}×{annotated.shape[0]}. Write masks at the size of the annotation."
        )
    highest, known = int(found.max()), max(truth.objects)
    if highest > known:
        raise DataError(
            f"{label} marks an object {highest}, but the sequence has only {known}. Number the objects as annotated, "
            "and write their numbers as pixels."
        )
