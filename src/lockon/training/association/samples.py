"""Training samples of the association network: two frames with their candidates, and who is who.

Sample n is a function of (seed, n) alone, as everywhere in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypedDict

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.random import Generator
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from lockon.errors import DataError
from lockon.networks.association import normalise_places
from lockon.training.association.drawing import FrameDraws, MinedSource
from lockon.training.association.slots import Slots
from lockon.training.association.supervision import (
    ALONE,
    UNKNOWN,
    Pair,
    exact_pair,
    exactly_supervised,
    identify,
    jitter_area,
    partially_supervised,
    self_supervised,
)
from lockon.training.augmentation import AugmentationConfig, augment
from lockon.training.mining.frames import MinedFrame

_MOST_FAILURES = 100
"""Draws in a row that give no sample before the dump is given up."""

Supervision = Literal["both", "partial", "self", "exact", "exact_and_self"]
"""`partial` and `self` are the losses of the paper's Table 2, `both` their sum. `exact` needs data that know all
look-alikes."""
_MODES: Mapping[Supervision, tuple[str, ...]] = {
    "both": ("partial", "self"),
    "partial": ("partial",),
    "self": ("self",),
    "exact": ("exact",),
    "exact_and_self": ("exact", "self"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationSampleConfig:
    """What a sample is; the defaults are KeepTrack's."""

    supervision: Supervision = "both"
    """Where the truth comes from; of several sources each gives as many samples."""
    mining: bool = True
    """Draw instructive frames more often, by their categories; else all alike."""
    frame_shares: Mapping[str, float] = field(default_factory=lambda: {"H": 2.0, "K": 1.0, "J": 1.0})
    """How often frames of each category are drawn for self-supervision."""
    pair_shares: Mapping[str, float] = field(default_factory=lambda: {"HH": 10.0, "HK": 1.0, "HG": 1.0})
    """How often consecutive frames of each pair of categories are drawn, for the other kinds of supervision."""
    views: int = 1
    """Of two frames: each has other candidates dropped, made up and varied. The pictures are what takes time."""
    candidates: int = 5
    """Of a frame, artificial ones included."""
    dropped: float = 0.25
    """Probability that a frame lacks the target (partial), or largest share of the candidates that it lacks."""
    score_scale: float = 1.0
    """Of everything that is added to scores: about the score of a target that is plain to see."""
    artificial: Literal["ignored", "alone"] = "ignored"
    """Of artificial candidates in self-supervision: the loss ignores them (paper), or they have no partner (code)."""
    appearance: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(
            grey_probability=0.0, brightness=0.5, blur_probability=0.75, blur_sigma=(0.5, 0.5)
        )
    )
    """What happens to the picture of the changed copy in self-supervision."""


class AssociationSample(NamedTuple):
    """Two frames, the previous one first, and views of their candidates.

    In a batch the pictures have a leading dimension, and the views of all samples follow each other.
    """

    images: UInt8[Tensor, "*batch 2 size size 3"]
    cells: Int[Tensor, "views 2 n 2"]
    """(row, col) of the candidates in the score map."""
    places: Float[Tensor, "views 2 n 2"]
    """(y, x) in the image, as `normalise_places` gives them."""
    scores: Float[Tensor, "views 2 n"]
    valid: Bool[Tensor, "views 2 n"]
    """False where there is no candidate, not even an artificial one."""
    partners: Int[Tensor, "views 2 n"]
    """Slot of the same object in the other frame, `ALONE` or `UNKNOWN`."""
    targets: Int[Tensor, "views 2"]
    """Slot of the target, or `ALONE`."""
    skipped: tuple[str, ...] = ()
    """One message for each draw that was given up because a frame could not be read."""


class _Options(TypedDict):
    """What every kind of supervision is told."""

    slots: int
    dropped: float
    score_scale: float


class AssociationSamples(Dataset[AssociationSample]):
    """Endless numbered samples from mined frames.

    Args:
        sources: where frames come from.
        config: what a sample is.
        seed: another seed gives other samples.

    Raises:
        DataError: the sources have no frame that the configuration asks for.
    """

    def __init__(self, sources: Sequence[MinedSource], config: AssociationSampleConfig, *, seed: int) -> None:
        self._config, self._seed = config, seed
        self._options = _Options(slots=config.candidates, dropped=config.dropped, score_scale=config.score_scale)
        self._modes = _MODES[config.supervision]
        self._draws = FrameDraws(sources, config.frame_shares, config.pair_shares, mining=config.mining)
        self._draws.check(single="self" in self._modes, pairs=self._modes != ("self",))

    def __getitem__(self, index: int) -> AssociationSample:
        """Sample `index`, from 0. Where a frame cannot be read, another is drawn and `skipped` says so.

        Raises:
            DataError: 100 draws in a row gave no sample.
        """
        skipped: list[str] = []
        for attempt in range(_MOST_FAILURES):
            rng = np.random.default_rng([self._seed, index, attempt])
            try:
                sample = self._draw(rng)
            except DataError as error:
                skipped.append(str(error))
                continue
            if sample is not None:
                return sample._replace(skipped=tuple(skipped))
        raise DataError(
            f"{_MOST_FAILURES} draws in a row gave no sample: frames cannot be read, or no consecutive frames have "
            f"the target among their candidates. {skipped[-1] if skipped else ''}".rstrip()
        )

    def _draw(self, rng: Generator) -> AssociationSample | None:
        mode = self._modes[int(rng.integers(len(self._modes)))]
        if mode == "self":
            return self._changed_copy(rng)
        supervise = exactly_supervised if mode == "exact" else partially_supervised
        frames, size = self._draws.pair(rng)
        pairs = [supervise(frames, rng, **self._options) for _ in range(self._config.views)]
        known = [pair for pair in pairs if pair is not None]
        return assemble(frames, known, size) if known else None

    def _changed_copy(self, rng: Generator) -> AssociationSample:
        config = self._config
        frame, size = self._draws.single(rng)
        area = jitter_area(frame.region, rng)
        artificial = UNKNOWN if config.artificial == "ignored" else ALONE
        pairs = [
            self_supervised(frame, area, rng, **self._options, artificial=artificial) for _ in range(config.views)
        ]
        sample = assemble((frame, frame), pairs, size)
        changed, _ = augment(sample.images[1:], torch.zeros(1, 4), config.appearance, rng)
        return sample._replace(images=torch.cat([sample.images[:1], changed]))


def real_sample(frames: tuple[MinedFrame, MinedFrame], size: int) -> AssociationSample:
    """Two frames as a tracker sees them, with all that is known of their candidates."""
    return assemble(frames, [exact_pair(frames)], size)


def assemble(frames: tuple[MinedFrame, MinedFrame], pairs: Sequence[Pair], size: int) -> AssociationSample:
    """Tensors of views of two frames in the same search areas, with pictures of `size` pixels a side."""
    regions = (pairs[0].previous.region, pairs[0].current.region)
    searched = [replace(frame, region=region).searched for frame, region in zip(frames, regions, strict=True)]
    pictures = [frame.crop(area, size) for frame, area in zip(frames, searched, strict=True)]
    views = [_view(frames, pair) for pair in pairs]
    cells, places, scores, valid, partners, targets = (torch.stack(parts) for parts in zip(*views, strict=True))
    images = torch.from_numpy(np.stack(pictures))
    return AssociationSample(images, cells, places, scores, valid, partners, targets)


def _view(frames: tuple[MinedFrame, MinedFrame], pair: Pair) -> tuple[Tensor, ...]:
    """The tensors of one view, in the order of `AssociationSample`."""
    sides = (pair.previous, pair.current)
    places = [
        normalise_places(torch.from_numpy(side.points)[None].float(), side.frame_size, swapped_centre=False)[0]
        for side in sides
    ]
    return (
        _padded([torch.from_numpy(side.cells) for side in sides]),
        _padded(places),
        _padded([torch.from_numpy(side.scores).float() for side in sides]),
        _padded([torch.ones(len(side.scores), dtype=torch.bool) for side in sides]),
        _padded([torch.from_numpy(own) for own in (pair.previous_partners, pair.current_partners)], UNKNOWN),
        torch.tensor([_target(frame, side) for frame, side in zip(frames, sides, strict=True)]),
    )


def collate(samples: Sequence[AssociationSample]) -> AssociationSample:
    """A batch of samples with as many views, and any numbers of candidates."""
    return AssociationSample(
        images=torch.stack([sample.images for sample in samples]),
        cells=_joined([sample.cells for sample in samples]),
        places=_joined([sample.places for sample in samples]),
        scores=_joined([sample.scores for sample in samples]),
        valid=_joined([sample.valid for sample in samples]),
        partners=_joined([sample.partners for sample in samples], UNKNOWN),
        targets=torch.cat([sample.targets for sample in samples]),
        skipped=tuple(line for sample in samples for line in sample.skipped),
    )


def _joined(values: Sequence[Tensor], filling: float = 0) -> Tensor:
    """Views of several samples, `(views, 2, n, …)` each, one after the other."""
    return _padded([value.movedim(2, 0) for value in values], filling).movedim(1, 3).flatten(0, 1)


def _padded(values: Sequence[Tensor], filling: float = 0) -> Tensor:
    """Stack tensors of different lengths."""
    return pad_sequence(list(values), batch_first=True, padding_value=filling)


def _target(frame: MinedFrame, side: Slots) -> int:
    found = np.flatnonzero(identify(frame, side) == 0)
    return int(found[0]) if len(found) else ALONE
