"""Measure frames per second of the trackers, where the time goes, and what share of the machine each stage reaches.

The video is synthetic, and the networks have random weights from a fixed seed, which cost what trained ones cost. As
they know no target, the selector is told to find it in every frame and the true box is put back after each, so that
every frame does the whole work on a search region of the usual size. Model updates are included; learning the first
frame is given apart.

    python benchmarks/speed.py --trackers dimp18 dimp50 --precisions fp32 bf16 --targets 1 4
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.console import Console

from lockon.errors import LockonError, UnknownNameError
from lockon.networks.tracker_net import CONSTRUCTORS
from lockon.tracking.precision import Precision, network_dtype
from lockon.tracking.presets import PRESETS
from lockon.tracking.profiling import NoTimer, Stage, StageTimer, Timer
from lockon.tracking.search_region import box_to_centre
from lockon.tracking.selectors import PeakConfig
from lockon.tracking.state import State
from lockon.tracking.tracker import Tracker
from lockon.types import Status
from machine import describe_machine, limit_threads
from synthetic_video import SyntheticVideo
from text_tables import TextTable
from work import Peak, WorkCounter, measure_peak

REFERENCE_FPS = {"atom": 13.8, "dimp18": 15.0, "dimp50": 8.8, "prdimp50": 5.4, "super_dimp": 5.2}
"""Frames per second of the reference implementations with two threads of a comparable processor, in float32."""
WARM_UP_FRAMES = 3
ALWAYS_FOUND = PeakConfig(lost=-math.inf, distractor=math.inf, hard_negative=math.inf)


@dataclass(frozen=True)
class Options:
    """What to measure."""

    trackers: tuple[str, ...] = ("lockon_s", "atom", "dimp18", "dimp50", "prdimp18", "prdimp50", "super_dimp")
    """Presets."""
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    """Types of the networks' convolutions."""
    targets: tuple[int, ...] = (1, 4, 16)
    """Numbers of targets tracked together."""
    share_backbone: bool = False
    """Encode targets of similar size together."""
    frames: int = 40
    """Frames timed; a multiple of 20 holds as many model updates as a long video does."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 2
    """Threads of torch."""
    out: Path = Path("outputs/speed")
    """Where speed.md and speed.json go."""

    def __post_init__(self) -> None:
        for name in self.trackers:
            if name not in PRESETS:
                raise UnknownNameError("preset", name, PRESETS)


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of the frame loop, per frame of all targets."""

    stage: Stage
    milliseconds: float
    share: float
    """Of the time of a frame."""
    gigaflop: float
    """Floating-point operations of matrix products and convolutions, in 10⁹."""
    gigaflop_per_second: float
    peak_share: float
    """Of the best rate measured on this machine for the same precision."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One tracker at one precision with T targets."""

    tracker: str
    precision: Precision
    targets: int
    start_ms: float
    """Learning the first frame."""
    fps: float
    """Frames per second, model updates included."""
    found: float
    """Share of results that were found, and so did the whole work; 1 unless a score map was not positive."""
    stages: tuple[StageCost, ...]

    @property
    def targets_per_second(self) -> float:
        """Frames per second times targets."""
        return self.fps * self.targets


@dataclass(frozen=True, slots=True)
class Drive:
    """What one pass over the video took."""

    start_seconds: float
    seconds: float
    found: float


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    machine = describe_machine(options.device, options.threads)
    device = torch.device(options.device)
    peaks = {name: measure_peak(options.device, network_dtype(name, device)) for name in options.precisions}
    console.print(make_peak_table(peaks).for_terminal())
    measurements: list[Measurement] = []
    for tracker in options.trackers:
        work = count_work(tracker, options)
        for precision, targets in itertools.product(options.precisions, options.targets):
            measurement = measure(tracker, precision, targets, work, peaks[precision], options)
            console.print(describe_stages(measurement), highlight=False)
            measurements.append(measurement)
    console.print(make_summary(measurements, machine).for_terminal())
    write_report(measurements, peaks, machine, options.out)
    console.print(f"Results are in '{options.out}'.", highlight=False)


def write_report(
    measurements: Sequence[Measurement], peaks: Mapping[Precision, Peak], machine: Mapping[str, str], out: Path
) -> None:
    """Write all tables as Markdown, and all numbers as JSON, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    tables = (make_summary(measurements, machine), make_peak_table(peaks), make_stage_table(measurements))
    note = "Measured with " + ", ".join(f"{key} {value}" for key, value in machine.items()) + "."
    (out / "speed.md").write_text("\n".join([*(table.as_markdown() for table in tables), note, ""]))
    values = {
        "machine": dict(machine),
        "peaks": {name: asdict(peak) for name, peak in peaks.items()},
        "measurements": [asdict(measurement) for measurement in measurements],
    }
    (out / "speed.json").write_text(json.dumps(values, indent=1))


def measure(
    name: str, precision: Precision, targets: int, work: dict[Stage, float], peak: Peak, options: Options
) -> Measurement:
    """Time the tracker as it is, then once more stage by stage: on a GPU, timing a stage means waiting for it."""
    plain = drive(build(name, precision, options, NoTimer()), targets, options.frames)
    timer = StageTimer(options.device)
    tracker = build(name, precision, options, timer)
    staged = drive(tracker, targets, options.frames, timer.seconds.clear)
    stages = []
    for stage, seconds in timer.seconds.items():
        rate = work.get(stage, 0.0) * targets / (seconds / options.frames)
        stages.append(
            StageCost(
                stage=stage,
                milliseconds=1000 * seconds / options.frames,
                share=seconds / staged.seconds,
                gigaflop=work.get(stage, 0.0) * targets,
                gigaflop_per_second=rate,
                peak_share=rate / peak.best,
            )
        )
    return Measurement(
        tracker=name,
        precision=precision,
        targets=targets,
        start_ms=1000 * plain.start_seconds,
        fps=options.frames / plain.seconds,
        found=plain.found,
        stages=tuple(stages),
    )


def count_work(name: str, options: Options) -> dict[Stage, float]:
    """Operations in 10⁹ per frame and target, by stage; they depend on neither precision nor number of targets."""
    counter = WorkCounter()
    drive(build(name, "fp32", options, counter), 1, options.frames, counter.operations.clear)
    return {stage: operations / options.frames / 1e9 for stage, operations in counter.operations.items()}


def build(name: str, precision: Precision, options: Options, timer: Timer) -> Tracker:
    """The preset with random weights from a fixed seed and a selector that always finds the target."""
    config = replace(PRESETS[name], selector=ALWAYS_FOUND)
    if config.estimator is not None:
        # Gradients of random weights would send boxes anywhere; steps of no length cost as much.
        config = replace(config, estimator=replace(config.estimator, step=(0.0, 0.0)))
    network = CONSTRUCTORS[config.network](generator=torch.Generator().manual_seed(0))
    return Tracker(
        network,
        config,
        name=name,
        device=options.device,
        precision=precision,
        share_backbone=options.share_backbone,
        timer=timer,
    )


def drive(tracker: Tracker, targets: int, frames: int, on_started: Callable[[], None] = lambda: None) -> Drive:
    """Track the synthetic video, once warm; `on_started` is called before the first of the frames that count."""
    video = SyntheticVideo(targets)
    first, first_boxes = video.frame(0), video.boxes(0)
    # One target is tracked as a user would, without a target dimension.
    marked = first_boxes if targets > 1 else first_boxes[0]
    warm = tracker.start(first, marked)
    for index in range(1, WARM_UP_FRAMES + 1):
        warm, _ = tracker.step(warm, video.frame(index), inplace=True)
    begin = now(tracker)
    state = tracker.start(first, marked)
    start_seconds = now(tracker) - begin
    on_started()
    seconds, found = 0.0, 0
    for index in range(1, frames + 1):
        image = video.frame(index)
        begin = now(tracker)
        state, result = tracker.step(state, image, inplace=True)
        state = tracker.learn(state)
        seconds += now(tracker) - begin
        found += sum(one.status is Status.FOUND for one in result)
        state = put_back(state, video.boxes(index))
    return Drive(start_seconds, seconds, found / (frames * targets))


def put_back(state: State, boxes: Float[np.ndarray, "targets 4"]) -> State:
    """Where the targets really are, as if the tracker had found out."""
    position, size = box_to_centre(torch.from_numpy(boxes).float())
    scale = (size.prod(dim=1) / state.base_size.prod(dim=1)).sqrt()
    return replace(state, position=position, size=size, scale=scale)


def now(tracker: Tracker) -> float:
    if tracker.device.type == "cuda":
        torch.cuda.synchronize(tracker.device)
    return time.perf_counter()


def make_summary(measurements: Sequence[Measurement], machine: Mapping[str, str]) -> TextTable:
    """One line a measurement; the reference ran on a CPU in float32, so only such lines compare with it."""
    singles = {(m.tracker, m.precision): m.targets_per_second for m in measurements if m.targets == 1}
    lines = []
    for m in measurements:
        reference = REFERENCE_FPS.get(m.tracker) if m.targets == 1 and "gpu" not in machine else None
        single = singles.get((m.tracker, m.precision))
        lines.append(
            (
                m.tracker,
                m.precision,
                str(m.targets),
                f"{m.fps:.1f}",
                f"{m.targets_per_second:.1f}",
                "–" if single is None else f"{m.targets_per_second / single:.2f}",
                "–" if reference is None else f"{m.fps / reference:.2f}",
                f"{m.start_ms:.0f}",
            )
        )
    columns = ("tracker", "precision", "T", "FPS", "targets/s", "× T=1", "× reference", "start ms")
    return TextTable("Speed with model updates", columns, tuple(lines))


def make_stage_table(measurements: Sequence[Measurement]) -> TextTable:
    """One line a stage of a measurement."""
    lines = [
        (
            f"{m.tracker}, {m.precision}, T = {m.targets}",
            cost.stage,
            f"{cost.milliseconds:.1f}",
            f"{100 * cost.share:.0f}",
            f"{cost.gigaflop:.2f}",
            f"{cost.gigaflop_per_second:.0f}",
            f"{100 * cost.peak_share:.0f}",
        )
        for m in measurements
        for cost in m.stages
    ]
    columns = ("configuration", "stage", "ms/frame", "% of frame", "GFLOP", "GFLOP/s", "% of peak")
    return TextTable("Stages, per frame of all targets", columns, tuple(lines))


def make_peak_table(peaks: Mapping[Precision, Peak]) -> TextTable:
    """What the machine reaches at best."""
    lines = tuple((name, f"{peak.matrix_product:.0f}", f"{peak.convolution:.0f}") for name, peak in peaks.items())
    return TextTable("Peak of this machine [GFLOP/s]", ("precision", "matrix product", "3×3 convolution"), lines)


def describe_stages(measurement: Measurement) -> str:
    """A measurement in one line: speed, and the share and rate of each stage."""
    stages = ", ".join(
        f"{cost.stage} {cost.milliseconds:.1f} ms ({cost.share:.0%}, {cost.gigaflop_per_second:.0f} GFLOP/s)"
        for cost in measurement.stages
    )
    head = f"{measurement.tracker} {measurement.precision} T={measurement.targets}: {measurement.fps:.1f} FPS"
    return f"{head}; {stages}" + ("" if measurement.found == 1 else f"; found in only {measurement.found:.0%}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
