"""Looking through a test set before trackers are compared on it: whether it is whole, and what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lockon.data.datasets.check import SAMPLED_IMAGES, Finding, FindingsReport, Severity
from lockon.data.datasets.index import Progress
from lockon.data.datasets.label_masks import BACKGROUND, VOID
from lockon.data.image_reading import image_names, read_labels
from lockon.data.testsets.base import BoxTruth, MaskTruth, TestSequence, TestSet
from lockon.data.testsets.benchmark import Benchmark
from lockon.data.testsets.images import NumberedImages
from lockon.data.testsets.tables import Entry
from lockon.errors import DataError

_NAMED = 3
"""Missing images that a message names."""


@dataclass(slots=True, kw_only=True)
class TestSetReport(FindingsReport):
    """What a test set has, what a whole copy has, and what is wrong."""

    name: str
    title: str
    sequences: int
    expected_sequences: int | None
    """Of a whole copy; None where that is not known."""
    frames: int
    expected_frames: int | None
    absent: int = 0
    """Annotated frames in which the target is not visible or has no box."""
    with_images: int = 0
    """Sequences that trackers can be run on."""
    images_read: int = 0
    image_sizes: dict[str, int] = field(default_factory=dict)
    """Images read, by width × height."""


def check_test_set(
    test_set: TestSet, benchmark: Benchmark, *, all_images: bool = False, progress: Progress | None = None
) -> TestSetReport:
    """Compare a test set with what a whole copy has, look for every image, and read some of them or all.

    Args:
        test_set: what to check.
        benchmark: what it was opened as.
        all_images: read every image, not only `SAMPLED_IMAGES` spread evenly over the sequences.
        progress: called with the number of sequences that were looked at, and of all.
    """
    report = TestSetReport(
        name=test_set.name,
        title=test_set.title,
        sequences=len(test_set),
        expected_sequences=benchmark.sequences,
        frames=sum(map(len, test_set.sequences)),
        expected_frames=benchmark.frames,
    )
    looking = _Looking(test_set, benchmark, report, all_images)
    looking.at_counts()
    for number, sequence in enumerate(test_set.sequences):
        looking.at(number, sequence)
        if progress:
            progress(number + 1, len(test_set))
    looking.finish()
    return report


class _Looking:
    """One pass over a test set, which fills a report."""

    def __init__(self, test_set: TestSet, benchmark: Benchmark, report: TestSetReport, all_images: bool) -> None:
        self._test_set = test_set
        self._benchmark = benchmark
        self._report = report
        self._all_images = all_images
        self._entries = {entry.name: entry for entry in benchmark.entries}
        self._sizes: Counter[str] = Counter()
        self._bare: list[str] = []
        """Sequences without images."""
        self._listed: tuple[Path | None, frozenset[str]] = (None, frozenset())
        """The folder that was listed last, which the next sequence may share, and its images."""

    def at_counts(self) -> None:
        report = self._report
        for name, reason in self._test_set.excluded:
            self._add("error", "left out", name, reason)
        for note in self._test_set.notes:
            self._add("warning", "note", "", note)
        for what, count, expected in (
            ("sequences", report.sequences, report.expected_sequences),
            ("frames", report.frames, report.expected_frames),
        ):
            if expected is not None and count != expected:
                self._add("error", "count", "", f"{count} {what} can be used; {report.title} has {expected}")

    def at(self, number: int, sequence: TestSequence) -> None:
        if isinstance(sequence.truth, BoxTruth):
            self._look_at_boxes(sequence.name, sequence.truth)
        if not sequence.has_images:
            self._bare.append(sequence.name)
            return
        self._report.with_images += 1
        lost = self._look_for_images(sequence)
        sizes = {self._read(sequence, index) for index in self._chosen(number, len(sequence)) if index not in lost}
        if len(sizes - {None}) > 1:
            named = ", ".join(sorted(f"{size[0]}×{size[1]}" for size in sizes if size))
            self._add("warning", "size", sequence.name, f"its images differ in size: {named}")

    def finish(self) -> None:
        self._report.image_sizes = dict(self._sizes.most_common())
        text = "there is only the annotation, with which results can be scored, but no tracker can be run"
        if self._bare and not self._report.with_images:
            self._add("warning", "no images", "", text)
        else:
            for name in self._bare:
                self._add("error", "no images", name, text)

    def _add(self, severity: Severity, kind: str, sequence: str, text: str, frames: tuple[int, ...] = ()) -> None:
        self._report.findings.append(Finding(severity, kind, sequence, text, frames))

    def _look_at_boxes(self, name: str, truth: BoxTruth) -> None:
        absent = np.isnan(truth.boxes).any(axis=1)
        flat = (truth.boxes[:, 2:] <= 0).any(axis=1)
        shown = ~absent if truth.visible is None else truth.visible
        self._report.absent += int((~shown | flat).sum())
        entry = self._entries.get(name, Entry(name=name))
        for what, count, expected in (
            ("frames without visible target", int((~shown).sum()), entry.absent),
            ("boxes without area", int(flat.sum()), entry.flat),
        ):
            if expected is not None and count != expected:
                text = f"{count} {what}, the benchmark has {expected}: is it another version of the annotation?"
                self._add("warning", "annotation", name, text)

    def _look_for_images(self, sequence: TestSequence) -> frozenset[int]:
        """Frames whose image is missing, after they were reported."""
        paths = sequence.frame_paths
        if not isinstance(paths, NumberedImages):
            return frozenset()  # these were found by listing their folder
        there = self._names_in(paths.folder)
        lost = tuple(index for index in range(len(paths)) if paths.name(index) not in there)
        if lost:
            named = ", ".join(paths.name(index) for index in lost[:_NAMED])
            text = f"{len(lost)} of {len(paths)} images are not in '{paths.folder}': {named}"
            self._add("error", "missing images", sequence.name, text + (", …" if len(lost) > _NAMED else ""), lost)
        elif not self._benchmark.is_cut and len(there) > len(paths):
            text = f"'{paths.folder}' has {len(there)} images for {len(paths)} frames of annotation"
            self._add("warning", "spare images", sequence.name, text)
        return frozenset(lost)

    def _names_in(self, folder: Path) -> frozenset[str]:
        if self._listed[0] != folder:
            self._listed = folder, frozenset(image_names(folder))
        return self._listed[1]

    def _chosen(self, number: int, length: int) -> Iterator[int]:
        """Frames of a sequence to read, spread evenly over the sequences and within each."""
        total = len(self._test_set)
        share = (number + 1) * SAMPLED_IMAGES // total - number * SAMPLED_IMAGES // total
        count = length if self._all_images else min(share, length)
        return iter(dict.fromkeys(round(place) for place in np.linspace(0, length - 1, count).tolist()))

    def _read(self, sequence: TestSequence, index: int) -> tuple[int, int] | None:
        """Size of an image; None after it was reported as unreadable."""
        try:
            height, width = sequence.frame(index).shape[:2]
            if isinstance(sequence.truth, MaskTruth):
                self._look_at_labels(sequence.name, sequence.truth, index, (height, width))
        except DataError as error:
            self._add("error", "unreadable", sequence.name, str(error), (index,))
            return None
        self._report.images_read += 1
        self._sizes[f"{width}×{height}"] += 1
        return width, height

    def _look_at_labels(self, name: str, truth: MaskTruth, index: int, shape: tuple[int, int]) -> None:
        path = truth.labels[index]
        if path is None:
            return
        labels = read_labels(path)
        if labels.shape != shape:
            text = f"'{path}' has {labels.shape[1]}×{labels.shape[0]} pixels, its image {shape[1]}×{shape[0]}"
            self._add("error", "mask", name, text, (index,))
        unknown = sorted(set(np.unique(labels).tolist()) - {BACKGROUND, VOID, *truth.objects})
        if unknown and not truth.merged:
            self._add("error", "mask", name, f"'{path}' marks object {unknown[0]}, which is never given", (index,))
