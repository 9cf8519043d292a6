"""PyTorch's two container formats: the zip archive (since 1.6) and the stream of pickles before it."""

from __future__ import annotations

import io
import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lockon.errors import CheckpointError
from lockon.zoo.pickles import StorageRef, TensorRef, read_pickle

ZIP_START = b"PK\x03\x04"
STREAM_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that the first pickle of a stream holds."""
STREAM_VERSION = 1001

STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}


def open_archive(path: Path) -> Archive:
    """Reads the structure of a PyTorch checkpoint in either format; executes nothing from the file.

    Raises:
        CheckpointError: The file is no checkpoint, is damaged, or declares more than it holds.
    """
    with _reading(path):
        with path.open("rb") as file:
            start = file.read(len(ZIP_START))
        return _ZipArchive(path) if start == ZIP_START else _StreamArchive(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what damaged bytes provoke into one error that names the file."""
    try:
        yield
    except (
        CheckpointError,
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        NotImplementedError,
    ) as error:
        raise CheckpointError(f"{path} cannot be read as a PyTorch checkpoint: {error}") from error


class Archive(ABC):
    """An opened checkpoint: what its pickle describes, and the numbers of its tensors on request.

    A context manager that closes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("rb")
        self.tree: Any = None
        """The described value, with tensors as `TensorRef` and unknown objects as `Inert`."""
        self._loaded: dict[StorageRef, Tensor] = {}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @abstractmethod
    def _read(self, storage: StorageRef, size: int) -> bytearray:
        """The `size` bytes of a storage."""

    def tensor(self, ref: TensorRef) -> Tensor:
        """The tensor a reference stands for, contiguous, on the CPU, in the type it was saved in.

        Raises:
            CheckpointError: The reference reaches outside its storage, or the file does not hold what it declares.
        """
        with _reading(self.path):
            elements = math.prod(ref.shape)
            reach = ref.offset + sum((size - 1) * step for size, step in zip(ref.shape, ref.stride, strict=True)) + 1
            if elements and max(elements, reach) > ref.storage.elements:
                raise CheckpointError(
                    f"a tensor of shape {ref.shape} reaches outside its storage of {ref.storage.elements} numbers; "
                    "the file is damaged or forged."
                )
            storage = self._storage(ref.storage)
            if not elements:
                return torch.empty(ref.shape, dtype=storage.dtype)
            view = storage.as_strided(ref.shape, ref.stride, ref.offset)
            return view.clone(memory_format=torch.contiguous_format)

    def _storage(self, storage: StorageRef) -> Tensor:
        if storage not in self._loaded:
            dtype = _dtype(storage)
            data = self._read(storage, storage.elements * dtype.itemsize)
            self._loaded[storage] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return self._loaded[storage]


class _ZipArchive(Archive):
    """Members `NAME/data.pkl` and `NAME/data/KEY`, stored without compression."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._members = members = zipfile.ZipFile(self.file)
        self._check(members)
        pickles = [name for name in members.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise CheckpointError("it is a zip archive without the one 'data.pkl' of a checkpoint.")
        self._folder = pickles[0].removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        if order in members.NameToInfo and members.read(order) != b"little":
            raise CheckpointError(BIG_ENDIAN)
        self.tree = read_pickle(io.BytesIO(members.read(pickles[0])))

    def _check(self, members: zipfile.ZipFile) -> None:
        # PyTorch never compresses; and where nothing is compressed, the parts are not larger than the whole.
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in members.infolist()):
            raise CheckpointError("it is compressed or encrypted, which PyTorch never does; unpack it first.")
        if sum(info.file_size for info in members.infolist()) > self.path.stat().st_size:
            raise CheckpointError("it declares more data than it has bytes.")

    def _read(self, storage: StorageRef, size: int) -> bytearray:
        name = f"{self._folder}data/{storage.key}"
        member = self._members.NameToInfo.get(name)
        if member is None or member.file_size != size:
            raise CheckpointError(WRONG_SIZE.format(key=storage.key))
        return bytearray(self._members.read(member))


class _StreamArchive(Archive):
    """Pickles one after another: magic number, version, machine, content, storage keys; then the storages."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        storages: dict[str, StorageRef] = {}
        if read_pickle(self.file) != STREAM_MAGIC:
            raise CheckpointError("its first number is not PyTorch's.")
        if (version := read_pickle(self.file)) != STREAM_VERSION:
            raise CheckpointError(f"its format version is {version!r}; {STREAM_VERSION} is expected.")
        machine = read_pickle(self.file)
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise CheckpointError(BIG_ENDIAN)
        self.tree = read_pickle(self.file, storages)
        keys = read_pickle(self.file)
        if not isinstance(keys, list) or set(keys) != set(storages):
            raise CheckpointError("its list of storages does not fit its content.")
        self._starts = self._locate([storages[key] for key in keys])

    def _locate(self, storages: list[StorageRef]) -> dict[str, int]:
        """Where the numbers of each storage begin in the file, after their eight-byte count."""
        size = self.path.stat().st_size
        starts = {}
        position = self.file.tell()
        for storage in storages:
            self.file.seek(position)
            if int.from_bytes(self.file.read(8), "little") != storage.elements:
                raise CheckpointError(WRONG_SIZE.format(key=storage.key))
            starts[storage.key] = position + 8
            position += 8 + storage.elements * _dtype(storage).itemsize
            if position > size:
                raise CheckpointError("it ends before its last tensor; fetch it again.")
        return starts

    def _read(self, storage: StorageRef, size: int) -> bytearray:
        self.file.seek(self._starts[storage.key])
        return bytearray(self.file.read(size))


BIG_ENDIAN = "it was written on a big-endian machine; load it there and save it as safetensors."
WRONG_SIZE = "its storage '{key}' is missing or has another size than it declares; fetch the file again."


def _dtype(storage: StorageRef) -> torch.dtype:
    if storage.kind not in STORAGE_DTYPES:
        raise CheckpointError(f"it holds numbers of the unsupported kind '{storage.kind}'; re-save it as float32.")
    return STORAGE_DTYPES[storage.kind]
