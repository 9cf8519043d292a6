"""Comparison over many sets of hyper-parameters (Zhou et al., "Dual-Modal Localization", Appendix C).

Accuracy and robustness of one tracker vary with its hyper-parameters, often against each other. Trackers are compared
by the mean over many sets (140 in the paper), and the mean over the first k of them shows when it has settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from lockon.errors import DataError
from lockon.evaluation.assessment import Assessment, Curve, Plot


def cumulative_mean(values: Float[np.ndarray, "sets"]) -> Float[np.ndarray, "sets"]:
    """Mean of the first 1, 2, … values."""
    means: Float[np.ndarray, "sets"] = np.cumsum(values) / np.arange(1, len(values) + 1)
    return means


def cumulative_curves(
    assessments: Sequence[Assessment], groups: Mapping[str, Sequence[str]], measure: str
) -> dict[str, Curve]:
    """The running mean of a measure over the hyper-parameter sets of every model.

    Args:
        assessments: of one protocol and test set, between them of all trackers; several, where the sets were not
            assessed together.
        groups: by name of the model, its trackers: one for each set, in the order of the sets.
        measure: such as "A" or "R".

    Returns:
        By model; x counts sets from 1, and the score is the mean over all of them.

    Raises:
        DataError: assessments that do not compare, a tracker that none of them has, or models with different numbers
            of sets.
    """
    kinds = {(each.test_set, each.protocol, each.rules) for each in assessments}
    if len(kinds) > 1:
        raise DataError(f"means need assessments of one test set, protocol and rules; got {sorted(kinds)}.")
    values = {
        tracker.tracker: tracker.values[measure]
        for each in assessments
        for tracker in each.trackers
        if measure in tracker.values
    }
    missing = [tracker for trackers in groups.values() for tracker in trackers if tracker not in values]
    if missing:
        raise DataError(
            f"'{missing[0]}' has no value of '{measure}' ({len(missing)} such trackers). Assess all sets first."
        )
    counts = {model: len(trackers) for model, trackers in groups.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"models compare over equally many hyper-parameter sets only; got {counts}.")
    curves = {}
    for model, trackers in groups.items():
        means = cumulative_mean(np.array([values[tracker] for tracker in trackers]))
        curves[model] = Curve(x=np.arange(1.0, len(means) + 1), y=means, score=float(means[-1]))
    return curves


def cumulative_plot(measure: str, sets: int) -> Plot:
    """What `cumulative_curves` show."""
    return Plot(
        name=f"cumulative_{measure.lower()}",
        title=f"Cumulative mean of {measure}",
        x_label="Number of hyper-parameter sets",
        y_label=f"Mean {measure}",
        x_range=(1, max(sets, 2)),
        unit="share",
    )
