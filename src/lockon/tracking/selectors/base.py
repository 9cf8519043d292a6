"""What a selector is: it says which place of the score map is the target, and may remember what else it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from lockon.tracking.localisers import ScoreGrid
from lockon.tracking.search import SearchRegions
from lockon.tracking.selectors.object_table import ObjectTable
from lockon.types import Status

Vector = Float[np.ndarray, "2"]


@dataclass(frozen=True)
class Scene:
    """What a selector sees of T targets in one frame."""

    frame: int
    """Its number, from 0; the targets were marked in frame 0."""
    maps: Float[np.ndarray, "targets scales rows cols"]
    """Score maps."""
    grid: ScoreGrid
    """How their cells lie in the search regions."""
    regions: SearchRegions
    layer3: Float[Tensor, "crops channels feature_rows feature_cols"]
    """Backbone features of the search regions, targets first."""
    position: Float[Tensor, "targets 2"]
    """Where the targets were, pixel indices (row, col)."""
    size: Float[Tensor, "targets 2"]
    """Their sizes (h, w) in image pixels."""
    image_hw: Int64[Tensor, "targets 2"]
    """Rows and columns of the image each target is in."""


class Selection(NamedTuple):
    """What was chosen."""

    scale_index: int
    displacement: Vector
    """From the centre of the score map, (row, col), in cells."""
    status: Status
    peak: float
    """Height of the highest peak; where objects are known by motion, of the chosen one, 0 while it is lost."""
    initial: bool = False
    """Whether the target is surely the object marked in the first frame: only who follows all objects can say so."""


@runtime_checkable
class Selector(Protocol):
    """Slot of the frame loop: from score maps to positions."""

    def start(self, targets: int) -> ObjectTable | None:
        """What is remembered of the first frame; None where nothing ever is."""

    def select(self, scene: Scene, objects: ObjectTable | None) -> tuple[list[Selection], ObjectTable | None]:
        """Choose for every target, and say what to remember."""
