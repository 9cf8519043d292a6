"""The short-term protocol since VOT2020: runs from many frames, forwards and backwards, none of them restarted.

Kristan et al., "The Eighth Visual Object Tracking VOT2020 Challenge Results", ECCVW 2020. A run has failed where the
overlap stays low for ten frames; accuracy counts the frames before, robustness their share. All by the rules of the
Python toolkit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import RegionTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Measure
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled, ratio
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import RegionTrack, Results
from lockon.evaluation.vot.expected_overlap import Interval, score
from lockon.evaluation.vot.raster import Bounds, is_empty, toolkit_overlaps
from lockon.evaluation.vot.runs import UNBOUNDED, check_run, name_of, overlaps_of_run, region_truth, size_of_images
from lockon.evaluation.vot.supervised import EXPECTED_OVERLAP
from lockon.regions import Region

RULES = "vot_toolkit"
FAILURE_OVERLAP = 0.1
GRACE = 10
"""A run fails where the overlap is no larger than `FAILURE_OVERLAP` in so many frames on end."""
LOW, HIGH = 115, 755
"""Interval of lengths of the expected average overlap, as VOT2020 to VOT2022 published it."""

MEASURES = (
    Measure(name="EAO", unit="share", meaning="expected average overlap"),
    Measure(name="Accuracy", unit="share", meaning="mean overlap before failures"),
    Measure(name="Robustness", unit="share", meaning="share of the frames before failures"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run from an anchor, in its own order of frames."""

    overlaps: Float[np.ndarray, "frames"]
    """0 in the first frame, in which the target is given."""
    progress: int
    """Frames before the failure; all if there is none."""

    @property
    def failed(self) -> bool:
        """Whether the target was lost."""
        return self.progress < len(self.overlaps)


def progress_of(overlaps: Float[np.ndarray, "frames"], empty: Bool[np.ndarray, "frames"]) -> int:
    """First frame of the streak of low overlaps that is a failure, or the number of frames if there is none.

    Args:
        overlaps: per frame of the run.
        empty: whether nothing is annotated in the frame; that ends a streak, as a better overlap does.
    """
    low = (overlaps <= FAILURE_OVERLAP) & ~empty
    if len(low) < GRACE:
        return len(low)
    failures = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(low, GRACE).all(axis=1))
    return int(failures[0]) if failures.size else len(low)


def judge_run(truth: Sequence[Region], track: RegionTrack, size: Bounds | None, label: str) -> Run:
    """Overlaps of a run and how far it came.

    Args:
        truth: annotation, in the order of the run.
        track: the run.
        size: of the images; None where it is not known.
        label: name of the run, for messages.

    Raises:
        DataError: the run is incomplete, or has a region that is no position in an image.
    """
    check_run(track, len(truth), label)
    overlaps = np.nan_to_num(overlaps_of_run(truth, track.regions, toolkit_overlaps, size, label))
    return Run(overlaps, progress_of(overlaps, np.array([is_empty(region) for region in truth])))


def curve_sums(
    runs: Sequence[Run], length: int = HIGH
) -> tuple[Float[np.ndarray, "lengths"], Float[np.ndarray, "lengths"]]:
    """What runs add to numerator and denominator of the expected overlap at lengths 0, 1 … `length` - 1.

    A run that failed counts 0 from its failure on, also beyond its end (there by a denominator one smaller, as the
    toolkit has it); one that did not is unknown beyond its end.
    """
    sums, totals = np.zeros((2, length))
    lengths = np.arange(length)
    for run in runs:
        overlaps = np.where(np.arange(len(run.overlaps)) < run.progress, run.overlaps, 0)[1:]
        inside = lengths[1 : len(overlaps) + 1]
        sums[inside] += overlaps.cumsum()[: len(inside)] / inside
        totals[inside] += 1
        if run.failed:
            beyond = lengths[len(overlaps) + 1 :]
            sums[beyond] += overlaps.sum() / np.maximum(beyond - 1, 1)
            totals[beyond] += 1
    return sums, totals


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Accuracy, robustness and EAO of every tracker.

    Args:
        test_set: sequences annotated with regions and anchors.
        results: a mapping from anchor frame to `RegionTrack` per run and sequence, each in its own order of frames.
        rules: "vot_toolkit", the only ones.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: annotation or a run is not fit for the protocol.
    """
    if (rules or RULES) != RULES:
        raise UnknownNameError("rules of VOT with many starts", rules or "", [RULES])
    sequences, exclusions = select_sequences(test_set, results)
    truths = [region_truth(sequence, test_set) for sequence in sequences]
    sizes = [size_of_images(sequence) for sequence in sequences]
    scores = []
    for tracker, runs in results.items():
        tracks = [
            [_tracks(tracker, each, truth, run) for each, truth in zip(sequences, truths, strict=True)]
            for run in runs
        ]
        parts = [
            [
                _parts([judge_run(part, track, size, label) for label, part, track in each], len(sequence))
                for sequence, size, each in zip(sequences, sizes, run, strict=True)
            ]
            for run in tracks
        ]
        speed = frames_per_second([track for run in tracks for each in run for _, _, track in each])
        scores.append(_scores(tracker, np.array(parts), speed))
    return assess_pooled(
        test_set,
        sequences,
        scores,
        protocol="vot_multistart",
        rules=RULES,
        measures=MEASURES,
        plots=(replace(EXPECTED_OVERLAP, band=(LOW, HIGH)),),
        exclusions=exclusions,
        notes=(f"EAO is the mean over lengths {LOW} to {HIGH}.", *([UNBOUNDED] if None in sizes else [])),
    )


def _tracks(
    tracker: str, sequence: TestSequence, truth: RegionTruth, run: Mapping[str, object]
) -> list[tuple[str, tuple[Region, ...], RegionTrack]]:
    """Label, annotation and track of every anchor of a sequence, in the order of the run from there."""
    wanted = truth.runs()
    if not wanted:
        raise DataError(f"sequence '{sequence.name}' has no anchors; its file anchor.value is missing or all zeros.")
    found = run[sequence.name]
    tracks = found if isinstance(found, Mapping) else {}
    missing = sorted(wanted.keys() - tracks.keys())
    if missing:
        raise DataError(
            f"the result of '{tracker}' on '{sequence.name}' has no run from frame {', '.join(map(str, missing))}, "
            f"where the sequence has an anchor. Delete what there is of '{sequence.name}' and repeat the run."
        )
    return [
        (
            name_of(tracker, sequence, tracks[anchor]) + f" from frame {anchor}",
            tuple(truth.regions[frame] for frame in frames),
            tracks[anchor],
        )
        for anchor, frames in wanted.items()
    ]


_OVERLAP, _PROGRESS, _ROBUSTNESS, _FRAMES = range(4)
_CURVE = 4


def _parts(runs: Sequence[Run], frames: int) -> Float[np.ndarray, "parts"]:
    overlap = sum(float(run.overlaps[: run.progress].sum()) for run in runs)
    progress = sum(run.progress for run in runs)
    robustness = progress / sum(len(run.overlaps) for run in runs)
    return np.concatenate([[overlap, progress, robustness * frames, frames], *curve_sums(runs)])


def _curve_of(sums: Summed) -> Float[np.ndarray, "*sets lengths"]:
    return ratio(sums[..., _CURVE : _CURVE + HIGH], sums[..., _CURVE + HIGH :])


def _measure(sums: Summed) -> Values:
    return {
        "EAO": score(_curve_of(sums), Interval(LOW, HIGH, LOW), first_length=0),
        "Accuracy": ratio(sums[..., _OVERLAP], sums[..., _PROGRESS]),
        "Robustness": ratio(sums[..., _ROBUSTNESS], sums[..., _FRAMES]),
    }


def _scores(tracker: str, parts: Float[np.ndarray, "runs sequences parts"], speed: float | None) -> PooledScores:
    total = parts.sum(axis=1)
    curve = Curve(
        x=np.arange(1, HIGH, dtype=np.float64),
        y=_curve_of(total).mean(axis=0)[1:],
        score=float(_measure(total)["EAO"].mean()),
    )
    return PooledScores(
        tracker=tracker,
        parts=parts,
        measure=_measure,
        curves={EXPECTED_OVERLAP.name: curve},
        frames_per_second=speed,
    )
