"""Looking through a data set before it is trained on: what is there, what is missing, what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from lockon.data.datasets.base import SequenceDataset, TargetSequence
from lockon.data.datasets.box_checks import CountingFromOne, suspicious_boxes
from lockon.data.datasets.index import Progress
from lockon.data.datasets.pictures import picture_identity
from lockon.data.datasets.records import Issue
from lockon.errors import DataError

SAMPLED_IMAGES = 200
"""Images that are read where not all are."""
_LEAST_MASK_OVERLAP = 0.3
"""Of a target's box with the box around its mask."""
_REMEMBERED = 100_000
"""Pictures of which the size is kept, so that none is read for every target in it."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (an error) or looks so (a warning)."""

    severity: Severity
    kind: str
    sequence: str
    """Its name; empty where the whole data set is meant."""
    text: str
    frames: tuple[int, ...] = ()
    """Frame numbers from 0, where some are meant."""


@dataclass(frozen=True, slots=True)
class Range:
    """How numbers are spread: percentiles."""

    least: float
    low: float
    """10 % are below."""
    median: float
    high: float
    """10 % are above."""
    most: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Range | None:
        """Of some numbers; None where there are none."""
        return cls(*np.percentile(values, [0, 10, 50, 90, 100]).tolist()) if len(values) else None


@dataclass(slots=True, kw_only=True)
class FindingsReport:
    """Findings, with whatever else a check counts."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What keeps data from being used, or numbers from being comparable."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What should be looked at."""
        return [finding for finding in self.findings if finding.severity == "warning"]

    def as_plain(self) -> dict[str, Any]:
        """For JSON; the findings come last."""
        plain = asdict(self)
        findings = plain.pop("findings")
        return {**plain, "findings": findings}


@dataclass(slots=True, kw_only=True)
class CheckReport(FindingsReport):
    """What a data set has, and what is wrong with it."""

    name: str
    fingerprint: str
    is_video: bool
    sequences: int = 0
    frames: int = 0
    annotated: int = 0
    """Frames with a box."""
    visible: int = 0
    images_read: int = 0
    masks_read: int = 0
    categories: dict[str, int] = field(default_factory=dict)
    """Sequences by category, the most frequent first; those without are left out."""
    lengths: Range | None = None
    """Frames per sequence."""
    sides: Range | None = None
    """√(width · height) of visible boxes in pixels."""
    aspects: Range | None = None
    """Width / height of visible boxes."""
    image_sizes: dict[str, int] = field(default_factory=dict)
    """Images read, by width × height."""


def check_dataset(
    dataset: SequenceDataset, *, all_images: bool = False, progress: Progress | None = None
) -> CheckReport:
    """Look at all annotations of a data set, and at some of its images or all.

    Args:
        dataset: what to check; its `issues`, where it has some, become findings.
        all_images: read every image, not only `SAMPLED_IMAGES` spread evenly over the data set.
        progress: called with the number of sequences that were looked at, and of all.
    """
    report = CheckReport(name=dataset.name, fingerprint=dataset.fingerprint, is_video=dataset.is_video)
    report.findings += [_of_issue(issue) for issue in getattr(dataset, "issues", ())]
    looking = _Looking(dataset, report, all_images)
    for number in range(len(dataset)):
        looking.at(number)
        if progress:
            progress(number + 1, len(dataset))
    looking.finish()
    return report


def _of_issue(issue: Issue) -> Finding:
    # Data sets as they are distributed have some boxes without area and targets that are never seen.
    severity: Severity = "warning" if issue.kind in {"boxes", "hidden"} else "error"
    return Finding(severity, issue.kind, issue.sequence, issue.text)


class _Looking:
    """One pass over a data set, which fills a report."""

    def __init__(self, dataset: SequenceDataset, report: CheckReport, all_images: bool) -> None:
        self._dataset = dataset
        self._report = report
        self._all_images = all_images
        self._names: set[str] = set()
        self._pictures: dict[Hashable, tuple[int, int] | None] = {}
        """Size (width, height) of the pictures read last, None for an unreadable one; neighbours may share them."""
        self._categories: Counter[str] = Counter()
        self._image_sizes: Counter[str] = Counter()
        self._lengths: list[int] = []
        self._boxes: list[Float[np.ndarray, "n 4"]] = []
        self._from_one = CountingFromOne()

    def at(self, number: int) -> None:
        sequence = self._dataset[number]
        boxes, visible = np.asarray(sequence.boxes, np.float32), np.asarray(sequence.visible)
        self._report.annotated += int(np.isfinite(boxes).all(axis=1).sum())
        self._lengths.append(len(sequence))
        self._boxes.append(boxes[visible])
        if sequence.category:
            self._categories[sequence.category] += 1
        if sequence.name in self._names:
            self._add("error", "name", sequence, "the name is given to another sequence, too")
        self._names.add(sequence.name)
        size = self._look_at_images(number, sequence)
        for kind, text, frames in suspicious_boxes(boxes, visible, size):
            self._add("warning", kind, sequence, text, frames)
        if self._dataset.is_video and visible.sum() < 2:
            self._add("warning", "short", sequence, "the target is visible in one frame only")
        if size is not None:
            self._from_one.add(boxes[visible], size)

    def finish(self) -> None:
        report, boxes = self._report, np.concatenate(self._boxes) if self._boxes else np.zeros((0, 4))
        report.sequences, report.frames, report.visible = len(self._lengths), sum(self._lengths), len(boxes)
        report.categories = dict(self._categories.most_common())
        report.image_sizes = dict(self._image_sizes.most_common())
        report.lengths = Range.of(np.array(self._lengths))
        report.sides = Range.of(np.sqrt(boxes[:, 2] * boxes[:, 3]))
        report.aspects = Range.of(boxes[:, 2] / boxes[:, 3])
        suspicion = self._from_one.suspicion()
        if suspicion is not None:
            report.findings.append(Finding("warning", suspicion.kind, "", suspicion.text))

    def _add(
        self, severity: Severity, kind: str, sequence: TargetSequence, text: str, frames: tuple[int, ...] = ()
    ) -> None:
        self._report.findings.append(Finding(severity, kind, sequence.name, text, frames))

    def _look_at_images(self, number: int, sequence: TargetSequence) -> tuple[int, int] | None:
        """Read some frames, and return the size that they have; None where none was read."""
        if len(self._pictures) > _REMEMBERED:
            self._pictures.clear()
        sizes: list[tuple[int, int]] = []
        for index in self._chosen(number, len(sequence)):
            picture = picture_identity(sequence, index)
            if picture not in self._pictures:
                self._pictures[picture] = self._read(sequence, index)
            size = self._pictures[picture]
            if size is not None:
                sizes.append(size)
                self._look_at_mask(sequence, index, size)
        if len(set(sizes)) > 1:
            named = ", ".join(sorted({f"{width}×{height}" for width, height in sizes}))
            self._add("warning", "size", sequence, f"its images differ in size: {named}")
        return sizes[0] if sizes else None

    def _chosen(self, number: int, length: int) -> Sequence[int]:
        """Frames of a sequence to read, spread evenly over the sequences and within each."""
        if self._all_images:
            return range(length)
        total = len(self._dataset)
        share = (number + 1) * SAMPLED_IMAGES // total - number * SAMPLED_IMAGES // total
        return sorted({round(place) for place in np.linspace(0, length - 1, min(share, length)).tolist()})

    def _read(self, sequence: TargetSequence, index: int) -> tuple[int, int] | None:
        try:
            height, width = sequence.frame(index).shape[:2]
        except DataError as error:
            self._add("error", "unreadable", sequence, str(error), (index,))
            return None
        self._report.images_read += 1
        self._image_sizes[f"{width}×{height}"] += 1
        return width, height

    def _look_at_mask(self, sequence: TargetSequence, index: int, size: tuple[int, int]) -> None:
        try:
            mask = sequence.mask(index)
        except DataError as error:
            self._add("error", "unreadable", sequence, str(error), (index,))
            return
        if mask is None:
            return
        self._report.masks_read += 1
        if mask.shape != size[::-1]:
            text = f"its mask has {mask.shape[1]}×{mask.shape[0]} pixels, its image {size[0]}×{size[1]}"
            self._add("error", "mask", sequence, text, (index,))
        elif sequence.visible[index] and _overlap(mask, sequence.boxes[index]) < _LEAST_MASK_OVERLAP:
            self._add("warning", "mask", sequence, "its mask is somewhere else than its box", (index,))


def _overlap(mask: NDArray[np.bool_], box: Float[np.ndarray, "4"]) -> float:
    """Intersection over union of a box and the one around a mask; 0 for an empty mask."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1)]
    if not len(spans[0]):
        return 0.0
    start = np.array([span[0] for span in spans], np.float64)
    end = np.array([span[-1] + 1 for span in spans], np.float64)
    common = np.clip(np.minimum(end, box[:2] + box[2:]) - np.maximum(start, box[:2]), 0, None).prod()
    return float(common / ((end - start).prod() + box[2:].prod() - common))


def grouped(findings: Sequence[Finding]) -> Iterator[tuple[Severity, str, list[Finding]]]:
    """Findings by severity and kind, errors first, in the order in which the kinds came up."""
    groups: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    for (severity, kind), members in sorted(groups.items(), key=lambda item: item[0][0]):
        yield severity, kind, members
