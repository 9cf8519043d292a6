"""The trackers a comparison runs, behind two methods: OpenCV's and Lockon's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

import lockon
from lockon.boxes import Box
from lockon.errors import DataError, MissingExtraError
from lockon.images import Image

OPENCV_TRACKERS = ("kcf", "mil", "csrt", "nanotrack")
MIL_LEAST_SIDE = 5
"""MIL draws random features until enough fit its window; in one of 4×4 pixels none do, and it never returns."""
NANOTRACK_FILES = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")


class Observation(NamedTuple):
    """What a tracker says of one frame."""

    box: Box
    """Where the tracker gives none, the last one it gave."""
    present: bool
    score: float | None
    """None where the tracker has no confidence."""


class Competitor(Protocol):
    """One tracker on one target. `start` and `step` are timed, `prepare` is not."""

    label: str
    stochastic: bool
    """Whether another seed can give another track."""

    def prepare(self, image: Image) -> Image:
        """Bring an RGB frame into the channel order the tracker expects."""
        ...

    def start(self, image: Image, box: Box, seed: int) -> Observation:
        """Learn the target from the first frame."""
        ...

    def step(self, image: Image) -> Observation:
        """Track into the next frame and learn from it."""
        ...


class OpenCvCompetitor:
    """A tracker of OpenCV's main interface: BGR frames, integer boxes, and success as its only word on presence."""

    def __init__(
        self, label: str, create: Callable[[], Any], *, stochastic: bool = False, least_side: int = 0
    ) -> None:
        self.label = label
        self.stochastic = stochastic
        self._create = create
        self._least_side = least_side
        self._margin = (0.0, 0.0)
        self._tracker: Any = None
        self._last_box = Box(0, 0, 0, 0)

    def prepare(self, image: Image) -> Image:
        """RGB to BGR."""
        return np.ascontiguousarray(image[..., ::-1])

    def start(self, image: Image, box: Box, seed: int) -> Observation:
        """Learn the target; only MIL draws random numbers, from OpenCV's global generator."""
        import cv2

        cv2.setRNGSeed(seed)
        self._tracker = self._create()
        self._last_box = box
        # A target that is too small is tracked in a larger window around it.
        dx, dy = (max(0.0, (self._least_side - side) / 2) for side in (box.w, box.h))
        self._margin = (dx, dy)
        window = (box.x - dx, box.y - dy, box.w + 2 * dx, box.h + 2 * dy)
        self._tracker.init(image, [round(value) for value in window])
        return Observation(box, present=True, score=None)

    def step(self, image: Image) -> Observation:
        """Track into the next frame."""
        found, box = self._tracker.update(image)
        if found:
            (x, y, w, h), (dx, dy) = (float(value) for value in box), self._margin
            self._last_box = Box(x + dx, y + dy, w - 2 * dx, h - 2 * dy)
        # OpenCV's -1 says that the tracker has no score.
        score = self._tracker.getTrackingScore()
        return Observation(self._last_box, present=bool(found), score=None if score == -1 else float(score))


class LockonCompetitor:
    """A Lockon tracker through the public interface, model updates included."""

    stochastic = True

    def __init__(self, label: str, tracker: lockon.Tracker) -> None:
        self.label = label
        self._tracker = tracker
        self._state: lockon.State | None = None

    def prepare(self, image: Image) -> Image:
        """RGB is what Lockon takes."""
        return image

    def start(self, image: Image, box: Box, seed: int) -> Observation:
        """Learn the target from the first frame."""
        self._state = self._tracker.start(image, box, seed=seed)
        self._wait()
        return Observation(box, present=True, score=1.0)

    def step(self, image: Image) -> Observation:
        """Track into the next frame and update the target model."""
        assert self._state is not None, "start comes before step"
        self._state, result = self._tracker.step(self._state, image, inplace=True)
        self._state = self._tracker.learn(self._state)
        self._wait()
        one = result[0]
        return Observation(Box(*one.box), present=bool(one.present), score=float(one.score))

    def _wait(self) -> None:
        # Without it the clock would stop while the GPU still learns.
        if self._tracker.device.type == "cuda":
            torch.cuda.synchronize(self._tracker.device)


def opencv_competitor(name: str, nanotrack: Path | None) -> OpenCvCompetitor:
    """One of `OPENCV_TRACKERS` with OpenCV's own settings.

    Raises:
        MissingExtraError: OpenCV's contributed modules are not installed.
        DataError: NanoTrack's network files are not in the folder `nanotrack`.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("comparing with OpenCV's trackers", "benchmark") from error
    if name == "nanotrack":
        return _nanotrack_competitor(nanotrack)
    if name == "mil":
        return OpenCvCompetitor("opencv_mil", cv2.TrackerMIL_create, stochastic=True, least_side=MIL_LEAST_SIDE)
    return OpenCvCompetitor(f"opencv_{name}", {"kcf": cv2.TrackerKCF_create, "csrt": cv2.TrackerCSRT_create}[name])


def _nanotrack_competitor(folder: Path | None) -> OpenCvCompetitor:
    import cv2

    if folder is None:
        raise DataError(f"nanotrack needs its network files: pass --nanotrack FOLDER with {NANOTRACK_FILES}.")
    backbone, head = (folder / name for name in NANOTRACK_FILES)
    for path in (backbone, head):
        if not path.is_file():
            raise DataError(f"nanotrack needs '{path}', which is missing.")
    # OpenCV warns at every start that its new graph engine knows no targets; it runs on the CPU either way.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    parameters = cv2.TrackerNano.Params()
    parameters.backbone, parameters.neckhead = str(backbone), str(head)
    tracker = cv2.TrackerNano_create(parameters)
    # One tracker for all sequences: `init` resets it, and reading the networks is not tracking.
    return OpenCvCompetitor("nanotrack_v2", lambda: tracker)
