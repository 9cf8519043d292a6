"""The part of the page that goes down to sequences: curves of overlap, and pictures of the worst moments."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from lockon.evaluation.reports.page.parts import anchor, dash, swatch
from lockon.evaluation.reports.plots.styles import Style
from lockon.evaluation.reports.stories import Moment, Overlaps, Story, thinned

_MOST_POINTS = 600
"""Of a curve; longer sequences show means over several frames."""
_FULL, _NOTHING = 200, 255
"""Bytes for an overlap of 1, and for a frame without annotation; page.js reads them."""

Pictures = Mapping[tuple[str, int], bytes]


def story_data(stories: Sequence[Story], styles: Mapping[str, Style]) -> str:
    """The curves as JSON that may stand inside a script element."""
    names = list(styles)
    trackers = [{"name": name, "colour": style.colour, "dash": dash(style)} for name, style in styles.items()]
    sequences = {story.sequence.name: _curves(story, names) for story in stories}
    text = json.dumps({"trackers": trackers, "sequences": sequences}, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def story_html(story: Story, test_set: str, styles: Mapping[str, Style], pictures: Pictures) -> str:
    """A sequence that opens on a click; its curve is drawn then."""
    name = story.sequence.name
    means = {tracker: _mean(values) for tracker, values in story.overlaps.items()}
    best = max(means, key=lambda tracker: means[tracker], default=None)
    facts = f"{len(story.truth)} frames" + (f", best {best} ({means[best]:.2f})" if best else "")
    figures = "".join(_moment(name, moment, styles, pictures) for moment in story.moments)
    return (
        f'<details class="sequence" id="{anchor("sequence", test_set, name)}" data-sequence="{escape(name)}">'
        f'<summary>{escape(name)}<span>{escape(facts)}</span></summary><div class="chart"></div>'
        f'<div class="moments">{figures}</div></details>\n'
    )


def _curves(story: Story, names: Sequence[str]) -> dict[str, Any]:
    lines, step = {}, 1
    for index, name in enumerate(names):
        if name in story.overlaps:
            values, step = thinned(story.overlaps[name], _MOST_POINTS)
            lines[index] = _packed(values)
    return {"frames": len(story.truth), "step": step, "lines": lines, "moments": [one.frame for one in story.moments]}


def _packed(values: Overlaps) -> str:
    levels = np.where(np.isnan(values), _NOTHING, np.round(np.nan_to_num(values) * _FULL))
    return base64.b64encode(levels.astype(np.uint8).tobytes()).decode()


def _mean(values: Overlaps) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0


def _moment(sequence: str, moment: Moment, styles: Mapping[str, Style], pictures: Pictures) -> str:
    picture, image = pictures.get((sequence, moment.frame)), ""
    if picture is not None:
        source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
        described = escape(f"{sequence}, frame {moment.frame}")
        image = f'<img loading="lazy" alt="{described}" src="{source}">'
    losses = "".join(
        f"<li>{swatch(styles[loss.tracker])}{escape(loss.tracker)}: lost from frame {loss.frame} on, "
        f"{loss.frames} frames</li>"
        for loss in moment.losses
    )
    return f"<figure>{image}<figcaption><b>Frame {moment.frame}</b><ul>{losses}</ul></figcaption></figure>"
