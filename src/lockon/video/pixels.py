"""From a decoded picture to RGB: colour matrix, range and orientation as the stream declares them."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from lockon.images import Image

Matrix = NDArray[np.int32]


class RgbConverter:
    """Converts the pictures of one stream; keeps the scaler's tables between pictures of the same size."""

    def __init__(self) -> None:
        self.rotation = 0
        """Degrees clockwise by which the last picture was turned."""
        self._reformatter = VideoReformatter()

    def __call__(self, picture: av.VideoFrame) -> Image:
        """The picture as it is to be displayed, `(H, W, 3)` uint8 RGB."""
        full_range = picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")
        rgb = self._reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=picture.colorspace,
            dst_colorspace=Colorspace.DEFAULT,  # means nothing for RGB; left out, the source's would not count
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
        )
        image: Image = rgb.to_ndarray()
        matrix = _display_matrix(picture)
        self.rotation = 0 if matrix is None else clockwise_degrees(matrix)
        return image if matrix is None else orient(image, matrix)


def _display_matrix(picture: av.VideoFrame) -> Matrix | None:
    """The 3×3 display matrix that comes with the picture (ISO 14496-12, 8.3.2: `(x, y, 1) · matrix`), if any."""
    data: Any = picture.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)


def _turn(matrix: Matrix) -> tuple[bool, bool, bool]:
    """The nearest of the eight orientations: whether to swap axes, then mirror x, then mirror y."""
    (a, b), (c, d) = matrix[:2, :2].astype(np.int64)
    swap = abs(b) + abs(c) > abs(a) + abs(d)
    return (swap, c < 0, b < 0) if swap else (swap, a < 0, d < 0)


def orient(image: Image, matrix: Matrix) -> Image:
    """Turn and mirror an image by a display matrix."""
    swap, mirror_x, mirror_y = _turn(matrix)
    turned = image.swapaxes(0, 1) if swap else image
    return np.ascontiguousarray(turned[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])


def clockwise_degrees(matrix: Matrix) -> int:
    """By how much a display matrix turns the picture clockwise: 0, 90, 180 or 270."""
    a, b = matrix[0, :2].astype(np.int64)
    return round(float(np.degrees(np.arctan2(b, a))) / 90) * 90 % 360
