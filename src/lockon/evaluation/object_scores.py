"""From the label images of trackers to their numbers: what DAVIS and YouTube-VOS have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.label_images import ObjectScores, compare_labels
from lockon.evaluation.pooling import PooledScores, Summed, Values, parts_by_attribute
from lockon.evaluation.tracks import MaskTrack, Runs

ObjectValues = Mapping[int, Mapping[str, float]]
"""Measures by number of the object, then by name."""


class Case(NamedTuple):
    """A sequence and its annotation."""

    sequence: TestSequence
    truth: MaskTruth
    frames: Mapping[int, Collection[int]]
    """By number of the object, the frames that count for it; objects without any do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRules:
    """What protocols make of J and F in the frames that count."""

    values: Callable[[ObjectScores], Mapping[str, float]]
    """The measures of one object."""
    parts: Callable[[Case, ObjectValues], Float[np.ndarray, "parts"]]
    """What the objects of a sequence add to the sums of the test set."""
    measure: Callable[[Summed], Values]
    """The measures of sums."""
    contours: bool = True
    """Whether F is among them."""


def score_labels(
    tracker: str,
    runs: Runs,
    cases: Sequence[Case],
    rules: ObjectRules,
    members: Mapping[str, Bool[np.ndarray, "sequences"]],
) -> PooledScores:
    """The numbers of one tracker.

    Args:
        tracker: its name.
        runs: a `MaskTrack` of every case in each.
        cases: what counts.
        rules: how.
        members: which of the cases have each attribute.

    Raises:
        DataError: a result is no label images, or does not fit the annotation.
    """
    values = [{case.sequence.name: _values(tracker, run, case, rules) for case in cases} for run in runs]
    parts = np.array([[rules.parts(case, run[case.sequence.name]) for case in cases] for run in values])
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=rules.measure,
        attribute_parts=parts_by_attribute(parts, members),
        by_object=mean_by_object(values),
        frames_per_second=frames_per_second(
            [track for run in runs for track in run.values() if isinstance(track, MaskTrack)]
        ),
    )


def _values(tracker: str, run: Mapping[str, object], case: Case, rules: ObjectRules) -> ObjectValues:
    name = case.sequence.name
    counted = {number: frames for number, frames in case.frames.items() if frames}
    label = f"the result of '{tracker}' on '{name}'"
    scores = compare_labels(case.truth, run[name], counted, label, contours=rules.contours)
    return {number: rules.values(each) for number, each in scores.items()}


def mean_by_object(runs: Sequence[Mapping[str, ObjectValues]]) -> dict[str, dict[str, dict[int, float]]]:
    """Means over the runs, by name of the measure, then of the sequence, then number of the object.

    Args:
        runs: the values of every run by name of the sequence; the same sequences, objects and measures in all.
    """
    means: dict[str, dict[str, dict[int, float]]] = {}
    for sequence, objects in runs[0].items():
        for number, values in objects.items():
            for name in values:
                mean = float(np.mean([run[sequence][number][name] for run in runs]))
                means.setdefault(name, {}).setdefault(sequence, {})[number] = mean
    return means
