"""Which format a file is in: by its suffix and what it begins with, never by trial."""

from __future__ import annotations

import json
from pathlib import Path

from lockon.data.datasets.annotations.base import Annotation, read_text
from lockon.data.datasets.annotations.box_lines import BOX_COLUMNS, POLYGON_COLUMNS, read_box_lines, split_numbers
from lockon.data.datasets.annotations.coco_json import read_coco
from lockon.data.datasets.annotations.cvat_xml import read_cvat_xml
from lockon.data.datasets.annotations.mot_text import MOT_COLUMNS, read_mot_text
from lockon.data.datasets.annotations.table import read_table
from lockon.data.datasets.annotations.trajectory_json import read_trajectory
from lockon.errors import DataError
from lockon.trajectory import JSON_FORMAT

ANNOTATION_SUFFIXES = (".csv", ".json", ".xml", ".txt")
"""Where several files could annotate a clip, the first of these counts."""

_HEAD = 1 << 16
"""Bytes by which a file is judged."""


def read_annotation(path: Path, *, first_frame: int = 0) -> Annotation:
    """Read an annotation file in any format that is known.

    Args:
        path: the file.
        first_frame: number of the first frame in tables (CSV) whose header does not say; other formats define it.

    Raises:
        DataError: the format is not known, or the content is malformed; the message names file and line.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _read_json(path)
    if suffix == ".xml":
        return read_cvat_xml(path)
    first = _first_line(path)
    if first.lstrip('"')[:1].isalpha() and not first.casefold().startswith("nan"):
        return read_table(path, first_frame)
    columns = len(split_numbers(first))
    if columns in MOT_COLUMNS:
        return read_mot_text(path)
    if not first or columns in (BOX_COLUMNS, POLYGON_COLUMNS):
        return read_box_lines(path)
    raise DataError(
        f"'{path}', line 1: {columns} numbers a line are no format that is known. Write a header line above them, "
        "such as frame,x,y,w,h."
    )


def is_annotation(path: Path) -> bool:
    """Whether a file looks like one that `read_annotation` reads: by suffix, and JSON and XML by their content."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix not in ANNOTATION_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return True  # whoever reads it will say what is wrong
    if suffix == ".json":
        return any(f'"{word}"'.encode() in head for word in ("images", "annotations", "videos", JSON_FORMAT))
    return suffix != ".xml" or b"<annotations" in head


def _first_line(path: Path) -> str:
    lines = (line.strip() for line in read_text(path).splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _read_json(path: Path) -> Annotation:
    text = read_text(path)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"'{path}' is not complete JSON: {error}.") from error
    if isinstance(content, dict) and content.get("format") == JSON_FORMAT:
        return read_trajectory(path)
    if not isinstance(content, dict) or "annotations" not in content:
        raise DataError(f"'{path}' is neither COCO JSON (images, annotations) nor a trajectory of Lockon.")
    return read_coco(content, path)
