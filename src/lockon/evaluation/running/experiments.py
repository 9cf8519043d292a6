"""How a tracker is driven through a sequence: one experiment for every protocol.

VOT's experiments are those of Kristan et al., "A Novel Performance Evaluation Methodology for Single-Target
Trackers", PAMI 2016 (supervised), and "The Eighth Visual Object Tracking VOT2020 Challenge Results" (anchors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from lockon.data.testsets.base import RegionTruth, TestSequence, box_of
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.result_files import Outcome
from lockon.evaluation.running.following import Follower, Open, Timed, scores_of, seconds_of
from lockon.evaluation.running.labels import label_images
from lockon.evaluation.tracks import Code, RegionTrack, Track
from lockon.evaluation.vot.expected_overlap import RESTART_DELAY
from lockon.evaluation.vot.pixel_rows import LARGEST_WINDOW
from lockon.evaluation.vot.raster import matlab_overlaps, toolkit_overlaps
from lockon.regions import MaskRegion, Region

Experiment = Callable[[Open, TestSequence], Outcome]

FAILURE_OVERLAP = 0.0


def one_pass(open_follower: Open, sequence: TestSequence) -> Track:
    """Start in frame 0 and follow to the end."""
    with open_follower() as follower:
        return track_of(_follow(follower, range(len(sequence)), _start(sequence)))


def track_of(frames: list[Timed]) -> Track:
    """Boxes, scores, presence and times of all frames."""
    present = [frame.observation.present for frame in frames]
    return Track(
        boxes=np.array([box_of(frame.observation.region) for frame in frames], dtype=np.float64),
        scores=scores_of(frames),
        present=None if None in present else np.array(present, dtype=np.bool_),
        seconds=seconds_of(frames),
    )


def long_term(open_follower: Open, sequence: TestSequence) -> RegionTrack:
    """As `one_pass`, kept as VOT keeps long-term results."""
    with open_follower() as follower:
        return _region_track(_follow(follower, range(len(sequence)), _start(sequence)))


def multi_start(open_follower: Open, sequence: TestSequence) -> Mapping[int, RegionTrack]:
    """Start at every anchor and follow to the end, or backward to the beginning."""
    truth = _region_truth(sequence)
    runs = truth.runs()
    if not runs:
        raise DataError(f"sequence '{sequence.name}' has no anchors, which multi-start runs begin at.")
    tracks = {}
    with open_follower() as follower:
        for anchor, frames in runs.items():
            tracks[anchor] = _region_track(_follow(follower, frames, truth.regions[anchor]))
    return tracks


def supervised(open_follower: Open, sequence: TestSequence) -> RegionTrack:
    """Follow to the end; after a failure, which is no overlap at all, start again five frames later."""
    truth, frames, size = _region_truth(sequence), len(sequence), sequence.size_of_images()
    codes: list[Region | Code] = [Code.SKIPPED] * frames
    seconds, scores = np.full(frames, np.nan), np.full(frames, np.nan)
    restart = 0
    with open_follower() as follower:
        for frame in range(frames):
            if frame < restart:
                continue
            timed = follower.start(frame, truth.regions[frame]) if frame == restart else follower.step(frame)
            seconds[frame] = timed.seconds
            region, score = timed.observation.region, timed.observation.score
            scores[frame] = np.nan if score is None else score
            if frame == restart:
                codes[frame] = Code.START
            elif _overlap(region, truth.regions[frame], size) <= FAILURE_OVERLAP:
                codes[frame] = Code.FAILURE
                restart = frame + RESTART_DELAY
            else:
                codes[frame] = region
    return RegionTrack(regions=tuple(codes), scores=None if np.isnan(scores).all() else scores, seconds=seconds)


def _overlap(region: Region, truth: Region, size: tuple[int, int]) -> float:
    """By the rule of the MATLAB toolkit, whose experiment this is; that has no masks."""
    x, y, w, h = box_of(region)
    if not (np.abs([x, y, x + w, y + h]) < LARGEST_WINDOW).all():
        return 0.0  # NaN, or out of every image: what a tracker says that has lost its way altogether
    if isinstance(region, MaskRegion) or isinstance(truth, MaskRegion):
        return float(toolkit_overlaps([region], [truth], size)[0])
    width, height = size
    return float(matlab_overlaps([region], [truth], (width - 1, height - 1))[0])


def _follow(follower: Follower, frames: Iterable[int], start: Region) -> list[Timed]:
    first, *rest = frames
    return [follower.start(first, start), *(follower.step(frame) for frame in rest)]


def _region_track(frames: list[Timed]) -> RegionTrack:
    regions = (Code.START, *(frame.observation.region for frame in frames[1:]))
    return RegionTrack(regions=regions, scores=scores_of(frames), seconds=seconds_of(frames))


def _start(sequence: TestSequence) -> Region:
    if sequence.start is None:
        raise DataError(f"sequence '{sequence.name}' says nothing of the target in its first frame.")
    return sequence.start


def _region_truth(sequence: TestSequence) -> RegionTruth:
    if not isinstance(sequence.truth, RegionTruth):
        raise DataError(
            f"sequence '{sequence.name}' is not annotated with a region a frame, which starting again needs."
        )
    return sequence.truth


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "one_pass": one_pass,
        "got10k": one_pass,
        "identity": one_pass,
        "oxuva": one_pass,
        "vot_supervised": supervised,
        "vot_multistart": multi_start,
        "vot_longterm": long_term,
        "davis": label_images,
        "youtube_vos": label_images,
    }
)
"""By name of the protocol that assesses the results."""


def find_experiment(protocol: str) -> Experiment:
    """The experiment of a protocol.

    Raises:
        UnknownNameError: there is none of this name.
    """
    try:
        return EXPERIMENTS[protocol]
    except KeyError:
        raise UnknownNameError("protocol", protocol, EXPERIMENTS) from None
