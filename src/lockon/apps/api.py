"""`lockon.track`: follow targets through a video, frame by frame."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.apps.moments import Moment
from lockon.boxes import Box
from lockon.errors import BoxError, VideoError
from lockon.tracking import State, Tracker
from lockon.tracking.precision import Precision
from lockon.types import Frame, Result, Status
from lockon.video import VideoSource, open_source
from lockon.zoo import load

DEFAULT_TRACKER = "lockon_s"

OneBox = Sequence[float] | str
Boxes = Box | Float[np.ndarray, "targets 4"]
"""One target, or several."""


@dataclass(frozen=True, slots=True)
class Step:
    """One tracked frame."""

    frame: Frame
    result: Result
    """With the number and time of the frame in its source."""
    state: State
    """Of the track after this frame, until the next step is taken: that one uses its buffers anew."""


Steps = Generator[Step, None, None]


def track(
    source: str | Path | int | VideoSource,
    box: OneBox | Sequence[OneBox] | Float[np.ndarray, "targets 4"],
    *,
    tracker: str | Path | Tracker = DEFAULT_TRACKER,
    start: int | str = 0,
    end: int | str | None = None,
    device: str = "cpu",
    precision: Precision = "fp32",
    share_backbone: bool = False,
    seed: int = 0,
    density: bool = False,
    candidates: bool = False,
) -> Iterator[Result]:
    """Follow one target, or several, through a video.

    Args:
        source: video file, image folder, camera, or stream, as `lockon.video.open_source` takes it, or its result.
        box: `(x, y, w, h)` of the target in pixels in the start frame; `(T, 4)` boxes for T targets.
        tracker: name in the catalogue, path of a model, or a tracker that `lockon.load` gave.
        start: frame number from 0, or time (`"4.5s"`, `"1:02.5"`), at which the boxes were drawn.
        end: frame number or time before which to stop; the end of the video if None.
        device: where the networks run; of no account for a tracker that is loaded already, like `precision`.
        precision: numeric type of the networks; see `lockon.load`.
        share_backbone: encode targets of similar size together; see `lockon.load`.
        seed: of all randomness; the same seed gives the same track.
        density: predict the densities of centre and box in every frame after the first (PrDiMP-type trackers).
        candidates: give all candidates of every frame after the first, with the objects they are taken for (trackers
            with association, such as `keep_track_s`).

    Yields:
        One result per readable frame, the start frame first; `frame` and `time` are those of the video.

    Raises:
        LockonError: before any frame is tracked if an argument is wrong, later if the video breaks.
    """
    boxes = parse_boxes(box)
    last = None if end is None else Moment.parse(end)
    first = Moment.parse(start)
    engine = (
        tracker
        if isinstance(tracker, Tracker)
        else load(tracker, device=device, precision=precision, share_backbone=share_backbone)
    )
    if density:
        engine.require_density()
    if candidates:
        engine.require_candidates()
    with ExitStack() as stack:
        video = source if isinstance(source, VideoSource) else stack.enter_context(open_source(source))
        first.seek(video)
        steps = follow(until(video, last), engine, boxes, seed=seed, density=density, candidates=candidates)
        return _results(steps, stack.pop_all())


def _results(steps: Steps, resources: ExitStack) -> Iterator[Result]:
    with resources:
        for step in steps:
            yield step.result


def follow(
    frames: Iterable[Frame],
    tracker: Tracker,
    start: Boxes | State,
    *,
    seed: int = 0,
    density: bool = False,
    candidates: bool = False,
) -> Steps:
    """Track through frames, in place.

    Args:
        frames: of one video.
        tracker: does the work.
        start: boxes in the first frame, or the state after the frame before it, which must not be used afterwards.
        seed: of a track that starts.
        density, candidates: see `track`.

    Raises:
        BoxError: a box does not lie on the first frame.
        VideoError: there is no frame.
    """
    remaining = iter(frames)
    if isinstance(start, State):
        state = start
    else:
        first = next(remaining, None)
        if first is None:
            raise VideoError("the video has no readable frame at the start. Choose another start or check the file.")
        state = tracker.start(first.image, start, seed=seed)
        yield Step(first, _start_result(first, start), state)
    for frame in remaining:
        state, result = tracker.step(state, frame.image, inplace=True, density=density, candidates=candidates)
        yield Step(frame, replace(result, frame=frame.index, time=frame.time), state)


def until(frames: Iterable[Frame], end: Moment | None) -> Iterator[Frame]:
    """The frames before `end`.

    Raises:
        VideoError: the first of them is not before it.
    """
    for number, frame in enumerate(frames):
        if end is not None and end.is_reached_by(frame.index, frame.time):
            if number == 0:
                raise VideoError(
                    f"the track would begin at frame {frame.index} ({frame.time:g} s) and end before {end}. "
                    "Choose a later end."
                )
            return
        yield frame


def parse_boxes(box: OneBox | Sequence[OneBox] | Float[np.ndarray, "targets 4"]) -> Boxes:
    """Read one box, or several.

    Raises:
        BoxError: a box is malformed.
    """
    if isinstance(box, str) or not np.iterable(box):
        return _parse_box(box)
    parts = list(box)
    if not parts or (not isinstance(parts[0], str) and np.ndim(parts[0]) == 0):
        return _parse_box(parts)
    return np.array([_parse_box(one) for one in parts])


def _parse_box(box: object) -> Box:
    if isinstance(box, str):
        return Box.parse(box)
    if not np.iterable(box):
        raise BoxError(f"a box has four numbers x,y,w,h; got {box!r}.")
    return Box.parse(list(box))


def _start_result(frame: Frame, boxes: Boxes) -> Result:
    """What is known of the start frame: the user drew the boxes."""
    if isinstance(boxes, Box):
        return Result(frame.index, boxes, 1.0, True, Status.FOUND, time=frame.time)
    count = len(boxes)
    found = (Status.FOUND,) * count
    return Result(frame.index, boxes, np.ones(count), np.ones(count, dtype=bool), found, time=frame.time)
