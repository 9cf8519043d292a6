"""Frozen dataclasses as plain data (what JSON can hold) and back, and what differs between two of them.

The types of the fields lead the way back: a value is read as what its field is declared to be, so plain data say
nothing about types. Only where a field may hold one of several dataclasses does `type` name the one it is.
"""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lockon.errors import RecipeError, UnknownNameError

T = TypeVar("T")

TYPE = "type"
"""Key that names the dataclass where there is a choice."""
ABSENT = "(absent)"


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, strings, numbers, booleans and None that stand for a value."""
    if is_dataclass(value):
        types_of = field_types(type(value))
        return {name: _field_to_plain(getattr(value, name), declared) for name, declared in types_of.items()}
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, enum.Enum) else value


def _field_to_plain(value: Any, declared: Any) -> Any:
    plain = to_plain(value)
    if isinstance(value, tuple) and get_origin(declared) is tuple:
        return [
            _field_to_plain(part, item) for part, item in zip(value, _item_types(declared, len(value)), strict=True)
        ]
    if is_dataclass(value) and len(choices(declared)) > 1:
        return {TYPE: type(value).__name__} | plain
    return plain


def from_plain(declared: type[T], plain: Any, path: str = "") -> T:
    """The value of a declared type that plain data stand for.

    Args:
        declared: a dataclass, or any type that its fields may have: numbers, `str`, `bool`, `Path`, enumerations,
            `Literal`, `tuple`, `Mapping`, and unions of them.
        plain: what `to_plain` made. A field it does not name takes its default.
        path: where in the whole it stands, for messages.

    Raises:
        RecipeError: A value has the wrong type, or one without a default is missing.
        UnknownNameError: There is no such field, or no such choice.
    """
    value: T = _read(declared, plain, path)
    return value


def _read(declared: Any, plain: Any, path: str) -> Any:
    if is_dataclass(declared):
        return _read_dataclass(declared, plain, path)
    origin = get_origin(declared)
    if origin in (Union, types.UnionType):
        return _read_union(declared, plain, path)
    if origin is tuple and isinstance(plain, list | tuple):
        items = _item_types(declared, len(plain))
        if len(items) == len(plain):
            return tuple(
                _read(item, part, f"{path}.{i}") for i, item, part in zip(count(), items, plain, strict=False)
            )
    elif origin is Literal:
        if plain in get_args(declared):
            return plain
        raise UnknownNameError(f"value of {path}", str(plain), map(str, get_args(declared)))
    elif _is_mapping(declared) and isinstance(plain, Mapping):
        return dict(plain)
    elif isinstance(declared, type):
        return _read_simple(declared, plain, path)
    raise _wrong(declared, plain, path)


def _read_dataclass(declared: Any, plain: Any, path: str) -> Any:
    if not isinstance(plain, Mapping):
        raise _wrong(declared, plain, path)
    known = field_types(declared)
    for name in plain:
        if name not in known and name != TYPE:
            raise UnknownNameError(f"field of {path or declared.__name__}", str(name), known)
    missing = [
        field.name
        for field in fields(declared)
        if field.default is MISSING and field.default_factory is MISSING and field.name not in plain
    ]
    if missing:
        raise RecipeError(f"{path or declared.__name__} lacks {', '.join(missing)}.")
    values = {name: _read(known[name], part, join(path, name)) for name, part in plain.items() if name != TYPE}
    return declared(**values)


def _read_union(declared: Any, plain: Any, path: str) -> Any:
    if plain is None and type(None) in get_args(declared):
        return None
    if isinstance(plain, Mapping) and choices(declared):
        known = {choice.__name__: choice for choice in choices(declared)}
        name = plain.get(TYPE, next(iter(known)) if len(known) == 1 else "")
        if name not in known:
            raise UnknownNameError(f"{TYPE} of {path}", str(name), known)
        return _read_dataclass(known[name], plain, path)
    for member in get_args(declared):
        try:
            return _read(member, plain, path)
        except (RecipeError, UnknownNameError):
            continue
    raise _wrong(declared, plain, path)


def _read_simple(declared: type, plain: Any, path: str) -> Any:
    if declared is float and isinstance(plain, int | float) and not isinstance(plain, bool) and math.isfinite(plain):
        return float(plain)
    if issubclass(declared, Path) and isinstance(plain, str | Path):
        return Path(plain)
    if issubclass(declared, enum.Enum):
        if plain not in {member.value for member in declared}:
            raise UnknownNameError(f"value of {path}", str(plain), (str(member.value) for member in declared))
        return declared(plain)
    if declared in (int, str, bool) and type(plain) is declared:
        return plain
    if declared is type(None) and plain is None:
        return None
    raise _wrong(declared, plain, path)


def _wrong(declared: Any, plain: Any, path: str) -> RecipeError:
    return RecipeError(f"{path} is {plain!r}; it must be {type_name(declared)}.")


def flatten(plain: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of plain data, each with its dotted path."""
    if isinstance(plain, Mapping) and plain:
        for name, part in plain.items():
            yield from flatten(part, join(path, str(name)))
    elif isinstance(plain, list) and any(isinstance(part, Mapping) for part in plain):
        for index, part in enumerate(plain):
            yield from flatten(part, join(path, str(index)))
    else:
        yield path, plain


def differences(old: Any, new: Any) -> list[str]:
    """Lines `path: old -> new` of all values in which plain data differ."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return [
        f"{path}: {before.get(path, ABSENT)} -> {after.get(path, ABSENT)}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]


def field_types(declared: Any) -> dict[str, Any]:
    """The declared types of a dataclass's fields, in order."""
    hints = get_type_hints(declared)
    return {field.name: hints[field.name] for field in fields(declared)}


def choices(declared: Any) -> tuple[Any, ...]:
    """The dataclasses that a declared type allows."""
    members = get_args(declared) if get_origin(declared) in (Union, types.UnionType) else (declared,)
    return tuple(member for member in members if is_dataclass(member))


def _item_types(declared: Any, count: int) -> tuple[Any, ...]:
    """Types of the items of a tuple: `tuple[int, ...]` or `tuple[int, float]`."""
    arguments = get_args(declared)
    return (arguments[0],) * count if arguments[-1:] == (Ellipsis,) else arguments


def _is_mapping(declared: Any) -> bool:
    origin = get_origin(declared) or declared
    return isinstance(origin, type) and issubclass(origin, Mapping)


def type_name(declared: Any) -> str:
    """A declared type in words."""
    if get_origin(declared) in (Union, types.UnionType):
        return " or ".join(type_name(member) for member in get_args(declared))
    if get_origin(declared) is Literal:
        return " or ".join(map(repr, get_args(declared)))
    if get_origin(declared) is tuple:
        inner = ", ".join("…" if part is Ellipsis else type_name(part) for part in get_args(declared))
        return f"a tuple ({inner})"
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "none"}
    return words.get(declared, getattr(declared, "__name__", str(declared)))


def join(path: str, name: str) -> str:
    """A dotted path."""
    return f"{path}.{name}" if path else name
