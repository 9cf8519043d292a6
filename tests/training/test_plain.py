"""Dataclasses as plain data and back."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.errors import RecipeError, UnknownNameError
from lockon.training.plain import differences, flatten, from_plain, to_plain


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Circle:
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    side: int = 2
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Drawing:
    title: str
    shape: Circle | Square = Circle()
    others: tuple[Circle | Square, ...] = ()
    backdrop: Square = Square()
    size: tuple[int, float] = (3, 4.0)
    mode: Literal["ink", "chalk"] = "ink"
    file: Path | None = None
    visible: bool = True
    limit: float | None = None
    extra: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


FULL = Drawing(
    title="x",
    shape=Square(side=5, colour=Colour.BLUE),
    others=(Circle(2.5), Square()),
    size=(1, 2.0),
    mode="chalk",
    file=Path("a/b"),
    visible=False,
    limit=3.0,
    extra={"a": 1, "b": None},
)


@pytest.mark.parametrize("value", [FULL, Drawing(title="")], ids=["full", "defaults"])
def test_plain_data_survive_json_and_give_the_value_back(value):
    assert from_plain(Drawing, json.loads(json.dumps(to_plain(value)))) == value


def test_a_choice_of_dataclasses_is_tagged_and_nothing_else_is():
    plain = to_plain(FULL)
    assert plain["shape"] == {"type": "Square", "side": 5, "colour": "blue"}
    assert [part["type"] for part in plain["others"]] == ["Circle", "Square"]
    assert plain["backdrop"] == {"side": 2, "colour": "red"}
    assert plain["file"] == "a/b"


def test_what_plain_data_do_not_say_takes_its_default():
    assert from_plain(Drawing, {"title": "y", "shape": {"type": "Circle"}}) == Drawing(title="y")


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text())
def test_numbers_and_text_come_back_exactly(number, whole, text):
    value = Drawing(title=text, shape=Circle(number), size=(whole, number), limit=number)
    assert from_plain(Drawing, json.loads(json.dumps(to_plain(value)))) == value


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "Drawing lacks title"),
        ({"title": 3}, "title is 3; it must be text"),
        ({"title": "", "visible": 1}, "visible is 1; it must be true or false"),
        ({"title": "", "backdrop": {"side": 1.5}}, r"backdrop\.side is 1\.5; it must be a whole number"),
        ({"title": "", "backdrop": {"side": True}}, r"backdrop\.side is True"),
        ({"title": "", "size": [1]}, "size is .* a tuple"),
        ({"title": "", "size": [1, "z"]}, r"size\.1 is 'z'; it must be a number"),
        ({"title": "", "limit": float("nan")}, "limit is nan; it must be a number or none"),
        ({"title": "", "backdrop": 3}, "backdrop is 3"),
    ],
)
def test_unfit_values_are_refused_with_their_place(plain, message):
    with pytest.raises(RecipeError, match=message):
        from_plain(Drawing, plain)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"title": "", "vissible": True}, "unknown field of Drawing 'vissible'. Did you mean 'visible'"),
        ({"title": "", "shape": {"type": "Cirkle"}}, "unknown type of shape 'Cirkle'. Did you mean 'Circle'"),
        ({"title": "", "shape": {"type": "Circle", "radios": 1}}, "field of shape 'radios'. Did you mean 'radius'"),
        ({"title": "", "mode": "inc"}, "value of mode 'inc'. Did you mean 'ink'"),
        ({"title": "", "backdrop": {"colour": "rad"}}, r"value of backdrop\.colour 'rad'. Did you mean 'red'"),
    ],
)
def test_unknown_names_get_the_nearest_one(plain, message):
    with pytest.raises(UnknownNameError, match=message):
        from_plain(Drawing, plain)


def test_differences_name_the_path_and_both_values():
    old, new = to_plain(FULL), to_plain(Drawing(title="x", others=(Circle(2.5),)))
    lines = differences(old, new)
    assert "shape.type: Square -> Circle" in lines
    assert "shape.radius: (absent) -> 1.0" in lines
    assert "shape.side: 5 -> (absent)" in lines
    assert "others.1.side: 2 -> (absent)" in lines
    assert "size: [1, 2.0] -> [3, 4.0]" in lines
    assert not any(line.startswith(("title", "others.0")) for line in lines)
    assert differences(old, old) == []


def test_flattened_paths_are_unique():
    paths = [path for path, _ in flatten(to_plain(FULL))]
    assert len(paths) == len(set(paths))
    assert "others.1.colour" in paths
