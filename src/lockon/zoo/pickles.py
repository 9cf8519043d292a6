"""Reads the pickle language as plain data: nothing that a file names is imported, called or changed.

PyTorch checkpoints are pickles, and a pickle is a program. The standard unpickler runs it; here its opcodes only
build containers, numbers and text. A class or function that the file names is a `Name` (two strings), an object of
one is an `Inert` record of what the file said about it, and a tensor is a `TensorRef` that says where its numbers
lie. `lockon.zoo.archives` fetches those numbers.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lockon.errors import CheckpointError

MAX_WORK = 4_000_000
"""Instructions and copied items of one pickle. Official checkpoints stay below 100 000; an instruction is as short
as one byte of file and takes up to 200 bytes of memory."""


MAX_KEY_PARTS = 16


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle names. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Inert:
    """An object of a class that is not looked up: its name and what the pickle gives to it."""

    kind: Name
    args: tuple[Any, ...] = ()
    state: Any = None
    """What the pickle would restore, as a rule the dictionary of the object's attributes."""
    items: list[Any] = field(default_factory=list)
    """What the pickle appends to the object."""
    entries: dict[Any, Any] = field(default_factory=dict)
    """What the pickle assigns to keys of the object."""


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A flat run of numbers kept elsewhere in the checkpoint file."""

    kind: str
    """PyTorch's storage class, such as "FloatStorage"."""
    key: str
    elements: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A strided view of a storage; offset and strides count elements."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_pickle(file: BinaryIO, storages: dict[str, StorageRef] | None = None) -> Any:
    """The value that one pickle at the current position of `file` describes; leaves `file` just behind it.

    Args:
        file: Open for reading in binary mode.
        storages: Collects every storage the pickle refers to, by key.

    Raises:
        CheckpointError: The bytes are no pickle, are cut short, or use what no checkpoint needs.
    """
    machine = _Machine(storages if storages is not None else {})
    try:
        return machine.run(file)
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"the pickle is damaged: {error or type(error).__name__}.") from error


class _Machine:
    """The pickle machine of Python's `pickletools`, with a stack, marks and a memo, and no way to reach code."""

    def __init__(self, storages: dict[str, StorageRef]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages = storages
        self.work_left = MAX_WORK

    def run(self, file: BinaryIO) -> Any:
        for opcode, argument, _ in pickletools.genops(file):
            self.spend(1)
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in _LITERALS:
                self.stack.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            else:
                raise CheckpointError(f"the pickle uses {opcode.name}, which no checkpoint needs.")
        raise CheckpointError("the pickle ends before its STOP.")

    def spend(self, work: int) -> None:
        self.work_left -= work
        if self.work_left < 0:
            raise CheckpointError(f"the pickle takes more than {MAX_WORK} steps, which no checkpoint needs.")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def take(self, count: int) -> list[Any]:
        """The top `count` values, removed from the stack."""
        if count > len(self.stack) - (self.marks[-1] if self.marks else 0):
            raise CheckpointError("the pickle is damaged: it takes a value that is not there.")
        start = len(self.stack) - count
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def take_marked(self) -> list[Any]:
        """The values above the last mark, removed from the stack with the mark."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def pop_value(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.take(1)

    def remember(self, key: Any) -> None:
        self.memo[len(self.memo) if key is None else int(key)] = self.stack[-1]

    def name(self, text: str) -> Name:
        module, _, name = text.partition(" ")
        return Name(module, name)

    def stack_name(self) -> Name:
        module, name = self.take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("the pickle is damaged: a class name is not text.")
        return Name(module, name)

    def call(self, kind: Any, args: Any) -> None:
        """Pushes what a call would make: a container, a reference to a tensor, or an inert record."""
        if not isinstance(kind, Name) or not isinstance(args, tuple):
            raise CheckpointError("the pickle calls something that is not a named class or function.")
        self.spend(sum(len(value) for value in args if isinstance(value, (list, tuple))))
        builder = _BUILDERS.get(str(kind))
        self.push(builder(*args) if builder else Inert(kind, args))

    def call_marked(self) -> None:
        kind, *args = self.take_marked()
        self.call(kind, tuple(args))

    def build(self) -> None:
        target, state = self.take(2)
        if isinstance(target, Inert):
            target.state = state
        # Dictionaries and tensors carry bookkeeping of PyTorch here (`_metadata`, hooks) that nobody reads.
        self.push(target)

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        elif isinstance(target, set):
            target.update(_checked_key(value) for value in values)
        else:
            raise CheckpointError("the pickle appends to something that is not a list.")

    def assign(self, values: list[Any]) -> None:
        target = self.stack[-1]
        target = target.entries if isinstance(target, Inert) else target
        if not isinstance(target, dict):
            raise CheckpointError("the pickle assigns keys to something that is not a dictionary.")
        target.update(_pairs(values))

    def storage(self, identity: Any) -> None:
        match identity:
            case ("storage", Name("torch" | "torch.storage", kind), str(key), str(), int(elements), *view) if (
                elements >= 0 and view in ([], [None])
            ):
                ref = self.storages.setdefault(key, StorageRef(kind, key, elements))
            case _:
                raise CheckpointError("the checkpoint refers to data outside itself or in a form that is not known.")
        if (ref.kind, ref.elements) != (kind, elements):
            raise CheckpointError(f"the checkpoint describes its storage '{key}' in two ways.")
        self.push(ref)


def _checked_key(value: Any) -> Any:
    # Hashing tuples of tuples takes exponential time when the parts are shared.
    parts = value if isinstance(value, tuple) else (value,)
    if len(parts) > MAX_KEY_PARTS or not all(part is None or isinstance(part, _KEY_TYPES) for part in parts):
        raise CheckpointError(f"the pickle uses a {type(value).__name__} as a key that no checkpoint needs.")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return {_checked_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _ordered_dict(pairs: Iterable[Any] = ()) -> dict[Any, Any]:
    return {_checked_key(key): value for key, value in pairs}


def _integers(values: Iterable[Any]) -> tuple[int, ...]:
    result = tuple(values)
    if not all(type(value) is int and value >= 0 for value in result):
        raise CheckpointError("a tensor of the checkpoint has a shape or stride that is not made of whole numbers.")
    return result


def _tensor(storage: Any, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> TensorRef:
    if not isinstance(storage, StorageRef):
        raise CheckpointError("a tensor of the checkpoint has no storage.")
    (offset,) = _integers([offset])
    return TensorRef(storage, offset, _integers(shape), _integers(stride))


def _first(value: Any, *_: Any) -> Any:
    return value


_KEY_TYPES = (str, bytes, int, float, Name, Inert)

_BUILDERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch.Size": lambda shape=(): _integers(shape),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    # How classes of Python 2 arrive: the class, its base, the value of the base.
    "copy_reg._reconstructor": lambda kind, *args: Inert(kind, args),
    "copyreg._reconstructor": lambda kind, *args: Inert(kind, args),
}

_LITERALS = {
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
}

_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.pop_value(),
    "POP_MARK": lambda machine, _: machine.take_marked(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "LIST": lambda machine, _: machine.push(machine.take_marked()),
    "DICT": lambda machine, _: machine.push(_pairs(machine.take_marked())),
    "FROZENSET": lambda machine, _: machine.push(frozenset(map(_checked_key, machine.take_marked()))),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.take_marked())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.take(3))),
    "APPEND": lambda machine, _: machine.extend(machine.take(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.take_marked()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.take_marked()),
    "SETITEM": lambda machine, _: machine.assign(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.assign(machine.take_marked()),
    "GET": lambda machine, key: machine.push(machine.memo[int(key)]),
    "BINGET": lambda machine, key: machine.push(machine.memo[key]),
    "LONG_BINGET": lambda machine, key: machine.push(machine.memo[key]),
    "PUT": lambda machine, key: machine.remember(key),
    "BINPUT": lambda machine, key: machine.remember(key),
    "LONG_BINPUT": lambda machine, key: machine.remember(key),
    "MEMOIZE": lambda machine, _: machine.remember(None),
    "GLOBAL": lambda machine, text: machine.push(machine.name(text)),
    "STACK_GLOBAL": lambda machine, _: machine.push(machine.stack_name()),
    "INST": lambda machine, text: machine.call(machine.name(text), tuple(machine.take_marked())),
    "OBJ": lambda machine, _: machine.call_marked(),
    "REDUCE": lambda machine, _: machine.call(*machine.take(2)),
    "NEWOBJ": lambda machine, _: machine.call(*machine.take(2)),
    "NEWOBJ_EX": lambda machine, _: machine.call(*machine.take(3)[:2]),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.storage(machine.take(1)[0]),
}
