"""Masks as the COCO data format writes them: polygons, and run lengths plain or compressed (cocodataset.org).

In an index a segmentation is a JSON object of one line: `size` (height, width) with `polygons` or `counts`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from lockon.errors import DataError

Mask = Bool[np.ndarray, "height width"]


def encode_segmentation(segmentation: Any, height: int, width: int) -> str:
    """One line of text for what COCO annotations have as `segmentation`; nothing where it is empty.

    Args:
        segmentation: a list of polygons `[x, y, x, y, …]` in pixels, or an object with `counts`.
        height, width: of the image; run lengths bring their own.
    """
    if not segmentation:
        return ""
    shape: dict[str, Any] = {"size": [height, width]}
    shape |= segmentation if isinstance(segmentation, dict) else {"polygons": segmentation}
    return json.dumps(shape, separators=(",", ":"))


def decode_segmentation(text: str) -> Mask:
    """The mask that a text of `encode_segmentation` stands for.

    Raises:
        DataError: the text is malformed, or its run lengths do not fill the image.
    """
    try:
        shape = json.loads(text)
        height, width = shape["size"]
        if "polygons" not in shape:
            return run_length_mask(shape["counts"], height, width)
        polygons = [np.asarray(polygon, float).reshape(-1, 2) for polygon in shape["polygons"]]
    except DataError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"'{text[:60]}' is not a segmentation of COCO: {error}.") from error
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        mask |= polygon_mask(polygon, height, width)
    return mask


def polygon_mask(polygon: Float[np.ndarray, "corners 2"], height: int, width: int) -> Mask:
    """The pixels whose centres lie in a polygon of `(x, y)` corners in pixels; even-odd where it crosses itself."""
    x, y = polygon.T
    next_x, next_y = np.roll(polygon, -1, axis=0).T
    centres = np.arange(height)[:, None] + 0.5
    rows, edges = np.nonzero((y <= centres) != (next_y <= centres))
    slope = (next_x - x)[edges] / (next_y - y)[edges]
    crossings = x[edges] + (centres[rows, 0] - y[edges]) * slope
    # From the first centre right of an edge on, pixels are on its other side.
    columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(int)
    toggles = np.zeros((height, width + 1), int)
    np.add.at(toggles, (rows, columns), 1)
    return np.asarray(toggles.cumsum(axis=1)[:, :width] % 2 == 1)


def run_length_mask(counts: str | Sequence[int], height: int, width: int) -> Mask:
    """The mask of run lengths, down the columns one after the other, background first.

    Raises:
        DataError: they do not fill the image.
    """
    runs = np.array(_uncompressed(counts) if isinstance(counts, str) else counts, int)
    if runs.sum() != height * width or (runs < 0).any():
        raise DataError(f"run lengths fill {runs.sum()} pixels of an image of {width} × {height}.")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _uncompressed(text: str) -> list[int]:
    """Run lengths from their compressed form: five bits a character, low ones first; from the fourth on, what is
    written is the difference to the run two before."""
    runs: list[int] = []
    value = shift = 0
    for character in text.encode():
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs


def box_of_mask(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The smallest `(x, y, w, h)` around all pixels of a mask; four NaN around none."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return (np.nan,) * 4
    x, y = float(columns[0]), float(rows[0])
    return x, y, columns[-1] + 1 - x, rows[-1] + 1 - y
