"""Which frames of which sequence of which data set make a training sample.

All draws are uniform among visible frames and with replacement, so a frame may come twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.random import Generator
from numpy.random import Generator as NumpyGenerator
from torch import Tensor
from torch.utils.data import Dataset

from lockon.data.datasets import SequenceDataset, TargetSequence
from lockon.data.synthetic import SyntheticSequence, SyntheticWorld
from lockon.errors import DataError
from lockon.training.processing import Jitter, ProposalConfig, Proposals, draw_proposals, search_window, to_crop

FrameMode = Literal["causal", "interval", "order", "pair"]

_SHORTEST_VIDEO = 20
"""Frames; shorter videos are passed over."""
_GAP_GROWTH = 5
"""Frames by which the gap grows when too few frames are visible within it."""
_BLIND_DRAWS = 64
"""Sequences drawn at random before the whole data set is searched for one that will do."""

Numbers = Int[np.ndarray, "frames"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameConfig:
    """The frames of one sample."""

    mode: FrameMode = "causal"
    """`causal`: train frames up to a base frame, test frames after it (DiMP). `order`: likewise, each in the order of
    time (LWL). `interval`: all within the gap around the base frame (ATOM). `pair`: likewise, but the gap counts
    visible frames instead of all (SiamRPN++)."""
    train_frames: int = 3
    """Frames the target model learns from; the first of them is the base frame, except for `order`."""
    test_frames: int = 3
    """Frames the model is scored on."""
    max_gap: int = 200
    """Farthest a frame may lie from the base frame."""

    @property
    def total(self) -> int:
        """Frames of a sample."""
        return self.train_frames + self.test_frames


class Source(NamedTuple):
    """A data set and how often it is drawn, relative to the others."""

    dataset: SequenceDataset
    weight: float = 1.0


def draw_dataset(sources: Sequence[Source], rng: Generator) -> SequenceDataset:
    """One of the data sets, each with a probability proportional to its weight."""
    weights = np.array([source.weight for source in sources], np.float64)
    return sources[int(rng.choice(len(sources), p=weights / weights.sum()))].dataset


def draw_sequence(dataset: SequenceDataset, config: FrameConfig, rng: Generator) -> TargetSequence:
    """A sequence, uniform among those that show enough of their target.

    Videos need 20 frames, and more than twice as many visible ones as a sample has; images need to show the target.

    Raises:
        DataError: no sequence of the data set does.
    """
    for index in _candidates(len(dataset), rng):
        sequence = dataset[index]
        if _shows_enough(sequence, config, is_video=dataset.is_video):
            return sequence
    needed = (
        f"of at least {_SHORTEST_VIDEO} frames with a visible target in more than {2 * config.total} of them"
        if dataset.is_video
        else "with a visible target"
    )
    raise DataError(
        f"data set '{dataset.name}' has no sequence {needed} (looked at {len(dataset)}); leave it out, check it with"
        f" `lockon data check`, or draw fewer frames a sample."
    )


def _candidates(size: int, rng: Generator) -> Iterator[int]:
    """Sequence numbers to look at: random ones, then every one in random order, so that the search ends."""
    for _ in range(min(_BLIND_DRAWS, size)):
        yield int(rng.integers(size))
    yield from rng.permutation(size).tolist()


def _shows_enough(sequence: TargetSequence, config: FrameConfig, *, is_video: bool) -> bool:
    seen = int(np.count_nonzero(sequence.visible))
    return seen > 2 * config.total and len(sequence) >= _SHORTEST_VIDEO if is_video else seen > 0


def draw_frames(visible: Bool[np.ndarray, "length"], config: FrameConfig, rng: Generator) -> Numbers:
    """Numbers of the train frames, then of the test frames.

    Args:
        visible: the frames to choose from; more than twice as many as are drawn, or a single image.
        config: how many, and how far apart.
        rng: source of the draws.
    """
    shown = np.flatnonzero(visible)
    if len(visible) == 1:
        return np.zeros(config.total, np.int64)
    assert len(shown) > 2 * config.total
    match config.mode:
        case "causal":
            return _draw_causal(shown, len(visible), config, rng)
        case "order":
            train, test = np.split(_draw_causal(shown, len(visible), config, rng), [config.train_frames])
            return np.concatenate([np.sort(train), np.sort(test)])
        case "interval":
            base = rng.choice(shown)
            near = _between(shown, base - config.max_gap, base + config.max_gap)
        case "pair":
            place = int(rng.integers(len(shown)))
            base, near = shown[place], shown[max(place - config.max_gap, 0) : place + config.max_gap + 1]
    return np.concatenate([[base], rng.choice(near, config.total - 1)])


def _draw_causal(shown: Numbers, length: int, config: FrameConfig, rng: Generator) -> Numbers:
    """Base frame, further train frames before it, test frames after it; all anew with a wider gap if there are none.

    Every frame that is neither the first nor the last visible one has a gap wide enough, so this ends.
    """
    gap = config.max_gap
    while True:
        base = rng.choice(_between(shown, config.train_frames - 1, length - config.test_frames))
        earlier, later = _between(shown, base - gap, base), _between(shown, base + 1, base + gap)
        if len(later) and (len(earlier) or config.train_frames == 1):
            train = rng.choice(earlier, config.train_frames - 1) if len(earlier) else earlier
            return np.concatenate([[base], train, rng.choice(later, config.test_frames)])
        gap += _GAP_GROWTH


def _between(shown: Numbers, first: int, stop: int) -> Numbers:
    """The visible frames in [first, stop)."""
    low, high = np.searchsorted(shown, [first, stop])
    return shown[low:high]


# What follows goes with `lockon.training.probabilistic`.

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
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
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
