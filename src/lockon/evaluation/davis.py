"""Video object segmentation on DAVIS 2016 and 2017, with the objects given in the first frame.

Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017. Every object of every sequence has
the same weight. The first and the last frame do not count, so that a sequence of two frames or fewer is left out.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import MaskTruth, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment, Exclusion, Measure
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.label_images import ObjectScores, mask_truth
from lockon.evaluation.masks import statistics
from lockon.evaluation.object_scores import Case, ObjectRules, ObjectValues, score_labels
from lockon.evaluation.pooling import Summed, Values, assess_pooled, ratio
from lockon.evaluation.selection import secret_annotation, select_sequences
from lockon.evaluation.tracks import Results

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
    truths = [(sequence, mask_truth(sequence, test_set)) for sequence in sequences]
    cases = [
        Case(sequence, truth, dict.fromkeys(truth.objects, counted))
        for sequence, truth in truths
        if (counted := counted_frames(truth))
    ]
    exclusions += [
        Exclusion(sequence=sequence.name, tracker=None, reason="no frame between the first and the last")
        for sequence, truth in truths
        if not counted_frames(truth)
    ]
    if not cases:
        raise DataError(
            f"no sequence of {test_set.title} has a frame between its first and its last, where DAVIS looks. "
            "Take sequences of three frames or more."
        )
    if not any(case.truth.labels[frame] for case in cases for frame in counted_frames(case.truth)):
        raise secret_annotation(test_set, "first frames")
    counting = [case.sequence for case in cases]
    members = attribute_members(test_set, counting)
    scores = [score_labels(tracker, runs, cases, _RULES, members) for tracker, runs in results.items()]
    return assess_pooled(
        test_set,
        counting,
        scores,
        protocol="davis",
        rules=RULES,
        measures=MEASURES,
        exclusions=exclusions,
    )


def counted_frames(truth: MaskTruth) -> range:
    """The frames that count: all but the first and the last."""
    return range(1, len(truth.labels) - 1)


def _values(scores: ObjectScores) -> dict[str, float]:
    return dict(zip(_STATISTICS, (*statistics(scores.j), *statistics(scores.f)), strict=True))


def _parts(_: Case, objects: ObjectValues) -> Float[np.ndarray, "parts"]:
    """Sums over the objects of a sequence, and their number."""
    return np.array([*np.sum([list(values.values()) for values in objects.values()], axis=0), len(objects)])


def _measure(sums: Summed) -> Values:
    means = {name: ratio(sums[..., index], sums[..., -1]) for index, name in enumerate(_STATISTICS)}
    return {"J&F": (means["J"] + means["F"]) / 2, **means}


_RULES = ObjectRules(values=_values, parts=_parts, measure=_measure)
