"""Expected average overlap (EAO): the overlap to expect on a sequence of typical length, lost targets counting 0.

Kristan et al., "The Visual Object Tracking VOT2015 Challenge Results", ICCVW 2015. The runs of the supervised
protocol are cut into fragments where the tracker was started anew; the curve is the mean overlap of fragments over
their first N frames, and its mean over an interval of lengths is the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lockon.evaluation.pooling import ratio

RESTART_DELAY = 5
"""Frames from a failure to the next start."""


class Interval(NamedTuple):
    """The typical lengths of sequences, over which the curve is averaged."""

    low: int
    high: int
    peak: int
    """The most typical one."""


INTERVALS: Mapping[str, Interval] = {
    "vot2016": Interval(108, 371, 168),
    "vot2017": Interval(100, 356, 160),
    "vot2018": Interval(100, 356, 160),
    "vot2019": Interval(46, 291, 128),
}
"""By test set, as the challenges published them."""


def interval_of_lengths(lengths: Sequence[int]) -> Interval:
    """The interval around the most typical length that holds half of a density estimated on `lengths`.

    The density is a sum of Gaussians whose width is chosen by one step of the plug-in rule; it is tabulated at every
    length up to the longest. Where all lengths are equal it is the last two, as one toolkit counts from 0.
    """
    samples = np.asarray(lengths, dtype=np.float64)
    if samples.min() == samples.max():
        return Interval(max(lengths[0] - 1, 1), lengths[0], lengths[0])
    variance = _bandwidth((samples - samples.mean()) / samples.std()) * samples.var()
    grid = np.arange(1, int(samples.max()) + 1)
    density = np.exp(-((grid[:, None] - samples) ** 2) / (2 * variance)).sum(axis=1)
    density /= density.sum()
    low = high = int(density.argmax())
    while density[low : high + 1].sum() < 0.5:
        before = density[low - 1] if low > 0 else -1.0
        after = density[high + 1] if high + 1 < len(density) else -1.0
        low, high = (low - 1, high) if before > after else (low, high + 1)
    return Interval(low + 1, high + 1, int(density.argmax()) + 1)


def _bandwidth(samples: Float[np.ndarray, "samples"]) -> float:
    """Squared width of the Gaussians for samples of unit variance."""
    count = len(samples)
    pilot = (4 / (3 * count)) ** (2 / 5)
    squares = (samples[:, None] - samples) ** 2 / pilot
    kernels = np.exp(-squares / 2) * (3 - 6 * squares + squares**2)
    roughness = float(kernels.sum()) / (count**2 * math.sqrt(2 * math.pi * pilot) * pilot**2)
    return float((1 / (count * math.sqrt(4 * math.pi) * roughness)) ** (2 / 5))


@dataclass(frozen=True, slots=True)
class Fragment:
    """Overlaps from a start of the tracker on."""

    overlaps: Float[np.ndarray, "frames"]
    padded: bool
    """Whether the target was lost, so that the overlap is 0 ever after; else it is unknown beyond the end."""
    first: int
    """Frame of the sequence in which it begins."""


def matlab_fragments(
    overlaps: Float[np.ndarray, "frames"], failures: Int[np.ndarray, "failures"], *, last_start: int
) -> list[Fragment]:
    """Cut a run as the MATLAB toolkit and PySOT do.

    A fragment reaches to the first frame of the next one. The last is taken as it is, though it may have failed.

    Args:
        overlaps: of the run, NaN where it has none.
        failures: frames of failures.
        last_start: last frame in which a fragment may begin. PySOT allows the one after the last of the run, where
            the last fragment is empty, and the one before it therefore lost.
    """
    known = np.nan_to_num(overlaps, nan=0.0)
    starts = [0, *(int(frame) + RESTART_DELAY for frame in failures if frame + RESTART_DELAY <= last_start)]
    ends = [start + 1 for start in starts[1:]]
    fragments = [Fragment(known[start:end], True, start) for start, end in zip(starts, ends, strict=False)]
    return [*fragments, Fragment(known[starts[-1] :], False, starts[-1])]


def toolkit_fragments(
    overlaps: Float[np.ndarray, "frames"], failures: Int[np.ndarray, "failures"], starts: Int[np.ndarray, "starts"]
) -> list[Fragment]:
    """Cut a run as the Python toolkit does: from every start to the frame before the failure, or to the end."""
    fragments = []
    for start in starts:
        later = failures[failures > start]
        end = int(later[0]) if len(later) else len(overlaps)
        fragments.append(Fragment(np.nan_to_num(overlaps[start:end]), bool(len(later)), int(start)))
    return fragments


def curve_sums(
    fragments: Sequence[Fragment], length: int, weights: Sequence[float]
) -> tuple[Float[np.ndarray, "lengths"], Float[np.ndarray, "lengths"]]:
    """What fragments add to numerator and denominator of the curve at lengths 1, 2 … `length`.

    The first frame, in which the target is given, is left out of the mean; so nothing is added at length 1.
    """
    sums, totals = np.zeros(length), np.zeros(length)
    for fragment, weight in zip(fragments, weights, strict=True):
        defined = length if fragment.padded else min(len(fragment.overlaps), length)
        values = np.zeros(length)
        values[: min(len(fragment.overlaps), length)] = fragment.overlaps[:length]
        means = values[1:].cumsum() / np.arange(1, length)
        sums[1:defined] += weight * means[: max(defined - 1, 0)]
        totals[1:defined] += weight
    return sums, totals


def score(
    curve: Float[np.ndarray, "*sets lengths"], interval: Interval, first_length: int
) -> Float[np.ndarray, "*sets"]:
    """Mean over the lengths of the interval, as far as the curve reaches; NaN where it does not reach it.

    Args:
        curve: expected overlaps by length.
        interval: the lengths, both ends included.
        first_length: what the first number of the curve is called: 1, or 0 in the Python toolkit, whose interval
            therefore begins one frame later.
    """
    values = curve[..., interval.low - first_length : interval.high - first_length + 1]
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def shares(fragments: Sequence[Fragment], chosen: Bool[np.ndarray, "frames"]) -> list[float]:
    """Share of the frames of each fragment that are chosen, such as by a tag: its weight in the curve."""
    return [
        float(chosen[fragment.first : fragment.first + len(fragment.overlaps)].mean())
        if len(fragment.overlaps)
        else 0.0
        for fragment in fragments
    ]
