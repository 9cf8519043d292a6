"""Track a long video in pieces: each call goes on where the last one stopped."""

from itertools import islice
from pathlib import Path

import tyro

import lockon
from lockon.video import open_source


def main(
    video: tyro.conf.Positional[str],
    box: tuple[float, float, float, float],
    frames: int = 100,
    state_file: Path = Path("track.state.safetensors"),
    tracker: str = "lockon_s",
) -> None:
    """Track the next frames of a video; the boxes are those of a track in one go.

    Args:
        video: file or folder of images.
        box: left, top, width and height of the object in the first frame, in pixels; used by the first call only.
        frames: how many to track.
        state_file: the track so far; written at the end.
        tracker: name in the catalogue or path of a model.
    """
    engine = lockon.load(tracker)
    with open_source(video, on_bad_frame="raise") as source:
        goes_on = state_file.exists()
        state = lockon.State.load(state_file) if goes_on else engine.start(next(iter(source)).image, box)
        source.seek_frame(state.frame + 1)
        for frame in islice(source, frames):
            state, result = engine.step(state, frame.image, inplace=True)
            print(frame.index, *result.box)
    state.save(state_file)


if __name__ == "__main__":
    tyro.cli(main)
