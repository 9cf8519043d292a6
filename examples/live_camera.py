"""Follow an object in a live picture: the box is out before the tracker learns from the frame."""

import time

import tyro

import lockon
from lockon.video import open_source


def main(
    box: tuple[float, float, float, float],
    source: str = "camera:0",
    tracker: str = "lockon_s",
) -> None:
    """Print the box of every frame as soon as it is known, and what both parts of the work took; Ctrl-C ends it.

    Args:
        box: left, top, width and height of the object in the first frame, in pixels.
        source: camera, stream address or video file.
        tracker: name in the catalogue or path of a model.
    """
    engine = lockon.load(tracker, precision="auto")
    with open_source(source) as video:
        frames = iter(video)
        state = engine.start(next(frames).image, box)
        for frame in frames:
            began = time.perf_counter()
            state, result = engine.step(state, frame.image, inplace=True)
            boxed = time.perf_counter()
            x, y, w, h = result.box if result.present else (float("nan"),) * 4
            print(f"frame {frame.index}: {x:.1f} {y:.1f} {w:.1f} {h:.1f}, score {result.score:.2f}", flush=True)
            # Most frames leave nothing to learn; in the others the box need not wait for it.
            state = engine.learn(state)
            learned = time.perf_counter()
            print(f"  box after {1000 * (boxed - began):.0f} ms, learned after {1000 * (learned - began):.0f} ms")


if __name__ == "__main__":
    tyro.cli(main)
