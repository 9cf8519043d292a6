"""Which plots an assessment gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lockon.evaluation.assessment import Assessment, Measure
from lockon.evaluation.reports.plots.attributes import LEAST_AXES, attribute_bars, attribute_radar, attributes_of
from lockon.evaluation.reports.plots.curves import curve_plot
from lockon.evaluation.reports.plots.points import accuracy_robustness, rank_plot, sequence_map, speed_accuracy
from lockon.evaluation.reports.plots.styles import Style
from lockon.evaluation.reports.tables import ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_TRACKERS = 30
"""In one plot."""
ACCURACY, EXPECTED_OVERLAP = "Accuracy", "EAO"
"""Measures that have plots of their own."""
ROBUSTNESS = ("R_S", "Robustness")
"""What the A-R plot has along x, the first that is known and grows with robustness: the chance to survive some frames
where trackers are started again (VOT2015 to 2019), the share of frames tracked where they are not (from 2020)."""


def plots_of(assessment: Assessment, styles: Mapping[str, Style]) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Name, title and maker of every plot for which there are numbers; of the best `MOST_TRACKERS`."""
    assessment = replace(assessment, trackers=ranking(assessment)[:MOST_TRACKERS])
    first = assessment.measures[0]
    by_name = {measure.name: measure for measure in assessment.measures}
    for plot in assessment.plots:
        if any(plot.name in tracker.curves for tracker in assessment.trackers):
            yield plot.name, plot.title, partial(curve_plot, assessment, plot, styles)
    robust = _robustness(by_name)
    if ACCURACY in by_name and robust is not None:
        yield (
            "accuracy_robustness_plot",
            "Accuracy and robustness",
            partial(accuracy_robustness, assessment, by_name[ACCURACY], robust, styles),
        )
    if EXPECTED_OVERLAP in by_name:
        yield "eao_ranking_plot", "EAO ranking", partial(rank_plot, assessment, by_name[EXPECTED_OVERLAP], styles)
    attributes = attributes_of(assessment)
    if attributes:
        yield "attribute_bars", "By attribute", partial(attribute_bars, assessment, styles)
    if len(attributes) >= LEAST_AXES:
        yield "attribute_radar", "By attribute", partial(attribute_radar, assessment, styles)
    if any(tracker.frames_per_second for tracker in assessment.trackers):
        yield "speed_accuracy_plot", "Speed and accuracy", partial(speed_accuracy, assessment, styles)
    if all(tracker.by_sequence.get(first.name) for tracker in assessment.trackers):
        yield "sequence_map", f"{first.name} by sequence", partial(sequence_map, assessment, first)


def _robustness(measures: Mapping[str, Measure]) -> Measure | None:
    known = (measures[name] for name in ROBUSTNESS if name in measures)
    return next((measure for measure in known if measure.higher_is_better), None)
