"""Comparison over many sets of hyper-parameters (Zhou et al., "Dual-Modal Localization", Appendix C).

Accuracy and robustness of one model vary with its hyper-parameters, often against each other. So models are compared
by the mean over many sets (140 in the paper), and the mean over the first k of them shows whether it has settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from lockon.errors import DataError
from lockon.evaluation.assessment import Assessment, Curve, Measure, Plot, TrackerAssessment


def cumulative_mean(values: Float[np.ndarray, "sets"]) -> Float[np.ndarray, "sets"]:
    """Mean of the first 1, 2, … values."""
    means: Float[np.ndarray, "sets"] = np.cumsum(values) / np.arange(1, len(values) + 1)
    return means


def assess_models(assessments: Sequence[Assessment], models: Mapping[str, Sequence[str]]) -> Assessment:
    """One row a model: means over its hyper-parameter sets, and how they settle.

    Args:
        assessments: of one test set, protocol and rules; between them, of all trackers.
        models: by name of the model, its trackers: one a set, in the order of the sets.

    Returns:
        Values are means over the sets, deviations are over the sets, and the curve `cumulative_<measure>_plot` has
        the mean over the first 1, 2, … sets.

    Raises:
        DataError: assessments that do not compare, a tracker that none of them has, or models with different numbers
            of sets.
    """
    kinds = {(each.test_set, each.protocol, each.rules) for each in assessments}
    if len(kinds) != 1:
        raise DataError(f"means need assessments of one test set, protocol and rules; got {sorted(kinds)}.")
    counts = {model: len(trackers) for model, trackers in models.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise DataError(f"models compare over equally many hyper-parameter sets only; got {counts}. Run the rest.")
    trackers = {tracker.tracker: tracker for each in assessments for tracker in each.trackers}
    first = assessments[0]
    rows = tuple(_model(model, names, trackers, first.measures) for model, names in models.items())
    return Assessment(
        test_set=first.test_set,
        protocol=first.protocol,
        rules=first.rules,
        measures=first.measures,
        trackers=rows,
        sequences=first.sequences,
        plots=tuple(_plot(measure, len(next(iter(models.values())))) for measure in first.measures),
        exclusions=tuple(dict.fromkeys(exclusion for each in assessments for exclusion in each.exclusions)),
        notes=(*first.notes, f"Means over {counts[rows[0].tracker]} hyper-parameter sets of every model."),
    )


def _model(
    model: str,
    names: Sequence[str],
    trackers: Mapping[str, TrackerAssessment],
    measures: Sequence[Measure],
) -> TrackerAssessment:
    missing = [name for name in names if name not in trackers]
    if missing:
        raise DataError(
            f"'{missing[0]}', a set of '{model}', is not assessed ({len(missing)} such). Assess it first."
        )
    values, deviations, curves = {}, {}, {}
    for measure in measures:
        each = np.array([trackers[name].values.get(measure.name, np.nan) for name in names])
        if np.isnan(each).any():
            continue
        means = cumulative_mean(each)
        values[measure.name] = float(means[-1])
        deviations[measure.name] = float(np.std(each, ddof=1)) if len(each) > 1 else 0.0
        curves[_plot_name(measure)] = Curve(x=np.arange(1.0, len(means) + 1), y=means, score=float(means[-1]))
    return TrackerAssessment(
        tracker=model,
        values=values,
        deviations=deviations,
        curves=curves,
        runs=sum(trackers[name].runs for name in names),
    )


def _plot_name(measure: Measure) -> str:
    return f"cumulative_{measure.name.lower().replace(' ', '_')}_plot"


def _plot(measure: Measure, sets: int) -> Plot:
    return Plot(
        name=_plot_name(measure),
        title=f"Cumulative mean: {measure.name}",
        x_label="Hyper-parameter sets",
        y_label=f"Mean {measure.name}",
        x_range=(1, max(sets, 2)),
        unit=measure.unit,
    )
