"""OxUvA against the benchmark's own code: counts exactly."""

import csv
import json

import numpy as np
import pytest
from golden_data import golden_path

from lockon.data.testsets.base import SparseTruth, TestSequence, TestSet
from lockon.evaluation.oxuva import Counts, assess, count, judge, rates
from lockon.evaluation.tracks import Track

# Rates are stored with six decimals.
TOLERANCE = 1e-6


def xywh(fields):
    xmin, xmax, ymin, ymax = (float(field) for field in fields)
    return [xmin, ymin, xmax - xmin, ymax - ymin]


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def open_subset(root):
    annotated = {}
    for row in read_rows(next(root.glob("annotations*.csv"))):
        annotated.setdefault(f"{row[0]}_{row[1]}", []).append(row)
    sequences = []
    for video, target, first, last, *_ in read_rows(next(root.glob("tasks*.csv"))):
        rows = [row for row in annotated[f"{video}_{target}"] if int(first) <= int(row[6]) <= int(last)]
        present = np.array([row[7] == "present" for row in rows])
        truth = SparseTruth(
            numbers=np.array([int(row[6]) - int(first) for row in rows]),
            present=present,
            boxes=np.where(present[:, None], [xywh(row[8:12]) for row in rows], np.nan),
        )
        length = int(last) - int(first) + 1
        sequences.append(
            (
                TestSequence(name=f"{video}_{target}", frame_paths=(), truth=truth, start=None, length=length),
                int(first),
            )
        )
    return TestSet(name="oxuva_dev", title="OxUvA dev", sequences=tuple(s for s, _ in sequences), protocol="oxuva"), {
        sequence.name: first for sequence, first in sequences
    }


def read_track(path, length, first):
    boxes, present, scores = np.full((length, 4), np.nan), np.zeros(length, dtype=bool), np.full(length, np.nan)
    for row in read_rows(path):
        frame = int(row[2]) - first
        boxes[frame], present[frame], scores[frame] = xywh(row[5:9]), row[3] == "true", float(row[4])
    return Track(boxes=boxes, present=present, scores=scores, path=path)


@pytest.fixture(scope="module")
def synthetic():
    root = golden_path("evaluation", "oxuva_realgt_synthpred")
    test_set, firsts = open_subset(root)
    expected = json.loads((root / "expected.json").read_text())
    results = {
        tracker: [
            {
                sequence.name: read_track(
                    root / "predictions" / tracker / f"{sequence.name}.csv", len(sequence), firsts[sequence.name]
                )
                for sequence in test_set.sequences
            }
        ]
        for tracker in expected
    }
    return test_set, results, expected


def test_rates_of_predictions(synthetic):
    test_set, results, expected = synthetic
    assessment = assess(test_set, results)
    assert len(assessment.trackers) == len(expected) > 0
    for scores in assessment.trackers:
        for least, numbers in expected[scores.tracker].items():
            if not least.startswith("per_track"):
                mark = "" if float(least) == 0.5 else f" @{least}"
                for name in ("TPR", "GM", "MaxGM"):
                    found = scores.values[name + mark]
                    assert found == pytest.approx(numbers[name], abs=TOLERANCE), (scores.tracker, least, name)
                assert scores.values["TNR"] == pytest.approx(numbers["TNR"], abs=TOLERANCE)


def test_counts_of_predictions(synthetic):
    test_set, results, expected = synthetic
    for tracker, (run,) in results.items():
        for key, blocks in expected[tracker].items():
            tracks = blocks if key.startswith("per_track") else {None: blocks}
            least = float(key.rpartition("_")[2])
            for name, numbers in tracks.items():
                chosen = [each for each in test_set.sequences if name in (None, each.name)]
                counts = count([judge(each, test_set, run[each.name], each.name) for each in chosen], least)
                found = [int(value) for value in counts]
                wanted = [numbers["TP"], numbers["num_present"], numbers["TN"], numbers["num_absent"]]
                assert found == wanted, (tracker, key, name)


def test_published_rates_from_published_counts():
    content = json.loads((golden_path("evaluation", "oxuva_real") / "expected.json").read_text())
    compared = 0
    for trackers in content.values():
        for tracker, blocks in trackers.items():
            for least, numbers in blocks["metrics"].items():
                found = rates(
                    Counts(
                        *(
                            np.array(float(value))
                            for value in (
                                numbers["TP"],
                                numbers["TP"] + numbers["FN"],
                                numbers["TN"],
                                numbers["TN"] + numbers["FP"],
                            )
                        )
                    )
                )
                label = tracker, least
                assert found.true_positive == pytest.approx(numbers["TPR"], abs=TOLERANCE), label
                assert found.true_negative == pytest.approx(numbers["TNR"], abs=TOLERANCE), label
                assert found.gm == pytest.approx(numbers["GM"], abs=TOLERANCE), label
                assert found.max_gm == pytest.approx(numbers["MaxGM"], abs=TOLERANCE), label
                compared += 1
            per_track = np.array([counts for _, counts in blocks["totals_per_track_iou_0_5"]])
            assert per_track.sum(axis=0).tolist() == [
                blocks["metrics"]["0.5"][name] for name in ("TP", "FP", "TN", "FN")
            ]
    assert compared
