"""Follow an object through a video and draw its box and trail: `python track_video.py dog.mp4 --box 120 80 60 90`."""

from pathlib import Path

import tyro

import lockon
from lockon.video import annotate, open_sink, open_source


def main(
    video: tyro.conf.Positional[str],
    box: tuple[float, float, float, float],
    out: Path = Path("tracked.mp4"),
    tracker: str = "lockon_s",
) -> None:
    """Follow an object through a video and write the video with its box and trail.

    Args:
        video: file, folder of images or stream address.
        box: left, top, width and height of the object in the first frame, in pixels.
        out: annotated video.
        tracker: name in the catalogue or path of a model.
    """
    trail = [lockon.Box(*box).center]
    engine = lockon.load(tracker)
    with open_source(video) as source, open_sink(out, source.info.frame_rate) as sink:
        frames = iter(source)
        state = engine.start(next(frames).image, box)
        for frame in frames:
            state, result = engine.step(state, frame.image, inplace=True)
            trail.append(lockon.Box(*result.box).center)
            sink.write(annotate(frame.image, result, trails=[trail[-50:]]), frame.time)
    print(out)


if __name__ == "__main__":
    tyro.cli(main)
