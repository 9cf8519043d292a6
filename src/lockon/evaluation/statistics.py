"""How far numbers can be trusted: bootstrap over the sequences of a test set (Efron and Tibshirani, 1993).

Sequences are drawn with replacement, each as often as there are sequences, and the measure is taken anew. The same
draws serve all trackers, so that comparisons are paired: a hard sequence is hard for both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from lockon.errors import DataError
from lockon.evaluation.assessment import Comparison, Measure

RESAMPLES = 2000
CONFIDENCE = 0.95


def draw_sequences(
    count: int, generator: np.random.Generator, resamples: int = RESAMPLES
) -> Int[np.ndarray, "resamples sequences"]:
    """How often each of `count` sequences is drawn in every resampled test set.

    Raises:
        DataError: there are fewer than two sequences, so that nothing can be said.
    """
    if count < 2:
        raise DataError(f"confidence intervals need two or more sequences; there is {count}.")
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples)


def resampled_means(
    values: Float[np.ndarray, "sequences"],
    draws: Int[np.ndarray, "resamples sequences"],
    weights: Float[np.ndarray, "sequences"] | None = None,
) -> Float[np.ndarray, "resamples"]:
    """The mean in every resampled test set; NaN values do not count.

    Args:
        values: of the sequences.
        draws: from `draw_sequences`.
        weights: of the sequences in the mean; equal unless given.
    """
    known = ~np.isnan(values)
    shares = known if weights is None else known * weights
    sums, totals = draws @ (shares * np.nan_to_num(values)), draws @ shares.astype(np.float64)
    means: Float[np.ndarray, "resamples"] = np.divide(sums, totals, out=np.full_like(sums, np.nan), where=totals > 0)
    return means


def resampled_ratios(
    values: Float[np.ndarray, "sequences"],
    others: Float[np.ndarray, "sequences"],
    draws: Int[np.ndarray, "resamples sequences"],
) -> Float[np.ndarray, "resamples"]:
    """The total of one tracker over that of another in every resampled test set; NaN where the latter is 0.

    Args:
        values, others: of the sequences, without NaN.
        draws: from `draw_sequences`.
    """
    totals = (draws @ others).astype(np.float64)
    ratios: Float[np.ndarray, "resamples"] = np.divide(
        draws @ values, totals, out=np.full_like(totals, np.nan), where=totals > 0
    )
    return ratios


def confidence_interval(means: Float[np.ndarray, "resamples"], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Percentiles between which a share `confidence` of the resampled means lies."""
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(means, (tail, 100 - tail))
    return float(low), float(high)


def compare(
    measure: Measure, values: Mapping[str, float], resampled: Mapping[str, Float[np.ndarray, "resamples"]]
) -> tuple[Comparison, ...]:
    """Every pair of trackers, the one with the higher rank first; without pairs of which nothing can be said.

    Args:
        measure: by which they are compared.
        values: of the whole test set, by tracker.
        resampled: their `resampled_means`, of the same draws.
    """
    ranked = sorted(values, key=lambda tracker: values[tracker], reverse=measure.higher_is_better)
    pairs = ((tracker, other) for place, tracker in enumerate(ranked) for other in ranked[place + 1 :])
    return tuple(
        _compare_pair(measure, pair, values, resampled)
        for pair in pairs
        if np.isfinite(resampled[pair[0]] - resampled[pair[1]]).any()
    )


def _compare_pair(
    measure: Measure,
    pair: tuple[str, str],
    values: Mapping[str, float],
    resampled: Mapping[str, Float[np.ndarray, "resamples"]],
) -> Comparison:
    tracker, other = pair
    differences = resampled[tracker] - resampled[other]
    differences = differences[~np.isnan(differences)]  # a draw may hold no sequence that the measure is taken of
    gains = differences if measure.higher_is_better else -differences
    return Comparison(
        tracker=tracker,
        other=other,
        measure=measure.name,
        difference=values[tracker] - values[other],
        interval=confidence_interval(differences),
        probability=float((gains > 0).mean() + (gains == 0).mean() / 2),
    )
