"""Masks against the code of DAVIS 2017."""

import json

import pytest
from golden_data import golden_path

from lockon.data.image_reading import read_labels
from lockon.data.testsets.base import MaskTruth, TestSequence, TestSet
from lockon.evaluation.davis import assess, counted_frames
from lockon.evaluation.label_images import compare_labels
from lockon.evaluation.tracks import MaskTrack

pytestmark = pytest.mark.slow

FOLDERS = ("davis_real", "davis_synthetic")
J_TOLERANCE, F_TOLERANCE = 1e-6, 1e-4


def davis_folder(folder):
    root = golden_path("evaluation", folder)
    annotations = root / "Annotations" / "480p"
    sequences = []
    for place in sorted(annotations.iterdir()):
        labels = tuple(sorted(place.glob("*.png")))
        highest = int(read_labels(labels[0]).max())
        merged = highest == 255
        objects = dict.fromkeys(range(1, 2 if merged else highest + 1), 0)
        truth = MaskTruth(labels=labels, objects=objects, merged=merged)
        sequences.append(TestSequence(name=place.name, frame_paths=(), truth=truth, start=None, length=len(labels)))
    results = {
        tracker.name: [
            {
                each.name: MaskTrack(labels=tuple(tracker / each.name / path.name for path in each.truth.labels))
                for each in sequences
            }
        ]
        for tracker in sorted((root / "results").iterdir())
    }
    test_set = TestSet(name=folder, title=folder, sequences=tuple(sequences), protocol="davis")
    return test_set, results, json.loads((root / "expected.json").read_text())


def checked(value, expected, tolerance, label):
    # Six decimals are stored.
    assert value == pytest.approx(expected, abs=tolerance + 5e-7, nan_ok=True), label


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_frame_of_every_object(folder):
    test_set, results, expected = davis_folder(folder)
    (runs,) = results.values()
    compared = 0
    for sequence in test_set.sequences:
        counted = dict.fromkeys(sequence.truth.objects, counted_frames(sequence.truth))
        objects = compare_labels(sequence.truth, runs[0][sequence.name], counted, sequence.name)
        numbers = expected[sequence.name]
        for index, (number, scores) in enumerate(sorted(objects.items())):
            for frame, (j, f) in enumerate(
                zip(numbers["J_per_frame"][index], numbers["F_per_frame"][index], strict=True)
            ):
                label = sequence.name, number, frame
                checked(scores.j[frame], j, J_TOLERANCE, label)
                checked(scores.f[frame], f, F_TOLERANCE, label)
                compared += 1
    assert compared


@pytest.mark.parametrize("folder", FOLDERS)
def test_statistics_of_sequences_and_of_all(folder):
    test_set, results, expected = davis_folder(folder)
    (scores,) = assess(test_set, results).trackers
    for sequence in test_set.sequences:
        numbers = expected[sequence.name]
        for kind, tolerance in (("J", J_TOLERANCE), ("F", F_TOLERANCE)):
            for measure, key in ((kind, "mean"), (f"{kind} recall", "recall"), (f"{kind} decay", "decay")):
                for number, value in scores.by_object[measure][sequence.name].items():
                    checked(value, numbers[kind][number - 1][key], tolerance, (sequence.name, number, measure))
                mean = sum(each[key] for each in numbers[kind]) / len(numbers[kind])
                checked(scores.by_sequence[measure][sequence.name], mean, tolerance, (sequence.name, measure))
    overall = expected.get("_global", {})
    for kind, tolerance in (("J", J_TOLERANCE), ("F", F_TOLERANCE)):
        for measure, key in ((kind, "mean"), (f"{kind} recall", "recall"), (f"{kind} decay", "decay")):
            if overall:
                checked(scores.values[measure], overall[kind][key], tolerance, measure)
    if overall:
        checked(scores.values["J&F"], overall["J&F"], F_TOLERANCE, "J&F")
