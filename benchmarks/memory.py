"""Track an endless video and watch the memory: a tracker that runs for hours must not grow.

Prints the resident memory of the process as it goes, and exits with status 1 if, after a settling time, it ever
exceeds its level at the end of that time by more than the allowance.

    python benchmarks/memory.py --tracker lockon_s --frames 20000
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tyro

import lockon
from lockon.boxes import Box
from lockon.errors import LockonError
from lockon.tracking.precision import Precision
from machine import limit_threads
from synthetic_video import SyntheticVideo


@dataclass(frozen=True)
class Options:
    """What to track, and how much it may grow."""

    tracker: str = "lockon_s"
    """Name or path for lockon.load."""
    frames: int = 20_000
    """Length of the track."""
    device: str = "cpu"
    """cpu or cuda."""
    precision: Precision = "fp32"
    """Numeric type of the networks."""
    threads: int = 2
    """Threads of the tracker."""
    every: int = 1_000
    """Frames between two readings."""
    settle: int = 2_000
    """Frames after which memory must be constant."""
    allowance: float = 0.05
    """Growth that is still called constant, as a share."""

    def __post_init__(self) -> None:
        if not 0 < self.settle < self.frames:
            sys.exit(f"error: --settle ({self.settle}) must lie between 0 and --frames ({self.frames}).")


def main(options: Options) -> None:
    judge(measure(options), options)


def judge(readings: Mapping[int, float], options: Options) -> None:
    """Exit with status 1 if memory (MiB by frame) grew beyond the allowance after settling."""
    settled = readings[options.settle]
    worst = max(megabytes for frame, megabytes in readings.items() if frame >= options.settle)
    growth = worst / settled - 1
    print(f"grew by {growth:.1%} after frame {options.settle} (allowed: {options.allowance:.0%})")
    if growth > options.allowance:
        sys.exit("error: memory is not constant")


def measure(options: Options) -> dict[int, float]:
    """Track the video and return the resident memory in MiB by frame."""
    limit_threads(options.threads)
    video = SyntheticVideo()
    tracker = lockon.load(options.tracker, device=options.device, precision=options.precision)
    state = tracker.start(video.frame(0), Box.parse(video.boxes(0)[0].tolist()), seed=0)
    readings: dict[int, float] = {}
    present = 0
    for index in range(1, options.frames + 1):
        state, result = tracker.step(state, video.frame(index), inplace=True)
        state = tracker.learn(state)
        present += bool(result.present)
        if index % options.every == 0 or index in (options.settle, options.frames):
            readings[index] = resident_megabytes()
            print(
                f"frame {index:6d}: {readings[index]:8.1f} MiB, target present in {present / index:.0%}", flush=True
            )
    return readings


def resident_megabytes() -> float:
    """Resident memory of this process in MiB, as Linux counts it."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
