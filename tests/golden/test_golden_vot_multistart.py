"""The protocol of many starts against the Python toolkit."""

import json

import numpy as np
import pytest
from golden_data import golden_path
from vot_files import starts, vot_test_set

from lockon.evaluation.vot.multistart import assess

TOLERANCE = 1e-3


def test_all_numbers_of_the_toolkit():
    root = golden_path("evaluation", "vot_multistart_synthetic")
    expected = json.loads((root / "expected.json").read_text())["vot_toolkit"]
    results = {tracker: starts(root, tracker) for tracker in expected}
    assessment = assess(vot_test_set(root, "multistart", "vot_multistart"), results)
    assert len(assessment.trackers) == len(expected) > 0
    for scores in assessment.trackers:
        numbers = expected[scores.tracker]
        assert (numbers["low"], numbers["high"]) == (115, 755)
        for name, key in (("EAO", "EAO"), ("Accuracy", "accuracy"), ("Robustness", "robustness")):
            assert scores.values[name] == pytest.approx(numbers[key], abs=TOLERANCE), (scores.tracker, name)
        curve = scores.curves["expected_overlap_plot"]
        for length, value in numbers["eao_curve_samples"].items():
            (index,) = np.flatnonzero(curve.x == int(length))
            assert curve.y[index] == pytest.approx(value, abs=TOLERANCE), (scores.tracker, length)
        for name, sequence in numbers["per_sequence"].items():
            label = scores.tracker, name
            assert scores.by_sequence["Accuracy"][name] == pytest.approx(sequence["accuracy"], abs=TOLERANCE), label
            found = scores.by_sequence["Robustness"][name]
            assert found == pytest.approx(sequence["robustness"], abs=TOLERANCE), label
