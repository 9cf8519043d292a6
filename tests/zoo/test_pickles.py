"""The reader of pickles builds data and runs nothing."""

import collections
import contextlib
import io
import os
import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.errors import CheckpointError
from lockon.zoo.pickles import Inert, Name, StorageRef, TensorRef, read_pickle

PLAIN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Runs:
    """Pickles to a call of `function(*args)`."""

    def __init__(self, function: object, *args: object) -> None:
        self.recipe = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.recipe


def read(data: bytes) -> object:
    return read_pickle(io.BytesIO(data))


@settings(max_examples=200, deadline=None)
@given(value=PLAIN_VALUES, protocol=st.sampled_from([2, 4, 5]))
def test_plain_data_of_any_protocol_comes_back(value: object, protocol: int) -> None:
    if protocol == 2 and "bytes" in _type_names(value):
        return  # Protocol 2 has no bytes: it calls an encoder, which stays inert.
    assert read(pickle.dumps(value, protocol)) == value


def _type_names(value: object) -> set[str]:
    parts = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else ()
    return {type(value).__name__}.union(*map(_type_names, parts))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("function", [os.system, eval, exec, open, __import__, setattr])
def test_calls_are_recorded_and_not_made(tmp_path: Path, function: object, protocol: int) -> None:
    victim = tmp_path / "victim"
    data = pickle.dumps({"x": Runs(function, f"touch {victim}")}, protocol)
    value = read(data)
    assert isinstance(value, dict)
    assert isinstance(value["x"], Inert)
    assert value["x"].kind.name == function.__name__  # type: ignore[attr-defined]
    assert value["x"].args == (f"touch {victim}",)
    assert not victim.exists()


def test_old_style_instances_and_calls_through_marks_stay_inert(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    command = f"S'touch {victim}'\n".encode()
    for data in (b"(" + command + b"ios\nsystem\n.", b"(cos\nsystem\n" + command + b"o."):
        value = read(data)
        assert isinstance(value, Inert)
        assert value.kind == Name("os", "system")
    assert not victim.exists()


def test_state_of_an_object_is_recorded_and_not_applied() -> None:
    # The real machine would set the attribute `items` of what was built.
    attribute = b"N}X\x05\x00\x00\x00itemsK\x01s\x86b."
    assert read(b"\x80\x02ccollections\nOrderedDict\n)R" + attribute) == {}
    value = read(b"\x80\x02cltr.admin.settings\nSettings\n)\x81" + attribute)
    assert isinstance(value, Inert)
    assert value.state == (None, {"items": 1})
    assert value.items == []


def test_state_given_to_a_class_is_dropped() -> None:
    value = read(b"\x80\x02clockon.zoo.pickles\nInert\n}X\x04\x00\x00\x00evilK\x01sb.")
    assert value == Name("lockon.zoo.pickles", "Inert")
    assert not hasattr(Inert, "evil")


def test_list_and_dictionary_subclasses_keep_their_content() -> None:
    value = read(pickle.dumps(collections.defaultdict(list, a=[1]), 2))
    assert isinstance(value, Inert)
    assert value.entries == {"a": [1]}
    assert read(pickle.dumps(collections.OrderedDict(a=1, b=2), 2)) == {"a": 1, "b": 2}
    value = read(pickle.dumps(collections.deque([1, 2]), 2))
    assert isinstance(value, Inert)
    assert value.items == [1, 2]


def test_an_ordered_dictionary_of_python_2_is_a_list_of_pairs() -> None:
    assert read(b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.") == {"a": 1}


def test_a_memo_position_may_be_anything_and_costs_nothing() -> None:
    assert read(b"\x80\x02K\x07r\xff\xff\xff\xff0j\xff\xff\xff\xff.") == 7


def test_tensors_become_references() -> None:
    identity = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ"
    data = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"K\x02K\x02\x85K\x03\x85\x89}tR."
    storages: dict[str, StorageRef] = {}
    value = read_pickle(io.BytesIO(data), storages)
    assert value == TensorRef(StorageRef("FloatStorage", "0", 6), offset=2, shape=(2,), stride=(3,))
    assert list(storages) == ["0"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"\x80\x02K", "damaged"),
        (b"\x80\x02K\x01", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02a.", "not there"),
        (b"\x80\x02(K\x01(a.", "not there"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02K\x01)R.", "not a named class"),
        (b"\x80\x02cos\nsystem\nK\x01R.", "not a named class"),
        (b"\x80\x02K\x01K\x02a.", "not a list"),
        (b"\x80\x02]K\x01K\x02s.", "not a dictionary"),
        (b"\x80\x02}]K\x02s.", "list as a key"),
        (b"\x80\x02})\x85\x85K\x02s.", "tuple as a key"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"P../../etc/passwd\n.", "PERSID"),
        (b"\x80\x02X\x0b\x00\x00\x00/etc/passwdQ.", "outside itself"),
        (b"\x80\x04\x97.", "NEXT_BUFFER"),
        (b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"abc.", "damaged"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**63 - 1) + b"abc.", "damaged"),
        (b"\x80\x02ctorch\nSize\n(J\xff\xff\xff\xfft\x85R.", "whole numbers"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02))tR.", "no storage"),
    ],
)
def test_bad_pickles_are_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(data)


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockon.zoo.pickles.MAX_WORK", 10_000)
    with pytest.raises(CheckpointError, match="10000 steps"):
        read(b"\x80\x02" + b"]" * 20_000 + b".")
    # A short program that copies one long list again and again.
    pairs = pickle.dumps([["k", 1]] * 100, 2)[:-1]
    with pytest.raises(CheckpointError, match="10000 steps"):
        read(pairs + b"r\xff\xff\x00\x00" + b"ccollections\nOrderedDict\nj\xff\xff\x00\x00\x85R" * 200 + b".")


def test_shared_parts_of_nested_tuples_do_not_explode_as_keys() -> None:
    doubled = b"\x80\x02K\x01\x85q\x000" + b"h\x00h\x00\x86q\x000" * 200
    with pytest.raises(CheckpointError, match="as a key"):
        read(doubled + b"}h\x00K\x01s.")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read_and_raise_nothing_else(data: st.DataObject) -> None:
    good = pickle.dumps({"a": [1, 2.5, "x"], "b": Runs(os.system, "true"), "c": (None, {1: 2})}, 2)
    position = data.draw(st.integers(0, len(good) - 1))
    changed = good[:position] + data.draw(st.binary(min_size=0, max_size=4)) + good[position + 1 :]
    with contextlib.suppress(CheckpointError):
        read(changed)
