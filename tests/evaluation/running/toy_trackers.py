"""Trackers and sequences that cost nothing, and fail when told to."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.evaluation.trackers import Observation, TrackerSpec
from lockon.images import Image
from lockon.regions import Region


def truth_boxes(frames: int, speed: float = 1.0) -> np.ndarray:
    return np.array([[2 + speed * frame, 3.0, 6.0, 5.0] for frame in range(frames)])


def make_sequence(folder: Path, name: str, frames: int, size: tuple[int, int] = (32, 16)) -> TestSequence:
    """Frames whose first pixel is the number of the frame."""
    width, height = size
    paths = []
    (folder / name).mkdir(parents=True, exist_ok=True)
    for frame in range(frames):
        image = np.zeros((height, width, 3), dtype=np.uint8)
        image[0, 0] = frame
        paths.append(folder / name / f"{frame:05d}.png")
        PillowImage.fromarray(image).save(paths[-1])
    boxes = truth_boxes(frames)
    return TestSequence(
        name=name,
        frame_paths=tuple(paths),
        truth=BoxTruth(boxes=boxes),
        start=Box(*boxes[0]),
        length=frames,
        image_size=size,
    )


def make_test_set(folder: Path, lengths: Sequence[int] = (5, 4, 3), name: str = "toys") -> TestSet:
    sequences = tuple(make_sequence(folder, f"toy{index}", frames) for index, frames in enumerate(lengths))
    return TestSet(name=name, title="Toys", sequences=sequences, protocol="one_pass")


@dataclass
class Drifting:
    """Says where it was told to start, and random steps from there."""

    seed: int
    pause: float = 0.0

    def start(self, image: Image, region: Region) -> Observation | None:
        self.random = np.random.default_rng(self.seed)
        self.box = np.array(region.box if not isinstance(region, Box) else region)
        return None

    def step(self, image: Image) -> Observation:
        time.sleep(self.pause)
        self.box = self.box + np.append(self.random.normal(size=2), [0, 0])
        return Observation(Box(*self.box.tolist()), float(self.random.random()), bool(self.random.random() > 0.5))


class Raising(Drifting):
    """Raises in frame 3."""

    def step(self, image: Image) -> Observation:
        if image[0, 0, 0] == 3:
            raise ValueError("frame 3 is too much")
        return super().step(image)


@dataclass
class Dying(Drifting):
    """Kills its process in frame 2, as long as there are marks to remove in a folder."""

    marks: Path = Path()

    def step(self, image: Image) -> Observation:
        if image[0, 0, 0] == 2:
            for mark in sorted(self.marks.iterdir()):
                mark.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().step(image)


@dataclass
class Parallel(Drifting):
    """Has processes of its own: one that computes, and one that outlives its parent unless it is ended."""

    pids: Path = Path()

    def start(self, image: Image, region: Region) -> Observation | None:
        sleeper = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        sleeper.start()
        (self.pids / str(sleeper.pid)).touch()
        self.pool = ProcessPoolExecutor(1)
        return super().start(image, region)

    def step(self, image: Image) -> Observation:
        assert self.pool.submit(int, image[0, 0, 0]).result() == image[0, 0, 0]
        return super().step(image)

    def close(self) -> None:
        self.pool.shutdown()


@dataclass
class ParallelAndDying(Parallel):
    """Kills its process in frame 2."""

    def step(self, image: Image) -> Observation:
        if image[0, 0, 0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(image)


@dataclass
class DriftingInStep:
    """Several of `Drifting` at once."""

    seeds: Sequence[int]
    fail: bool = False

    def start(self, images: Sequence[Image], regions: Sequence[Region]) -> None:
        if self.fail and len(images) > 1:
            raise ValueError("not together")
        self.trackers = [Drifting(seed) for seed in self.seeds]
        for tracker, image, region in zip(self.trackers, images, regions, strict=True):
            tracker.start(image, region)

    def step(self, images: Sequence[Image]) -> list[Observation]:
        return [tracker.step(image) for tracker, image in zip(self.trackers, images, strict=True)]

    def keep(self, videos: Sequence[int]) -> None:
        self.trackers = [self.trackers[index] for index in videos]


def drifting(name: str = "drifting", pause: float = 0.0) -> TrackerSpec:
    return TrackerSpec(name=name, create=partial(Drifting, pause=pause), provenance={"pause": pause})


def dying(marks: Path) -> TrackerSpec:
    return TrackerSpec(name="dying", create=partial(Dying, marks=marks))


def parallel(pids: Path, pause: float = 0.0) -> TrackerSpec:
    return TrackerSpec(name="parallel", create=partial(Parallel, pause=pause, pids=pids))


def parallel_and_dying(pids: Path) -> TrackerSpec:
    return TrackerSpec(name="parallel_and_dying", create=partial(ParallelAndDying, pids=pids))


def in_step(fail: bool = False) -> TrackerSpec:
    return TrackerSpec(name="in_step", create=Drifting, create_lockstep=partial(DriftingInStep, fail=fail))
