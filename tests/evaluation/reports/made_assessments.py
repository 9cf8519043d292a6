"""Assessments made by hand, with every part that a report shows."""

import numpy as np

from lockon.evaluation.assessment import Assessment, Curve, Exclusion, Measure, Plot, TrackerAssessment

AUC = Measure(name="AUC", meaning="mean of the success curve")
PRECISION = Measure(name="P", meaning="share of frames within 20 pixels")
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


def tracker(name, auc, *, sequences, precision=50.0, lost=1.0, attributes=None, fps=None, **rest):
    threshold = np.linspace(0, 1, 21)
    return TrackerAssessment(
        tracker=name,
        values={"AUC": auc, "P": precision, "Lost": lost},
        by_sequence={"AUC": sequences},
        by_attribute={"AUC": attributes or {}},
        curves={"success_plot": Curve(x=threshold, y=2 * auc * (1 - threshold), score=auc)},
        frames_per_second=fps,
        **rest,
    )


def assessment(trackers=None, **changes):
    given = {
        "test_set": "otb100",
        "protocol": "one_pass",
        "rules": "pytracking",
        "measures": (AUC, PRECISION, FAILURES),
        "trackers": trackers
        or (
            tracker("kcf", 23.346, sequences={"Bolt": 10.0, "Car": 36.0}, precision=31.0, lost=9, fps=2694.0),
            tracker(
                "lockon_s",
                57.8,
                sequences={"Bolt": 40.0, "Car": 75.6},
                precision=85.3,
                lost=2,
                attributes={"OCC": 50.0, "IV": 61.0, "MB": 55.5},
                fps=57.9,
                runs=3,
                deviations={"AUC": 0.5},
            ),
            tracker("csrt", 44.3, sequences={"Bolt": 60.6, "Car": 28.0}, precision=85.301, lost=2, fps=90.1),
        ),
        "sequences": {"Bolt": 350, "Car": 1200},
        "plots": (SUCCESS,),
        "exclusions": (Exclusion(sequence="Dog", tracker="kcf", reason="results_001.txt has 3 lines for 5 frames"),),
        "notes": ("absent frames are misses",),
    }
    return Assessment(**(given | changes))
