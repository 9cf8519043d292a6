"""Tracks of boxes brought together with their annotation, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.geometry import Boxes
from lockon.evaluation.selection import secret_annotation
from lockon.evaluation.tracks import Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One track against one annotation, as they were read."""

    truth: Boxes
    track: Track
    visible: Bool[np.ndarray, "frames"] | None = None
    """The benchmark's own flags, where it has some."""
    benchmark: str = ""
    """Test set that the sequence comes from; some toolkits treat some of them apart."""
    label: str = "the track"
    """Tracker, sequence and file, for messages."""

    def error(self, problem: str) -> DataError:
        """What to raise where the rules reject the track: `problem` is a clause that ends with the remedy."""
        return DataError(f"{self.label} {problem}")

    def require_length(self, rules: str) -> None:
        """Refuse a track that ends before its sequence.

        Raises:
            DataError: it does.
        """
        rows, frames = len(self.track.boxes), len(self.truth)
        if rows < frames:
            raise self.error(
                f"has {rows} boxes for {frames} frames, which the rules '{rules}' reject. Repeat the run."
            )


def box_case(test_set: TestSet, sequence: TestSequence, tracker: str, run: Mapping[str, object]) -> Case:
    """What one run has of a sequence; a box of zeros in all frames where it has nothing.

    Raises:
        DataError: it is no track of boxes, or empty, or confidences do not fit the boxes; or as `box_truth`.
    """
    truth = box_truth(test_set, sequence)
    label = f"the result of '{tracker}' on '{sequence.name}'"
    track = run.get(sequence.name, Track(boxes=np.zeros_like(truth.boxes)))
    if not isinstance(track, Track):
        raise DataError(f"{label} is not a track of boxes; assess it by the protocol that it was made for.")
    label += f" ({track.path})" if track.path else ""
    case = Case(
        truth=truth.boxes,
        track=track,
        visible=truth.visible,
        benchmark=sequence.benchmark or test_set.name,
        label=label,
    )
    if not len(track.boxes):
        raise case.error("is empty. Delete it and repeat the run.")
    if track.scores is not None and len(track.scores) != len(track.boxes):
        raise case.error(
            f"has {len(track.boxes)} boxes and {len(track.scores)} confidences; they come from different runs. "
            "Delete it and repeat the run."
        )
    return case


def box_truth(test_set: TestSet, sequence: TestSequence) -> BoxTruth:
    """The boxes of a sequence.

    Raises:
        DataError: it is annotated otherwise, in secret, or its files do not fit each other.
    """
    truth = sequence.truth
    if not isinstance(truth, BoxTruth):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} is not annotated with boxes in every frame; "
            f"assess it by the protocol '{test_set.protocol}'."
        )
    if len(truth.boxes) == 1 < len(sequence):
        raise secret_annotation(test_set, "first frames")
    if truth.visible is not None and len(truth.visible) != len(truth.boxes):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} has {len(truth.boxes)} annotated boxes and "
            f"{len(truth.visible)} flags of visibility; its files do not fit each other. Unpack the data set anew."
        )
    return truth
