"""Which frames of which sequences make a training sample, and the sample itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.random import Generator as NumpyGenerator
from torch import Generator, Tensor
from torch.utils.data import Dataset

from lockon.data.synthetic import SyntheticSequence, SyntheticWorld
from lockon.training.processing import Jitter, ProposalConfig, Proposals, draw_proposals, search_window, to_crop

TRAIN_JITTER = Jitter(centre=3.0, scale=0.25)
TEST_JITTER = Jitter(centre=4.5, scale=0.5)
"""Of DiMP, for search windows of factor 5."""
PROPOSALS = ProposalConfig()
_TRIES = 20
"""Draws of frames before a sequence is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """Frames, crops and proposals of one sample."""

    train_frames: int = 3
    """Frames the target model learns from."""
    test_frames: int = 3
    """Later frames it is scored on."""
    max_gap: int = 200
    """Farthest a frame may lie from the base frame."""
    min_visibility: float = 0.4
    """Least visible share of the target in a frame that is used."""
    size: int
    """Side of the crops in pixels."""
    search_factor: float
    """Side of the search window in square roots of the box area."""
    train_jitter: Jitter = TRAIN_JITTER
    test_jitter: Jitter = TEST_JITTER
    grey_probability: float = 0.05
    flip_probability: float = 0.5
    proposals: ProposalConfig = PROPOSALS


class TrackingSample(NamedTuple):
    """Crops of one target: train frames first, then test frames."""

    images: UInt8[Tensor, "frames size size 3"]
    boxes: Float[Tensor, "frames 4"]
    """`(x, y, w, h)` in crop pixels."""
    proposals: Proposals
    """Per frame but the first, which is the reference of the box head."""


def draw_causal_frames(rng: NumpyGenerator, length: int, config: SampleConfig) -> list[int]:
    """Numbers of the train frames (the last of them the base frame) and of the test frames after them (DiMP)."""
    base = int(rng.integers(config.train_frames - 1, length - config.test_frames))
    earliest, latest = max(0, base - config.max_gap), min(length, base + config.max_gap)
    earlier = [int(rng.integers(earliest, base)) for _ in range(config.train_frames - 1)]
    later = [int(rng.integers(base + 1, latest)) for _ in range(config.test_frames)]
    return [*earlier, base, *later]


class SyntheticSamples(Dataset[TrackingSample]):
    """Samples from a synthetic world; sample n shows sequence `first_seed + n` and is the same in every run."""

    def __init__(self, world: SyntheticWorld, config: SampleConfig, first_seed: int) -> None:
        self._world, self._config, self._first_seed = world, config, first_seed

    def __getitem__(self, index: int) -> TrackingSample:
        seed = self._first_seed + index
        rng = np.random.default_rng([seed, 1])
        sequence = self._world.sequence(seed)
        return self._sample(sequence, self._visible_frames(sequence, rng), rng)

    def _visible_frames(self, sequence: SyntheticSequence, rng: NumpyGenerator) -> list[int]:
        """Frames that show enough of the target, as far as a few draws find them."""
        seen: dict[int, float] = {}
        frames = draw_causal_frames(rng, len(sequence), self._config)
        for _ in range(_TRIES):
            seen |= {i: sequence.visibility(i) for i in frames if i not in seen}
            if all(seen[i] >= self._config.min_visibility for i in frames):
                break
            frames = draw_causal_frames(rng, len(sequence), self._config)
        return frames

    def _sample(self, sequence: SyntheticSequence, frames: list[int], rng: NumpyGenerator) -> TrackingSample:
        config = self._config
        generator = Generator().manual_seed(int(rng.integers(2**31)))
        images, boxes = [], []
        for place, frame in enumerate(frames):
            jitter = config.train_jitter if place < config.train_frames else config.test_jitter
            box = sequence.box(frame)
            window = search_window(box, config.search_factor, jitter, generator)
            images.append(torch.from_numpy(sequence.render(frame, window, (config.size, config.size))))
            boxes.append(to_crop(box, window, config.size))
        stacked, crop_boxes = torch.stack(images), torch.stack(boxes)
        if rng.random() < config.grey_probability:
            luma = (stacked.float() @ torch.tensor([0.299, 0.587, 0.114])).round().byte()
            stacked = luma[..., None].expand(stacked.shape).contiguous()
        if rng.random() < config.flip_probability:
            stacked = stacked.flip(2)
            crop_boxes[:, 0] = config.size - crop_boxes[:, 0] - crop_boxes[:, 2]
        proposals = draw_proposals(crop_boxes[1:], config.proposals, generator)
        return TrackingSample(stacked, crop_boxes, proposals)
