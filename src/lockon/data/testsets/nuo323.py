"""NUO323: NFS (30 fps), UAV123 and OTB-100 as one test set of 323 sequences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.benchmark import Benchmark, Found
from lockon.data.testsets.nfs import NFS30
from lockon.data.testsets.otb import OTB100
from lockon.data.testsets.uav123 import UAV123
from lockon.errors import DataError

_PARTS = ((NFS30, "nfs_"), (UAV123, "uav_"), (OTB100, ""))
"""Names get the prefix that they have in pytracking's result files, which also makes them unique."""


def find(root: Path, *, pytracking: bool = True) -> Found:
    """The sequences of all three, which lie in one folder, or in one each below the root.

    Args:
        root: the folder.
        pytracking: start OTB's Tiger1 in its sixth frame, as pytracking does.
    """
    found = Found((), ())
    for benchmark, prefix in _PARTS:
        options = {"pytracking": pytracking} if benchmark is OTB100 else {}
        part = benchmark.open(_place(benchmark, root), **options)
        found = Found(
            (
                *found.sequences,
                *(replace(one, name=prefix + one.name, benchmark=part.name) for one in part.sequences),
            ),
            (*found.excluded, *((prefix + name, reason) for name, reason in part.excluded)),
        )
    return found


def _place(benchmark: Benchmark, root: Path) -> Path:
    place = next((path for path in (root, *subfolders(root)) if benchmark.fits(path)), None)
    if place is None:
        raise DataError(f"{benchmark.title} is neither in '{root}' nor in a folder of it; NUO323 needs all three.")
    return place


NUO323 = Benchmark(
    name="nuo323",
    title="NUO323",
    protocol="one_pass",
    layout="folders in which NFS, UAV123 and OTB-100 lie",
    marks=tuple(f"{level}{mark}" for benchmark, _ in _PARTS for mark in benchmark.marks for level in ("", "*/")),
    find=find,
    sequences=323,
    frames=sum(benchmark.frames or 0 for benchmark, _ in _PARTS) - 5,
    attributes={short: long for benchmark, _ in _PARTS for short, long in benchmark.attributes.items()},
    is_cut=True,
)
