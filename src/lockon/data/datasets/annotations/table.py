"""Tables with a header line (CSV), one row per object and frame; Lockon's own CSV trajectories among them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockon.boxes import Box
from lockon.data.datasets.annotations.base import (
    LEAST_VISIBILITY,
    Annotation,
    Observation,
    corners_to_box,
    parse_box,
    parse_frame,
    parse_number,
    read_text,
)
from lockon.errors import DataError

_ALIASES = {
    "frame": "frame frame_id frame_index frame_number frame_no frame_num frameid image_id",
    "frame from 1": "frame1 frame_1based frame_from_1",
    "file": "file filename file_name image image_name frame_name path",
    "clip": "clip clip_name video video_name sequence seq",
    "track": "id track track_id target target_id object object_id instance_id",
    "category": "class class_name category label name",
    "visible": "visible present visibility",
    "hidden": "hidden occluded outside absent out_of_view lost",
    "left": "x left x1 xmin x_min xtl bb_left bbox_x bbox_left",
    "top": "y top y1 ymin y_min ytl bb_top bbox_y bbox_top",
    "width": "w width bb_width bbox_w bbox_width",
    "height": "h height bb_height bbox_h bbox_height",
    "right": "x2 right xmax x_max xbr",
    "bottom": "y2 bottom ymax y_max ybr",
}
_MEANINGS = {alias: meaning for meaning, aliases in _ALIASES.items() for alias in aliases.split()}
_CORNERS = {"left", "top", "right", "bottom"}
_SIZES = {"left", "top", "width", "height"}
_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of one row that mean something here, by meaning."""

    number: int
    """From 0."""
    cells: Mapping[str, str]
    where: str

    def observation(self, box: Box, first_frame: int) -> Observation:
        cells = self.cells
        return Observation(
            where=self.where,
            clip=cells.get("clip") or None,
            frame=self._frame(first_frame),
            file=cells.get("file") or None,
            track=cells.get("track") or "0",
            category=cells.get("category") or None,
            box=box,
            visible=self._is_visible() and box.w > 0 and box.h > 0,
        )

    def _frame(self, first_frame: int) -> int | None:
        if "frame from 1" in self.cells:
            return parse_frame(self.cells["frame from 1"], self.where, first=1)
        if "frame" in self.cells:
            return parse_frame(self.cells["frame"], self.where, first=first_frame)
        return None if "file" in self.cells else self.number

    def _is_visible(self) -> bool:
        return self._level("visible", 1.0) >= LEAST_VISIBILITY and self._level("hidden", 0.0) <= 1 - LEAST_VISIBILITY

    def _level(self, meaning: str, otherwise: float) -> float:
        cell = self.cells.get(meaning, "").casefold()
        return _WORDS[cell] if cell in _WORDS else parse_number(cell, self.where) if cell else otherwise

    def box(self) -> Box | None:
        # Corners first: tables with both (of TensorFlow's object detection) give the size of the image, too.
        if self.cells.keys() >= _CORNERS:
            return corners_to_box([self.cells[side] for side in ("left", "top", "right", "bottom")], self.where)
        return parse_box([self.cells[side] for side in ("left", "top", "width", "height")], self.where)


def read_table(path: Path, first_frame: int = 0) -> Annotation:
    """Read a table whose header says what is in its columns (docs/own_videos.md lists the names that are known).

    Without a column for frames, row n is frame n of one object, and there must be a row for every frame.

    Args:
        path: the file; commas, semicolons or tabs between the values; lines that start with `#` are left out.
        first_frame: number of the first frame, where the header does not say.

    Raises:
        DataError: columns for the box are missing, or a row is malformed.
    """
    lines = [
        (number, line)
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise DataError(f"'{path}' is empty; expected a header line such as frame,x,y,w,h.")
    delimiter = next((mark for mark in ",;\t" if mark in lines[0][1]), ",")
    header = _split(lines[0][1], delimiter)
    columns = _columns(header, path)
    rows = []
    for number, (line_number, line) in enumerate(lines[1:]):
        where, values = f"'{path}', line {line_number}", _split(line, delimiter)
        if len(values) != len(header):
            raise DataError(f"{where}: expected {len(header)} values, as in the header; got {len(values)}.")
        cells = {meaning: values[column] for meaning, column in columns.items()}
        rows.append(_Row(number, cells, where))
    found = [row.observation(box, first_frame) for row in rows if (box := row.box()) is not None]
    numbered_by_row = not {"frame", "frame from 1", "file"} & columns.keys()
    return Annotation(path=path, observations=tuple(found), lengths={None: len(rows)} if numbered_by_row else {})


def _split(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _columns(header: list[str], path: Path) -> dict[str, int]:
    """Meaning → column."""
    columns: dict[str, int] = {}
    for column, title in enumerate(header):
        meaning = _MEANINGS.get(title.casefold().replace(" ", "_").replace("-", "_"))
        if meaning is None:
            continue
        if meaning in columns:
            raise DataError(
                f"'{path}', line 1: the columns '{header[columns[meaning]]}' and '{title}' both mean the {meaning}."
            )
        columns[meaning] = column
    if not (columns.keys() >= _CORNERS or columns.keys() >= _SIZES):
        raise DataError(
            f"'{path}', line 1: expected columns x,y,w,h or x1,y1,x2,y2 (and frame, id, class, visible); got "
            f"'{','.join(header)}'."
        )
    return columns
