"""Which mined frames make a sample (KeepTrack, ICCV 2021, supplement A.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from numpy.random import Generator

from lockon.errors import DataError
from lockon.training.mining import MinedDump, MinedFrame

_ANY = "any"
"""The one category where frames are not mined."""

Rows = Int[np.ndarray, "rows 2"]
"""Number of a source, and position of a frame in its dump."""


@dataclass(frozen=True, slots=True, eq=False)
class MinedSource:
    """The frames of some of the sequences of a dump."""

    dump: MinedDump
    kept: Bool[np.ndarray, "frames"]

    @property
    def fingerprint(self) -> str:
        """Of the dump and of the choice."""
        return hashlib.sha256(self.dump.fingerprint.encode() + np.packbits(self.kept).tobytes()).hexdigest()

    def among(self, rows: Int[np.ndarray, "_"]) -> Int[np.ndarray, "_"]:
        """The positions that belong to the kept sequences."""
        chosen: Int[np.ndarray, "_"] = rows[self.kept[rows]]
        return chosen

    def two(self, row: int, gap: int = 1) -> tuple[MinedFrame, MinedFrame]:
        """A frame and the next, or the one so many frames later."""
        return self.dump[row], self.dump[row + gap]

    def followed(self, gap: int) -> Int[np.ndarray, "_"]:
        """Positions of frames after which all frames are there up to the one so many frames later."""
        unbroken = np.zeros(len(self.dump) + gap, np.bool_)
        unbroken[self.dump.successive] = True
        windows = np.lib.stride_tricks.sliding_window_view(unbroken, gap)[: len(self.dump)]
        return self.among(np.flatnonzero(windows.all(axis=1)))


def split(dump: MinedDump, part: Literal["all", "train", "held_out"], held_out: float) -> MinedSource:
    """The sequences to train on, or those held out: a share of them, one at least, chosen by their names alone.

    Raises:
        DataError: there are fewer than two sequences to split.
    """
    sequences = dump.sequences
    if part == "all":
        return MinedSource(dump, np.ones(len(dump), np.bool_))
    if len(sequences) < 2:
        raise DataError(
            f"'{dump.root}' holds {len(sequences)} sequence, which cannot be split into training and validation; "
            "give other frames to validate on: --data held_out=FOLDER"
        )
    ranked = sorted(sequences, key=lambda sequence: hashlib.sha256(sequence.name.encode()).digest())
    count = min(max(1, round(held_out * len(ranked))), len(ranked) - 1)
    kept = np.zeros(len(dump), np.bool_)
    for sequence in ranked[:count] if part == "held_out" else ranked[count:]:
        kept[sequence.rows.start : sequence.rows.stop] = True
    return MinedSource(dump, kept)


class FrameDraws:
    """Random frames, and random pairs of consecutive frames.

    Args:
        sources: where they come from; all their frames count alike.
        frame_shares: how often a frame is of each category.
        pair_shares: how often two frames are of each pair of categories.
        mining: False: categories do not matter; a single frame needs a candidate, and that is all.
    """

    def __init__(
        self,
        sources: Sequence[MinedSource],
        frame_shares: Mapping[str, float],
        pair_shares: Mapping[str, float],
        *,
        mining: bool,
    ) -> None:
        self._sources = sources
        if mining:
            frames = [{name.value: rows for name, rows in each.dump.categories.items()} for each in sources]
            self._singles = _Urn(sources, frames, frame_shares)
            self._pairs = _Urn(sources, [source.dump.pairs for source in sources], pair_shares)
        else:
            shown = [{_ANY: np.flatnonzero(source.dump.candidate_counts > 0)} for source in sources]
            self._singles = _Urn(sources, shown, {_ANY: 1.0})
            self._pairs = _Urn(sources, [{_ANY: source.dump.successive} for source in sources], {_ANY: 1.0})

    def check(self, *, single: bool, pairs: bool) -> None:
        """Find out before training whether there is anything to draw.

        Raises:
            DataError: there is not.
        """
        for urn, needed, what in ((self._singles, single, "frame"), (self._pairs, pairs, "two consecutive frames")):
            if needed and not urn.names:
                raise DataError(
                    f"the mined data have no {what} of the categories {', '.join(urn.wanted)}. Mine more sequences, "
                    "or draw from all frames: --set samples.mining=false"
                )

    def single(self, rng: Generator) -> tuple[MinedFrame, int]:
        """A frame, and the side of the crops that its tracker saw.

        Raises:
            DataError: it cannot be read.
        """
        source, row = self._singles.draw(rng)
        return self._sources[source].dump[row], self._sources[source].dump.sample_size

    def pair(self, rng: Generator) -> tuple[tuple[MinedFrame, MinedFrame], int]:
        """A frame and the next, and the side of the crops that their tracker saw.

        Raises:
            DataError: one cannot be read.
        """
        source, row = self._pairs.draw(rng)
        return self._sources[source].two(row), self._sources[source].dump.sample_size


class _Urn:
    """Positions by category, each category drawn as often as its share says; those that are empty, never."""

    def __init__(
        self,
        sources: Sequence[MinedSource],
        rows: Sequence[Mapping[str, Int[np.ndarray, "_"]]],
        shares: Mapping[str, float],
    ) -> None:
        self.wanted = tuple(name for name, share in shares.items() if share > 0)
        found = {name: _gather(sources, [each[name] for each in rows]) for name in self.wanted}
        self.names = tuple(name for name in self.wanted if len(found[name]))
        self._rows = [found[name] for name in self.names]
        weights = np.array([shares[name] for name in self.names])
        self._chances = weights / weights.sum()

    def draw(self, rng: Generator) -> tuple[int, int]:
        rows = self._rows[int(rng.choice(len(self._rows), p=self._chances))]
        source, row = rows[int(rng.integers(len(rows)))].tolist()
        return source, row


def _gather(sources: Sequence[MinedSource], rows: Sequence[Int[np.ndarray, "_"]]) -> Rows:
    found = [source.among(own) for source, own in zip(sources, rows, strict=True)]
    numbers = [np.full(len(own), number) for number, own in enumerate(found)]
    return np.stack([np.concatenate(numbers), np.concatenate(found)], axis=1)
