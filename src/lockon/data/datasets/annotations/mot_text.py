"""MOTChallenge text: `frame,id,x,y,w,h[,considered[,class[,visibility]]]`, everything counted from 1.

Milan et al., "MOT16: A Benchmark for Multi-Object Tracking" (2016): frames, ids and pixels start at 1; a
`considered` of 0 marks an entry to be ignored; visibility is the share of the box that is seen.
"""

from __future__ import annotations

from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path

from lockon.data.datasets.annotations.base import (
    LEAST_VISIBILITY,
    Annotation,
    Observation,
    parse_box,
    parse_frame,
    parse_number,
    read_text,
)
from lockon.data.datasets.annotations.box_lines import split_numbers
from lockon.errors import DataError

MOT_COLUMNS = (6, 7, 9, 10)
_CLASSES = [
    *("pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non-motorised vehicle", "static person"),
    *("distractor", "occluder", "occluder on the ground", "full occluder", "reflection", "crowd"),
]
"""Of MOT16 and later, from class 1."""


def read_mot_text(path: Path) -> Annotation:
    """Read MOT text; `../seqinfo.ini`, where there is one, gives the length, and `labels.txt` beside it the classes.

    Raises:
        DataError: a line is malformed, or the objects have no ids (a file of detections).
    """
    names = _class_names(path)
    observations = [
        observation
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip()
        for observation in _read_line(split_numbers(line), f"'{path}', line {number}", names)
    ]
    return Annotation(path=path, observations=tuple(observations), lengths=_lengths(path))


def _read_line(values: list[str], where: str, names: list[str]) -> list[Observation]:
    if len(values) not in MOT_COLUMNS:
        raise DataError(f"{where}: expected frame,id,x,y,w,h and so on ({MOT_COLUMNS} values); got {len(values)}.")
    frame, track = parse_frame(values[0], where, first=1), int(parse_number(values[1], where))
    if track < 0:
        raise DataError(f"{where}: the object has no id ({track}); these are detections, not tracks.")
    box = parse_box(values[2:6], where)
    if box is None or (len(values) > 6 and parse_number(values[6], where) == 0):
        return []
    box = box._replace(x=box.x - 1, y=box.y - 1)
    graded = len(values) == 9
    category = _name(int(parse_number(values[7], where)), names) if graded else None
    seen = not graded or not 0 <= parse_number(values[8], where) < LEAST_VISIBILITY
    visible = seen and box.w > 0 and box.h > 0
    return [Observation(where, None, frame, None, str(track), category, box, visible)]


def _name(number: int, names: list[str]) -> str | None:
    return names[number - 1] if 1 <= number <= len(names) else None


def _class_names(path: Path) -> list[str]:
    labels = path.parent / "labels.txt"
    return read_text(labels).split("\n") if labels.is_file() else _CLASSES


def _lengths(path: Path) -> dict[str | None, int]:
    info = path.parent.parent / "seqinfo.ini"
    if path.parent.name != "gt" or not info.is_file():
        return {}
    text, settings = read_text(info), ConfigParser(interpolation=None)
    try:
        settings.read_string(text)
        return {None: settings.getint("Sequence", "seqLength")}
    except (IniError, ValueError) as error:
        raise DataError(f"'{info}' does not state seqLength under [Sequence]: {error}.") from error
