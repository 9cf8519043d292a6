"""Precision and recall at every threshold of confidence: their plot, and the F-score of both."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lockon.evaluation.assessment import Plot
from lockon.evaluation.pooling import ratio

PRECISION_RECALL = Plot(
    name="precision_recall_plot",
    title="Precision and recall",
    x_label="Recall",
    y_label="Precision",
    x_range=(0, 1),
    y_range=(0, 1),
    unit="share",
)


def f_score(
    precision: Float[np.ndarray, "*sets thresholds"], recall: Float[np.ndarray, "*sets thresholds"]
) -> Float[np.ndarray, "*sets thresholds"]:
    """Harmonic mean; 0 where both are 0."""
    f: Float[np.ndarray, "*sets thresholds"] = np.nan_to_num(
        ratio(2 * precision * recall, precision + recall), nan=0.0
    )
    return f
