"""Both containers of PyTorch give the same tensors back, and damaged or forged ones a clear error."""

import contextlib
import functools
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lockon.errors import CheckpointError
from lockon.zoo.archives import Archive, open_archive
from lockon.zoo.pickles import TensorRef

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])


def write(path: Path, value: object, zipped: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def load(path: Path) -> list[Tensor]:
    archive = open_archive(path)
    values = archive.tree.values() if isinstance(archive.tree, dict) else []
    return [archive.tensor(value) for value in values if isinstance(value, TensorRef)]


def tensors() -> dict[str, Tensor]:
    base = torch.arange(24, dtype=torch.float32)
    types = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    return {
        "transposed": base.reshape(4, 6).t(),
        "strided": base[3::5],
        "shared": base[7:9],
        "scalar": torch.tensor(3, dtype=torch.int64),
        "empty": torch.empty(0, 5),
        "parameter": nn.Parameter(torch.ones(2)),
        "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    } | {name: torch.arange(5).to(getattr(torch, name)) for name in types}


@FORMATS
def test_tensors_of_every_kind_come_back(tmp_path: Path, zipped: bool) -> None:
    saved = tensors()
    archive = open_archive(write(tmp_path / "x.pth.tar", {"net": saved}, zipped))
    assert archive.tree["net"].keys() == saved.keys()
    for name, ref in archive.tree["net"].items():
        loaded = archive.tensor(ref)
        assert loaded.dtype == saved[name].dtype
        assert loaded.is_contiguous()
        assert torch.equal(loaded, saved[name])


@FORMATS
def test_tensors_that_share_numbers_in_the_file_do_not_share_them_in_memory(tmp_path: Path, zipped: bool) -> None:
    base = torch.zeros(4)
    archive = open_archive(write(tmp_path / "x.pth", [base, base[:2]], zipped))
    whole, part = (archive.tensor(ref) for ref in archive.tree)
    part.fill_(1)
    assert whole.tolist() == [0, 0, 0, 0]


@functools.cache
def intact_file(zipped: bool) -> bytes:
    """One file for all examples: the stream format names storages by their addresses, so that its length varies."""
    file = io.BytesIO()
    torch.save({"a": torch.ones(3), "b": [1, None]}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@FORMATS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_refused_or_read_and_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "x.pth"
    good = intact_file(zipped)
    position = data.draw(st.integers(0, len(good) - 1))
    damage = data.draw(st.sampled_from([b"", b"\xff", b"\x00\x00\x00", b"K\x01."]))
    path.write_bytes(good[:position] + damage + good[position + data.draw(st.integers(0, 3)) :])
    with contextlib.suppress(CheckpointError):
        load(path)


@FORMATS
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path: Path, zipped: bool, share: float) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(1000)}, zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r"x\.pth cannot be read"):
        open_archive(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello world", bytes(range(256)) * 20, b"\x80\x02K\x01."])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_archive(path)


def rewritten(path: Path, change: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> Archive:
    """Opens the archive with some members replaced, or removed where None."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            content = change.get(name.partition("/")[2], content)
            if content is not None:
                archive.writestr(name, content)
    return open_archive(path)


def test_forged_archives_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(4)})
    original = path.read_bytes()
    with pytest.raises(CheckpointError, match="big-endian"):
        rewritten(path, {"byteorder": b"big"})
    path.write_bytes(original)
    with pytest.raises(CheckpointError, match=r"without the one 'data\.pkl'"):
        rewritten(path, {"data.pkl": None})
    path.write_bytes(original)
    with pytest.raises(CheckpointError, match="compressed"):
        rewritten(path, {}, zipfile.ZIP_DEFLATED)
    for content in (None, b"", b"\0" * 15, b"\0" * 17):
        path.write_bytes(original)
        archive = rewritten(path, {"data/0": content})
        with pytest.raises(CheckpointError, match="storage '0' is missing or has another size"):
            archive.tensor(archive.tree["a"])


def test_an_archive_whose_members_overlap_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(2000), "b": torch.ones(2000)})
    with zipfile.ZipFile(path) as archive:
        first = archive.getinfo("x/data/0").header_offset
    content = bytearray(path.read_bytes())
    position = content.rindex(b"x/data/1")  # in the directory at the end; the member's offset stands before its name
    content[position - 4 : position] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path)


def test_more_declared_than_there_is_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(4)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x/data/9", b"\0" * 1000)
    data = path.read_bytes()
    huge = data.replace((1000).to_bytes(4, "little") * 2, (2**31).to_bytes(4, "little") * 2)
    assert huge != data
    path.write_bytes(huge)
    with pytest.raises(CheckpointError, match="more data than it has bytes"):
        open_archive(path)


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [
        ((5,), (1,), 0),
        ((2, 2), (3, 1), 0),
        ((2,), (1,), 3),
        ((10**9, 10**9), (0, 0), 0),
        ((8,), (0,), 0),
        ((2,), (), 0),
    ],
)
def test_a_tensor_that_reaches_outside_its_storage_is_refused(
    tmp_path: Path, shape: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(4)})
    content = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    content += b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    content += b"".join(pickle.dumps(value, 2)[2:-1] for value in (offset, shape, stride)) + b"\x89}tR."
    archive = rewritten(path, {"data.pkl": content})
    with pytest.raises(CheckpointError, match=r"x\.pth cannot be read"):
        archive.tensor(archive.tree)


def stream(*values: object, tail: bytes = b"") -> bytes:
    return b"".join(pickle.dumps(value, 2) for value in values) + tail


def test_forged_streams_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(4)}, zipped=False)
    file = io.BytesIO(path.read_bytes())
    magic, version = pickle.load(file), pickle.load(file)
    start = file.tell()
    machine, rest = pickle.load(file), file.read()
    count = (4).to_bytes(8, "little")
    forged = {
        "first number": stream(magic + 1, version, machine, tail=rest),
        "version is 7": stream(magic, 7, machine, tail=rest),
        "big-endian": stream(magic, version, machine | {"little_endian": False}, tail=rest),
        "storage '.*' is missing": path.read_bytes().replace(count, (5).to_bytes(8, "little")),
        "ends before": path.read_bytes()[:-1],
        "list of storages": path.read_bytes()[:start] + stream(machine, {"a": 1}, ["0"]),
    }
    for message, content in forged.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            open_archive(path)


@FORMATS
def test_numbers_of_an_unsupported_kind_are_named(tmp_path: Path, zipped: bool) -> None:
    path = write(tmp_path / "x.pth", {"a": torch.ones(4, dtype=torch.complex64)}, zipped)
    with pytest.raises(CheckpointError, match="ComplexFloatStorage"):
        load(path)
