"""Does following more candidates take longer? Time of KeepTrack's selector by how many the score map holds.

The paper reports no measurable increase from 2 to 15 candidates (KeepTrack, ICCV 2021, Sec. E.1). Timed is the whole
selector, and its stages, on score maps of so many peaks and features of a real crop. All numbers of candidates take
turns in random order, so that a machine whose speed drifts favours none, and each turn follows a whole frame of the
tracker, so that the caches hold what they hold in tracking.

    python benchmarks/candidates_speed.py --trackers keep_track_s keep_track
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from jaxtyping import Float32
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console

import speed
from lockon.errors import DataError, LockonError
from lockon.networks.association import AssociationNet
from lockon.networks.tracker_net import CONSTRUCTORS, TrackerNet
from lockon.nn.folding import fold_batch_norms
from lockon.tracking.candidates import WINDOW
from lockon.tracking.presets import PRESETS
from lockon.tracking.profiling import NoTimer, StageTimer
from lockon.tracking.search import cut_search_regions
from lockon.tracking.selectors import AssociationConfig, Scene
from lockon.tracking.slots import make_localiser, make_selector
from lockon.zoo import find_entry, is_ready, load_network
from machine import describe_machine, limit_threads
from synthetic_video import SyntheticVideo
from text_tables import TextTable

STAGES = ("candidates", "embed", "sinkhorn", "associate")
SELECT = "whole selector"
FRAME = "frame"
"""A step of the tracker without the measured selector."""
COLOURS = dict(zip((*STAGES, SELECT), ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#000000"), strict=True))
"""Told apart by most who are colour-blind: of Okabe and Ito's palette."""
PEER = 2
"""Candidates that the others are compared with: the fewest that have to be matched."""
PAPER = (2, 15)
"""Candidates between which the paper saw no increase."""
SPACING = WINDOW // 2 + 1
"""Cells between neighbouring peaks, at least, for each to be the highest of its window."""
WARM_UP = 2
"""Turns that do not count."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    trackers: tuple[Literal["keep_track_s", "keep_track", "keep_track_fast"], ...] = ("keep_track_s", "keep_track")
    """Presets; with random weights where the trained ones are not on this machine, which cost the same."""
    candidates: tuple[int, ...] = (0, 1, 2, 5, 10, 15, 40)
    """Numbers of candidates; for more than a score map has room for, as many as it has."""
    repetitions: int = 100
    """Turns of every number."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 2
    """Threads of torch."""
    out: Path = Path("outputs/candidates_speed")
    """Where tables, numbers and the plot go."""

    def __post_init__(self) -> None:
        if min(self.candidates, default=-1) < 0 or self.repetitions < 1:
            raise DataError("--candidates must be at least 0, and --repetitions at least 1.")


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of all turns."""

    median: float
    low: float
    """First quartile."""
    high: float
    """Third quartile."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One tracker."""

    tracker: str
    trained: bool
    """Whether the weights are."""
    frame: Spread
    """Of the tracker that looks for the highest peak only."""
    costs: Mapping[int, Mapping[str, Spread]]
    """Of each stage and of the selector, by the number of candidates."""

    def whole_frame(self, candidates: int) -> float:
        """Milliseconds with the selector."""
        return self.frame.median + self.costs[candidates][SELECT].median


def main(options: Options) -> None:
    console = Console()
    limit_threads(options.threads)
    machine = describe_machine(options.device, options.threads)
    measurements = [measure(name, options) for name in options.trackers]
    tables = [make_table(measurement) for measurement in measurements]
    for table in tables:
        console.print(table.for_terminal())
    options.out.mkdir(parents=True, exist_ok=True)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    note = f"Medians of {options.repetitions} turns; measured with {facts}."
    path = options.out / "candidates_speed"
    path.with_suffix(".md").write_text("\n".join([*(table.as_markdown() for table in tables), note, ""]))
    values = {"machine": machine, "measurements": [asdict(measurement) for measurement in measurements]}
    path.with_suffix(".json").write_text(json.dumps(values, indent=1))
    draw(measurements, path)
    console.print(f"Results are in '{options.out}'.", highlight=False)


def measure(name: str, options: Options) -> Measurement:
    """Give every number of candidates its turns."""
    bench = Bench(name, options.device)
    counts = sorted({PEER, *(min(count, room(bench.cells)) for count in options.candidates)})
    turns: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(WARM_UP + options.repetitions):
        for count in bench.rng.permutation(counts).tolist():
            turns[count].append(bench.turn(count))
    turns = {count: taken[WARM_UP:] for count, taken in turns.items()}
    costs = {count: {part: spread(turns[count], part) for part in COLOURS} for count in counts}
    return Measurement(name, bench.trained, spread(itertools.chain(*turns.values()), FRAME), costs)


class Bench:
    """A selector with a scene to look at, and a tracker that works in between.

    Args:
        name: of the preset. The tracker is that of `speed.build`, which looks for the highest peak only, so that
            a frame is one of that tracker and a selection.
        device: where both run.
    """

    @torch.inference_mode()
    def __init__(self, name: str, device: str) -> None:
        network, self.trained = make_network(name)
        network = fold_batch_norms(network).to(device)
        config = PRESETS[name]
        assert isinstance(config.selector, AssociationConfig)
        self.rng = np.random.default_rng(0)
        self._config = config.selector
        self._timer = StageTimer(device)
        localiser = make_localiser(config, network)
        self._selector = make_selector(config, network, localiser, self._timer)
        self._tracker = speed.build(name, "fp32", speed.Options(device=device), NoTimer())
        self._video = SyntheticVideo()
        image = self._video.frame(0)
        self._state = self._tracker.start(image, self._video.boxes(0)[0])
        position, size = self._state.position, self._state.size
        patches, regions = cut_search_regions([image], position, self._state.scale, config.search)
        self.cells = len(localiser.window())
        self._scene = Scene(
            frame=1,
            maps=score_map(0, self.cells, self._config, self.rng)[None, None],
            grid=localiser.grid,
            regions=regions,
            layer3=network.backbone_features(patches.to(device)).layer3,
            position=position,
            size=size,
            image_hw=torch.tensor([image.shape[:2]]),
        )

    @torch.inference_mode()
    def turn(self, candidates: int) -> dict[str, float]:
        """Milliseconds of all parts, with this number of candidates in this frame and in the one before."""
        maps = score_map(candidates, self.cells, self._config, self.rng)[None, None]
        before, scene = (replace(self._scene, frame=frame, maps=maps) for frame in (1, 2))
        _, objects = self._selector.select(before, self._selector.start(1))
        frame = self._follow()
        self._timer.seconds.clear()
        begin = speed.now(self._tracker)
        self._selector.select(scene, objects)
        select = speed.now(self._tracker) - begin
        taken = {**self._timer.seconds, SELECT: select, FRAME: frame}
        return {part: 1000 * seconds for part, seconds in taken.items()}

    def _follow(self) -> float:
        """Seconds of the tracker's next frame; the model update that may be due is left out."""
        index = self._state.frame + 1
        image = self._video.frame(index)
        begin = speed.now(self._tracker)
        state, _ = self._tracker.step(self._state, image, inplace=True)
        seconds = speed.now(self._tracker) - begin
        self._state = speed.put_back(self._tracker.learn(state), self._video.boxes(index))
        return seconds


def make_network(name: str) -> tuple[TrackerNet, bool]:
    """The trained networks, if they are on this machine, or random ones from a fixed seed; and which it is."""
    if is_ready(find_entry(name)):
        return load_network(name)[0], True
    generator = torch.Generator().manual_seed(0)
    network = CONSTRUCTORS[PRESETS[name].network](generator=generator)
    network.association = AssociationNet(generator=generator).to(memory_format=torch.channels_last)
    return network, False


def room(cells: int) -> int:
    """How many peaks a square map of so many cells a side has room for."""
    return math.ceil(cells / SPACING) ** 2


def score_map(
    candidates: int, cells: int, config: AssociationConfig, rng: np.random.Generator
) -> Float32[np.ndarray, "rows cols"]:
    """A map with so many peaks above the threshold, one of them sure, and lower noise everywhere else."""
    scores = rng.uniform(0, config.candidate / 2, (cells, cells)).astype(np.float32)
    rows, cols = np.divmod(rng.choice(room(cells), candidates, replace=False), math.ceil(cells / SPACING))
    scores[SPACING * rows, SPACING * cols] = np.geomspace(1.6 * config.sure, 2 * config.candidate, candidates)
    return scores


def spread(turns: Iterable[Mapping[str, float]], part: str) -> Spread:
    """Of a part that a turn can do without."""
    low, median, high = np.quantile([turn.get(part, 0.0) for turn in turns], (0.25, 0.5, 0.75)).tolist()
    return Spread(median, low, high)


def make_table(measurement: Measurement) -> TextTable:
    """One line a number of candidates."""
    lines = []
    for count, costs in measurement.costs.items():
        peer, frame = measurement.costs[PEER], measurement.whole_frame(count)
        parts = [(costs[part].median, peer[part].median) for part in COLOURS]
        compared = [
            f"{median:.2f} (× {median / of_peer:.2f})" if median else "–"
            for median, of_peer in (*parts, (frame, measurement.whole_frame(PEER)))
        ]
        lines.append((str(count), *compared, f"{100 * costs[SELECT].median / frame:.1f}"))
    weights = "trained" if measurement.trained else "random"
    title = f"{measurement.tracker}, {weights} weights: ms a frame, and times that of {PEER} candidates"
    return TextTable(title, ("N", *COLOURS, "whole frame", "selector, % of frame"), tuple(lines))


def draw(measurements: Sequence[Measurement], path: Path) -> None:
    """Medians and quartiles over the number of candidates, as SVG and PNG."""
    figure = Figure(figsize=(1.5 + 4.5 * len(measurements), 4.2), layout="constrained")
    for axes, measurement in zip(figure.subplots(1, len(measurements), squeeze=False)[0], measurements, strict=True):
        counts = list(measurement.costs)
        axes.axvspan(*PAPER, color="0.93", label=f"{PAPER[0]} to {PAPER[1]}: flat in the paper")
        for part, colour in COLOURS.items():
            spreads = [measurement.costs[count][part] for count in counts]
            axes.plot(counts, [one.median for one in spreads], "o-", markersize=3, color=colour, label=part)
            axes.fill_between(
                counts,
                [one.low for one in spreads],
                [one.high for one in spreads],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        axes.set(title=measurement.tracker, xlabel="candidates", ylabel="ms a frame")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    # A fixed salt and no date: the same results give the same file.
    with rc_context({"svg.hashsalt": "lockon"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except LockonError as error:
        sys.exit(f"error: {error}")
