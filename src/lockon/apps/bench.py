"""`lockon bench`: where the time of a frame goes on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from tyro.conf import FlagCreatePairsOff

from lockon.apps.api import DEFAULT_TRACKER, Step, follow
from lockon.boxes import Box
from lockon.data.synthetic import SyntheticWorld
from lockon.errors import BoxError
from lockon.tracking import Tracker
from lockon.tracking.precision import Precision
from lockon.tracking.profiling import Stage, StageTimer
from lockon.tracking.selectors.object_table import ObjectTable
from lockon.types import Frame
from lockon.video import VideoSource, annotate, open_sink, open_source
from lockon.zoo import load

CLIP_SIZE = (640, 480)
CLIP_FRAMES = 60
"""The built-in clip is this long and then starts again."""
PAN = 40
"""Pixels that the view of the built-in clip pans over its picture."""
PATCHES = 6
"""Colours a side that a target of the built-in clip is made of."""
WARM_UP = 5
"""Frames before the clock starts."""
REPETITIONS = 5
"""Of a frame, to learn what an association takes that was skipped."""


@dataclass(frozen=True)
class Bench:
    """Measure how long each stage of a frame takes, from decoding to drawing.

    For example: `lockon bench --tracker lockon_s --precision bf16 --targets 4`
    """

    tracker: str = DEFAULT_TRACKER
    """Name (see `lockon models list`) or path of a model."""
    targets: int = 1
    """How many objects are followed at once."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, …"""
    precision: Precision = "fp32"
    """Numeric type of the networks."""
    share_backbone: FlagCreatePairsOff[bool] = False
    """Encode targets of similar size together: for many targets faster, at slightly different tracks."""
    frames: int = 100
    """Frames to measure, after a few to warm up."""
    video: str | None = None
    """Video to measure on; a built-in clip of 640×480 pixels if none is given."""

    def run(self) -> int:
        """Measure, and print the table."""
        if self.targets < 1 or self.frames < 1:
            raise BoxError("a measurement needs at least one target and one frame.")
        timer = StageTimer(self.device)
        tracker = load(
            self.tracker,
            device=self.device,
            precision=self.precision,
            share_backbone=self.share_backbone,
            timer=timer,
        )
        with _clip(self.video, self.targets) as source:
            boxes = grid(self.targets, source.info.width, source.info.height)
            steps = follow(_timed(_endless(source), timer), tracker, boxes)
            for step in islice(steps, WARM_UP):
                annotate(step.frame.image, step.result)
            before = step.state.objects
            timer.seconds.clear()
            start = time.perf_counter()
            present = 0
            for step in islice(steps, self.frames):
                with timer.stage("draw"):
                    annotate(step.frame.image, step.result)
                present += int(np.sum(step.result.present))
            elapsed = time.perf_counter() - start
            seconds = dict(timer.seconds)
            association = _association(before, step, tracker, timer, self.frames) if before else ""
            steps.close()
        settings = f"{self.device} {self.precision}, {torch.get_num_threads()} threads"
        share = present / self.frames / self.targets
        print(f"{self.tracker}, {self.targets} target(s), present in {share:.0%}, {settings}")
        Console().print(table(seconds, elapsed, self.frames))
        print(association, end="")
        return 0


def table(seconds: dict[Stage, float], elapsed: float, frames: int) -> Table:
    """Milliseconds per frame and share of each stage that the tracker has, and the frame rate."""
    rows = [(stage, seconds[stage]) for stage in get_args(Stage) if stage in seconds]
    rows.append(("other", max(elapsed - sum(seconds.values()), 0.0)))
    result = Table("stage", "ms / frame", "share", box=None)
    for name, value in rows:
        result.add_row(name, f"{value / frames * 1000:.2f}", f"{value / elapsed:.0%}")
    result.add_row("all", f"{elapsed / frames * 1000:.2f}", f"{frames / elapsed:.1f} FPS", style="bold")
    return result


def _association(before: ObjectTable, last: Step, tracker: Tracker, timer: StageTimer, frames: int) -> str:
    """How often the association network was not needed, and the time that this saved."""
    after = last.state.objects
    assert after is not None
    asked, skipped = (
        int((getattr(after, name) - getattr(before, name)).sum()) for name in ("associations", "skipped")
    )
    said = f"association: skipped in {skipped / max(asked + skipped, 1):.0%}, as one candidate was alone"
    cost = _seconds_of_association(after, last, tracker, timer)
    if cost is not None:
        saved = cost * skipped / frames / len(after.skipped)
        said += f"; saves {1000 * saved:.2f} ms / frame where one takes {1000 * cost:.2f} ms"
    return said + "\n"


def _seconds_of_association(objects: ObjectTable, last: Step, tracker: Tracker, timer: StageTimer) -> float | None:
    """What the network takes for a frame: its scores taken away, no object is sure. None where there is no object."""
    state = replace(last.state, objects=replace(objects, scores=torch.zeros_like(objects.scores)))
    timer.seconds.clear()
    for _ in range(REPETITIONS):
        tracker.step(state, last.frame.image)
    if "sinkhorn" not in timer.seconds:
        return None
    return (timer.seconds["embed"] + timer.seconds["sinkhorn"]) / REPETITIONS


def grid(targets: int, width: int, height: int) -> Float[np.ndarray, "targets 4"]:
    """Boxes spread over an image, each a tenth of its shorter side."""
    columns = int(np.ceil(np.sqrt(targets)))
    rows = int(np.ceil(targets / columns))
    side = min(width, height) / 10
    centres = [((c + 0.5) * width / columns, (r + 0.5) * height / rows) for r in range(rows) for c in range(columns)]
    return np.array([Box(x - side / 2, y - side / 2, side, side) for x, y in centres[:targets]])


def _endless(source: VideoSource) -> Iterator[Frame]:
    while True:
        yield from source


def _timed(frames: Iterator[Frame], timer: StageTimer) -> Iterator[Frame]:
    while True:
        with timer.stage("decode"):
            frame = next(frames)
        yield frame


@contextmanager
def _clip(video: str | None, targets: int) -> Iterator[VideoSource]:
    """The user's video, or one made for the purpose."""
    with tempfile.TemporaryDirectory() as folder:
        path = video or str(_write_clip(Path(folder) / "clip.mp4", targets))
        with open_source(path) as source:
            yield source


def _write_clip(path: Path, targets: int) -> Path:
    """The view pans over a synthetic picture with a patchwork where each target is, which no tracker loses."""
    width, height = CLIP_SIZE
    sequence = SyntheticWorld().sequence(0)
    picture = sequence.render(0, Box(0, 0, *sequence.frame_size), (height + PAN, width + PAN))
    views = [
        (round(PAN / 2 * (1 - np.cos(angle))), round(PAN / 2 * (1 + np.sin(angle))))
        for angle in 2 * np.pi * np.arange(CLIP_FRAMES) / CLIP_FRAMES
    ]
    first_view = np.array([*views[0], 0, 0])
    rng = np.random.default_rng(0)
    for x, y, w, h in (grid(targets, width, height) + first_view).round().astype(int):
        colours = rng.integers(0, 256, (PATCHES, PATCHES, 3), dtype=np.uint8)
        rows, columns = np.arange(h) * PATCHES // h, np.arange(w) * PATCHES // w
        picture[y : y + h, x : x + w] = colours[rows][:, columns]
    with open_sink(path, 25) as sink:
        for left, top in views:
            sink.write(picture[top : top + height, left : left + width])
    return path
