"""How the scores of candidates may change from one frame to the next (KeepTrack, supplement A.2)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator

_NOISE = 0.1
"""Standard deviation."""
_LEAST = 0.075
"""No real candidate scores less afterwards."""
_STRONG = 0.2
"""What both rivals score at least if they may change places."""
_RIVAL = 0.5
"""Share of the highest score that makes the second one a rival."""

Scores = Float[np.ndarray, "slots"]


def vary_scores(
    scores: Scores, real: Bool[np.ndarray, "slots"], rng: Generator, *, complete: bool, scale: float = 1.0
) -> Scores:
    """Scores of the same candidates in a later frame.

    Noise is added, and the order of the candidates is kept. Where the first two are rivals, they come closer, or even
    change places, in two cases of three: that is when a tracker goes astray.

    Args:
        scores: of all slots, real ones from the highest down.
        real: the slots that change; artificial ones do not.
        rng: source of the draws.
        complete: no candidate was taken away from either frame.
        scale: of noise and bounds, which are those of a classifier whose target scores about 1.
    """
    slots = np.flatnonzero(real)
    before = scores[slots]
    noise = _NOISE * scale * rng.standard_normal(len(slots))
    after = np.sort(before + noise)[::-1]
    if complete and _are_rivals(before, scale):
        case = rng.integers(3)
        if case > 0:
            first, second = before[0] - abs(noise[0]), before[1] + abs(noise[1])
            pair = sorted((first, second), reverse=bool(case == 1))
            after = np.concatenate([pair, np.sort(before[2:] + noise[2:])[::-1]])
    changed = scores.copy()
    changed[slots] = np.maximum(after, _LEAST * scale)
    return changed


def _are_rivals(scores: Float[np.ndarray, "n"], scale: float) -> bool:
    """Of more than two candidates, the first two are both strong and of a kind."""
    if len(scores) <= 2:
        return False
    return bool(scores[1] > _RIVAL * scores[0] and scores[:2].min() > _STRONG * scale)
