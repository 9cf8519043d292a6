"""Any folder of the user's own annotated videos, in the layouts and formats of docs/own_videos.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lockon.boxes import Box
from lockon.data.datasets.clips import Clip
from lockon.data.datasets.folders import FolderSequence, open_folder
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.errors import DataError
from lockon.images import Image

_NAMED = 5
"""Sequences that a note names."""


def find(root: Path, *, first_frame: int = 0) -> Found:
    """Every object in every clip, from the first frame in which it is visible.

    Args:
        root: the folder, searched in depth.
        first_frame: number of the first frame in tables (CSV) whose header does not say.
    """
    dataset = open_folder(root, first_frame=first_frame)
    found = gather(dataset, _name, _of_object)
    unused = ((issue.sequence, issue.text) for issue in dataset.issues if issue.kind != "boxes")
    return Found(found.sequences, (*found.excluded, *unused), (*dataset.notes, *_late(found.sequences)))


def _late(sequences: Sequence[TestSequence]) -> list[str]:
    """What to say of frames before the first that shows the target."""
    late = [f"'{each.name}' (frame {each.first_number})" for each in sequences if each.first_number]
    if not late:
        return []
    named = ", ".join(late[:_NAMED]) + (", …" if len(late) > _NAMED else "")
    return [f"frames before the first that shows the target do not count, which is a later one in {named}."]


def _name(sequence: FolderSequence) -> str:
    """Of a clip in a folder below, its path in one word: results are files of this name."""
    return sequence.name.replace("/", "-")


def _of_object(sequence: FolderSequence) -> TestSequence:
    _check_every_frame(sequence)
    first = int(np.flatnonzero(sequence.visible)[0])
    # The text of a float32 is what was in the file, but for digits far below what annotation can mean.
    boxes = sequence.boxes[first:].astype(str).astype(np.float64)
    paths = [sequence.frame_path(index) for index in range(first, len(sequence))]
    files = tuple(path for path in paths if path is not None)
    return TestSequence(
        name=_name(sequence),
        frame_paths=files,
        truth=BoxTruth(boxes=boxes, visible=sequence.visible[first:]),
        start=Box.parse(boxes[0].tolist()),
        length=len(boxes),
        clip=None if files else _Later(sequence.source, first),
        category=sequence.category,
        first_number=first,
    )


def _check_every_frame(sequence: FolderSequence) -> None:
    """Refuse annotation at regular intervals: without it, a frame counts as one without target.

    Raises:
        DataError: boxes are that far apart.
    """
    gaps = np.diff(np.flatnonzero(np.isfinite(sequence.boxes[:, 0])))
    if len(gaps) and gaps.min() == gaps.max() > 1:
        raise DataError(
            f"'{sequence.name}' has boxes {gaps[0]} frames apart, but in a test every frame counts, and one without "
            "a box as one without the target. Annotate all frames, or let your annotation tool interpolate."
        )


@dataclass(frozen=True, slots=True)
class _Later:
    """A clip from a frame on."""

    whole: Clip
    first: int

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def path(self) -> Path:
        return self.whole.path

    def __len__(self) -> int:
        return len(self.whole) - self.first

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0 where this clip begins."""
        return self.whole.frame(self.first + index)

    def frame_path(self, index: int) -> Path | None:
        """The image file of frame `index`, from 0 where this clip begins."""
        return self.whole.frame_path(self.first + index)


FOLDER = Benchmark(
    name="folder",
    title="Own videos",
    protocol="one_pass",
    layout="videos or folders of images, with their annotation beside or in them",
    marks=("*",),
    find=find,
)
