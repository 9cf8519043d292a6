"""Test sets by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockon.data.testsets.base import TestSet
from lockon.data.testsets.benchmark import Benchmark
from lockon.data.testsets.davis import DAVIS2016, DAVIS2017, DAVIS2017_TEST_DEV
from lockon.data.testsets.distractors import DISTRACTORS
from lockon.data.testsets.folder import FOLDER
from lockon.data.testsets.got10k import GOT10K_TEST, GOT10K_VAL
from lockon.data.testsets.lasot import LASOT, LASOT_EXT
from lockon.data.testsets.nfs import NFS30, NFS240
from lockon.data.testsets.nuo323 import NUO323
from lockon.data.testsets.otb import OTB100
from lockon.data.testsets.oxuva import OXUVA_DEV, OXUVA_TEST
from lockon.data.testsets.synthetic import SYNTHETIC
from lockon.data.testsets.trackingnet import TRACKINGNET
from lockon.data.testsets.uav123 import UAV123
from lockon.data.testsets.vot import VOT
from lockon.data.testsets.youtube_vos import YOUTUBE_VOS2018, YOUTUBE_VOS2019
from lockon.errors import UnknownNameError

_BENCHMARKS = (
    OTB100,
    NFS30,
    NFS240,
    UAV123,
    NUO323,
    LASOT,
    LASOT_EXT,
    TRACKINGNET,
    GOT10K_VAL,
    GOT10K_TEST,
    *VOT,
    OXUVA_DEV,
    OXUVA_TEST,
    DAVIS2016,
    DAVIS2017,
    DAVIS2017_TEST_DEV,
    YOUTUBE_VOS2018,
    YOUTUBE_VOS2019,
    FOLDER,
    SYNTHETIC,
    DISTRACTORS,
)

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
