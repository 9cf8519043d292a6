"""Changes of a recipe from the command line: `loop.batch=16`, `schedule.every_epochs=5`, `groups.backbone.lr=1e-5`.

A dotted path leads through nested dataclasses; into a tuple of them by number or by the `name` of an element. The
value is read as what the field is declared to be: numbers, text, `true` or `false`, `none`, and tuples as `1,2,3`.
Where a field may hold one of several dataclasses, its name alone chooses one with its defaults: `schedule=Cosine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar, get_args, get_origin

from lockon.errors import LockonError, RecipeError, UnknownNameError
from lockon.training.plain import choices, field_types, flatten, from_plain, join, to_plain, type_name

T = TypeVar("T")


def override(value: T, assignments: Iterable[str]) -> T:
    """A dataclass with the changes `path=value` made, one after the other.

    Raises:
        RecipeError: A change has no `=`, or its value does not fit the field.
        UnknownNameError: There is no such field; the message suggests the nearest one.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise RecipeError(f"'{assignment}' is no change of a recipe; write PATH=VALUE, as in loop.batch=16.")
        value = _changed(value, type(value), path.strip().split("."), text.strip(), "")
    return value


def _changed(value: Any, declared: Any, steps: list[str], text: str, path: str) -> Any:
    if not steps:
        return _parse(declared, text, path)
    step, rest = steps[0], steps[1:]
    here = join(path, step)
    if is_dataclass(value) and not isinstance(value, type):
        known = field_types(type(value))
        if step not in known:
            raise _unknown_field(value, step, path)
        return replace(value, **{step: _changed(getattr(value, step), known[step], rest, text, here)})
    if isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        index = _index(value, step, path)
        item = _changed(value[index], get_args(declared)[0], rest, text, here)
        return (*value[:index], item, *value[index + 1 :])
    if isinstance(value, Mapping) and not rest:
        return {**value, step: next(iter(_scalar_readings(text)))}
    raise RecipeError(f"{path} is {value!r}, which has no part '{step}'.")


def _unknown_field(value: Any, step: str, path: str) -> LockonError:
    """The error for a field that is not there; it may be one level deeper."""
    deeper = [place for place, _ in flatten(to_plain(value), path) if place.split(".")[-1] == step]
    if deeper:
        return RecipeError(f"{path or 'the recipe'} has no field '{step}'. Did you mean '{deeper[0]}'?")
    return UnknownNameError(f"field of {path or 'the recipe'}", step, field_types(type(value)))


def _index(items: tuple[Any, ...], step: str, path: str) -> int:
    names = [getattr(item, "name", None) or str(number) for number, item in enumerate(items)]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    raise UnknownNameError(f"part of {path}", step, names)


def _parse(declared: Any, text: str, path: str) -> Any:
    """Text as a declared type: the first of the readings that fits."""
    named = {choice.__name__.lower(): choice for choice in choices(declared)}
    if named and text.lower() != "none":
        if text.lower() not in named:
            raise UnknownNameError(f"kind of {path}", text, (choice.__name__ for choice in choices(declared)))
        return from_plain(named[text.lower()], {}, path)
    problem: Exception = RecipeError(f"{path}={text} does not fit; it must be {type_name(declared)}.")
    for plain in _readings(text, many=_holds_tuple(declared)):
        try:
            return from_plain(declared, plain, path)
        except RecipeError:
            continue
        except UnknownNameError as error:
            problem = error
    raise problem


def _readings(text: str, *, many: bool) -> Iterable[Any]:
    """What a text may mean, the narrowest meaning first."""
    yield from _scalar_readings(text)
    if many:
        parts = [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
        yield [next(iter(_scalar_readings(part))) for part in parts]
        yield parts


def _scalar_readings(text: str) -> Iterable[Any]:
    words = {"none": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() in words:
        yield words[text.lower()]
    for number in (int, float):
        try:
            yield number(text.replace("_", ""))
        except ValueError:
            continue
    yield text


def _holds_tuple(declared: Any) -> bool:
    return get_origin(declared) is tuple or any(_holds_tuple(member) for member in get_args(declared))
