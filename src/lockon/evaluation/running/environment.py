"""What a run was made on: versions, machine and threads; and as many threads as there is room for."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

PACKAGES = ("lockon", "torch", "numpy", "Pillow", "opencv-contrib-python-headless", "opencv-contrib-python", "ray")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
"""What numerical libraries read as they are loaded."""


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_each(processes: int) -> int:
    """Threads for each of some processes, so that together they use the cores once.

    A user who has set OMP_NUM_THREADS is believed.
    """
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else max(1, usable_cores() // max(1, processes))


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Processes that are started meanwhile compute with so many threads."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def describe_environment() -> dict[str, str]:
    """This machine, and the versions of what computes; for records of results."""
    facts = {
        "machine": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "threads": os.environ.get("OMP_NUM_THREADS", str(usable_cores())),
        "python": platform.python_version(),
    }
    if gpus := _gpus():
        facts["gpu"] = ", ".join(gpus)
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _cpu() -> str:
    return next(_values(Path("/proc/cpuinfo"), "model name"), platform.processor() or platform.machine())


def _gpus() -> list[str]:
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [name for path in files for name in _values(path, "Model")]


def _values(path: Path, key: str) -> Iterator[str]:
    """Values of a key in a file of lines `key: value`."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == key:
            yield value.strip()
