"""CVAT XML 1.1, "for video" (tracks) and "for images" (boxes by image). Frames count from 0, as in CVAT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from lockon.boxes import Box
from lockon.data.datasets.annotations.base import Annotation, Observation, corners_to_box, parse_frame, read_text
from lockon.errors import DataError

_IDENTITY = ("track_id", "object_id", "id")
"""Attributes of a box in an image that tell one object from another."""


@dataclass(slots=True)
class _Element:
    """A `track`, `image`, `box` or `attribute`, with those that it holds."""

    tag: str
    values: Mapping[str, str]
    where: str
    children: list[_Element] = field(default_factory=list)
    text: str = ""

    def __getitem__(self, name: str) -> str:
        if name not in self.values:
            raise DataError(f"{self.where}: <{self.tag}> has no '{name}'.")
        return self.values[name]

    def flag(self, name: str) -> bool:
        return self.values.get(name) == "1"

    def box(self) -> Box | None:
        return corners_to_box([self[name] for name in ("xtl", "ytl", "xbr", "ybr")], self.where)

    def boxes(self) -> list[_Element]:
        return [child for child in self.children if child.tag == "box"]


def read_cvat_xml(path: Path) -> Annotation:
    """Read the rectangles of a CVAT file; other shapes are left out.

    A track without a box in every frame is interpolated between those it has, unless it is `outside` there. Frames
    where an object is `outside` are not annotated; where it is `occluded` it is not visible.

    Raises:
        DataError: it is not XML of CVAT, or an element is malformed.
    """
    root = _parse(path)
    observations: list[Observation] = []
    for element in root.children:
        if element.tag == "track":
            observations += _read_track(element)
        elif element.tag == "image":
            observations += _read_image(element)
    return Annotation(path=path, observations=tuple(observations))


class _Keyframe(NamedTuple):
    frame: int
    box: Box | None
    occluded: bool
    where: str


def _read_track(track: _Element) -> Iterator[Observation]:
    name, category = track["id"], track["label"]
    for key in _interpolated([_keyframe(element) for element in track.boxes()]):
        if key.box is not None:
            visible = not key.occluded and key.box.w > 0 and key.box.h > 0
            yield Observation(key.where, None, key.frame, None, name, category, key.box, visible)


def _keyframe(element: _Element) -> _Keyframe:
    box = None if element.flag("outside") else element.box()
    return _Keyframe(parse_frame(element["frame"], element.where), box, element.flag("occluded"), element.where)


def _interpolated(keys: list[_Keyframe]) -> Iterator[_Keyframe]:
    """All frames from the first keyframe to the last."""
    ordered = sorted(keys, key=lambda key: key.frame)
    for one, other in pairwise(ordered):
        yield one
        if one.box is None:
            continue
        end = other.box or one.box  # an object that leaves stays where it was until then
        for frame in range(one.frame + 1, other.frame):
            share = (frame - one.frame) / (other.frame - one.frame)
            box = Box(*(a + share * (b - a) for a, b in zip(one.box, end, strict=True)))
            yield _Keyframe(frame, box, one.occluded, one.where)
    yield from ordered[-1:]


def _read_image(image: _Element) -> Iterator[Observation]:
    for element in image.boxes():
        box = element.box()
        if box is not None:
            visible = not element.flag("occluded") and box.w > 0 and box.h > 0
            yield Observation(
                where=element.where,
                clip=None,
                frame=None,
                file=image["name"],
                track=_identity(element),
                category=element["label"],
                box=box,
                visible=visible,
            )


def _identity(box: _Element) -> str:
    """What tells objects in images apart: an attribute, the group, or else the label alone."""
    for child in box.children:
        if child.tag == "attribute" and child.values.get("name", "").casefold() in _IDENTITY:
            return child.text.strip()
    group = box.values.get("group_id", "0")
    return box["label"] if group in ("", "0") else f"group {group}"


def _parse(path: Path) -> _Element:
    parser = expat.ParserCreate()
    root = _Element("", {}, f"'{path}'")
    stack = [root]

    def start(tag: str, values: dict[str, str]) -> None:
        element = _Element(tag, values, f"'{path}', line {parser.CurrentLineNumber}")
        stack[-1].children.append(element)
        stack.append(element)

    def text(data: str) -> None:
        stack[-1].text += data

    parser.StartElementHandler = start
    parser.EndElementHandler = _dropping_last(stack)
    parser.CharacterDataHandler = text
    try:
        parser.Parse(read_text(path), True)
    except expat.ExpatError as error:
        raise DataError(f"'{path}', line {error.lineno}: it is not complete XML ({error}).") from error
    top = root.children[0]
    if top.tag != "annotations":
        raise DataError(f"'{path}' is not of CVAT: its outermost element is <{top.tag}>, not <annotations>.")
    return top


def _dropping_last(stack: list[_Element]) -> Callable[[str], None]:
    def end(_: str) -> None:
        stack.pop()

    return end
