"""A base tracker and a data set, ready to be mined shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from lockon.errors import RecipeError
from lockon.tracking.precision import Precision
from lockon.training.mining.dump import FORMAT
from lockon.training.mining.frames import MinedFrame
from lockon.training.mining.sequences import open_sequences
from lockon.training.mining.shards import shard_path
from lockon.training.mining.tracks import MARGIN, TrackMiner, thresholds_for
from lockon.training.mining.writing import ShardWriter
from lockon.training.plain import to_plain
from lockon.training.recipe import DataConfig, SyntheticData
from lockon.training.sources import ProgressOf, unseen
from lockon.zoo import load, model_file
from lockon.zoo.store import digest


@dataclass(frozen=True, kw_only=True, slots=True)
class MiningConfig:
    """What is mined, and with what."""

    data: DataConfig | SyntheticData
    count: int | None = None
    """Use the first so many sequences; None: all."""
    tracker: str = "lockon_s"
    """The base tracker: name in the catalogue, or path of a model."""
    precision: Precision = "fp32"
    """Type of its networks."""
    candidate: float | None = None
    """Height on the score map that a candidate exceeds; None: what suits the tracker."""
    found: float | None = None
    """Height from which a candidate is selected as the target; None: what suits the tracker."""
    seed: int = 0
    """Of the tracker's randomness."""
    shard_frames: int = 1000
    """A shard ends with the sequence that gives it so many frames."""

    def __post_init__(self) -> None:
        if self.shard_frames < 1 or (self.count is not None and self.count < 1):
            raise RecipeError("a dump has at least one sequence, and a shard at least one frame.")


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many more frames are done with."""

    frames: int


@dataclass(frozen=True, slots=True)
class Noted:
    """Something could not be used."""

    text: str


Event = Advanced | Noted
Tell = Callable[[Event], None]


class Miner:
    """A tracker and a data set, ready to make shards.

    Args:
        config: what is mined.
        device: where the tracker runs.
        progress: of indexing the data set.

    Raises:
        LockonError: the tracker or the data set cannot be used.
    """

    def __init__(self, config: MiningConfig, device: str = "cpu", progress: ProgressOf = unseen) -> None:
        self._config = config
        self._tracker = load(config.tracker, device=device, precision=config.precision)
        self._thresholds = thresholds_for(self._tracker.config, config.candidate, config.found)
        self._dataset, self._lengths = open_sequences(config.data, config.count, progress)
        self._firsts = divide(self._lengths, config.shard_frames)
        self.shards = range(len(self._firsts))
        """Numbers of the shards."""

    def frames_of(self, shard: int) -> int:
        """Frames of the sequences in a shard."""
        return int(self._lengths[self._sequences_of(shard)].sum())

    def _sequences_of(self, shard: int) -> range:
        first, end = [*self._firsts, len(self._dataset)][shard : shard + 2]
        return range(first, end)

    def make(self, shard: int, root: Path, tell: Tell) -> None:
        """Make a shard, or what is left to do of it.

        Args:
            shard: its number.
            root: folder of the dump.
            tell: called with every frame and every trouble.

        Raises:
            OutputError: it cannot be written.
        """
        miner = TrackMiner(tracker=self._tracker, threshold=self._thresholds.candidate, seed=self._config.seed)
        with ShardWriter(shard_path(root, shard), self._thresholds.candidate) as writer:
            for number in self._sequences_of(shard):
                count = 0
                if number not in writer.done:
                    frames = miner.mine(self._dataset[number], lambda text: tell(Noted(text)))
                    count = writer.add(number, _counted(frames, tell))
                tell(Advanced(int(self._lengths[number]) - count))
            writer.finish()

    def about(self) -> dict[str, Any]:
        """All that a dump depends on; where the data lie does not matter."""
        config = self._config
        return {
            "format": FORMAT,
            "tracker": {
                "name": self._tracker.name,
                "weights": digest(model_file(config.tracker)),
                "precision": config.precision,
                "seed": config.seed,
                "preset": to_plain(self._tracker.config),
            },
            "data": {"fingerprint": self._dataset.fingerprint, "sequences": len(self._dataset)},
            "thresholds": asdict(self._thresholds),
            "margin": MARGIN,
            "shard_frames": config.shard_frames,
            "name": self._dataset.name,
            "shards": self._firsts,
        }


def divide(lengths: Int64[np.ndarray, "sequences"], frames: int) -> list[int]:
    """Numbers of the first sequences of shards, each of which ends with the sequence that gives it so many frames."""
    firsts, held = [0], 0
    for number, length in enumerate(lengths.tolist()):
        if held >= frames:
            firsts.append(number)
            held = 0
        held += length
    return firsts


def _counted(frames: Iterable[MinedFrame], tell: Tell) -> Iterator[MinedFrame]:
    for frame in frames:
        tell(Advanced(1))
        yield frame
