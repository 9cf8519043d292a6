"""Selection by association: follow all objects that look like the target, to know which of them it is.

KeepTrack (ICCV 2021), Sec. 3; in the order of the reference implementation. Candidates are found in the score map,
described by a network, and matched with those of the frame before by another; `ObjectTable` keeps who is who.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from lockon.networks.association import AssociationNet, CandidateSet, Matches, normalise_places, read_matches
from lockon.tracking.candidates import find_candidates, image_places, refined_cells
from lockon.tracking.profiling import NoTimer, Timer
from lockon.tracking.selectors.base import Scene, Selection
from lockon.tracking.selectors.motion import ConstantVelocity, MotionConfig
from lockon.tracking.selectors.object_table import IdentityConfig, ObjectTable, Sighting
from lockon.tracking.selectors.peaks import PeakConfig, PeakSelector
from lockon.types import Status


@dataclass(frozen=True)
class AssociationConfig:
    """Parameters of the association; heights are on the scale of the score map."""

    candidate: float = 0.05
    """Height that a candidate exceeds (τ)."""
    sure: float = 0.5
    """A candidate above this, alone in its frame and in the frame before, is the same without asking the network."""
    match: float = 0.2
    """Probability that a match exceeds."""
    first_frames: int = 9
    """Objects first seen in fewer frames than this after the start: the highest is the object marked there."""
    swapped_centre: bool = True
    """Give the network coordinates from a centre whose row and column are exchanged: so the official tracker does."""
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    motion: MotionConfig | None = None
    """How objects move, by which they are known, too, and remembered while they are hidden; None: as in the paper."""
    peaks: PeakConfig = field(default_factory=PeakConfig)
    """Of frames whose candidates cannot be matched with the frame before."""


class AssociationSelector:
    """Takes the object that was the target, wherever its candidate is now.

    Args:
        config: see `AssociationConfig`.
        net: network of the descriptors and the matches.
        peaks: decides where nothing is known of the frame before.
        timer: told how long the stages take.
    """

    def __init__(
        self, config: AssociationConfig, net: AssociationNet, peaks: PeakSelector, timer: Timer | None = None
    ) -> None:
        self._config = config
        self._net = net
        self._peaks = peaks
        self._timer = timer or NoTimer()

    def start(self, targets: int) -> ObjectTable:
        """See `Selector`: the first frame has no candidates."""
        return ObjectTable.empty(targets, self._net.dim, self._net.descriptor_extractor.conv.weight.device)

    def select(self, scene: Scene, objects: ObjectTable | None) -> tuple[list[Selection], ObjectTable]:
        """See `Selector`."""
        assert objects is not None
        motion, known = None, objects.seen == scene.frame - 1
        if self._config.motion is not None:
            motion = ConstantVelocity(self._config.motion, scene.size.prod(dim=1).sqrt())
            objects = objects.expected(motion)
            known = objects.valid.any(dim=1)
        sighting, cells = self._look(scene)
        seen = sighting.valid.any(dim=1)
        known = known & seen
        first_id = 0 if scene.frame < self._config.first_frames else 1
        objects = objects.forgetting(seen & ~known, first_id)
        alone = known & self._alone(objects, sighting)
        matches = self._match(objects, sighting, known & ~alone, scene.image_hw, motion)
        matches.partners[alone, :1], matches.probabilities[alone, :1] = 0, 1
        with self._timer.stage("associate"):
            followed = objects.follow(sighting, matches, scene.frame, self._config.identity, motion)
            # In a frame without candidates nothing is decided.
            objects = followed.where(seen, objects)
        objects = replace(
            objects, associations=objects.associations + (known & ~alone), skipped=objects.skipped + alone
        )
        return self._selections(scene, objects, cells, known, motion), objects

    def _look(self, scene: Scene) -> tuple[Sighting, Int64[Tensor, "targets n 2"]]:
        """The candidates of the frame, and their cells in the score map."""
        with self._timer.stage("candidates"):
            maps = torch.from_numpy(scene.maps[:, 0])
            peaks = find_candidates(maps, self._config.candidate)
            crop = scene.regions.at(torch.zeros(len(maps), dtype=torch.long))
            exact = peaks.cells if self._config.motion is None else refined_cells(maps, peaks.cells)
            places = image_places(exact, crop, scene.maps.shape[2:])
            descriptors = self._net.descriptors(scene.layer3, peaks.cells.to(scene.layer3.device))
        return Sighting(places, peaks.scores, descriptors, peaks.valid), peaks.cells

    def _alone(self, objects: ObjectTable, sighting: Sighting) -> Bool[Tensor, "targets"]:
        """Whether there is but one candidate, in this frame and in the last, both are sure, and nothing is hidden."""
        alone = [
            (frame.valid.sum(dim=1) == 1) & (frame.scores > self._config.sure).any(dim=1)
            for frame in (objects, sighting)
        ]
        return alone[0] & alone[1] & (objects.missed <= 1).all(dim=1)

    def _match(
        self,
        objects: ObjectTable,
        sighting: Sighting,
        targets: Bool[Tensor, "targets"],
        image_hw: Int64[Tensor, "targets 2"],
        motion: ConstantVelocity | None,
    ) -> Matches:
        """Match the candidates of some targets with their objects; those of the others have no partners."""
        shape = sighting.valid.shape
        partners, probabilities = torch.full(shape, -1), torch.zeros(shape)
        chosen = targets.nonzero()[:, 0]
        if len(chosen):
            with self._timer.stage("embed"):
                before, now = (self._candidate_set(frame, chosen, image_hw) for frame in (objects, sighting))
                resemblance = self._net.score_matrix(before, now)
                if motion is not None:
                    resemblance += objects.log_likelihood(sighting, motion)[chosen].to(resemblance)
            with self._timer.stage("sinkhorn"):
                assignment = self._net.transport(resemblance, before.valid, now.valid)
                matches = read_matches(assignment, before.valid, now.valid, self._config.match)
                partners[chosen], probabilities[chosen] = matches.partners.cpu(), matches.probabilities.float().cpu()
        return Matches(partners, probabilities)

    def _candidate_set(
        self, frame: ObjectTable | Sighting, chosen: Int64[Tensor, "chosen"], image_hw: Int64[Tensor, "targets 2"]
    ) -> CandidateSet:
        places = normalise_places(frame.places[chosen], image_hw[chosen], swapped_centre=self._config.swapped_centre)
        device = frame.descriptors.device
        return CandidateSet(
            frame.descriptors[chosen.to(device)],
            places.to(device),
            frame.scores[chosen].to(device),
            frame.valid[chosen].to(device),
        )

    def _selections(
        self,
        scene: Scene,
        objects: ObjectTable,
        cells: Int64[Tensor, "targets n 2"],
        known: Bool[Tensor, "targets"],
        motion: ConstantVelocity | None,
    ) -> list[Selection]:
        """The selected objects, or those lost targets may be behind; the highest peaks where nothing was matched."""
        centre = np.array(scene.grid.centre, np.float32)
        unmatched = iter(self._peaks.of_targets(scene, (~known).nonzero()[:, 0].tolist()))
        behind = torch.full_like(objects.selected, -1) if motion is None else objects.behind(motion)
        selections = []
        for target, initial in enumerate(objects.initial.tolist()):
            if known[target]:
                index, status = int(objects.selected[target]), Status.FOUND
                if index < 0:
                    index, status = int(behind[target]), Status.UNCERTAIN
                displacement = cells[target, index].numpy().astype(np.float32) - centre
                # Where motion tells objects apart, the height of another says nothing of the target.
                height = 0 if motion is None else index
                peak = 0.0 if height < 0 else float(objects.scores[target, height])
                selection = Selection(0, displacement, Status.LOST if index < 0 else status, peak)
            else:
                selection = next(unmatched)
            selections.append(selection._replace(initial=initial))
        return selections
