"""Arrays and texts in one file that is mapped into memory, so that all processes of a machine share its pages.

The file is in the safetensors format; what is not an array is one JSON text in its metadata.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lockon.errors import DataError

Columns = Mapping[str, NDArray[Any]]

_TYPES = {"F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


class Texts:
    """Texts by number, from two columns: all of them in UTF-8, and where each ends."""

    def __init__(self, columns: Columns, name: str) -> None:
        self._bytes = columns[name]
        self._ends = columns[f"{name}.ends"]

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return bytes(self._bytes[start : self._ends[number]]).decode(errors="surrogateescape")


def text_columns(name: str, texts: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The two columns that `Texts` reads. File names may hold bytes that are not UTF-8."""
    encoded = [text.encode(errors="surrogateescape") for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {name: np.frombuffer(b"".join(encoded), np.uint8), f"{name}.ends": ends}


def write_columns(path: Path, columns: Columns, about: Mapping[str, Any]) -> None:
    """Write columns of the types that `read_columns` knows, and a JSON object.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_bytes(safetensors.numpy.save(dict(columns), metadata={"about": json.dumps(about)}))


def read_columns(path: Path) -> tuple[Columns, dict[str, Any]]:
    """Map the columns of a file into memory, read-only, and read its JSON object.

    Raises:
        DataError: there is no such file, or it is damaged.
    """
    try:
        content = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
        (length,) = struct.unpack("<Q", content[:8].tobytes())
        header = json.loads(content[8 : 8 + length].tobytes())
        about = json.loads(header.pop("__metadata__")["about"])
        data = content[8 + length :]
        columns = {
            name: data[slice(*entry["data_offsets"])].view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()
        }
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise DataError(f"'{path}' is not an index of a data set, or damaged: {error}.") from error
    return columns, about
