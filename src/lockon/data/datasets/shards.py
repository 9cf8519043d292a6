"""Training data in tar files of the WebDataset convention, read as sequences at any place.

A shard is a tar file. Files of one name up to the first dot are a sample, here one frame: `KEY.jpg`; `KEY.json`,
which says which targets are in it and where; and `KEY.png`, `KEY.1.png` … with the masks of those targets. The frames
of a clip lie in one shard. Beside each shard lies an index of what is where in it; where that is missing, or belongs
to another shard, the shard is looked through again.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from lockon.data.datasets.columns import Columns, Texts, read_columns, text_columns, write_columns
from lockon.data.datasets.fingerprints import annotation_digest
from lockon.data.datasets.index import Progress
from lockon.data.datasets.records import Issue
from lockon.data.datasets.tar_parts import read_part
from lockon.data.image_reading import opened_image
from lockon.errors import DataError, OutputError
from lockon.files import replacing, user_path
from lockon.images import Image

MANIFEST = "dataset.json"
SHARD_PATTERN = "shard-*.tar"
_INDEX_FORMAT = 1
_BLOCK = 512
"""Tar files consist of such blocks, and end with two that are zero."""


def shard_path(root: Path, number: int) -> Path:
    """Where shard `number`, from 0, lies."""
    return root / f"shard-{number:06d}.tar"


def mask_suffix(target: int) -> str:
    """What the mask of the n-th target in a frame is called after the key."""
    return "png" if target == 0 else f"{target}.png"


def is_packed(root: Path) -> bool:
    """Whether a folder holds shards."""
    return (root / MANIFEST).is_file() or any(root.glob(SHARD_PATTERN))


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar file with its index."""

    path: Path
    columns: Columns
    """`jpg` (start and size in the file of each sample's picture; size 0: it was not readable), `starts` (of each
    sequence in the columns after it), `samples`, `masks` (start and size), `boxes`, `visible`; `numbers` of the
    sequences in the whole data set; texts `names` and `categories`."""
    digest: str
    """SHA-256 of the annotations."""

    @classmethod
    def open(cls, path: Path, rebuild: bool = False) -> Shard:
        """Open a shard by its index, which is made where it is missing or does not fit, or to `rebuild` it.

        Raises:
            DataError: the shard is cut off or damaged.
        """
        index = path.with_suffix(".index")
        try:
            columns, about = read_columns(index)
        except DataError:
            about = {}
        if not rebuild and about.get("format") == _INDEX_FORMAT and about.get("bytes") == path.stat().st_size:
            return cls(path, columns, about["digest"])
        columns = _look_through(path)
        digest = annotation_digest(cls(path, columns, "").sequences())
        try:
            with replacing(index) as part:
                about = {"format": _INDEX_FORMAT, "bytes": path.stat().st_size, "digest": digest}
                write_columns(part, columns, about)
        except OutputError:
            pass  # on a disk that is read-only the index stays in memory
        return cls(path, columns, digest)

    def __len__(self) -> int:
        return len(self.columns["numbers"])

    def sequences(self) -> list[PackedSequence]:
        """In the order of the shard."""
        return [PackedSequence(self, position) for position in range(len(self))]

    def read(self, place: NDArray[np.int64]) -> bytes:
        """The bytes of a file in the shard, given its start and size.

        Raises:
            DataError: they cannot be read.
        """
        start, size = place.tolist()
        data = read_part(self.path, start, size)
        if len(data) != size:
            raise DataError(f"'{self.path}' ends before byte {start + size}: it was cut off. Copy or pack it again.")
        return data


@dataclass(frozen=True, slots=True)
class PackedSequence:
    """One target in one packed clip."""

    shard: Shard
    position: int

    @property
    def name(self) -> str:
        """As in the data set that was packed."""
        return Texts(self.shard.columns, "names")[self.position]

    @property
    def category(self) -> str | None:
        """As in the data set that was packed."""
        return Texts(self.shard.columns, "categories")[self.position] or None

    @property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """`(x, y, w, h)` per frame in pixels, float32, read-only; NaN where there is none."""
        return self.shard.columns["boxes"][self._rows]

    @property
    def visible(self) -> Bool[np.ndarray, "frames"]:
        """Frames that show enough of the target to learn from; read-only."""
        return self.shard.columns["visible"][self._rows]

    @property
    def number(self) -> int:
        """Place in the whole data set, from 0."""
        return int(self.shard.columns["numbers"][self.position])

    def __len__(self) -> int:
        rows = self._rows
        return int(rows.stop - rows.start)

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: it cannot be read, or could not be read when it was packed.
        """
        place = self.shard.columns["jpg"][self._of("samples", index)]
        if not place[1]:
            raise DataError(f"frame {index} of '{self.name}' could not be read when '{self.shard.path}' was packed.")
        return self._decode(place, "RGB", index)

    def mask(self, index: int) -> Bool[np.ndarray, "height width"] | None:
        """The target's pixels in frame `index`, from 0; None where there is no mask.

        Raises:
            DataError: it cannot be read.
        """
        place = self._of("masks", index)
        return np.asarray(self._decode(place, "L", index) > 0) if place[1] else None

    def _decode(self, place: NDArray[np.int64], mode: str, index: int) -> NDArray[np.uint8]:
        data = self.shard.read(place)
        with opened_image(io.BytesIO(data), f"frame {index} of '{self.name}' in '{self.shard.path}'") as image:
            return np.asarray(image.convert(mode))

    def _of(self, column: str, index: int) -> Any:
        return self.shard.columns[column][self._rows.start + range(len(self))[index]]

    @property
    def _rows(self) -> slice:
        first, end = self.shard.columns["starts"][self.position : self.position + 2].tolist()
        return slice(first, end)


class ShardDataset:
    """A packed data set; `lockon.data.datasets.packing` makes them. Pickled, it is the path of its folder.

    Shards that are damaged are left out, and `issues` says so.

    Args:
        root: folder of the shards.
        rebuild, progress: see `open_shards`.

    Raises:
        DataError: there are none, not one is whole, or packing was not finished.
    """

    def __init__(self, root: Path, *, rebuild: bool = False, progress: Progress | None = None) -> None:
        self.root = root
        manifest = read_manifest(self.root)
        paths = sorted(self.root.glob(SHARD_PATTERN))
        if not paths:
            raise DataError(f"there are no shards (shard-000000.tar …) in '{self.root}'.")
        if not manifest.get("complete", True):
            raise DataError(f"packing into '{self.root}' was not finished. Run the same `lockon data pack` again.")
        shards, issues = _open_all(paths, rebuild, progress)
        sequences = [sequence for shard in shards for sequence in shard.sequences()]
        expected = manifest.get("shards", len(paths))
        if len(paths) < expected:
            text = f"'{self.root}' has {len(paths)} of {expected} shards. Copy the others, or pack again."
            issues.append(Issue(self.root.name, "left out", expected - len(paths), text))
        if not sequences:
            raise DataError(f"no shard in '{self.root}' can be used. {issues[0].text}")
        self.issues = tuple(issues)
        """What was left out, and why."""
        self._sequences = tuple(sorted(sequences, key=lambda sequence: sequence.number))
        self.name = str(manifest.get("name", self.root.resolve().name))
        self.is_video = bool(manifest.get("is_video", any(len(sequence) > 1 for sequence in sequences)))
        as_packed = digest_of_shards(shards) == manifest.get("annotations")
        self.fingerprint = str(manifest["fingerprint"]) if as_packed else annotation_digest(self._sequences)
        """That of the data set that was packed, where all of it is here and unchanged."""

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> PackedSequence:
        return self._sequences[index]

    def __iter__(self) -> Iterator[PackedSequence]:
        return iter(self._sequences)

    def __reduce__(self) -> tuple[type[ShardDataset], tuple[Path]]:
        return ShardDataset, (self.root,)


def _open_all(paths: Sequence[Path], rebuild: bool, progress: Progress | None) -> tuple[list[Shard], list[Issue]]:
    shards, issues = [], []
    for done, path in enumerate(paths, start=1):
        try:
            shards.append(Shard.open(path, rebuild))
        except DataError as error:
            issues.append(Issue(path.name, "left out", 1, str(error)))
        if progress:
            progress(done, len(paths))
    return shards, issues


def digest_of_shards(shards: Iterable[Shard]) -> str:
    """SHA-256 of the annotations in several shards, which depends on how they are divided."""
    return hashlib.sha256("".join(shard.digest for shard in shards).encode()).hexdigest()


def read_manifest(root: Path) -> dict[str, Any]:
    """What is known of the data set as a whole; empty where shards come without.

    Raises:
        DataError: it is damaged.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' is damaged ({error}). Pack the data set again.") from error
    if not isinstance(content, dict):
        raise DataError(f"'{path}' is not the description of a packed data set.")
    return content


@dataclass(slots=True)
class _Gathered:
    """One sequence while a shard is looked through."""

    name: str
    category: str
    length: int
    rows: dict[int, tuple[int, list[float], bool, tuple[int, int]]] = field(default_factory=dict)
    """By frame: sample, box, visible, place of the mask."""


def _look_through(path: Path) -> dict[str, NDArray[Any]]:
    """The columns of a shard.

    Raises:
        DataError: it is cut off or damaged, or was not packed by Lockon.
    """
    try:
        with path.open("rb") as file:
            files = _members(file, path)
            pictures, gathered = _gather(file, files, path)
    except DataError:
        raise
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"'{path}' is damaged, or no shard of Lockon's ({error}). Copy or pack it again.") from error
    for one in gathered.values():
        if sorted(one.rows) != list(range(one.length)):
            raise DataError(f"'{path}' holds {len(one.rows)} of the {one.length} frames of '{one.name}'.")
    rows = [one.rows[frame] for one in gathered.values() for frame in range(one.length)]
    samples, boxes, visible, masks = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns: dict[str, NDArray[Any]] = {
        "jpg": np.array(pictures, np.int64).reshape(-1, 2),
        "starts": np.cumsum([0, *(one.length for one in gathered.values())], dtype=np.int64),
        "samples": np.array(samples, np.int64),
        "masks": np.array(masks, np.int64).reshape(-1, 2),
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "visible": np.array(visible, np.bool_),
        "numbers": np.array(list(gathered), np.int64),
    }
    columns |= text_columns("names", [one.name for one in gathered.values()])
    return columns | text_columns("categories", [one.category for one in gathered.values()])


def _members(file: BinaryIO, path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Start and size of each file of the archive, by key and suffix."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2 * _BLOCK))
    if size % _BLOCK or file.read().strip(b"\0"):
        raise DataError(f"'{path}' was cut off: its end is missing. Copy or pack it again.")
    file.seek(0)
    files: dict[str, dict[str, tuple[int, int]]] = {}
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            key, _, suffix = member.name.partition(".")
            files.setdefault(key, {})[suffix] = (member.offset_data, member.size)
    return files


def _gather(
    file: BinaryIO, files: Mapping[str, Mapping[str, tuple[int, int]]], path: Path
) -> tuple[list[tuple[int, int]], dict[int, _Gathered]]:
    pictures: list[tuple[int, int]] = []
    gathered: dict[int, _Gathered] = {}
    for sample, (key, parts) in enumerate(files.items()):
        pictures.append(parts.get("jpg", (0, 0)))
        if "json" not in parts:
            raise DataError(f"'{path}' has no {key}.json: it was not packed by Lockon.")
        start, size = parts["json"]
        file.seek(start)
        for position, target in enumerate(json.loads(file.read(size))["targets"]):
            one = gathered.setdefault(
                target["sequence"], _Gathered(target["name"], target["category"] or "", target["frames"])
            )
            box = [np.nan] * 4 if target["box"] is None else target["box"]
            place = parts.get(mask_suffix(position), (0, 0))
            one.rows[target["frame"]] = (sample, box, target["visible"], place)
    return pictures, gathered


def open_shards(
    root: str | Path, split: str | None = None, *, rebuild: bool = False, progress: Progress | None = None
) -> ShardDataset:
    """Open a packed data set; see `ShardDataset`.

    Args:
        root: folder of the shards.
        split: a folder in it, if that is meant.
        rebuild: look through all shards again.
        progress: called with the number of shards that were opened, and of all.
    """
    return ShardDataset(user_path(root) / (split or ""), rebuild=rebuild, progress=progress)
