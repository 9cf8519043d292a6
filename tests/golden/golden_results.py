"""Read the annotations and raw results that the golden numbers of evaluation belong to, and compare."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.evaluation.assessment import TrackerAssessment
from lockon.evaluation.tracks import Track

OPE_TOLERANCE = 0.01
"""Percentage points, as the golden README has it for one-pass evaluation."""


def numbers(text: str) -> np.ndarray:
    return np.array(re.sub(r"[,\s]+", " ", text).split(), dtype=np.float64)


def boxes(text: str) -> np.ndarray:
    return numbers(text).reshape(-1, 4)


def folder_of_boxes(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: boxes(path.read_text()) for path in sorted(folder.glob("*.txt"))}


def archive_texts(path: Path) -> dict[str, str]:
    """Text files of a zip or tar by name without suffix, folders kept."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".txt"): archive.read(name).decode() for name in archive.namelist()}
    texts = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                texts[member.name.removesuffix(".txt")] = file.read().decode()
    return texts


def make_test_set(
    name: str,
    truth: Mapping[str, np.ndarray],
    *,
    visible: Mapping[str, np.ndarray] | None = None,
) -> TestSet:
    sequences = tuple(
        TestSequence(
            name=sequence,
            frame_paths=(),
            truth=BoxTruth(boxes=each, visible=None if visible is None else visible[sequence]),
            start=None,
            length=len(each),
        )
        for sequence, each in truth.items()
    )
    return TestSet(name=name, title=name, sequences=sequences, protocol="one_pass")


def tracks(results: Mapping[str, np.ndarray]) -> dict[str, Track]:
    return {name: Track(boxes=each) for name, each in results.items()}


def check(
    assessed: TrackerAssessment, expected: Mapping[str, object], measures: Mapping[str, str], scale: float
) -> None:
    """Compare all values, and those of every sequence.

    Args:
        assessed: ours.
        expected: a toolkit's, with `per_sequence`.
        measures: our name of every measure of the toolkit.
        scale: from the toolkit's unit to percent.
    """
    compared = 0
    for key, name in measures.items():
        if key in expected:
            wanted = pytest.approx(scale * expected[key], abs=OPE_TOLERANCE)
            assert assessed.values[name] == wanted, key
        for sequence, values in expected["per_sequence"].items():
            if key in values:
                ours = assessed.by_sequence[name][sequence]
                assert ours == pytest.approx(scale * values[key], abs=OPE_TOLERANCE), (sequence, key)
                compared += 1
    assert compared >= len(expected["per_sequence"])
