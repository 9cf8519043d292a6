"""OpenCV's trackers as evaluation measures them: KCF, MIL, CSRT and NanoTrack, for comparison."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from lockon.boxes import Box
from lockon.errors import DataError, MissingExtraError
from lockon.evaluation.trackers import Observation, TrackerSpec, start_box
from lockon.images import Image
from lockon.regions import Region
from lockon.zoo.store import digest

OPENCV_TRACKERS = ("kcf", "mil", "csrt", "nanotrack")
MIL_LEAST_SIDE = 5
"""MIL draws random features until enough fit its window; in one of 4×4 pixels none do, and it never returns."""
NANOTRACK_FILES = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")
_PACKAGES = ("opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python-headless", "opencv-python")


def opencv_tracker(name: str, nanotrack: Path | None = None) -> TrackerSpec:
    """One of `OPENCV_TRACKERS` with OpenCV's own settings.

    Args:
        name: kcf, mil, csrt or nanotrack.
        nanotrack: folder with the two ONNX files of NanoTrack v2.

    Raises:
        MissingExtraError: OpenCV's contributed modules are not installed.
        DataError: NanoTrack's network files are not in its folder.
    """
    provenance = {"tracker": f"OpenCV {name}", "opencv": _version()}
    if name == "nanotrack":
        files = _nanotrack_files(nanotrack)
        weights = {path.name: digest(path) for path in files}
        return TrackerSpec(
            name="nanotrack_v2",
            create=partial(_create_nanotrack, *files),
            provenance={**provenance, "weights_sha256": weights},
            stochastic=False,
        )
    return TrackerSpec(
        name=f"opencv_{name}", create=partial(_create, name), provenance=provenance, stochastic=name == "mil"
    )


class OpenCvTracker:
    """A tracker of OpenCV's main interface: BGR frames, integer boxes, and success as its only word on presence.

    Args:
        create: makes the tracker.
        seed: of OpenCV's global generator, which only MIL uses.
        least_side: a smaller target is tracked in a larger window around it.
    """

    def __init__(self, create: Callable[[], Any], seed: int = 0, *, least_side: int = 0) -> None:
        self._create = create
        self._seed = seed
        self._least_side = least_side
        self._margin = (0.0, 0.0)
        self._tracker: Any = None
        self._last_box = Box(0, 0, 0, 0)

    def prepare(self, image: Image) -> Image:
        """RGB to BGR."""
        return np.ascontiguousarray(image[..., ::-1])

    def start(self, image: Image, region: Region) -> Observation:
        """Learn the target from the box around it."""
        _cv2().setRNGSeed(self._seed % 2**31)
        self._tracker = self._create()
        box = self._last_box = start_box(region)
        dx, dy = (max(0.0, (self._least_side - side) / 2) for side in (box.w, box.h))
        self._margin = (dx, dy)
        window = (box.x - dx, box.y - dy, box.w + 2 * dx, box.h + 2 * dy)
        self._tracker.init(image, [round(value) for value in window])
        return Observation(region, present=True)

    def step(self, image: Image) -> Observation:
        """Track into the next frame; where OpenCV gives no box, it is the last one it gave."""
        found, box = self._tracker.update(image)
        if found:
            (x, y, w, h), (dx, dy) = (float(value) for value in box), self._margin
            self._last_box = Box(x + dx, y + dy, w - 2 * dx, h - 2 * dy)
        # OpenCV's -1 says that the tracker has no score.
        score = self._tracker.getTrackingScore()
        return Observation(self._last_box, None if score == -1 else float(score), bool(found))


def _cv2() -> Any:
    """OpenCV with its contributed modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("comparing with OpenCV's trackers", "benchmark") from error
    if not hasattr(cv2, "TrackerKCF_create"):
        raise MissingExtraError("comparing with OpenCV's trackers", "benchmark")
    return cv2


def _create(name: str, seed: int) -> OpenCvTracker:
    cv2 = _cv2()
    if name == "mil":
        return OpenCvTracker(cv2.TrackerMIL_create, seed, least_side=MIL_LEAST_SIDE)
    return OpenCvTracker({"kcf": cv2.TrackerKCF_create, "csrt": cv2.TrackerCSRT_create}[name], seed)


def _create_nanotrack(backbone: Path, head: Path, seed: int) -> OpenCvTracker:
    return OpenCvTracker(lambda: _nanotrack(backbone, head), seed)


@lru_cache(maxsize=1)
def _nanotrack(backbone: Path, head: Path) -> Any:
    """One tracker for all sequences of a process: `init` resets it, and reading the networks is not tracking."""
    cv2 = _cv2()
    # OpenCV warns at every start that its new graph engine knows no targets; it runs on the CPU either way.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    parameters = cv2.TrackerNano.Params()
    parameters.backbone, parameters.neckhead = str(backbone), str(head)
    return cv2.TrackerNano_create(parameters)


def _nanotrack_files(folder: Path | None) -> tuple[Path, Path]:
    if folder is None:
        raise DataError(f"nanotrack needs its network files: pass --nanotrack FOLDER with {NANOTRACK_FILES}.")
    backbone, head = (folder.absolute() / name for name in NANOTRACK_FILES)
    for path in (backbone, head):
        if not path.is_file():
            raise DataError(f"nanotrack needs '{path}', which is missing.")
    return backbone, head


def _version() -> str:
    found = str(_cv2().__version__)
    for package in _PACKAGES:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
