from dataclasses import replace

import numpy as np
import pytest

from lockon.errors import DataError
from lockon.evaluation.assessment import Assessment, Measure, TrackerAssessment
from lockon.evaluation.cumulative import assess_models, cumulative_mean

MEASURES = (Measure(name="Accuracy", unit="share"), Measure(name="Robustness", unit="share", higher_is_better=False))


def assessed(**rows):
    trackers = tuple(
        TrackerAssessment(tracker=name, values={"Accuracy": accuracy, "Robustness": robustness})
        for name, (accuracy, robustness) in rows.items()
    )
    return Assessment(
        test_set="vot2018",
        protocol="vot_supervised",
        rules="pysot",
        measures=MEASURES,
        trackers=trackers,
        sequences={"ants": 325},
    )


def test_running_mean_by_hand():
    np.testing.assert_allclose(cumulative_mean(np.array([1.0, 3.0, 8.0])), [1, 2, 4])


def test_models_are_means_over_their_sets_in_order():
    first, second = assessed(a0=(0.5, 0.2), b0=(0.6, 0.3)), assessed(a1=(0.7, 0.4), b1=(0.6, 0.1))
    models = assess_models([first, second], {"a": ["a0", "a1"], "b": ["b0", "b1"]})
    a, b = models.trackers
    assert a.values == pytest.approx({"Accuracy": 0.6, "Robustness": 0.3})
    assert b.deviations == pytest.approx({"Accuracy": 0, "Robustness": 0.2 / np.sqrt(2)})
    curve = b.curves["cumulative_robustness_plot"]
    assert (curve.x.tolist(), curve.y.tolist(), curve.score) == (
        [1, 2],
        pytest.approx([0.3, 0.2]),
        pytest.approx(0.2),
    )
    assert [plot.name for plot in models.plots] == ["cumulative_accuracy_plot", "cumulative_robustness_plot"]
    assert models.rules == "pysot"


def test_what_does_not_compare_is_refused():
    one = assessed(a0=(0.5, 0.2), b0=(0.5, 0.2))
    with pytest.raises(DataError, match=r"equally many .*'a': 1, 'b': 2"):
        assess_models([one], {"a": ["a0"], "b": ["b0", "b0"]})
    with pytest.raises(DataError, match=r"'a1', a set of 'a', is not assessed \(1 such\)"):
        assess_models([one], {"a": ["a0", "a1"]})
    with pytest.raises(DataError, match="one test set, protocol and rules"):
        assess_models([one, replace(one, rules="vot")], {"a": ["a0"]})
