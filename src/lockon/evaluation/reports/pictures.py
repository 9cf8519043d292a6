"""Frames with the annotated and the predicted boxes, as small JPEG files that fit a page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image as PillowImage
from PIL import ImageDraw

from lockon.errors import DataError
from lockon.evaluation.reports.plots.styles import Style
from lockon.evaluation.reports.stories import Moment, Story
from lockon.images import Image

LONGEST_SIDE = 440
"""Pixels of a picture."""
MOST_BYTES = 12_000_000
"""Of all pictures of a report together: pages stay quick to open and to send."""
ANNOTATED = "#ffffff"
_QUALITY = 78
_LINE = 2
"""Pixels that a line is wide, without its rim."""
_FARTHEST = 1e6
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
    """One frame as JPEG: the annotated box white, predicted ones in the colours of their trackers."""
    if not story.sequence.has_images:
        return None
    try:
        image = story.sequence.frame(moment.frame)
    except DataError:
        return None
    picture, scale = _scaled(image)
    losing = [loss.tracker for loss in moment.losses]
    names = list(dict.fromkeys([*losing, *story.boxes]))[:_MOST_BOXES]
    for name in reversed(names):
        _outline(picture, story.boxes[name][moment.frame] * scale, styles[name].colour)
    _outline(picture, story.truth[moment.frame] * scale, ANNOTATED)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def _worst_first(stories: Sequence[Story]) -> Iterator[tuple[Story, Moment]]:
    for place in range(max((len(story.moments) for story in stories), default=0)):
        having = [story for story in stories if len(story.moments) > place]
        having.sort(key=lambda story: -sum(loss.frames for loss in story.moments[place].losses))
        for story in having:
            yield story, story.moments[place]


def _scaled(image: Image) -> tuple[PillowImage.Image, float]:
    height, width = image.shape[:2]
    scale = LONGEST_SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return PillowImage.fromarray(image).resize(size, PillowImage.Resampling.BICUBIC), scale


def _outline(picture: PillowImage.Image, box: Float[np.ndarray, "4"], colour: str) -> None:
    """Draw a box with a dark rim, so that it is seen on any ground; what is not finite or far outside is left out."""
    x, y, w, h = box.tolist()
    if not np.isfinite(box).all() or np.abs(box).max() > _FARTHEST or min(w, h) < 0:
        return
    draw = ImageDraw.Draw(picture)
    corners = (round(x), round(y), round(x + w), round(y + h))
    draw.rectangle(_grown(corners, 1), outline="#000000", width=_LINE + 2)
    draw.rectangle(corners, outline=colour, width=_LINE)


def _grown(corners: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = corners
    return left - by, top - by, right + by, bottom + by
