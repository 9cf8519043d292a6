"""Segmentation results: a folder a sequence, in it a label image a frame, named as the frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.errors import DataError
from lockon.evaluation.formats.base import NUMBERED_RUN, ResultFile, files_in
from lockon.evaluation.formats.text import REMEDY
from lockon.evaluation.tracks import MaskTrack

_ANNOTATIONS = "Annotations"
"""Folder that YouTube-VOS's server wants in archives."""


def find_masks(root: Path) -> Iterator[ResultFile]:
    """`TRACKER/SEQUENCE/FRAME.png`, also below `TRACKER/Annotations` or pytracking's `TRACKER/PARAMETERS[_RUN]`.

    The folder of a tracker will do, too.
    """
    own = root.resolve().name
    yield from _sequences(own, root)
    for outer in subfolders(root):
        yield from _sequences(own if outer.name == _ANNOTATIONS else outer.name, outer)
    for outer in subfolders(root):
        for inner in subfolders(outer):
            yield from _sequences(outer.name if inner.name == _ANNOTATIONS else f"{outer.name}_{inner.name}", inner)


def _sequences(tracker: str, folder: Path) -> Iterator[ResultFile]:
    numbered = NUMBERED_RUN.fullmatch(tracker)
    name, run = (numbered["name"], int(numbered["run"])) if numbered else (tracker, 0)
    for inner in subfolders(folder):
        if files_in(inner, ".png"):
            yield ResultFile(tracker=name, run=run, sequence=inner.name, path=inner)


def read_masks(file: ResultFile, sequence: TestSequence) -> MaskTrack:
    """The label images of the frames that have one; they are opened only when they are scored.

    Raises:
        DataError: an image belongs to no frame, or the names of the frames are not known.
    """
    names = frame_names(sequence)
    found = {path.stem: path for path in files_in(file.path, ".png")}
    surplus = sorted(found.keys() - set(names))
    if surplus:
        raise DataError(
            f"'{found[surplus[0]]}' belongs to no frame of '{sequence.name}', whose frames are {names[0]} to "
            f"{names[-1]}. {REMEDY}"
        )
    return MaskTrack(labels=tuple(found.get(name) for name in names))


def frame_names(sequence: TestSequence) -> list[str]:
    """What the frames of a sequence, and with them results, are called: as the images, or else the annotation is.

    Raises:
        DataError: neither is at hand for every frame.
    """
    if sequence.frame_paths:
        return [path.stem for path in sequence.frame_paths]
    truth = sequence.truth
    labels = truth.labels if isinstance(truth, MaskTruth) else ()
    names = [path.stem for path in labels if path is not None]
    if len(names) != len(sequence):
        raise DataError(f"the names of the frames of '{sequence.name}' are not known: its images are not at hand.")
    return names
