"""A tracker of the user's own, written in Python: anything that makes an object with `start` and `step`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from lockon.errors import TrackerError
from lockon.evaluation.trackers import MeasuredTracker, TrackerSpec
from lockon.files import user_path
from lockon.zoo.store import digest


def own_tracker(reference: str, name: str | None = None) -> TrackerSpec:
    """A tracker made by a function (or class) that is called with a seed.

    Args:
        reference: `FILE.py:FUNCTION`, or `package.module:FUNCTION`.
        name: in reports; by default that of the function.

    Raises:
        TrackerError: there is no such function, or its file cannot be run.
    """
    place, _, function = reference.rpartition(":")
    if place.endswith(".py"):
        place = str(user_path(place).resolve())
    module = _factory(place, function).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    provenance = {"factory": f"{place}:{function}", "sha256": digest(Path(file)) if file else None}
    return TrackerSpec(name=name or function, create=partial(_create, place, function), provenance=provenance)


def _create(place: str, function: str, seed: int) -> MeasuredTracker:
    tracker: MeasuredTracker = _factory(place, function)(seed)
    if not (callable(getattr(tracker, "start", None)) and callable(getattr(tracker, "step", None))):
        raise TrackerError(f"{place}:{function} made {tracker!r}, which lacks the methods start and step.")
    return tracker


def _factory(place: str, function: str) -> Callable[[int], Any]:
    factory = getattr(_module(place), function, None)
    if not callable(factory):
        raise TrackerError(f"there is no function '{function}' in {place}. Write FILE.py:FUNCTION.")
    made: Callable[[int], Any] = factory
    return made


def _module(place: str) -> ModuleType:
    try:
        return _module_of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # running a module may raise anything
        raise TrackerError(
            f"cannot load {place} ({type(error).__name__}: {error}). "
            "Write FILE.py:FUNCTION or package.module:FUNCTION."
        ) from error


def _module_of_file(path: Path) -> ModuleType:
    """The file as a module; by its plain name where that is free, so that processes that it starts find it."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    if _is_called(path.stem, path):
        return importlib.import_module(path.stem)
    name = f"lockon_own_{path.stem}_{abs(hash(path)):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_called(name: str, path: Path) -> bool:
    """Whether `import` of a name finds this file, and no other."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None) == str(path)
    spec = None if "." in name else importlib.util.find_spec(name)
    return spec is not None and spec.origin == str(path)
