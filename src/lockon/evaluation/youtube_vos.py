"""Video object segmentation on YouTube-VOS, whose objects may appear at any time.

Xu et al., "YouTube-VOS: Sequence-to-Sequence Video Object Segmentation", ECCV 2018. J and F as on DAVIS, means over
objects, apart for those whose category is in the training set (seen) and the others (unseen); G is the mean of the
four. The annotation of the validation sets is secret: what can be scored here is annotated throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import MaskTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment, Exclusion, Measure
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.label_images import ObjectScores, mask_truth
from lockon.evaluation.masks import statistics
from lockon.evaluation.object_scores import Case, ObjectRules, ObjectValues, score_labels
from lockon.evaluation.pooling import Summed, Values, assess_pooled, ratio
from lockon.evaluation.selection import secret_annotation, select_sequences
from lockon.evaluation.tracks import Results

SEEN = frozenset(
    """
    airplane ape bear bike bird boat bucket bus camel cat cow crocodile deer dog dolphin duck eagle earless_seal
    elephant fish fox frisbee frog giant_panda giraffe hand hat hedgehog horse knife leopard lion lizard monkey
    motorbike mouse others owl paddle parachute parrot penguin person plant rabbit raccoon sedan shark sheep sign
    skateboard snail snake snowboard squirrel surfboard tennis_racket tiger toilet train truck turtle umbrella whale
    zebra
    """.split()  # noqa: SIM905 - as a list of strings it would fill a screen
)
"""Categories of the training set."""

WRONG_STARTS: Mapping[tuple[str, int], int] = {
    ("0e27472bea", 2): 60,
    ("5937b08d69", 4): 0,
    ("5e1ce354fd", 5): 15,
    ("7053e4f41e", 2): 15,
    ("720e3fa04c", 2): 50,
    ("c73c8e747f", 2): 40,
}
"""Objects of training videos that are annotated before they are there, and the last frame in which they are."""

G_MEASURES = (
    Measure(name="G", unit="share", meaning="mean of the other four"),
    Measure(name="J seen", unit="share", meaning="region similarity, objects of training categories"),
    Measure(name="F seen", unit="share", meaning="contour accuracy, objects of training categories"),
    Measure(name="J unseen", unit="share", meaning="region similarity, objects of other categories"),
    Measure(name="F unseen", unit="share", meaning="contour accuracy, objects of other categories"),
)
J_MEASURES = (
    Measure(name="J", unit="share", meaning="region similarity, mean over frames"),
    Measure(name="J recall", unit="share", meaning="share of frames with J above 0.5"),
    Measure(name="J decay", unit="share", higher_is_better=False, meaning="J in the first quarter less the last"),
)
RULES = {"youtube_vos": G_MEASURES, "jjval": J_MEASURES}
"""The server's G; and J of the videos held out from training, between first and last annotated frame."""


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """G of every tracker, or J on videos held out from training.

    Args:
        test_set: sequences with label images beyond the first of every object.
        results: a `MaskTrack` per run and sequence.
        rules: name in `RULES`; "youtube_vos" unless given.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: the annotation is secret, or a result is not fit for the protocol.
    """
    name = rules or "youtube_vos"
    if name not in RULES:
        raise UnknownNameError("rules of YouTube-VOS", name, RULES)
    held_out = name == "jjval"
    sequences, exclusions = select_sequences(test_set, results)
    truths = [(sequence, mask_truth(sequence, test_set)) for sequence in sequences]
    cases = [Case(*each, scored_frames(*each, held_out=held_out)) for each in truths]
    exclusions += _never_scored(cases, test_set)
    members = attribute_members(test_set, sequences)
    scores = [score_labels(tracker, runs, cases, _RULES[name], members) for tracker, runs in results.items()]
    return assess_pooled(
        test_set,
        sequences,
        scores,
        protocol="youtube_vos",
        rules=name,
        measures=RULES[name],
        exclusions=exclusions,
        notes=("The server's code is not public; the last annotated frame counts here.",) if not held_out else (),
    )


def _never_scored(cases: Sequence[Case], test_set: TestSet) -> list[Exclusion]:
    """The objects without a frame that counts.

    Raises:
        DataError: no object has any.
    """
    if not any(counted for case in cases for counted in case.frames.values()):
        raise secret_annotation(test_set, "the starts of objects")
    return [
        Exclusion(
            sequence=case.sequence.name, tracker=None, reason=f"object {number} has no annotated frame that counts"
        )
        for case in cases
        for number, counted in case.frames.items()
        if not counted
    ]


def scored_frames(sequence: TestSequence, truth: MaskTruth, *, held_out: bool) -> dict[int, list[int]]:
    """Frames that count for every object: the annotated ones after its first.

    Args:
        sequence: whose name may be one of `WRONG_STARTS`.
        truth: its annotation.
        held_out: leave out the last annotated frame, and correct wrong starts.
    """
    annotated = [frame for frame, path in enumerate(truth.labels) if path is not None]
    counted = {}
    for number, given in truth.objects.items():
        first = _corrected_start(sequence.name, number, given, truth, annotated) if held_out else given
        last = annotated[-1] if held_out and annotated else len(truth.labels)
        counted[number] = [frame for frame in annotated if first < frame < last]
    return counted


def _corrected_start(name: str, number: int, given: int, truth: MaskTruth, annotated: list[int]) -> int:
    wrong_until = WRONG_STARTS.get((name, number), -1)
    right = (frame for frame in annotated if frame >= given and _frame_number(truth, frame) > wrong_until)
    return next(right, given)


def _frame_number(truth: MaskTruth, frame: int) -> int:
    path = truth.labels[frame]
    return int(path.stem) if path is not None and path.stem.isdecimal() else frame


def _j_and_f(scores: ObjectScores) -> dict[str, float]:
    return {"J": float(scores.j.mean()), "F": float(scores.f.mean())}


def _j_statistics(scores: ObjectScores) -> dict[str, float]:
    return dict(zip([measure.name for measure in J_MEASURES], statistics(scores.j), strict=True))


def _by_novelty(case: Case, objects: ObjectValues) -> Float[np.ndarray, "parts"]:
    """J, F and number of the objects of training categories, then of the others."""
    categories = case.truth.categories
    unknown = next((number for number in objects if number not in categories), None)
    if unknown is not None:
        raise DataError(
            f"object {unknown} of '{case.sequence.name}' has no category, so whether it is one of the training set "
            "is not known. Add its category to meta.json, or take the rules 'jjval'."
        )
    sums = np.zeros((2, 3))
    for number, values in objects.items():
        sums[0 if categories[number] in SEEN else 1] += values["J"], values["F"], 1
    return sums.ravel()


def _all_together(_: Case, objects: ObjectValues) -> Float[np.ndarray, "parts"]:
    """Sums over the objects, and their number."""
    sums = np.zeros(len(J_MEASURES) + 1)
    for values in objects.values():
        sums += *values.values(), 1
    return sums


def _measure_g(sums: Summed) -> Values:
    means = {
        "J seen": ratio(sums[..., 0], sums[..., 2]),
        "F seen": ratio(sums[..., 1], sums[..., 2]),
        "J unseen": ratio(sums[..., 3], sums[..., 5]),
        "F unseen": ratio(sums[..., 4], sums[..., 5]),
    }
    return {"G": np.mean(list(means.values()), axis=0), **means}


def _measure_j(sums: Summed) -> Values:
    return {each.name: ratio(sums[..., index], sums[..., -1]) for index, each in enumerate(J_MEASURES)}


_RULES = {
    "youtube_vos": ObjectRules(values=_j_and_f, parts=_by_novelty, measure=_measure_g),
    "jjval": ObjectRules(values=_j_statistics, parts=_all_together, measure=_measure_j, contours=False),
}
