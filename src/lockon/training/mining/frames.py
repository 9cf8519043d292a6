"""What is mined of one frame: the part of the image that was searched, the score map, and where the target is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray

from lockon.boxes import Box
from lockon.images import Image
from lockon.tracking.search_region import cut_region


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedFrame:
    """One frame after the first of a track, as the base tracker saw it."""

    sequence: str
    """Name of the sequence in its data set."""
    frame: int
    """Frame number in the sequence, from 0."""
    frame_size: tuple[int, int]
    """Height and width of the whole frame in pixels."""
    region: Box
    """Search area as KeepTrack's reference counts it, `(x1, y1, x2 − x1 − 1, y2 − y1 − 1)` in image pixels: cell
    (row, col) of a map of S cells a side lies at `(y1 + h · row / (S − 1), x1 + w · col / (S − 1))`."""
    image: UInt8[np.ndarray, "rows columns 3"]
    """The search area with a margin; beyond the frame its border is repeated."""
    image_area: Box
    """What `image` shows, `(x, y, w, h)` in image pixels, continuous."""
    score_map: Float[np.ndarray, "cells cells"]
    """Scores as the selector of the tracker read them, float32."""
    candidate_cells: Int[np.ndarray, "candidates 2"]
    """Local maxima above the threshold of the dump, `(row, col)`, the highest first."""
    candidate_scores: Float[np.ndarray, "candidates"]
    """Their scores, float32."""
    target_box: Box | None
    """The annotation, `(x, y, w, h)` in image pixels; None where there is none. The target may be hidden."""
    target_cell: tuple[int, int] | None
    """Cell (row, col) nearest to the centre of the annotation, on the border where that lies outside the region."""
    visible: bool
    """Whether the annotation says that the target can be seen."""
    identities: Float[np.ndarray, "look_alikes 4"]
    """Boxes `(x, y, w, h)` of all look-alikes; row k is the same object in every frame of the sequence. Only data
    with exact correspondences have any."""

    @property
    def searched(self) -> Box:
        """The whole pixels that the tracker cut out and searched, `(x, y, w, h)`: edges are truncated as it does."""
        x, y, w, h = self.region
        left, top, right, bottom = (float(math.trunc(edge)) for edge in (x, y, x + w + 1, y + h + 1))
        return Box(left, top, right - left, bottom - top)

    def crop(self, area: Box, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
        """Part of the frame around the search area, bilinearly, as the tracker would cut it.

        Args:
            area: `(x, y, w, h)` in image pixels, continuous; what is beyond `image_area` repeats its border.
            size: rows and columns of the result.
        """
        y = _sample_places(area.y, area.h, size, self.image_area.y, self.image_area.h)
        x = _sample_places(area.x, area.w, size, self.image_area.x, self.image_area.w)
        grid = torch.from_numpy(np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)).float()
        pixels = torch.from_numpy(self.image).permute(2, 0, 1)[None].float()
        sampled = F.grid_sample(pixels, grid[None], "bilinear", padding_mode="border", align_corners=False)
        return sampled[0].round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _sample_places(start: float, extent: float, size: int, origin: float, whole: float) -> NDArray[np.floating]:
    """Centres of `size` pixels of an interval, in [-1, 1] over another one."""
    centres = start + (np.arange(size) + 0.5) * (extent / size)
    places: NDArray[np.floating] = 2 * (centres - origin) / whole - 1
    return places


def search_area(region: Box) -> Box:
    """The search area as the reference counts it (see `MinedFrame.region`), of `Result.search_region`.

    Where a region was cut is a multiple of half a pixel; a 64th undoes the rounding errors of single precision.
    """
    x, y, w, h = (round(64 * value) / 64 for value in region)
    return Box(x, y, w - 1, h - 1)


def annotation_cell(box: Box, region: Box, cells: int) -> tuple[int, int]:
    """Cell (row, col) with the highest label: the nearest to the centre of a box; of two, the first.

    Args:
        box: `(x, y, w, h)` in image pixels.
        region: see `MinedFrame.region`.
        cells: rows and columns of the score map.
    """
    along_x = (box.x + box.w / 2 - region.x) / (region.w + 1)
    along_y = (box.y + box.h / 2 - region.y) / (region.h + 1)
    row, col = (min(max(math.ceil((cells - 1) * place - 0.5), 0), cells - 1) for place in (along_y, along_x))
    return row, col


def cut_picture(image: Image, region: Box, margin: float, longest: int) -> tuple[Image, Box]:
    """The search area with a margin, and what part of the image it shows.

    Pixels are kept as they are, unless there are too many of them: then every n-th is taken and the rest is done
    bilinearly, as trackers cut their search regions.

    Args:
        image: the whole frame.
        region: see `MinedFrame.region`.
        margin: on each side, relative to the region.
        longest: most pixels of a side of the result.

    Returns:
        The picture, and its area `(x, y, w, h)` in image pixels, continuous.
    """
    extent = np.array([region.h + 1, region.w + 1])
    origin = np.array([region.y, region.x])
    low, high = origin - margin * extent, origin + (1 + margin) * extent
    stride = max(int(float((high - low).max()) / longest - 0.1), 1)
    top_left = np.floor(low / stride).astype(int)
    bottom_right = np.maximum(np.ceil(high / stride).astype(int), top_left + 1)
    pixels = cut_region(image[::stride, ::stride], top_left, bottom_right)
    top, left = top_left * stride + (1 - stride) / 2  # pixel i stands for the `stride` around pixel i · stride
    rows, columns = pixels.shape[:2]
    area = Box(float(left), float(top), float(columns * stride), float(rows * stride))
    return _shrunk(pixels, longest), area


def _shrunk(pixels: Image, longest: int) -> Image:
    rows, columns = pixels.shape[:2]
    scale = longest / max(rows, columns)
    if scale >= 1:
        return pixels
    size = (max(1, round(scale * rows)), max(1, round(scale * columns)))
    whole = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    shrunk = F.interpolate(whole, size, mode="bilinear", align_corners=False)[0]
    return shrunk.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
