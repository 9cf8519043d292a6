"""Training samples: crops of a few frames of one target, and boxes around it.

Sample n is a function of (seed, n) alone, so a run that is stopped and resumed, and any number of processes, see the
same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from lockon.errors import DataError
from lockon.training.augmentation import AugmentationConfig, augment
from lockon.training.crops import (
    CropConfig,
    FrameView,
    Jitter,
    boxes_in_crops,
    jitter_boxes,
    plan_windows,
    view_frames,
)
from lockon.training.proposals import DensityProposalConfig, ProposalConfig, Proposals, draw_proposals
from lockon.training.sampling import FrameConfig, Source, draw_dataset, draw_frames, draw_sequence

_MOST_FAILURES = 100
"""Unreadable sequences in a row before the data set is given up."""
TRAIN_JITTER = Jitter(centre=3.0, scale=0.25)
TEST_JITTER = Jitter(centre=4.5, scale=0.5)
"""Of DiMP and PrDiMP, for windows of factor 5."""
_STILL = Jitter(centre=0.0, scale=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """Frames, crops and proposals of one sample; the defaults are those of PrDiMP."""

    frames: FrameConfig = field(default_factory=FrameConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    train_jitter: Jitter = TRAIN_JITTER
    test_jitter: Jitter = TEST_JITTER
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    proposals: ProposalConfig | None = field(default_factory=DensityProposalConfig)
    """None: the box branch is not trained."""
    proposal_frames: Literal["test", "all_but_first"] = "test"
    """Which frames get proposals; in the papers the test frames, though every frame but the reference could."""

    def for_validation(self) -> SampleConfig:
        """The same without jitter, and without random changes of single frames."""
        return replace(self, train_jitter=_STILL, test_jitter=_STILL, augmentation=self.augmentation.joint_only())


class TrackingSample(NamedTuple):
    """Crops of one target, train frames first, then test frames; in a batch every tensor has a leading dimension."""

    images: UInt8[Tensor, "*batch frames size size 3"]
    boxes: Float[Tensor, "*batch frames 4"]
    """`(x, y, w, h)` in crop pixels."""
    proposals: Proposals | None
    """For the last frames of the sample, as many as `SampleConfig.proposal_frames` says."""
    skipped: tuple[str, ...] = ()
    """One message for each draw that was given up because an image could not be read."""


class TrackingSamples(Dataset[TrackingSample]):
    """Endless numbered samples from weighted data sets.

    Args:
        sources: data sets with weights.
        config: what a sample is.
        seed: another seed gives other samples.
        augment: False for validation, see `SampleConfig.for_validation`.

    Raises:
        DataError: no data set has a positive weight, or one that has is empty.
    """

    def __init__(self, sources: Sequence[Source], config: SampleConfig, *, seed: int, augment: bool = True) -> None:
        self._sources = [source for source in sources if source.weight > 0]
        if not self._sources:
            raise DataError("nothing to draw samples from; name at least one data set with a positive weight.")
        for dataset, _ in self._sources:
            if not len(dataset):
                raise DataError(f"data set '{dataset.name}' is empty; check its folder with `lockon data check`.")
        self.config = config if augment else config.for_validation()
        self._seed = seed

    def __getitem__(self, index: int) -> TrackingSample:
        """Sample `index`, from 0. Where an image cannot be read, another is drawn and `skipped` says so.

        Raises:
            DataError: 100 draws in a row could not be read, or no sequence of a data set shows enough of its target.
        """
        skipped: list[str] = []
        for attempt in range(_MOST_FAILURES):
            rng = np.random.default_rng([self._seed, index, attempt])
            sequence = draw_sequence(draw_dataset(self._sources, rng), self.config.frames, rng)
            frames = draw_frames(sequence.visible, self.config.frames, rng)
            try:
                views = view_frames(sequence, frames)
            except DataError as error:
                skipped.append(str(error))
                continue
            return self._process(views, sequence.boxes[frames], rng)._replace(skipped=tuple(skipped))
        raise DataError(
            f"{_MOST_FAILURES} sequences in a row have frames that cannot be read; check the data with"
            f" `lockon data check`. The last: {skipped[-1]}"
        )

    def _process(
        self, views: list[FrameView], boxes: Float[np.ndarray, "frames 4"], rng: Generator
    ) -> TrackingSample:
        config = self.config
        repeats = (config.frames.train_frames, config.frames.test_frames)
        jitters = (config.train_jitter, config.test_jitter)
        jittered = jitter_boxes(
            boxes,
            np.repeat([jitter.centre for jitter in jitters], repeats),
            np.repeat([jitter.scale for jitter in jitters], repeats),
            rng,
        )
        windows = plan_windows(jittered, np.array([view.size for view in views]), config.crop)
        pixels = np.stack([view.cut(windows.box(i), config.crop.size) for i, view in enumerate(views)])
        placed = boxes_in_crops(boxes, jittered, windows, config.crop).astype(np.float32)
        images, crop_boxes = augment(torch.from_numpy(pixels), torch.from_numpy(placed), config.augmentation, rng)
        if config.proposals is None:
            return TrackingSample(images, crop_boxes, None)
        first = config.frames.train_frames if config.proposal_frames == "test" else 1
        return TrackingSample(images, crop_boxes, draw_proposals(crop_boxes[first:], config.proposals, rng))


def collate(samples: Sequence[TrackingSample]) -> TrackingSample:
    """Stack samples into a batch: every tensor gets a leading dimension, messages are put together."""
    proposals = [sample.proposals for sample in samples]
    first = proposals[0]
    stacked = None if first is None else type(first)(*(torch.stack(parts) for parts in zip(*proposals, strict=True)))
    return TrackingSample(
        images=torch.stack([sample.images for sample in samples]),
        boxes=torch.stack([sample.boxes for sample in samples]),
        proposals=stacked,
        skipped=tuple(message for sample in samples for message in sample.skipped),
    )
