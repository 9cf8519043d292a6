"""Test sets by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockon.data.testsets.base import TestSet
from lockon.data.testsets.benchmark import Benchmark
from lockon.data.testsets.folder import FOLDER
from lockon.data.testsets.otb import OTB100
from lockon.errors import UnknownNameError

_BENCHMARKS = (OTB100, FOLDER)

TEST_SETS: Mapping[str, Benchmark] = {benchmark.name: benchmark for benchmark in _BENCHMARKS}


def open_test_set(name: str, root: str | Path, **options: Any) -> TestSet:
    """Open a test set: read its annotation and find its images, without reading any of them.

    Args:
        name: one of `TEST_SETS`.
        root: folder in which it lies.
        options: of this test set; see its `find`.

    Raises:
        UnknownNameError: there is no such test set.
        DataError: nothing of it lies there, or it has no such option.
    """
    if name not in TEST_SETS:
        raise UnknownNameError("test set", name, TEST_SETS)
    return TEST_SETS[name].open(root, **options)
