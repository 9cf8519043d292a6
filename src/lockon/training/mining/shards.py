"""Mined frames in tar files of the WebDataset convention, and an index beside each.

Of a frame there is `KEY.jpg`, the picture; `KEY.npy`, the score map; and `KEY.json` with everything else. The frames
of a sequence lie in one shard, in the order of time, and the JSON text of the last of them says so: what follows the
last whole sequence in a file that was cut off is done again. The index is a function of the shard.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from lockon.boxes import Box
from lockon.data.datasets.columns import Columns, Texts, read_columns, text_columns, write_columns
from lockon.data.datasets.tar_parts import add_part, read_part
from lockon.data.image_reading import opened_image
from lockon.errors import DataError, OutputError
from lockon.files import replacing
from lockon.tracking.candidates import find_candidates
from lockon.training.mining.frames import MinedFrame

_INDEX_FORMAT = 1
_BLOCK = 512
"""Tar files consist of such blocks, and end with two that are zero."""
_QUALITY = 95
"""Of the pictures, with colours at full resolution."""
_REMEDY = "Delete it and give the same `lockon mine` command again: it mines this shard anew and leaves the others."


def shard_path(root: Path, number: int) -> Path:
    """Where shard `number`, from 0, lies."""
    return root / f"mined-{number:06d}.tar"


def write_frame(archive: tarfile.TarFile, sequence: int, frame: MinedFrame, last: bool) -> None:
    """Add a frame to a shard.

    Args:
        archive: the shard.
        sequence: number of the sequence in the data set.
        frame: what was mined.
        last: whether it is the last one of the sequence.

    Raises:
        OSError: it cannot be written.
    """
    box, cell = frame.target_box, frame.target_cell
    about = {
        "sequence": sequence,
        "name": frame.sequence,
        "frame": frame.frame,
        "frame_size": list(frame.frame_size),
        "region": list(frame.region),
        "image_area": list(frame.image_area),
        "target_box": None if box is None else list(box),
        "target_cell": None if cell is None else list(cell),
        "visible": frame.visible,
        "identities": frame.identities.tolist(),
        "last": last,
    }
    key = f"{sequence:08d}_{frame.frame:06d}"
    picture, scores = io.BytesIO(), io.BytesIO()
    PIL.Image.fromarray(frame.image).save(picture, "JPEG", quality=_QUALITY, subsampling=0)
    np.save(scores, np.asarray(frame.score_map, np.float32))
    text = json.dumps(about).encode()
    for suffix, data in (("jpg", picture.getvalue()), ("npy", scores.getvalue()), ("json", text)):
        add_part(archive, f"{key}.{suffix}", data)


@dataclass(frozen=True, slots=True)
class MinedShard:
    """One tar file with its index."""

    path: Path
    columns: Columns
    """One row a frame: `sequences` (numbers in the data set), `names` (of the sequences that begin: texts), `starts`
    of the sequences, `frames`, `sizes`, `regions`, `areas`, `boxes` (NaN where there is none), `target_cells` (-1
    where there is none), `visible`, `jpg` and `npy` (start, size and CRC-32 in the file), and where its rows of
    `candidate_cells` and `candidate_scores` (`candidate_ends`) and of `identities` (`identity_ends`) end."""

    @classmethod
    def open(cls, path: Path, threshold: float) -> MinedShard:
        """Open a shard by its index, which is made where it is missing or does not fit.

        Args:
            path: the tar file.
            threshold: height that candidates exceed.

        Raises:
            DataError: the shard is cut off or damaged.
        """
        index = path.with_suffix(".index")
        expected = {"format": _INDEX_FORMAT, "threshold": threshold, "bytes": _size(path)}
        try:
            columns, about = read_columns(index)
        except DataError:
            about = {}
        if about == expected:
            return cls(path, columns)
        columns = _look_through(path, threshold)
        try:
            with replacing(index) as part:
                write_columns(part, columns, expected)
        except OutputError:
            pass  # on a disk that is read-only or full the index stays in memory
        return cls(path, columns)

    def __len__(self) -> int:
        return len(self.columns["frames"])

    def frame(self, row: int, threshold: float) -> MinedFrame:
        """Read a frame with its candidates above a threshold.

        Raises:
            DataError: its bytes are damaged.
        """
        columns = self.columns
        sequence = int(np.searchsorted(columns["starts"], row, side="right")) - 1
        box, cell = columns["boxes"][row], columns["target_cells"][row]
        candidates = _rows(columns["candidate_ends"], row)
        scores = columns["candidate_scores"][candidates]
        high = scores > threshold
        height, width = columns["sizes"][row].tolist()
        return MinedFrame(
            sequence=Texts(columns, "names")[sequence],
            frame=int(columns["frames"][row]),
            frame_size=(height, width),
            region=Box(*columns["regions"][row].tolist()),
            image=self._picture(row),
            image_area=Box(*columns["areas"][row].tolist()),
            score_map=np.load(io.BytesIO(self._read(columns["npy"][row])), allow_pickle=False),
            candidate_cells=columns["candidate_cells"][candidates][high],
            candidate_scores=scores[high],
            target_box=None if np.isnan(box).any() else Box(*box.tolist()),
            target_cell=None if cell[0] < 0 else (int(cell[0]), int(cell[1])),
            visible=bool(columns["visible"][row]),
            identities=columns["identities"][_rows(columns["identity_ends"], row)],
        )

    def verify(self) -> None:
        """Read all pictures and score maps.

        Raises:
            DataError: one is damaged.
        """
        for name in ("jpg", "npy"):
            for place in self.columns[name]:
                self._read(place)

    def _picture(self, row: int) -> NDArray[np.uint8]:
        data = self._read(self.columns["jpg"][row])
        with opened_image(io.BytesIO(data), f"a picture in '{self.path}'") as image:
            return np.array(image.convert("RGB"))  # a copy, as arrays of Pillow cannot be written to

    def _read(self, place: NDArray[np.int64]) -> bytes:
        start, size, checksum = place.tolist()
        data = read_part(self.path, start, size)
        if zlib.crc32(data) != checksum:
            raise DataError(f"'{self.path}' is damaged around byte {start}. {_REMEDY}")
        return data


def _rows(ends: NDArray[np.int64], row: int) -> slice:
    return slice(int(ends[row - 1]) if row else 0, int(ends[row]))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror or error}.") from error


@dataclass(frozen=True, slots=True)
class Sample:
    """The files of one frame in a shard."""

    about: dict[str, Any]
    places: dict[str, tuple[int, int]]
    """Start and size in the file by suffix."""
    end: int
    """Where the next frame begins."""


def samples(file: BinaryIO) -> Iterator[Sample]:
    """The whole frames in a shard, up to its end or to where it was cut off.

    Raises:
        tarfile.TarError, ValueError, OSError: what is there is no shard, or damaged.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    key = ""
    places: dict[str, tuple[int, int]] = {}
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            name, _, suffix = member.name.partition(".")
            end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
            if end > size:
                return
            places = {**(places if name == key else {}), suffix: (member.offset_data, member.size)}
            key = name
            if suffix == "json":
                yield Sample(json.loads(_part(file, places["json"])), places, end)


def _part(file: BinaryIO, place: tuple[int, int]) -> bytes:
    file.seek(place[0])
    return file.read(place[1])


def _look_through(path: Path, threshold: float) -> Columns:
    """The columns of a shard.

    Raises:
        DataError: it is cut off or damaged, or was not mined by Lockon.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - 2 * _BLOCK))
            if size % _BLOCK or file.read().strip(b"\0"):
                raise DataError(f"'{path}' was cut off: its end is missing. {_REMEDY}")
            return _columns(file, threshold)
    except DataError:
        raise
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"'{path}' is damaged, or no shard of mined frames ({error}). {_REMEDY}") from error


def _columns(file: BinaryIO, threshold: float) -> Columns:
    found = list(samples(file))
    abouts = [sample.about for sample in found]
    file.seek(found[-1].end if found else 0)
    if file.read().strip(b"\0") or (abouts and not abouts[-1]["last"]):
        raise ValueError("its last sequence is incomplete")
    starts = [row for row in range(len(abouts)) if row == 0 or abouts[row - 1]["last"]]
    identities = [np.array(about["identities"], np.float32).reshape(-1, 4) for about in abouts]
    absent_box, absent_cell = [np.nan] * 4, [-1, -1]
    columns: dict[str, NDArray[Any]] = {
        "starts": np.array(starts, np.int64),
        "sequences": np.array([abouts[row]["sequence"] for row in starts], np.int64),
        "frames": np.array([about["frame"] for about in abouts], np.int64),
        "sizes": np.array([about["frame_size"] for about in abouts], np.int32).reshape(-1, 2),
        "regions": np.array([about["region"] for about in abouts], np.float32).reshape(-1, 4),
        "areas": np.array([about["image_area"] for about in abouts], np.float32).reshape(-1, 4),
        "boxes": np.array([about["target_box"] or absent_box for about in abouts], np.float32).reshape(-1, 4),
        "target_cells": np.array([about["target_cell"] or absent_cell for about in abouts], np.int32).reshape(-1, 2),
        "visible": np.array([about["visible"] for about in abouts], np.bool_),
        "identities": np.concatenate([np.zeros((0, 4), np.float32), *identities]),
        "identity_ends": np.cumsum([len(boxes) for boxes in identities], dtype=np.int64),
    }
    columns |= text_columns("names", [abouts[row]["name"] for row in starts])
    for suffix in ("jpg", "npy"):
        places = [sample.places[suffix] for sample in found]
        checked = [(*place, zlib.crc32(_part(file, place))) for place in places]
        columns[suffix] = np.array(checked, np.int64).reshape(-1, 3)
    return {**columns, **_candidates(file, found, threshold)}


def _candidates(file: BinaryIO, found: Sequence[Sample], threshold: float) -> Columns:
    """The columns of candidates, from the score maps."""
    cells, scores = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.float32)]
    for sample in found:
        score_map = np.load(io.BytesIO(_part(file, sample.places["npy"])), allow_pickle=False)
        peaks = find_candidates(torch.from_numpy(score_map)[None], threshold)
        cells.append(peaks.cells[0].numpy().astype(np.int32))
        scores.append(peaks.scores[0].numpy())
    return {
        "candidate_cells": np.concatenate(cells),
        "candidate_scores": np.concatenate(scores),
        "candidate_ends": np.cumsum([len(some) for some in scores[1:]], dtype=np.int64),
    }
