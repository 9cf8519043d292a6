"""`lockon track`: follow boxed objects through a video; write the annotated video and the trajectory."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from lockon.apps.api import DEFAULT_TRACKER, Boxes, Step, Steps, follow, parse_boxes, until
from lockon.apps.interrupts import INTERRUPTED, StopRequest, deferred_interrupts
from lockon.apps.moments import Moment
from lockon.apps.outputs import OutputPaths, Outputs, StateKeeper
from lockon.apps.progress import Meter
from lockon.boxes import Box
from lockon.errors import BoxError, OutputError, StateError, VideoError
from lockon.files import user_path
from lockon.tracking import State, Tracker
from lockon.tracking.precision import Precision
from lockon.trajectory import Header
from lockon.types import Frame, Result
from lockon.video import FrameSink, VideoSource, open_sink, open_source
from lockon.zoo import load, weights_sha256

FRAMES_AHEAD = 4
"""Frames that are decoded while one is tracked."""
Drawable = Literal["density", "candidates"]
"""What a tracker can show beside the box."""
LIVE = ("camera", "stream")
"""Sources that cannot be watched again: there, Ctrl-C is the usual end."""


@dataclass(frozen=True)
class Track:
    """Follow objects through a video, from the boxes around them in the first frame.

    Writes the annotated video and the trajectory. Ctrl-C finishes the files and says how to go on.

    For example: `lockon track dog.mp4 --box 120,80,60,90 --save dog.csv`
    """

    video: Annotated[Positional[str], arg(metavar="VIDEO")]
    """Video file, folder of images, camera number or stream address."""
    box: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="X,Y,W,H")] = ()
    """The target in the start frame: left, top, width and height in pixels. Repeat it for more targets."""
    tracker: str = DEFAULT_TRACKER
    """Name (see `lockon models list`) or path of a model."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, …"""
    precision: Precision = "fp32"
    """Numeric type of the networks; auto takes bf16 where the hardware is fast at it."""
    share_backbone: FlagCreatePairsOff[bool] = False
    """Encode targets of similar size together: for many targets faster, at slightly different tracks."""
    save: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="PATH")] = ()
    """Trajectory file; .json, .csv or .txt (OTB) is the format. Repeatable. Default: JSON in outputs/."""
    save_video: Annotated[Path | None, arg(metavar="PATH")] = None
    """Annotated video. Default: MP4 in outputs/."""
    no_video: FlagCreatePairsOff[bool] = False
    """Write no annotated video."""
    draw: UseAppendAction[tuple[Drawable, ...]] = ()
    """What to draw besides the boxes. density: the predicted densities of centre and box (PrDiMP-type
    trackers, such as lockon_s). candidates: all that may be the target, with their ids, which a JSON trajectory then
    holds, too (trackers with association, such as keep_track_s)."""
    keep_audio: FlagCreatePairsOff[bool] = False
    """Copy the sound into the annotated video."""
    start: Annotated[str, arg(metavar="WHEN")] = "0"
    """Frame number or time (4.5s, 1:02.5) at which the boxes were drawn."""
    end: Annotated[str | None, arg(metavar="WHEN")] = None
    """Frame number or time before which to stop."""
    save_state: Annotated[Path | None, arg(metavar="PATH")] = None
    """Where to save the state when the track ends. Default: beside the trajectory, and only when interrupted."""
    resume: Annotated[Path | None, arg(metavar="STATE")] = None
    """Go on from a saved state; needs the JSON or CSV trajectory so far as --save."""
    seed: int = 0
    """Seed of all randomness."""

    def run(self) -> int:
        """Track, and return the exit status."""
        self._check()
        state = State.load(user_path(self.resume)) if self.resume else None
        if state and state.lockstep:
            raise StateError("the saved track follows several videos in lock-step; go on with it in Python.")
        targets = state or parse_boxes(self.box if len(self.box) > 1 else self.box[0])
        last = None if self.end is None else Moment.parse(self.end)
        with ExitStack() as stack:
            source = stack.enter_context(open_source(self.video, prefetch=FRAMES_AHEAD))
            paths = OutputPaths.choose(
                self.video, save=self.save, video=self.save_video, no_video=self.no_video, state=self.save_state
            )
            paths.check(self.video)
            past = paths.read_past(state) if state else ()
            self._first(past, last).seek(source)
            tracker = load(
                self.tracker, device=self.device, precision=self.precision, share_backbone=self.share_backbone
            )
            if "density" in self.draw:
                tracker.require_density()
            if "candidates" in self.draw:
                tracker.require_candidates()
            if isinstance(targets, State):
                targets.require_tracker(tracker.name)
                targets = targets.to(tracker.device)
            shown_again = past if paths.video else ()
            steps = stack.enter_context(closing(_steps(until(source, last), tracker, targets, shown_again, self)))
            # The first step tells what does not fit this tracker or this video, so no output is touched before it.
            first = next(steps, None)
            if first is None:
                raise VideoError("the saved track has reached the end of the video: there is nothing left to track.")
            sink = None
            if paths.video:
                sound = self.video if self.keep_audio else None
                sink = stack.enter_context(open_sink(paths.video, source.info.frame_rate, audio_from=sound))
            return self._record(_Recording(source, first, steps, paths, sink, past))

    def _check(self) -> None:
        """Refuse options that contradict each other."""
        if bool(self.resume) == bool(self.box):
            raise BoxError("mark the target with --box X,Y,W,H, or go on with --resume STATE; one of the two.")
        if self.resume and not self.save:
            raise OutputError("--resume goes on with the trajectory so far; name it with --save.")
        if self.resume and self.start != "0":
            raise VideoError("--resume goes on where the saved track ends; leave out --start.")
        drawn = {"--save-video": self.save_video, "--draw": self.draw, "--keep-audio": self.keep_audio}
        for flag, value in drawn.items():
            if value and self.no_video:
                raise OutputError(f"{flag} is for the annotated video; leave it out, or leave out --no-video.")

    def _first(self, past: Sequence[Result], end: Moment | None) -> Moment:
        """Where to read on. A track that goes on draws its past into the video once more."""
        if not past:
            return Moment.parse(self.start)
        latest = past[-1]
        if end is not None and end.is_reached_by(latest.frame, latest.time or 0.0):
            raise VideoError(
                f"the saved track goes to frame {latest.frame} and cannot end before {end}. Choose a later end."
            )
        return Moment(frame=latest.frame + 1 if self.no_video else past[0].frame)

    def _record(self, recording: _Recording) -> int:
        keeper = StateKeeper(recording.paths.state)
        resumable = recording.source.info.kind not in LIVE
        with deferred_interrupts() as stop:
            try:
                self._write(recording, keeper, stop)
            except Exception:
                with suppress(OutputError):
                    if resumable and keeper.rescue():
                        print(self._how_to_go_on(recording.paths), file=sys.stderr)
                raise
        if stop.received and resumable:
            keeper.save()
            print(self._how_to_go_on(recording.paths))
            return INTERRUPTED
        if self.save_state:
            keeper.save()
            print(f"state: {self.save_state}")
        else:
            keeper.discard()
        return 0

    def _write(self, recording: _Recording, keeper: StateKeeper, stop: StopRequest) -> None:
        """Track and write until the video ends or the user stops it; then say what came of it."""
        first, info = recording.first, recording.source.info
        ends = (Moment.parse(self.end).frame if self.end else None, info.frame_count)
        total = min((end for end in ends if end is not None), default=None)
        start = recording.past[-1].frame + 1 if recording.past else first.frame.index
        with (
            Outputs(
                recording.paths.trajectories, recording.sink, self._header(recording, first), recording.past
            ) as outputs,
            Meter(info.name, None if total is None else total - start) as meter,
        ):
            for step in chain([first], recording.rest):
                outputs.write(step.frame, step.result)
                keeper.offer(step.state)
                if step.frame.index >= start:
                    meter.count(step.result)
                if stop.received:
                    break
        print(meter.summary(len(recording.source.skipped)))
        for path in outputs.paths:
            print(path)

    def _header(self, recording: _Recording, first: Step) -> Header:
        info = recording.source.info
        origin = recording.past[0] if recording.past else first.result
        return Header(
            tracker=self.tracker,
            source=info.name if info.kind in LIVE else self.video,
            image_size=first.frame.image.shape[1::-1],
            fps=float(info.frame_rate) if info.frame_rate else None,
            start_frame=origin.frame,
            start_boxes=tuple(Box(*one.box) for one in origin),
            seed=first.state.seeds[0],
            weights_sha256=weights_sha256(self.tracker),
        )

    def _how_to_go_on(self, paths: OutputPaths) -> str:
        rest = replace(self, box=(), start="0", save=paths.trajectories, save_video=paths.video, resume=paths.state)
        return f"to go on: {shlex.join(['lockon', 'track', *arguments(rest)])}"


@dataclass(frozen=True, slots=True)
class _Recording:
    """A track that is about to run."""

    source: VideoSource
    first: Step
    rest: Steps
    paths: OutputPaths
    sink: FrameSink | None
    past: Sequence[Result]


def arguments(options: Track) -> list[str]:
    """The command line that gives these options."""
    words = [options.video]
    for field in fields(options)[1:]:
        value, flag = getattr(options, field.name), f"--{field.name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value != field.default:
            values = value if isinstance(value, tuple) else (value,)
            words += [word for one in values for word in (flag, str(one))]
    return words


def _steps(
    frames: Iterable[Frame], tracker: Tracker, targets: Boxes | State, past: Sequence[Result], options: Track
) -> Steps:
    """The past once more, then what follows."""
    remaining = iter(frames)
    if past and isinstance(targets, State):
        known = {result.frame: result for result in past}
        for frame in remaining:
            if frame.index > past[-1].frame:
                remaining = chain([frame], remaining)
                break
            if frame.index in known:
                yield Step(frame, known[frame.index], targets)
    yield from follow(
        remaining,
        tracker,
        targets,
        seed=options.seed,
        density="density" in options.draw,
        candidates="candidates" in options.draw,
    )
