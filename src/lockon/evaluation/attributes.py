"""Attribute analysis: the mean over those sequences that show a difficulty, such as occlusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError


def attribute_members(
    test_set: TestSet, sequences: Sequence[TestSequence], fewest: int = 1
) -> dict[str, Bool[np.ndarray, "sequences"]]:
    """Which of `sequences` have each attribute, in the order of the test set's table.

    Args:
        test_set: names the attributes.
        sequences: those that count.
        fewest: attributes that fewer sequences have are left out.

    Raises:
        DataError: a sequence has an attribute that the test set does not know.
    """
    for sequence in sequences:
        unknown = sequence.attributes - test_set.attributes.keys()
        if unknown:
            raise DataError(
                f"sequence '{sequence.name}' has the attribute '{min(unknown)}', unknown to {test_set.title}. "
                f"Known: {', '.join(test_set.attributes) or 'none'}. Correct its attribute file."
            )
    members = {name: np.array([name in each.attributes for each in sequences]) for name in test_set.attributes}
    return {name: having for name, having in members.items() if having.sum() >= fewest}


def mean_by_attribute(
    values: Float[np.ndarray, "sequences"],
    members: Mapping[str, Bool[np.ndarray, "sequences"]],
    weights: Float[np.ndarray, "sequences"],
) -> dict[str, float]:
    """Weighted mean of a measure over the sequences of every attribute; NaN values do not count."""
    known = ~np.isnan(values)
    means = {}
    for name, having in members.items():
        counted = having & known
        if counted.any():
            means[name] = float(np.average(values[counted], weights=weights[counted]))
    return means
