"""Small test sets of regions."""

import numpy as np

from lockon.boxes import Box
from lockon.data.testsets.base import RegionTruth, TestSequence, TestSet
from lockon.evaluation.tracks import Code, RegionTrack

TARGET = Box(10.0, 10.0, 20.0, 20.0)
HALF = Box(10.0, 10.0, 20.0, 10.0)
AWAY = Box(60.0, 60.0, 10.0, 10.0)


def sequence(name, length, tags=None, anchors=None):
    truth = RegionTruth(regions=(TARGET,) * length, tags=tags or {}, anchors=anchors)
    return TestSequence(name=name, frame_paths=(), truth=truth, start=TARGET, length=length, image_size=(100, 80))


def together(*sequences, protocol="vot_supervised"):
    return TestSet(name="few", title="Few", sequences=sequences, protocol=protocol)


def run(*regions):
    return RegionTrack(regions=regions)


def run_with_failure(length, failure, region=TARGET):
    """A start, `region` until the failure, and again after the restart five frames later."""
    regions = [Code.START] + [region] * (length - 1)
    regions[failure] = Code.FAILURE
    for frame in range(failure + 1, min(failure + 5, length)):
        regions[frame] = Code.SKIPPED
    if failure + 5 < length:
        regions[failure + 5] = Code.START
    return run(*regions)


def flags(length, *frames):
    values = np.zeros(length, dtype=bool)
    values[list(frames)] = True
    return values
