"""The objects of a scene: the target and everything that looks like it, followed from frame to frame.

KeepTrack (ICCV 2021), Sec. 3.7 and Algorithm 1, with the rules of the reference implementation. Every candidate of a
frame is an object: one of the frame before that it was matched with, or a new one. An object that no candidate was
matched with is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from lockon.networks.association import Matches
from lockon.types import Candidates, Status

HISTORY = 32
"""Latest scores that are kept of each object, for inspection; decisions need no more than the best ever."""


@dataclass(frozen=True)
class IdentityConfig:
    """When an object stays the same, and which of them is the target (scores on the scale of the score map)."""

    keep: float = 0.6
    """Least probability of the match by which the target stays the same object."""
    keep_low: float = 0.85
    """The same for a candidate whose score is below `low_score`."""
    low_score: float = 0.2
    target_only: bool = True
    """Distractors stay the same by any match (reference); False: the probability is asked of all (the paper's ω)."""
    redetect: float = 0.25
    """Score above which the highest candidate is taken for the target after that was lost (the paper's η)."""
    switch: Literal["best", "current"] = "best"
    """What of the highest candidate has to exceed the best score the target ever had, to be the target instead: the
    best score of its object (reference), or its current one (the paper's Algorithm 1)."""


class Sighting(NamedTuple):
    """The candidates of a frame, the highest first, filled up to the largest number of any target."""

    places: Float32[Tensor, "targets n 2"]
    """Pixel indices (row, col) in the image."""
    scores: Float32[Tensor, "targets n"]
    descriptors: Float32[Tensor, "targets n dim"]
    valid: Bool[Tensor, "targets n"]


@dataclass(frozen=True)
class ObjectTable:
    """Objects of T targets, as of the last frame with candidates, the highest first; filled up with ids of -1.

    Ids count from 0, and id 0 is the object marked in the first frame. None is given twice, but for a frame without
    candidates, after which all are forgotten and ids start anew (`forgetting`; reference behaviour).
    """

    places: Float32[Tensor, "targets objects 2"]
    """Pixel indices (row, col) in the image."""
    descriptors: Float32[Tensor, "targets objects descriptor"]
    """Appearance, as the association network describes it."""
    scores: Float32[Tensor, "targets objects"]
    ids: Int64[Tensor, "targets objects"]
    best: Float32[Tensor, "targets objects"]
    """Highest score ever."""
    lengths: Int64[Tensor, "targets objects"]
    """Frames that the object has been seen in."""
    recent: Float32[Tensor, "targets objects 32"]
    """The latest `HISTORY` scores, the newest last; 0 before the first."""
    partners: Int64[Tensor, "targets objects"]
    """Index of the same object in the table before; -1 if it is new."""
    probabilities: Float32[Tensor, "targets objects"]
    """Of the match of the candidate, also of one that was not trusted."""
    selected: Int64[Tensor, "targets"]
    """Index of the object that is taken for the target; -1: it is lost."""
    selected_id: Int64[Tensor, "targets"]
    """Id of the object that is, or was last, taken for the target."""
    next_id: Int64[Tensor, "targets"]
    seen: Int64[Tensor, "targets"]
    """Number of the last frame with candidates; -1 before the first."""
    associations: Int64[Tensor, "targets"]
    """Frames whose candidates were matched by the network."""
    skipped: Int64[Tensor, "targets"]
    """Frames whose only candidate needed no network."""

    @classmethod
    def empty(cls, targets: int, descriptor: int, device: torch.device | str = "cpu") -> ObjectTable:
        """The table before the first candidates."""

        def numbers(first: int, *shape: int) -> Tensor:
            return torch.full((targets, *shape), first)

        return cls(
            places=torch.zeros(targets, 0, 2),
            descriptors=torch.zeros(targets, 0, descriptor, device=device),
            scores=torch.zeros(targets, 0),
            ids=numbers(-1, 0),
            best=torch.zeros(targets, 0),
            lengths=numbers(0, 0),
            recent=torch.zeros(targets, 0, HISTORY),
            partners=numbers(-1, 0),
            probabilities=torch.zeros(targets, 0),
            selected=numbers(-1),
            selected_id=numbers(0),
            next_id=numbers(0),
            seen=numbers(-1),
            associations=numbers(0),
            skipped=numbers(0),
        )

    @property
    def valid(self) -> Bool[Tensor, "targets objects"]:
        """Which entries are objects."""
        return self.ids >= 0

    @property
    def initial(self) -> Bool[Tensor, "targets"]:
        """Whether the target is, or was when it was lost, the object marked in the first frame."""
        return self.selected_id == 0

    def forgetting(self, targets: Bool[Tensor, "targets"], first_id: int) -> ObjectTable:
        """A table whose next objects, for some targets, are numbered from `first_id`, the target first."""
        return replace(
            self,
            next_id=torch.where(targets, first_id, self.next_id),
            selected_id=torch.where(targets, first_id, self.selected_id),
        )

    def follow(self, sighting: Sighting, matches: Matches, frame: int, config: IdentityConfig) -> ObjectTable:
        """The table of the next frame: who is who, and who the target is.

        Args:
            sighting: the candidates.
            matches: which objects of this table they were matched with.
            frame: its number.
            config: see `IdentityConfig`.
        """
        known = self._padded(1)
        matched = known._matched(sighting.scores, matches, config)
        source = matches.partners.clamp(min=0)
        scores, fresh = sighting.scores, sighting.valid & ~matched
        ids = torch.where(matched, known.ids.gather(1, source), known.next_id[:, None] + fresh.cumsum(dim=1) - 1)
        best = torch.where(matched, known.best.gather(1, source).maximum(scores), scores)
        lengths = torch.where(matched, known.lengths.gather(1, source), 0) + sighting.valid
        older = known.recent.gather(1, source[..., None].expand(-1, -1, HISTORY)) * matched[..., None]
        return replace(
            known,
            places=sighting.places,
            descriptors=sighting.descriptors,
            scores=scores,
            ids=torch.where(sighting.valid, ids, -1),
            best=best,
            lengths=lengths,
            recent=torch.cat([older[..., 1:], scores[..., None]], dim=-1),
            partners=torch.where(matched, matches.partners, -1),
            probabilities=matches.probabilities,
            next_id=known.next_id + fresh.sum(dim=1),
            seen=torch.full_like(known.seen, frame),
        )._select(config)

    def _matched(
        self, scores: Float32[Tensor, "targets n"], matches: Matches, config: IdentityConfig
    ) -> Bool[Tensor, "targets n"]:
        """Which candidates are objects of this table: a doubtful match of the target makes a new object."""
        required = torch.where(scores < config.low_score, config.keep_low, config.keep)
        doubtful = matches.probabilities < required
        if config.target_only:
            doubtful &= self.ids.gather(1, matches.partners.clamp(min=0)) == self.selected_id[:, None]
        return (matches.partners >= 0) & ~doubtful

    def _select(self, config: IdentityConfig) -> ObjectTable:
        """Say which object is the target, given the one that was."""
        table = self._padded(1)
        is_target = table.ids == table.selected_id[:, None]
        present = is_target.any(dim=1)
        selected = torch.where(present, is_target.int().argmax(dim=1), -1)
        record = (table.best * is_target).sum(dim=1)
        # Candidates are sorted: if any score exceeds the record, the first does.
        challenge = table.best[:, 0] if config.switch == "best" else table.scores[:, 0]
        first = torch.where(present, challenge > record, table.scores[:, 0] > config.redetect)
        selected = torch.where(first & table.valid[:, 0], 0, selected)
        chosen = table.ids.gather(1, selected.clamp(min=0)[:, None])[:, 0]
        return replace(self, selected=selected, selected_id=torch.where(selected < 0, self.selected_id, chosen))

    def candidates(self, frame: int, statuses: Sequence[Status]) -> tuple[Candidates, ...]:
        """What was seen of each target in a frame.

        Args:
            frame: its number.
            statuses: what was selected there: nothing, where that is lost.
        """
        seen = []
        for target, status in enumerate(statuses):
            count = int(self.valid[target].sum()) if self.seen[target] == frame else 0
            lost = status is Status.LOST or count == 0
            seen.append(
                Candidates(
                    # Continuous image coordinates, as of boxes: a pixel's centre lies half a pixel beyond its index.
                    points_xy=self.places[target, :count].flip(-1).double().numpy() + 0.5,
                    scores=self.scores[target, :count].double().numpy(),
                    ids=self.ids[target, :count].numpy().copy(),
                    selected=-1 if lost else int(self.selected[target]),
                    partners=self.partners[target, :count].numpy().copy(),
                    probabilities=self.probabilities[target, :count].double().numpy(),
                )
            )
        return tuple(seen)

    def check(self, frame: int) -> None:
        """Make sure that the table is one that a track can have after a frame.

        Raises:
            ValueError: says what is wrong.
        """
        if (self.valid.int().diff(dim=1) > 0).any() or (self.ids >= self.next_id[:, None]).any():
            raise ValueError("its objects are not numbered as objects are")
        chosen = self._padded(1).ids.gather(1, self.selected.clamp(0, max(self.ids.shape[1] - 1, 0))[:, None])[:, 0]
        if (self.selected >= self.ids.shape[1]).any() or ((self.selected >= 0) & (chosen != self.selected_id)).any():
            raise ValueError("the object selected is not among its objects")
        if (self.seen > frame).any() or ((self.seen < 0) & self.valid.any(dim=1)).any():
            raise ValueError(f"it has objects of a frame after {frame}")

    def _padded(self, objects: int) -> ObjectTable:
        missing = objects - self.ids.shape[1]
        if missing <= 0:
            return self
        changes: dict[str, Any] = {}
        for field in fields(self):
            tensor = getattr(self, field.name)
            if tensor.ndim > 1:
                value = -1 if field.name in ("ids", "partners") else 0
                changes[field.name] = F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing), value=value)
        return replace(self, **changes)

    def where(self, targets: Bool[Tensor, "targets"], others: ObjectTable) -> ObjectTable:
        """This table for some targets, another for the others."""
        if targets.all():
            return self
        objects = max(self.ids.shape[1], others.ids.shape[1])
        ours, theirs = self._padded(objects), others._padded(objects)
        merged = {}
        for field in fields(self):
            one, other = getattr(ours, field.name), getattr(theirs, field.name)
            merged[field.name] = torch.where(targets.view(-1, *[1] * (one.ndim - 1)).to(one.device), one, other)
        return ObjectTable(**merged)
