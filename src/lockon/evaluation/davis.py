"""Video object segmentation on DAVIS 2016 and 2017, with the objects given in the first frame.

Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017. Every object of every sequence has
the same weight. The first and the last frame do not count, so that a sequence of two frames or fewer is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import MaskTruth, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Exclusion, Measure
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.label_images import ObjectScores, compare_labels, mask_truth
from lockon.evaluation.masks import statistics
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled, ratio
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import MaskTrack, Results

RULES = "davis"
_STATISTICS = ("J", "J recall", "J decay", "F", "F recall", "F decay")
MEASURES = (
    Measure(name="J&F", unit="share", meaning="mean of J and F"),
    Measure(name="J", unit="share", meaning="region similarity, mean over frames"),
    Measure(name="J recall", unit="share", meaning="share of frames with J above 0.5"),
    Measure(name="J decay", unit="share", higher_is_better=False, meaning="J in the first quarter less the last"),
    Measure(name="F", unit="share", meaning="contour accuracy, mean over frames"),
    Measure(name="F recall", unit="share", meaning="share of frames with F above 0.5"),
    Measure(name="F decay", unit="share", higher_is_better=False, meaning="F in the first quarter less the last"),
)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """J and F of every tracker: mean, recall and decay.

    Args:
        test_set: sequences with label images in all frames.
        results: a `MaskTrack` per run and sequence.
        rules: "davis", the only ones.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: annotation or a result is not fit for the protocol, or all sequences are too short for it.
    """
    if (rules or RULES) != RULES:
        raise UnknownNameError("rules of DAVIS", rules or "", [RULES])
    sequences, exclusions = select_sequences(test_set, results)
    annotated = [(sequence, mask_truth(sequence, test_set)) for sequence in sequences]
    exclusions += [
        Exclusion(sequence=sequence.name, tracker=None, reason="no frame between the first and the last")
        for sequence, truth in annotated
        if not _counted(truth)
    ]
    sequences = tuple(sequence for sequence, truth in annotated if _counted(truth))
    truths = [truth for _, truth in annotated if _counted(truth)]
    if not sequences:
        raise DataError(
            f"no sequence of {test_set.title} has a frame between its first and its last, where DAVIS looks. "
            "Take sequences of three frames or more."
        )
    members = attribute_members(test_set, sequences)
    scores = []
    for tracker, runs in results.items():
        parts = [
            [
                _parts(score_objects(truth, run[sequence.name], f"the result of '{tracker}' on '{sequence.name}'"))
                for sequence, truth in zip(sequences, truths, strict=True)
            ]
            for run in runs
        ]
        tracks = [track for run in runs for track in run.values() if isinstance(track, MaskTrack)]
        scores.append(_scores(tracker, np.array(parts), members, frames_per_second(tracks)))
    trackers, comparisons = assess_pooled(sequences, MEASURES, scores)
    return Assessment(
        test_set=test_set.name,
        protocol="davis",
        rules=RULES,
        measures=MEASURES,
        trackers=trackers,
        sequences={sequence.name: len(sequence) for sequence in sequences},
        exclusions=tuple(exclusions),
        comparisons=comparisons,
    )


def score_objects(truth: MaskTruth, track: object, label: str) -> dict[int, ObjectScores]:
    """J and F of every object in the frames between the first and the last.

    Raises:
        DataError: the track does not fit the annotation.
    """
    return compare_labels(truth, track, dict.fromkeys(truth.objects, _counted(truth)), label)


def _counted(truth: MaskTruth) -> range:
    """All frames but the first and the last."""
    return range(1, len(truth.labels) - 1)


def _parts(objects: Mapping[int, ObjectScores]) -> Float[np.ndarray, "parts"]:
    """Sums over the objects of a sequence, and their number."""
    values = [[*statistics(each.j), *statistics(each.f)] for each in objects.values()]
    return np.array([*np.sum(values, axis=0), len(objects)])


def _measure(sums: Summed) -> Values:
    means = {name: ratio(sums[..., index], sums[..., -1]) for index, name in enumerate(_STATISTICS)}
    return {"J&F": (means["J"] + means["F"]) / 2, **means}


def _scores(
    tracker: str,
    parts: Float[np.ndarray, "runs sequences parts"],
    members: Mapping[str, Bool[np.ndarray, "sequences"]],
    speed: float | None,
) -> PooledScores:
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=_measure,
        attribute_parts={name: parts * having[:, None] for name, having in members.items()},
        frames_per_second=speed,
    )
