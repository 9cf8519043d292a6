"""The columns of an index, from the records that a reader finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockon.data.datasets.columns import text_columns
from lockon.data.datasets.records import Issue, MaskFiles, Record

TEXTS = ("names", "categories", "patterns", "files", "segmentations")


@dataclass(slots=True)
class IndexBuilder:
    """The columns of an index while records are added to them. Codes are positions in the dictionaries of texts."""

    issues: list[Issue] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    codes: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in ("category", "pattern", "mask_pattern", "label")}
    )
    categories: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    segmentations: list[str] = field(default_factory=list)
    boxes: bytearray = field(default_factory=bytearray)
    visible: bytearray = field(default_factory=bytearray)
    numbers: bytearray = field(default_factory=bytearray)

    def add(self, finding: Record | Issue) -> list[Issue]:
        """Add a record to the columns, unless none of its frames is visible; what is wrong with it is returned."""
        if isinstance(finding, Issue):
            issues = [finding]
        else:
            boxes, visible, bad = _checked_boxes(finding)
            issues = [*finding.issues, *bad]
            if visible.any():
                self._append(finding, boxes, visible)
            else:
                text = f"'{finding.name}' shows its target in none of its {len(boxes)} frames."
                issues.append(Issue(finding.name, "hidden", 1, text))
        self.issues += issues
        return issues

    def _append(self, record: Record, boxes: NDArray[np.float32], visible: NDArray[np.bool_]) -> None:
        masks, keys = record.masks, record.frames.keys
        if isinstance(keys, tuple):
            self.files += keys
            keys = np.arange(len(self.files) - len(keys), len(self.files))
        if isinstance(masks, tuple):
            # Frames of earlier records that came without a segmentation.
            self.segmentations += [""] * (self.starts[-1] - len(self.segmentations))
            self.segmentations += masks
        files = masks if isinstance(masks, MaskFiles) else None
        self.names.append(record.name)
        self.starts.append(self.starts[-1] + len(boxes))
        self.codes["category"].append(_code(self.categories, record.category))
        self.codes["pattern"].append(_code(self.patterns, record.frames.pattern))
        self.codes["mask_pattern"].append(_code(self.patterns, files.pattern if files else None))
        self.codes["label"].append(files.label if files else -1)
        self.boxes += boxes.tobytes()
        self.visible += visible.tobytes()
        self.numbers += keys.astype("<i4").tobytes()

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns as they are written."""
        if self.segmentations:
            self.segmentations += [""] * (self.starts[-1] - len(self.segmentations))
        texts = (self.names, self.categories, self.patterns, self.files, self.segmentations)
        columns: dict[str, NDArray[Any]] = {name: np.array(codes, "<i4") for name, codes in self.codes.items()}
        for name, table in zip(TEXTS, texts, strict=True):
            columns |= text_columns(name, table)
        return columns | {
            "starts": np.array(self.starts, "<i8"),
            "boxes": np.frombuffer(self.boxes, "<f4").reshape(-1, 4),
            "visible": np.frombuffer(self.visible, "?"),
            "numbers": np.frombuffer(self.numbers, "<i4"),
        }


def _code(table: dict[str, int], text: str | None) -> int:
    return -1 if text is None else table.setdefault(text, len(table))


def _checked_boxes(record: Record) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[Issue]]:
    """Boxes with NaN for those without area, the visible frames with a box, and how many had one without area."""
    boxes = np.asarray(record.boxes, "<f4").copy()
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    if good.all():
        return boxes, record.visible, []
    # NaN says that there is no box; anything else that is none is a mistake.
    bad = np.flatnonzero(record.visible & ~good & ~np.isnan(boxes).all(axis=1))
    boxes[~good] = np.nan
    text = f"'{record.name}' has {len(bad)} boxes without area, the first in frame {bad[0]}." if len(bad) else ""
    return boxes, record.visible & good, [Issue(record.name, "boxes", len(bad), text)] if text else []
