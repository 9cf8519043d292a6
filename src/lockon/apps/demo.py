"""`lockon demo`: track an object in a synthetic clip, and compare with the truth."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float
from tyro.conf import arg

from lockon.apps.api import DEFAULT_TRACKER, follow
from lockon.apps.outputs import DEFAULT_FOLDER
from lockon.apps.progress import Meter
from lockon.boxes import Box
from lockon.data.synthetic import SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.errors import OutputError
from lockon.evaluation.geometry import overlap
from lockon.evaluation.one_pass import score_track
from lockon.tracking import Tracker
from lockon.video import annotate, open_sink, open_source
from lockon.zoo import load

FRAME_RATE = 25
SEQUENCE = 1
"""Number in the synthetic world: a target that turns, bends and changes in light, with a look-alike in view."""


@dataclass(frozen=True)
class Demo:
    """Render a short synthetic clip, track an object in it, and say how close the boxes are to the truth.

    For example: `lockon demo --seconds 3`
    """

    out: Annotated[Path, arg(metavar="DIR")] = DEFAULT_FOLDER / "demo"
    """Folder for the clip and the annotated video."""
    seconds: float = 4.0
    """Length of the clip."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, …"""

    def run(self) -> int:
        """Render, track, and print the accuracy."""
        frames = round(self.seconds * FRAME_RATE)
        if frames < 2:
            raise OutputError(f"a clip of {self.seconds} seconds is too short; give --seconds 1 or more.")
        tracker = load(DEFAULT_TRACKER, device=self.device)
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create the folder {self.out}: {error.strerror}. Use --out.") from error
        sequence = SyntheticWorld(SyntheticConfig(length=frames)).sequence(SEQUENCE)
        clip = render(sequence, self.out / "clip.mp4")
        tracked = self.out / "tracked.mp4"
        predicted = self._track(tracker, clip, sequence.box(0), tracked)
        truth = np.array([sequence.box(index) for index in range(frames)])
        auc = score_track(truth, predicted)["AUC"] / 100
        print(f"against the exact truth: success AUC {auc:.3f}, mean IoU {overlap(truth, predicted).mean():.3f}")
        print(f"clip: {clip}")
        print(f"tracked: {tracked}")
        return 0

    def _track(self, tracker: Tracker, clip: Path, box: Box, tracked: Path) -> Float[np.ndarray, "frames 4"]:
        boxes = []
        with (
            open_source(clip) as source,
            open_sink(tracked, FRAME_RATE) as sink,
            Meter("tracking", source.info.frame_count) as meter,
            closing(follow(source, tracker, box)) as steps,
        ):
            for step in steps:
                sink.write(annotate(step.frame.image, step.result))
                meter.count(step.result)
                boxes.append(step.result.box)
        print(meter.summary(len(source.skipped)))
        return np.array(boxes)


def render(sequence: SyntheticSequence, path: Path) -> Path:
    """Write the frames of a synthetic sequence to a video file."""
    with open_sink(path, FRAME_RATE) as sink:
        for index in range(len(sequence)):
            sink.write(sequence.frame(index))
    return path
