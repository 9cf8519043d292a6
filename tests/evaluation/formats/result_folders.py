"""Small test sets and folders of results for the tests of their forms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet, Truth


def sequence_of(
    name: str, frames: int, truth: Truth | None = None, frame_paths: Sequence[Path] = (), first_number: int = 0
) -> TestSequence:
    boxes = np.tile([10.0, 20.0, 30.0, 40.0], (frames, 1))
    return TestSequence(
        name=name,
        frame_paths=frame_paths,
        truth=truth or BoxTruth(boxes=boxes),
        start=Box(10, 20, 30, 40),
        length=frames,
        first_number=first_number,
        image_size=(320, 240),
    )


def set_of(protocol: str, *sequences: TestSequence, name: str = "test") -> TestSet:
    return TestSet(name=name, title="Test set", sequences=sequences, protocol=protocol)


def write_files(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
