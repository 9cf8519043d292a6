"""Frames with the annotated and the predicted boxes, as small JPEG files that fit a page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image as PillowImage

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.evaluation.reports.plots.styles import Style
from lockon.evaluation.reports.stories import Moment, Story
from lockon.images import Image
from lockon.video import draw_box

LONGEST_SIDE = 480
"""Pixels of a picture."""
MOST_BYTES = 12_000_000
"""Of all pictures of a report together: pages stay quick to open and to send."""
ANNOTATED = (255, 255, 255)
_QUALITY = 78
_MOST_BOXES = 8
"""Predicted boxes on a picture; those of the trackers that lose the target come first."""


def moment_pictures(
    stories: Sequence[Story], styles: Mapping[str, Style], most_bytes: int = MOST_BYTES
) -> dict[tuple[str, int], bytes]:
    """JPEG files by sequence and frame, the worst moment of every sequence first, until `most_bytes` are reached.

    Sequences without images have none, and a frame that cannot be read has none.
    """
    pictures: dict[tuple[str, int], bytes] = {}
    left = most_bytes
    for story, moment in _worst_first(stories):
        picture = moment_picture(story, moment, styles)
        if picture is None:
            continue
        left -= len(picture)
        if left < 0:
            break
        pictures[story.sequence.name, moment.frame] = picture
    return pictures


def moment_picture(story: Story, moment: Moment, styles: Mapping[str, Style]) -> bytes | None:
    """One frame as JPEG: the annotated box white and dashed, predicted ones in the colours of their trackers."""
    if not story.sequence.has_images:
        return None
    try:
        image = story.sequence.frame(moment.frame)
    except DataError:
        return None
    small, scale = _shrunk(image)
    losing = [loss.tracker for loss in moment.losses]
    names = list(dict.fromkeys([*losing, *story.boxes]))[:_MOST_BOXES]
    for name in reversed(names):
        small = draw_box(small, _scaled(story.boxes[name][moment.frame], scale), color=_rgb(styles[name].colour))
    small = draw_box(small, _scaled(story.truth[moment.frame], scale), color=ANNOTATED, dashed=True)
    file = io.BytesIO()
    PillowImage.fromarray(small).save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def _worst_first(stories: Sequence[Story]) -> Iterator[tuple[Story, Moment]]:
    for place in range(max((len(story.moments) for story in stories), default=0)):
        having = [story for story in stories if len(story.moments) > place]
        having.sort(key=lambda story: -sum(loss.frames for loss in story.moments[place].losses))
        for story in having:
            yield story, story.moments[place]


def _shrunk(image: Image) -> tuple[Image, float]:
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(PillowImage.fromarray(image).resize(size, PillowImage.Resampling.LANCZOS)), scale


def _scaled(box: np.ndarray, scale: float) -> Box:
    return Box(*(box * scale).tolist())


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
