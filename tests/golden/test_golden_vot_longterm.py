"""The long-term protocol against PySOT and the Python toolkit."""

import json

import pytest
from golden_data import golden_path
from vot_files import repetitions, vot_test_set

from lockon.evaluation.vot.longterm import RULES, assess

TOLERANCE = 1e-3


@pytest.mark.parametrize("rules", ["vot_toolkit", "pysot"])
def test_all_numbers_of_the_toolkits(rules):
    assert rules in RULES
    root = golden_path("evaluation", "vot_longterm_synthetic")
    expected = json.loads((root / "expected.json").read_text())[rules]
    results = {tracker: repetitions(root, tracker, "longterm") for tracker in expected}
    assessment = assess(vot_test_set(root, "longterm", "vot_longterm"), results, rules=rules)
    assert len(assessment.trackers) == len(expected) > 0
    for scores in assessment.trackers:
        numbers = expected[scores.tracker]
        for name, key in (("F", "F"), ("Precision", "precision"), ("Recall", "recall")):
            assert scores.values[name] == pytest.approx(numbers[key], abs=TOLERANCE), (scores.tracker, name)
        assert len(scores.curves["precision_recall_plot"].x) == numbers["n_thresholds"]
