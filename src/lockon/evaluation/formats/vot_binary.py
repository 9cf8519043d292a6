"""The binary files that the Python VOT toolkit writes its results in unless `VOT_RESULTS_BINARY=0` is set.

Little-endian. A header: version 1 (int16) and the number of frames (uint32). Then a region a frame, each after a byte
that tells its kind: 0 a code (uint32); 1 a box (4 float32); 2 a polygon (uint16 corners, 2 float32 each); 3 a mask
(int16 left and top, uint16 width, height and number of runs, and the runs as uint16, the first of zeros).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.evaluation.formats.text import REMEDY
from lockon.evaluation.tracks import Code
from lockon.regions import MaskRegion, Polygon, Region

_VERSION = 1
_CODE, _BOX, _POLYGON, _MASK = range(4)


def read_binary(path: Path) -> tuple[Region | Code, ...]:
    """The regions and codes of a run.

    Raises:
        DataError: the file cannot be read, is cut off, or is of another kind.
    """
    try:
        stream = _Stream(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror or error}.") from error
    regions: list[Region | Code] = []
    try:
        version, frames = stream.take("hI")
        if version != _VERSION:
            raise ValueError(f"its version is {version}, not {_VERSION}")
        while len(regions) < frames:
            regions.append(_region(stream))
    except struct.error:
        raise DataError(f"'{path}' ends before frame {len(regions)} does: written by half. {REMEDY}") from None
    except ValueError as error:
        raise DataError(f"'{path}', frame {len(regions)}: {error}. {REMEDY}") from error
    return tuple(regions)


class _Stream:
    """Bytes that are read from front to back."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def take(self, kinds: str) -> tuple[int, ...]:
        """The next numbers, by the codes of `struct`."""
        values = struct.unpack_from("<" + kinds, self._content, self._place)
        self._place += struct.calcsize("<" + kinds)
        return values


def _region(stream: _Stream) -> Region | Code:
    (kind,) = stream.take("B")
    if kind == _CODE:
        return Code(*stream.take("I"))
    if kind == _BOX:
        return Box(*stream.take("4f"))
    if kind == _POLYGON:
        (corners,) = stream.take("H")
        return Polygon(np.array(stream.take(f"{2 * corners}f"), dtype=np.float64).reshape(-1, 2))
    if kind == _MASK:
        return _mask(stream)
    raise ValueError(f"there is no kind {kind} of region")


def _mask(stream: _Stream) -> MaskRegion:
    left, top, width, height, count = stream.take("hhHHH")
    runs = np.array(stream.take(f"{count}H"), dtype=np.int64)
    if runs.sum() > width * height:
        raise ValueError(f"the runs of a mask need {runs.sum()} pixels in a window of {width}×{height}")
    pixels = np.zeros(width * height, dtype=np.bool_)
    painted = np.repeat(np.arange(count) % 2 == 1, runs)
    pixels[: len(painted)] = painted
    return MaskRegion(left, top, pixels.reshape(height, width))
