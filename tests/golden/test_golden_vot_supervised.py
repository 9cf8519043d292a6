"""The supervised protocol against PySOT and the Python toolkit."""

import json
import math
import re

import numpy as np
import pytest
from golden_data import golden_path
from vot_files import repetitions, vot_test_set

from lockon.evaluation.vot.expected_overlap import interval_of_lengths
from lockon.evaluation.vot.supervised import assess

pytestmark = pytest.mark.slow

# Of the golden README; the numbers at hand agree to the six decimals that are stored.
TOLERANCE = 1e-3
EXACT = 2e-6


def cases():
    """(folder, toolkit, tracker, expected numbers) of every block of numbers in the expected files."""
    for folder in ("vot2019_real", "vot_supervised_synthetic"):
        content = json.loads((golden_path("evaluation", folder) / "expected.json").read_text())
        for outer, blocks in content.items():
            for inner, numbers in blocks.items():
                block, tracker = (outer, inner) if outer.startswith(("pysot", "vot_toolkit")) else (inner, outer)
                yield folder, re.match("pysot|vot_toolkit", block).group(), tracker, numbers


@pytest.fixture(scope="module")
def assessments():
    """Assessed once for every folder, rules and interval."""
    made = {}

    def assessment(folder, rules, tracker, interval):
        key = folder, rules, tracker, interval
        if key not in made:
            root = golden_path("evaluation", folder)
            name = {(46, 291): "vot2019", (100, 356): "vot2018"}[interval]
            runs = repetitions(root, tracker, "baseline")
            test_set = vot_test_set(root, name, "vot_supervised")
            made[key] = assess(test_set, {tracker: runs}, rules=rules)
        return made[key]

    return assessment


def test_all_numbers_of_the_toolkits(assessments):
    compared = 0
    for folder, rules, tracker, expected in cases():
        assessment = assessments(folder, rules, tracker, (expected["low"], expected["high"]))
        (scores,) = assessment.trackers
        label = f"{folder} {rules} {tracker}"
        assert scores.values["EAO"] == pytest.approx(expected["EAO"], abs=TOLERANCE), label
        assert scores.values["Accuracy"] == pytest.approx(expected["accuracy"], abs=TOLERANCE), label
        if rules == "pysot":
            assert scores.values["Lost"] == pytest.approx(expected["lost_number"], abs=EXACT), label
            robustness = expected["robustness_failures_per_100_frames"]
        else:
            assert scores.values["R_S"] == pytest.approx(expected["ar_plot_robustness_S30"], abs=EXACT), label
            assert len(scores.curves["expected_overlap_plot"].x) == expected["curve_length"], label
            robustness = expected["failures_weighted"]
        assert scores.values["Robustness"] == pytest.approx(robustness, abs=EXACT), label
        compared += 1
    assert compared


def test_curves_and_sequences(assessments):
    for folder, rules, tracker, expected in cases():
        assessment = assessments(folder, rules, tracker, (expected["low"], expected["high"]))
        (scores,) = assessment.trackers
        curve = scores.curves["expected_overlap_plot"]
        for length, value in expected["eao_curve_samples"].items():
            (index,) = np.flatnonzero(curve.x == int(length))
            assert curve.y[index] == pytest.approx(value, abs=TOLERANCE), (folder, rules, tracker, length)
        for name, sequence in expected["per_sequence"].items():
            label = (folder, rules, tracker, name)
            accuracy = scores.by_sequence["Accuracy"].get(name, math.nan)
            assert accuracy == pytest.approx(sequence["accuracy"], abs=TOLERANCE, nan_ok=True), label
            failures = float(np.mean(sequence["failures"]))
            assert scores.by_sequence["Lost"][name] == pytest.approx(failures, abs=EXACT), label


def test_interval_from_the_lengths_of_a_challenge():
    """The toolkit's own interval of VOT2019 comes from the lengths of its sequences."""
    meta = json.loads((golden_path("evaluation", "vot2019_real") / "meta.json").read_text())
    assert interval_of_lengths([each["length"] for each in meta.values()]) == (46, 291, 128)
