"""Which frames of which sequence of which data set make a training sample.

All draws are uniform among visible frames and with replacement, so a frame may come twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy.random import Generator

from lockon.data.datasets import SequenceDataset, TargetSequence
from lockon.errors import DataError

FrameMode = Literal["causal", "interval", "order", "pair"]

_SHORTEST_VIDEO = 20
"""Frames; shorter videos are passed over."""
_GAP_GROWTH = 5
"""Frames by which the gap grows when too few frames are visible within it."""
_BLIND_DRAWS = 64
"""Sequences drawn at random before the whole data set is searched for one that will do."""

Numbers = Int[np.ndarray, "_"]


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
            base = int(rng.choice(shown))
            near = _between(shown, base - config.max_gap, base + config.max_gap)
        case "pair":
            place = int(rng.integers(len(shown)))
            base, near = int(shown[place]), shown[max(place - config.max_gap, 0) : place + config.max_gap + 1]
    return np.concatenate([[base], rng.choice(near, config.total - 1)])


def _draw_causal(shown: Numbers, length: int, config: FrameConfig, rng: Generator) -> Numbers:
    """Base frame, further train frames before it, test frames after it; all anew with a wider gap if there are none.

    Every frame that is neither the first nor the last visible one has a gap wide enough, so this ends.
    """
    gap = config.max_gap
    while True:
        base = int(rng.choice(_between(shown, config.train_frames - 1, length - config.test_frames)))
        earlier, later = _between(shown, base - gap, base), _between(shown, base + 1, base + gap)
        if len(later) and (len(earlier) or config.train_frames == 1):
            train = rng.choice(earlier, config.train_frames - 1) if len(earlier) else earlier
            return np.concatenate([[base], train, rng.choice(later, config.test_frames)])
        gap += _GAP_GROWTH


def _between(shown: Numbers, first: int, stop: int) -> Numbers:
    """The visible frames in [first, stop)."""
    low, high = np.searchsorted(shown, [first, stop])
    return shown[low:high]
