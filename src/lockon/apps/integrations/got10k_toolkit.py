"""Trackers inside the experiments of the got10k toolkit (`got10k` on PyPI).

The toolkit asks for an object with a name and three methods, and for no class of its own, so that it is not imported.

    from got10k.experiments import ExperimentGOT10k
    from lockon.apps.integrations.got10k_toolkit import Got10kTracker
    from lockon.apps.integrations.lockon_tracker import lockon_tracker

    ExperimentGOT10k("/data/GOT-10k", subset="test").run(Got10kTracker(lockon_tracker("lockon_s")))
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsFloat

import numpy as np
from jaxtyping import Float
from PIL import Image as PillowImage

from lockon.boxes import Box
from lockon.data.image_reading import read_rgb
from lockon.data.testsets.base import box_of
from lockon.errors import TrackerError
from lockon.evaluation.trackers import MeasuredTracker, TrackerSpec
from lockon.images import Image


class Got10kTracker:
    """A tracker as the toolkit takes it.

    Args:
        spec: what tracks.
        seed: of the first start; every start after it has the next, so that repetitions differ.
    """

    def __init__(self, spec: TrackerSpec, *, seed: int = 0) -> None:
        self.name = spec.name
        self.is_deterministic = not spec.stochastic
        self._spec = spec
        self._seed = seed
        self._tracker: MeasuredTracker | None = None

    def init(self, image: PillowImage.Image, box: Iterable[SupportsFloat]) -> None:
        """Learn the target `(x, y, w, h)` in a first frame."""
        self._start(_pixels(image), box)

    def update(self, image: PillowImage.Image) -> Float[np.ndarray, "4"]:
        """The box `(x, y, w, h)` around the target in the next frame.

        Raises:
            TrackerError: `init` was not called before.
        """
        return self._step(_pixels(image))

    def track(
        self, img_files: Sequence[str], box: Iterable[SupportsFloat], visualize: bool = False
    ) -> tuple[Float[np.ndarray, "frames 4"], Float[np.ndarray, "frames"]]:
        """Track through a video.

        Args:
            img_files: its frames.
            box: the target `(x, y, w, h)` in the first of them.
            visualize: whether to draw; the toolkit's own reports can do that, so it is refused.

        Returns:
            Boxes `(x, y, w, h)`, that given as the first, and seconds per frame without reading it.

        Raises:
            TrackerError: drawing is wanted.
        """
        if visualize:
            raise TrackerError("trackers of Lockon do not draw here; call the experiment's show() afterwards.")
        boxes, seconds = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        for frame, file in enumerate(img_files):
            image = read_rgb(Path(file))
            began = time.perf_counter()
            boxes[frame] = self._step(image) if frame else self._start(image, box)
            seconds[frame] = time.perf_counter() - began
        return boxes, seconds

    def _start(self, image: Image, box: Iterable[SupportsFloat]) -> Float[np.ndarray, "4"]:
        given = Box.parse([float(value) for value in box])
        self._tracker, self._seed = self._spec.create(self._seed), self._seed + 1
        self._tracker.start(image, given)
        return np.array(given)

    def _step(self, image: Image) -> Float[np.ndarray, "4"]:
        if self._tracker is None:
            raise TrackerError("init comes before update.")
        return np.array(box_of(self._tracker.step(image).region))


def _pixels(image: PillowImage.Image) -> Image:
    return np.asarray(image.convert("RGB"))
