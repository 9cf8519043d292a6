"""Following the target of a sequence with the base tracker, and keeping what it sees (KeepTrack, Sec. A.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from lockon.boxes import Box
from lockon.data.datasets import TargetSequence
from lockon.errors import BoxError, DataError, LockonError
from lockon.images import Image
from lockon.tracking import Tracker
from lockon.tracking.candidates import find_candidates
from lockon.tracking.config import TrackerConfig
from lockon.tracking.localisers import TargetModelConfig
from lockon.tracking.selectors import AssociationConfig
from lockon.training.mining.categories import Thresholds
from lockon.training.mining.frames import MinedFrame, annotation_cell, cut_picture, search_area
from lockon.types import Result

MARGIN = 0.05
"""Around the search area, relative to it: room for areas that are jittered by a few hundredths."""
_OFFICIAL = Thresholds()


@runtime_checkable
class ShowsLookAlikes(Protocol):
    """A sequence whose distractors are known, too."""

    def distractors(self, index: int) -> Float[np.ndarray, "look_alikes 4"]:
        """Boxes `(x, y, w, h)` of the look-alikes; row k is the same object in every frame."""
        ...


def thresholds_for(config: TrackerConfig, candidate: float | None, found: float | None) -> Thresholds:
    """The heights for a base tracker: by default a target is found where the tracker does not call it lost.

    Candidates are a fifth as high. These are τ = 0.05 and η = 0.25 for the DiMP family, and less for trackers whose
    score map is a density.

    Args:
        config: of the tracker.
        candidate, found: see `Thresholds`; None: the default.

    Raises:
        LockonError: the tracker has no score map of whole strides, or calls no target lost.
        DataError: the heights do not fit each other.
    """
    if not isinstance(config.localiser, TargetModelConfig):
        raise LockonError(
            "candidates are found in score maps as the DiMP family has them, one cell in 16 pixels. Mine with "
            "super_dimp_simple, lockon_s or another tracker of that family."
        )
    peaks = config.selector.peaks if isinstance(config.selector, AssociationConfig) else config.selector
    found = peaks.lost if found is None else found
    if found <= 0:
        raise LockonError("this tracker calls no target lost: say from which height one is found (--found HEIGHT).")
    return Thresholds(
        candidate=found * _OFFICIAL.candidate / _OFFICIAL.found if candidate is None else candidate, found=found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMiner:
    """Mines one sequence after the other.

    Args:
        tracker: of the DiMP family.
        threshold: height that candidates exceed.
        seed: of the tracker's randomness.
    """

    tracker: Tracker
    threshold: float
    seed: int = 0

    def mine(self, sequence: TargetSequence, note: Callable[[str], None]) -> Iterator[MinedFrame]:
        """Follow the target from the first frame that shows it, and yield every frame after that one.

        Args:
            sequence: with its annotation.
            note: told of frames that cannot be read, and why a sequence has no track.
        """
        shown = np.flatnonzero(sequence.visible)
        if not len(shown):
            note(f"'{sequence.name}' is left out: its target is visible in no frame.")
            return
        first = int(shown[0])
        try:
            state = self.tracker.start(sequence.frame(first), sequence.boxes[first], seed=self.seed)
        except (DataError, BoxError) as error:
            note(f"'{sequence.name}' is left out: {error}")
            return
        for index in range(first + 1, len(sequence)):
            try:
                image = sequence.frame(index)
            except DataError as error:
                note(str(error))
                continue
            state, result = self.tracker.step(state, image, inplace=True, score_map=True)
            yield self._frame(sequence, index, image, result)

    def _frame(self, sequence: TargetSequence, index: int, image: Image, result: Result) -> MinedFrame:
        assert isinstance(result.search_region, Box), "one target is followed"
        assert result.score_map is not None, "it was asked for"
        region = search_area(result.search_region)
        longest = round((1 + 2 * MARGIN) * self.tracker.config.search.sample_size)
        picture, area = cut_picture(image, region, MARGIN, longest)
        peaks = find_candidates(torch.from_numpy(result.score_map)[None], self.threshold)
        values = np.asarray(sequence.boxes[index], np.float64)
        box = None if np.isnan(values).any() else Box(*values.tolist())
        known = sequence.distractors(index) if isinstance(sequence, ShowsLookAlikes) else np.zeros((0, 4))
        height, width = image.shape[:2]
        return MinedFrame(
            sequence=sequence.name,
            frame=index,
            frame_size=(height, width),
            region=region,
            image=picture,
            image_area=area,
            score_map=result.score_map,
            candidate_cells=peaks.cells[0].numpy(),
            candidate_scores=peaks.scores[0].numpy(),
            target_box=box,
            target_cell=None if box is None else annotation_cell(box, region, len(result.score_map)),
            visible=bool(sequence.visible[index]),
            identities=known.astype(np.float32),
        )
