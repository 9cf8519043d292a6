"""The objects of a scene: the target and everything that looks like it, followed from frame to frame.

KeepTrack (ICCV 2021), Sec. 3.7 and Algorithm 1, with the rules of the reference implementation. Every candidate of a
frame is an object: one of the frame before that it was matched with, or a new one. An object that no candidate was
matched with is forgotten at once, unless the motion of objects is followed: then it is remembered where it should be,
hidden, for as long as one can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64, Shaped
from torch import Tensor

from lockon.networks.association import Matches
from lockon.tracking.selectors.motion import ConstantVelocity, Covariances, Motions, distances
from lockon.types import Candidates, Status

HISTORY = 32
"""Latest scores that are kept of each object, for inspection; decisions need no more than the best ever."""
_NONE = {"ids": -1, "partners": -1}
"""What stands where there is no object; 0 elsewhere."""


@dataclass(frozen=True)
class IdentityConfig:
    """When an object stays the same, and which of them is the target (scores on the scale of the score map)."""

    keep: float = 0.6
    """Least probability of the match by which the target stays the same object."""
    keep_low: float = 0.85
    """The same for a candidate whose score is below `low_score`."""
    low_score: float = 0.2
    """Where motion is followed, a target below this is hardly seen: others may take over, but for its rivals, and one
    that was hidden is not found again."""
    target_only: bool = True
    """Distractors stay the same by any match (reference); False: the probability is asked of all (the paper's ω)."""
    redetect: float = 0.25
    """Score above which the highest candidate is taken for the target after that was lost (the paper's η)."""
    switch: Literal["best", "current", "never"] = "best"
    """What of the highest candidate has to exceed the best score the target ever had, to be the target instead: the
    best score of its object (reference), or its current one (the paper's Algorithm 1); `never`: only a target that is
    not seen, or hardly, changes."""


class Sighting(NamedTuple):
    """The candidates of a frame, the highest first, filled up to the largest number of any target."""

    places: Float32[Tensor, "targets n 2"]
    """Pixel indices (row, col) in the image."""
    scores: Float32[Tensor, "targets n"]
    descriptors: Float32[Tensor, "targets n dim"]
    valid: Bool[Tensor, "targets n"]


@dataclass(frozen=True)
class ObjectTable:
    """Objects of T targets: those seen, the highest first, then those hidden; filled up with ids of -1.

    Ids count from 0, and id 0 is the object marked in the first frame. A frame without candidates hides all objects
    where motion is followed, and no id is given twice. Else it leaves them as they were, after which they are
    forgotten and ids start anew (`forgetting`; reference behaviour).
    """

    places: Float32[Tensor, "targets objects 2"]
    """Pixel indices (row, col) in the image; of hidden objects, where they should be."""
    motion: Motions
    """Place and velocity, (row, col) each; 0 where motion is not followed, as is the next."""
    covariance: Covariances
    descriptors: Float32[Tensor, "targets objects descriptor"]
    """Appearance, as the association network describes it."""
    scores: Float32[Tensor, "targets objects"]
    ids: Int64[Tensor, "targets objects"]
    best: Float32[Tensor, "targets objects"]
    """Highest score ever."""
    lengths: Int64[Tensor, "targets objects"]
    """Frames that the object has been seen in."""
    missed: Int64[Tensor, "targets objects"]
    """Frames since it was seen."""
    together: Int64[Tensor, "targets objects"]
    """Frames that it has been seen in beside a target that was seen clearly."""
    recent: Float32[Tensor, "targets objects 32"]
    """The latest `HISTORY` scores, the newest last; 0 before the first."""
    partners: Int64[Tensor, "targets objects"]
    """Index of the same object in the table before; -1 if it is new, or was hidden there."""
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
            motion=torch.zeros(targets, 0, 4),
            covariance=torch.zeros(targets, 0, 3),
            descriptors=torch.zeros(targets, 0, descriptor, device=device),
            scores=torch.zeros(targets, 0),
            ids=numbers(-1, 0),
            best=torch.zeros(targets, 0),
            lengths=numbers(0, 0),
            missed=numbers(0, 0),
            together=numbers(0, 0),
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
    def seen_now(self) -> Bool[Tensor, "targets objects"]:
        """Which of them are not hidden."""
        return self.valid & (self.missed == 0)

    @property
    def is_target(self) -> Bool[Tensor, "targets objects"]:
        """Which object is the target, or was when it was lost."""
        return self.valid & (self.ids == self.selected_id[:, None])

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

    def expected(self, motion: ConstantVelocity) -> ObjectTable:
        """The table of the next frame as long as nobody is seen there: all objects are hidden where they should be.

        Those that were hidden before and were seen in few frames only, or may be anywhere by now, are forgotten; a
        lost target is not.
        """
        moved, covariance = motion.predict(self.motion, self.covariance)
        missed = self.missed + 1
        kept = (missed == 1) | (self.lengths >= motion.config.ripe) & motion.known(covariance) | self.is_target
        ids = torch.where(kept, self.ids, -1)
        return replace(
            self,
            places=moved[..., :2],
            motion=moved,
            covariance=covariance,
            missed=missed,
            ids=ids,
            partners=torch.full_like(self.partners, -1),
            probabilities=torch.zeros_like(self.probabilities),
            selected=torch.full_like(self.selected, -1),
        )._compact()

    def log_likelihood(self, sighting: Sighting, motion: ConstantVelocity) -> Float32[Tensor, "targets objects n"]:
        """How much more probable it is that objects are candidates than by looks alone, as logarithm.

        Args:
            sighting: the candidates.
            motion: of objects that are where `expected` says.
        """
        bonus = motion.config.bonus + motion.config.target_bonus * self.is_target
        return bonus[..., None] + motion.log_likelihood(self.motion, self.covariance, sighting.places)

    def follow(
        self,
        sighting: Sighting,
        matches: Matches,
        frame: int,
        config: IdentityConfig,
        motion: ConstantVelocity | None = None,
    ) -> ObjectTable:
        """The table of the next frame: who is who, and who the target is.

        Args:
            sighting: the candidates.
            matches: which objects of this table they were matched with.
            frame: its number.
            config: see `IdentityConfig`.
            motion: of objects that are where `expected` says; None: they are forgotten as soon as they are not seen.
        """
        known = self._padded(1)
        matched = known._matched(sighting.scores, matches, config)
        source = matches.partners.clamp(min=0)
        scores, fresh = sighting.scores, sighting.valid & ~matched
        ids = torch.where(matched, known.ids.gather(1, source), known.next_id[:, None] + fresh.cumsum(dim=1) - 1)
        best = torch.where(matched, known.best.gather(1, source).maximum(scores), scores)
        lengths = torch.where(matched, known.lengths.gather(1, source), 0) + sighting.valid
        older = _picked(known.recent, source) * matched[..., None]
        stays = matched & (known.missed.gather(1, source) <= 1)
        hidden = known.valid & ~torch.zeros_like(known.valid).scatter_reduce(1, source, matched, "amax")
        moved, covariance = known._moved(sighting, matched, source, hidden, motion)
        table = replace(
            known,
            places=sighting.places,
            motion=moved,
            covariance=covariance,
            descriptors=sighting.descriptors,
            scores=scores,
            ids=torch.where(sighting.valid, ids, -1),
            best=best,
            lengths=lengths,
            missed=torch.zeros_like(ids),
            together=torch.where(matched, known.together.gather(1, source), 0),
            recent=torch.cat([older[..., 1:], scores[..., None]], dim=-1),
            partners=torch.where(stays, matches.partners, -1),
            probabilities=matches.probabilities,
            next_id=known.next_id + fresh.sum(dim=1),
            seen=torch.full_like(known.seen, frame),
        )
        if motion is not None:
            table = table._joined(replace(known, ids=torch.where(hidden, known.ids, -1)))
        return table._select(config, motion)

    def behind(self, motion: ConstantVelocity) -> Int64[Tensor, "targets"]:
        """Which object that is seen the lost target may be behind: the nearest, if both can be one peak; else -1."""
        table = self._padded(1)
        target = table.is_target.int().argmax(dim=1, keepdim=True)
        known = motion.known(table.covariance).gather(1, target)
        near = _picked(motion.overlapping(table.motion), target)[:, 0] & table.seen_now & known
        away = distances(_picked(table.places, target), table.places)[:, 0]
        return torch.where(near.any(dim=1), away.where(near, torch.inf).argmin(dim=1), -1)

    def _moved(
        self,
        sighting: Sighting,
        matched: Bool[Tensor, "targets n"],
        source: Int64[Tensor, "targets n"],
        hidden: Bool[Tensor, "targets objects"],
        motion: ConstantVelocity | None,
    ) -> tuple[Motions, Covariances]:
        """How the candidates move, given which of them are matched with which objects, and who is not seen."""
        if motion is None:
            return sighting.places.new_zeros(*matched.shape, 4), sighting.places.new_zeros(*matched.shape, 3)
        known = hidden & motion.known(self.covariance)
        blurred = (motion.overlapping(self.motion) & known[:, None]).any(dim=2).gather(1, source)
        before = _picked(self.motion, source), _picked(self.covariance, source)
        now, first = motion.update(*before, sighting.places, blurred), motion.begin(sighting.places)
        old = matched[..., None]
        return torch.where(old, now[0], first[0]), torch.where(old, now[1], first[1])

    def _matched(
        self, scores: Float32[Tensor, "targets n"], matches: Matches, config: IdentityConfig
    ) -> Bool[Tensor, "targets n"]:
        """Which candidates are objects of this table: a doubtful match of the target makes a new object."""
        source = matches.partners.clamp(min=0)
        is_target = self.is_target.gather(1, source)
        required = torch.where(scores < config.low_score, config.keep_low, config.keep)
        doubtful = matches.probabilities < required
        if config.target_only:
            doubtful &= is_target
        doubtful |= is_target & (self.missed.gather(1, source) > 1) & (scores < config.low_score)
        return (matches.partners >= 0) & ~doubtful

    def _select(self, config: IdentityConfig, motion: ConstantVelocity | None) -> ObjectTable:
        """Say which object is the target, given the one that was."""
        table = self._padded(1)
        here = table.is_target & table.seen_now
        present = here.any(dim=1)
        selected = torch.where(present, here.int().argmax(dim=1), -1)
        clear = (here & (table.scores >= config.low_score)).any(dim=1)
        eligible = table.seen_now if motion is None else table.seen_now & ~table.is_target & ~table._rivals(motion)
        # Candidates are sorted: the first is the highest.
        first = eligible.int().argmax(dim=1, keepdim=True)
        found = eligible.any(dim=1) & (table.scores.gather(1, first)[:, 0] > config.redetect)
        if config.switch == "never":
            taken = ~clear & found
        else:
            record = (table.best * table.is_target).sum(dim=1)
            challenge = (table.best if config.switch == "best" else table.scores).gather(1, first)[:, 0]
            taken = torch.where(present, eligible.any(dim=1) & (challenge > record), found)
        selected = torch.where(taken, first[:, 0], selected)
        chosen = table.ids.gather(1, selected.clamp(min=0)[:, None])[:, 0]
        table = replace(self, selected=selected, selected_id=torch.where(selected < 0, self.selected_id, chosen))
        beside = table.seen_now & clear[:, None]
        return replace(table, together=torch.where(table.is_target, 0, table.together + beside))

    def _rivals(self, motion: ConstantVelocity) -> Bool[Tensor, "targets objects"]:
        """What a target that was lost not long ago is not: who was seen beside it, and who comes out from behind."""
        lost = (self.missed * self.is_target).sum(dim=1, keepdim=True)
        others = self.valid & ~self.is_target & (self.together >= motion.config.ripe)
        # Each overlaps itself.
        return (motion.overlapping(self.motion) & others[:, None]).any(dim=2) & (lost <= motion.config.patience)

    def candidates(self, frame: int, statuses: Sequence[Status]) -> tuple[Candidates, ...]:
        """What was seen of each target in a frame.

        Args:
            frame: its number.
            statuses: what was selected there: nothing, where that is lost.
        """
        seen = []
        for target, status in enumerate(statuses):
            count = int(self.seen_now[target].sum()) if self.seen[target] == frame else 0
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
        if (self.covariance[..., [0, 2]] < 0).any():
            raise ValueError("a variance is negative")

    def _padded(self, objects: int) -> ObjectTable:
        missing = objects - self.ids.shape[1]
        if missing <= 0:
            return self
        changes = {
            name: F.pad(column, (0, 0) * (column.ndim - 2) + (0, missing), value=_NONE.get(name, 0))
            for name, column in self._columns().items()
        }
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

    def _joined(self, others: ObjectTable) -> ObjectTable:
        """The objects of both tables, of this one first; all else is of this one."""
        joined = {name: torch.cat([ours, getattr(others, name)], dim=1) for name, ours in self._columns().items()}
        return replace(self, **joined)._compact()

    def _compact(self) -> ObjectTable:
        """The same objects in the same order, without gaps."""
        order = self.valid.int().argsort(dim=1, descending=True, stable=True)[:, : int(self.valid.sum(dim=1).max())]
        taken = self.valid.gather(1, order)
        changes = {}
        for name, column in self._columns().items():
            there = taken.view(*taken.shape, *[1] * (column.ndim - 2)).to(column.device)
            changes[name] = torch.where(there, _picked(column, order), _NONE.get(name, 0))
        return replace(self, **changes)

    def _columns(self) -> dict[str, Tensor]:
        """Everything that is known of each object."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in tensors.items() if tensor.ndim > 1}


def _picked(values: Shaped[Tensor, "targets objects *c"], index: Int64[Tensor, "targets n"]) -> Tensor:
    """What is known of some objects of each target."""
    index = index.to(values.device)
    return values.gather(
        1, index.view(*index.shape, *[1] * (values.ndim - 2)).expand(*index.shape, *values.shape[2:])
    )
