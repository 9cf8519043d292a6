"""Render the animation at the top of the README: a clip of the synthetic world, tracked by the shipped lockon_s."""

from pathlib import Path

import numpy as np
import tyro
from PIL import Image

import lockon
from lockon.data.synthetic import SyntheticConfig, SyntheticWorld
from lockon.evaluation.geometry import overlap
from lockon.video import annotate

MILLISECONDS = 50
"""Between frames."""


def main(
    out: Path = Path("docs/assets/lockon.webp"), sequence: int = 27, frames: int = 90, tracker: str = "lockon_s"
) -> None:
    """Track one object of a procedural clip and write what happens as an animated WebP image.

    Args:
        out: the animation.
        sequence: number of the clip.
        frames: length of the clip.
        tracker: name in the catalogue or path of a model.
    """
    world = SyntheticConfig(frame_size=(600, 360), length=frames, target_size=(55, 95), degradation=0.4)
    clip = SyntheticWorld(world).sequence(sequence)
    engine = lockon.load(tracker)
    state = engine.start(clip.frame(0), clip.box(0))
    trail, boxes, pictures = [], [], []
    for index in range(1, frames):
        image = clip.frame(index)
        state, result = engine.step(state, image, inplace=True)
        boxes.append(result.box)
        trail.append(lockon.Box(*result.box).center)
        pictures.append(Image.fromarray(annotate(image, result, names="target", trails=[trail[-40:]])))
    truth = np.array([clip.box(index) for index in range(1, frames)])
    pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0, quality=40)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, mean IoU {overlap(truth, np.array(boxes)).mean():.2f}")


if __name__ == "__main__":
    tyro.cli(main)
