"""Raw results: one run of a tracker on a sequence, timed, and kept in one file that is complete or absent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from competitors import Competitor
from lockon.boxes import Box
from lockon.data.sequences import Sequence
from lockon.data.testsets.base import box_of
from lockon.errors import DataError
from lockon.evaluation.trackers import Observation

WARM_UP_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Run:
    """What one tracker said of every frame of one sequence, and how long it took."""

    tracker: str
    sequence: str
    seed: int
    session: str
    """The process that measured it: speeds compare within one session only."""
    machine: dict[str, str]
    boxes: list[Box]
    """`(x, y, w, h)` in pixels per frame, the start frame first."""
    present: list[bool]
    scores: list[float | None]
    seconds: list[float]
    """Time of the tracker alone per frame, without decoding; the start frame's is learning the target."""

    @property
    def box_array(self) -> Float[np.ndarray, "frames 4"]:
        """Boxes as one array."""
        return np.array(self.boxes, dtype=np.float64)

    @property
    def present_array(self) -> Bool[np.ndarray, "frames"]:
        """Presence as one array."""
        return np.array(self.present, dtype=np.bool_)

    @property
    def frames_per_second(self) -> float:
        """All frames by all seconds, start included."""
        return len(self.seconds) / sum(self.seconds)


def run_path(folder: Path, tracker: str, sequence: str, seed: int) -> Path:
    """Where the run of a tracker on a sequence is kept."""
    return folder / tracker / f"{sequence}_{seed:03d}.json"


def save_run(run: Run, folder: Path) -> None:
    """Write a run so that a kill at any moment leaves the file whole or absent."""
    path = run_path(folder, run.tracker, run.sequence, run.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(run)))
    os.replace(partial, path)


def load_run(folder: Path, tracker: str, sequence: Sequence, seed: int) -> Run | None:
    """Read a stored run, or None where there is none.

    Raises:
        DataError: the file is not a run of this sequence.
    """
    path = run_path(folder, tracker, sequence.name, seed)
    if not path.exists():
        return None
    try:
        run = Run(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DataError(f"'{path}' is not a stored run ({error}); delete it or pass --rerun.") from error
    if len(run.boxes) != len(sequence):
        raise DataError(
            f"'{path}' has {len(run.boxes)} boxes, but '{sequence.name}' has {len(sequence)} frames; pass --rerun."
        )
    return run


def run_tracker(
    competitor: Competitor,
    sequence: Sequence,
    seed: int,
    *,
    session: str,
    machine: dict[str, str],
    on_frame: Callable[[], None],
) -> Run:
    """Track a whole sequence from its first box, timing the tracker alone. `on_frame` is called after each frame."""
    observations: list[Observation] = []
    seconds: list[float] = []
    for image in sequence:
        prepared = competitor.prepare(image)
        begin = time.perf_counter()
        if observations:
            observation = competitor.step(prepared)
        else:
            observation = competitor.start(prepared, sequence.start_box, seed)
        seconds.append(time.perf_counter() - begin)
        observations.append(observation)
        on_frame()
    return Run(
        tracker=competitor.label,
        sequence=sequence.name,
        seed=seed,
        session=session,
        machine=machine,
        boxes=[box_of(observation.region) for observation in observations],
        present=[observation.present is not False for observation in observations],
        scores=[observation.score for observation in observations],
        seconds=seconds,
    )


def warm_up(competitor: Competitor, sequence: Sequence) -> None:
    """Let allocators, kernels and caches settle before the clock runs."""
    competitor.start(competitor.prepare(sequence.frame(0)), sequence.start_box, seed=0)
    for index in range(1, min(WARM_UP_FRAMES, len(sequence))):
        competitor.step(competitor.prepare(sequence.frame(index)))
