"""Video object segmentation on YouTube-VOS, whose objects may appear at any time.

Xu et al., "YouTube-VOS: Sequence-to-Sequence Video Object Segmentation", ECCV 2018. J and F as on DAVIS, means over
objects, apart for those whose category is in the training set (seen) and the others (unseen); G is the mean of the
four. The annotation of the validation sets is secret: what can be scored here is annotated throughout.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import MaskTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Exclusion, Measure
from lockon.evaluation.attributes import attribute_members
from lockon.evaluation.label_images import ObjectScores, compare_labels, mask_truth
from lockon.evaluation.masks import statistics
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled, ratio
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import MaskTrack, Results

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
    truths = [mask_truth(sequence, test_set) for sequence in sequences]
    frames = [
        scored_frames(sequence, truth, held_out=held_out) for sequence, truth in zip(sequences, truths, strict=True)
    ]
    if not any(counted for each in frames for counted in each.values()):
        raise DataError(
            f"the annotation of {test_set.title} is secret but for the starts of objects; "
            "write a submission and send it to the benchmark's server."
        )
    exclusions += [
        Exclusion(sequence=sequence.name, tracker=None, reason=f"object {number} has no annotated frame that counts")
        for sequence, each in zip(sequences, frames, strict=True)
        for number, counted in each.items()
        if not counted
    ]
    members = attribute_members(test_set, sequences)
    scores = []
    for tracker, runs in results.items():
        parts = [
            [
                _parts(sequence, truth, run[sequence.name], counted, tracker, held_out=held_out)
                for sequence, truth, counted in zip(sequences, truths, frames, strict=True)
            ]
            for run in runs
        ]
        tracks = [track for run in runs for track in run.values() if isinstance(track, MaskTrack)]
        scores.append(_scores(tracker, np.array(parts), members, frames_per_second(tracks), held_out=held_out))
    trackers, comparisons = assess_pooled(sequences, RULES[name], scores)
    return Assessment(
        test_set=test_set.name,
        protocol="youtube_vos",
        rules=name,
        measures=RULES[name],
        trackers=trackers,
        sequences={sequence.name: len(sequence) for sequence in sequences},
        exclusions=tuple(exclusions),
        comparisons=comparisons,
        notes=("The server's code is not public; the last annotated frame counts here.",) if not held_out else (),
    )


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


def _parts(
    sequence: TestSequence,
    truth: MaskTruth,
    track: object,
    frames: Mapping[int, list[int]],
    tracker: str,
    *,
    held_out: bool,
) -> Float[np.ndarray, "parts"]:
    counted = {number: each for number, each in frames.items() if each}
    label = f"the result of '{tracker}' on '{sequence.name}'"
    scores = compare_labels(truth, track, counted, label, contours=not held_out)
    if held_out:
        values = [statistics(each.j) for each in scores.values()]
        return np.array([*np.sum(values, axis=0), len(scores)]) if scores else np.zeros(4)
    return np.concatenate([_sums(sequence, truth, scores, seen=seen) for seen in (True, False)])


def _sums(
    sequence: TestSequence, truth: MaskTruth, scores: Mapping[int, ObjectScores], *, seen: bool
) -> Float[np.ndarray, "parts"]:
    """J, F and number of the objects of training categories, or of the others."""
    unknown = next((number for number in scores if number not in truth.categories), None)
    if unknown is not None:
        raise DataError(
            f"object {unknown} of '{sequence.name}' has no category, so whether it is one of the training set is not "
            "known. Add its category to meta.json, or take the rules 'jjval'."
        )
    chosen = [each for number, each in scores.items() if (truth.categories[number] in SEEN) is seen]
    return np.array([sum(each.j.mean() for each in chosen), sum(each.f.mean() for each in chosen), len(chosen)])


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


def _scores(
    tracker: str,
    parts: Float[np.ndarray, "runs sequences parts"],
    members: Mapping[str, Bool[np.ndarray, "sequences"]],
    speed: float | None,
    *,
    held_out: bool,
) -> PooledScores:
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=_measure_j if held_out else _measure_g,
        attribute_parts={name: parts * having[:, None] for name, having in members.items()},
        frames_per_second=speed,
    )
