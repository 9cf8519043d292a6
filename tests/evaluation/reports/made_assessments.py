"""Assessments made by hand, with every part that a report shows."""

import numpy as np

from lockon.evaluation.assessment import Assessment, Comparison, Curve, Exclusion, Measure, Plot, TrackerAssessment

AUC = Measure(name="AUC", meaning="mean of the success curve")
PRECISION = Measure(name="P")
FAILURES = Measure(name="Lost", unit="count", higher_is_better=False)
SUCCESS = Plot(
    name="success_plot",
    title="Success",
    x_label="Overlap threshold",
    y_label="Overlap Precision [%]",
    x_range=(0, 1),
    y_range=(0, 100),
)
HOSTILE = "<script>alert('a_b & c|d')</script>"


def success_curve(auc):
    threshold = np.arange(21) / 20
    return Curve(x=threshold, y=100 * (1 - threshold ** (auc / 30)), score=auc)


def tracker(name, auc, *, sequences=None, precision=50.0, lost=1.0, attributes=None, **rest):
    return TrackerAssessment(
        tracker=name,
        values={"AUC": auc, "P": precision, "Lost": lost},
        by_sequence={"AUC": sequences or {"Bolt": auc, "Car": auc}},
        by_attribute={"AUC": attributes or {}},
        curves={"success_plot": success_curve(auc)},
        **rest,
    )


def three_trackers():
    kcf = tracker("kcf", 23.346, sequences={"Bolt": 10.0, "Car": 36.0}, precision=31.0, lost=9.0)
    lockon_s = tracker(
        "lockon_s",
        57.8,
        sequences={"Bolt": 40.0, "Car": 75.6},
        precision=85.3,
        lost=2.0,
        attributes={"OCC": 50.0, "IV": 61.0, "MB": 55.5},
        frames_per_second=57.93,
        runs=3,
        deviations={"AUC": 0.5},
        intervals={"AUC": (51.25, 64.0)},
    )
    csrt = tracker("csrt", 44.3, sequences={"Bolt": 60.6, "Car": 28.0}, precision=85.301, lost=2.0)
    return kcf, lockon_s, csrt


def assessment(*trackers, **changes):
    given = {
        "test_set": "otb100",
        "protocol": "one_pass",
        "rules": "pytracking",
        "measures": (AUC, PRECISION, FAILURES),
        "trackers": trackers or three_trackers(),
        "sequences": {"Bolt": 350, "Car": 1200},
        "plots": (SUCCESS,),
        "exclusions": (Exclusion(sequence="Dog", tracker="kcf", reason="3 lines for 5 frames"),),
        "comparisons": (
            Comparison(
                tracker="lockon_s",
                other="csrt",
                measure="AUC",
                difference=13.5,
                interval=(2.0, 24.25),
                probability=0.975,
            ),
            Comparison(
                tracker="csrt", other="kcf", measure="AUC", difference=20.954, interval=(9, 34), probability=1.0
            ),
        ),
        "notes": ("absent frames are misses",),
    }
    return Assessment(**(given | changes))
