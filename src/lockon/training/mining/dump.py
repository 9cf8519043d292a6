"""A dump of mined frames: a folder of shards, read at any place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from lockon.data.datasets.columns import Texts
from lockon.data.datasets.index import Progress
from lockon.errors import DataError
from lockon.files import user_path
from lockon.training.mining.categories import (
    CATEGORIES,
    PAIRS,
    CandidateLists,
    Category,
    Thresholds,
    categorise,
    find_pairs,
)
from lockon.training.mining.frames import MinedFrame
from lockon.training.mining.shards import MinedShard, shard_path

MANIFEST = "mining.json"
FORMAT = 1
"""Of dumps; to be raised when they change."""


@dataclass(frozen=True, slots=True)
class MinedSequence:
    """The frames of one sequence, which lie together in the dump."""

    name: str
    number: int
    """In the data set, from 0."""
    rows: range
    """Positions of its frames in the dump."""


class MinedDump:
    """Mined frames by number. Pickled, it is the path of its folder and the thresholds.

    A dump that was not finished holds the shards that are whole; `missing` says how many are not.

    Args:
        root: folder of the shards.
        thresholds: of the categories, by default those it was mined with. The candidates were found with theirs, so
            that `candidate` cannot be lower.
        progress: called with the number of shards that were opened, and of all.

    Raises:
        DataError: there is no dump, no shard of it is whole, or one is damaged.
    """

    def __init__(
        self,
        root: str | Path,
        thresholds: Thresholds | None = None,
        *,
        progress: Progress | None = None,
    ) -> None:
        self.root = user_path(root)
        self.about = read_manifest(self.root)
        """How it was mined."""
        mined = Thresholds(**self.about["thresholds"])
        self.thresholds = thresholds or mined
        if self.thresholds.candidate < mined.candidate:
            raise DataError(
                f"'{self.root}' has the candidates above {mined.candidate}, not those above "
                f"{self.thresholds.candidate}. Mine again with the lower threshold."
            )
        expected = len(self.about["shards"])
        paths = [path for number in range(expected) if (path := shard_path(self.root, number)).is_file()]
        self.missing = expected - len(paths)
        """Shards that are not finished."""
        if not paths:
            raise DataError(
                f"'{self.root}' has no finished shard yet. Give the same `lockon mine` command again to go on."
            )
        self._shards: list[MinedShard] = []
        for done, path in enumerate(paths, start=1):
            self._shards.append(MinedShard.open(path, mined.candidate))
            if progress:
                progress(done, len(paths))
        self._starts = np.cumsum([0, *map(len, self._shards)])
        if not self._starts[-1]:
            raise DataError(f"'{self.root}' holds no frame: no target could be followed. Look at what was mined.")

    @property
    def tracker(self) -> str:
        """Name of the base tracker."""
        return str(self.about["tracker"]["name"])

    @property
    def sample_size(self) -> int:
        """Side of the crops in which the base tracker searched, in crop pixels."""
        return int(self.about["tracker"]["preset"]["search"]["sample_size"])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the dump holds, and of how it is read."""
        digest = hashlib.sha256(json.dumps([self.about, asdict(self.thresholds)]).encode())
        for shard in self._shards:
            for name in ("jpg", "npy"):
                digest.update(shard.columns[name].tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> MinedFrame:
        """Read frame `index` of the dump.

        Raises:
            DataError: its bytes are damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)} mined ones")
        index %= len(self)
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._shards[shard].frame(index - int(self._starts[shard]), self.thresholds.candidate)

    def __iter__(self) -> Iterator[MinedFrame]:
        return (self[index] for index in range(len(self)))

    def __reduce__(self) -> tuple[type[MinedDump], tuple[Path, Thresholds]]:
        return MinedDump, (self.root, self.thresholds)

    @cached_property
    def sequences(self) -> tuple[MinedSequence, ...]:
        """In the order of the dump."""
        found = []
        for shard, offset in zip(self._shards, self._starts.tolist(), strict=False):
            texts = Texts(shard.columns, "names")
            bounds = [*shard.columns["starts"].tolist(), len(shard)]
            for place, number in enumerate(shard.columns["sequences"].tolist()):
                rows = range(offset + bounds[place], offset + bounds[place + 1])
                found.append(MinedSequence(texts[place], number, rows))
        return tuple(found)

    @cached_property
    def numbers(self) -> Int[np.ndarray, "frames"]:
        """Of the frames in their sequences, from 0."""
        return self._column("frames")

    @cached_property
    def regions(self) -> Float[np.ndarray, "frames 4"]:
        """Search areas, see `MinedFrame.region`."""
        return self._column("regions")

    @cached_property
    def target_cells(self) -> Int[np.ndarray, "frames 2"]:
        """Cells (row, col) of the annotations; -1 where there is none."""
        return self._column("target_cells")

    @cached_property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        """Frames whose target is annotated and visible."""
        return self._column("visible") & (self.target_cells >= 0).all(axis=1)

    @cached_property
    def candidates(self) -> CandidateLists:
        """Of all frames, those above the threshold."""
        ends = [np.diff(shard.columns["candidate_ends"], prepend=0) for shard in self._shards]
        cells, scores = self._column("candidate_cells"), self._column("candidate_scores")
        return CandidateLists(cells, scores, np.concatenate(ends)).above(self.thresholds.candidate)

    @cached_property
    def codes(self) -> UInt8[np.ndarray, "frames"]:
        """The category of each frame, as a number in `CATEGORIES`."""
        return categorise(self.candidates, self.target_cells, self.visible, self.thresholds.found)

    @cached_property
    def categories(self) -> dict[Category, Int[np.ndarray, "rows"]]:
        """Positions in the dump of the frames of each category."""
        return {category: np.flatnonzero(self.codes == code) for code, category in enumerate(CATEGORIES)}

    @property
    def candidate_counts(self) -> Int[np.ndarray, "frames"]:
        """How many candidates each frame has."""
        return self.candidates.counts

    @cached_property
    def successive(self) -> Int[np.ndarray, "rows"]:
        """Positions of frames whose successor in the sequence is the next one in the dump."""
        adjacent = np.diff(self.numbers) == 1
        adjacent[[sequence.rows.stop - 1 for sequence in self.sequences[:-1]]] = False
        return np.flatnonzero(adjacent)

    @cached_property
    def pairs(self) -> dict[str, Int[np.ndarray, "rows"]]:
        """Positions of the first frames of HH, HK and HG; the second frame follows in the dump."""
        return {name: find_pairs(self.codes, self.successive, parts) for name, parts in PAIRS.items()}

    def _column(self, name: str) -> NDArray[Any]:
        return np.concatenate([shard.columns[name] for shard in self._shards])

    def verify(self, progress: Progress | None = None) -> None:
        """Read every byte of the dump.

        Args:
            progress: called with the number of shards that were read, and of all.

        Raises:
            DataError: a shard is damaged.
        """
        for done, shard in enumerate(self._shards, start=1):
            shard.verify()
            if progress:
                progress(done, len(self._shards))


def read_manifest(root: Path) -> dict[str, Any]:
    """How a dump was mined.

    Raises:
        DataError: there is none, or its description is damaged.
    """
    path = root / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"'{root}' holds no mined frames (no {MANIFEST}). `lockon mine` makes them.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' is damaged ({error}). Mine into another folder.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"'{path}' is not the description of frames mined by this version. Mine into another folder.")
    return content
