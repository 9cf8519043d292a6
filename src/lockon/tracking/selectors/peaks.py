"""Peak selection with distractor logic (ATOM, Sec. 3.3 and reference; the same rules in the DiMP family).

The highest peak is the target unless it is too low; a second peak far from it that is nearly as high means a
distractor, and the one near the previous target position wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from lockon.tracking.profiling import NoTimer, Timer
from lockon.tracking.selectors.base import Scene, Selection, Vector
from lockon.tracking.selectors.object_table import ObjectTable
from lockon.types import Status


@dataclass(frozen=True)
class PeakConfig:
    """Thresholds on the score map."""

    lost: float = 0.25
    """Below this peak height the target is not found."""
    distractor: float = 0.8
    """A second peak above this share of the first competes with it."""
    hard_negative: float = 0.5
    """A second peak above this share of the first is worth learning against."""
    neighbourhood: float = 2.2
    """Size of the area around the first peak that belongs to it, relative to the target size."""
    displacement: float = 0.8
    """Radius, relative to half the score map, within which the target is expected; exactly on it is undecided."""


class PeakSelector:
    """Takes the highest peak, frame by frame, remembering nothing.

    Args:
        config: thresholds.
        first_factor: first of the searched scales, relative to the target's.
        expect: see `TrackerConfig`.
        window: Hann window over the score map; None to seek peaks in the scores as they are.
        every_peak: seek all peaks under the window, not the first one only.
        timer: told how long it takes.
    """

    def __init__(
        self,
        config: PeakConfig,
        *,
        first_factor: float = 1.0,
        expect: Literal["previous", "centre"] = "previous",
        window: Float[np.ndarray, "rows cols"] | None = None,
        every_peak: bool = False,
        timer: Timer | None = None,
    ) -> None:
        self._config = config
        self._first_factor = first_factor
        self._expect_centre = expect == "centre"
        self._window = window
        self._every_peak = every_peak
        self._timer = timer or NoTimer()

    def start(self, targets: int) -> None:
        """See `Selector`: nothing is remembered."""

    def select(self, scene: Scene, objects: ObjectTable | None = None) -> tuple[list[Selection], None]:  # noqa: ARG002
        """See `Selector`."""
        return self.of_targets(scene, range(len(scene.maps))), None

    def of_targets(self, scene: Scene, targets: Sequence[int]) -> list[Selection]:
        """Choose for some of the targets."""
        if not targets:
            return []
        with self._timer.stage("localise"):
            maps, window = scene.maps, self._window
            if window is not None and self._every_peak:
                maps, window = maps * window, None
            cell = scene.grid.cell * scene.regions.scales[:, :1] / self._first_factor
            previous = (scene.position - scene.regions.positions[:, 0]) / cell
            if self._expect_centre:
                previous = torch.zeros_like(previous)
            target_cells = scene.size / cell
            return [
                select_peak(
                    maps[target],
                    self._config,
                    centre=np.asarray(scene.grid.centre, np.float32),
                    previous=previous[target].numpy(),
                    target_cells=target_cells[target].numpy(),
                    window=window,
                )
                for target in targets
            ]


def select_peak(
    scores: Float[np.ndarray, "scales rows cols"],
    config: PeakConfig,
    *,
    centre: Vector,
    previous: Vector,
    target_cells: Vector,
    window: Float[np.ndarray, "rows cols"] | None = None,
) -> Selection:
    """Choose the peak that is the target.

    Args:
        scores: score maps, one per searched scale.
        config: thresholds.
        centre: cell index (row, col) of the centre of the search region.
        previous: displacement of the previous target position from that centre, in cells.
        target_cells: size (row, col) of the target in cells.
        window: multiplied on the scores to find the first peak; the second is sought without it.
    """
    seen = scores if window is None else scores * window
    scale_index = int(seen.reshape(len(seen), -1).max(axis=1).argmax())
    peak, cell = _highest(seen[scale_index])
    first = cell - centre
    if peak < config.lost:
        return Selection(scale_index, first, Status.LOST, peak)

    remaining = _without_neighbourhood(scores[scale_index], cell, config.neighbourhood * target_cells)
    second_peak, second_cell = _highest(remaining)
    second = second_cell - centre
    if second_peak > config.distractor * peak:
        radius = config.displacement * math.sqrt(remaining.size) / 2
        first_margin = radius - float(np.linalg.norm(first - previous))
        second_margin = radius - float(np.linalg.norm(second - previous))
        if first_margin * second_margin >= 0:
            return Selection(scale_index, first, Status.UNCERTAIN, peak)
        return Selection(scale_index, first if first_margin > 0 else second, Status.HARD_NEGATIVE, peak)
    if second_peak > config.hard_negative * peak and second_peak > config.lost:
        return Selection(scale_index, first, Status.HARD_NEGATIVE, peak)
    return Selection(scale_index, first, Status.FOUND, peak)


def _highest(scores: Float[np.ndarray, "rows cols"]) -> tuple[float, Vector]:
    # Of equal peaks the reference takes the leftmost, then the topmost.
    col, row = divmod(int(scores.T.argmax()), scores.shape[0])
    return float(scores[row, col]), np.array([row, col], np.float32)


def _without_neighbourhood(scores: Float[np.ndarray, "rows cols"], cell: Vector, size: Vector) -> np.ndarray:
    remaining = scores.copy()
    low = np.maximum(np.round(cell - size / 2), 0).astype(int)
    high = np.minimum(np.round(cell + size / 2 + 1), scores.shape).astype(int)
    remaining[low[0] : high[0], low[1] : high[1]] = 0
    return remaining
