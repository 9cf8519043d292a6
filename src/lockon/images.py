"""Pixels: any image a user may hold becomes RGB uint8, the one form Lockon works on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray

from lockon.errors import ImageError

Image = UInt8[np.ndarray, "_ _ 3"]
"""Rows, columns, RGB."""


def as_rgb8(image: NDArray[Any] | torch.Tensor) -> Image:
    """Return an image as `(H, W, 3)` uint8 RGB, without a copy where it already is.

    Args:
        image: numpy array or tensor, `(H, W)`, `(H, W, 1)`, `(H, W, 3)` or `(H, W, 4)`, uint8 or uint16 (scaled by
            257 to 8 bits). A fourth channel is taken for alpha and dropped. Float images are refused: their range
            is a guess.

    Raises:
        ImageError: another shape or type, or an image without pixels.
    """
    pixels = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise ImageError(f"an image is (H, W), or (H, W, C) with 1, 3 or 4 channels; got shape {np.shape(image)}.")
    if pixels.size == 0:
        raise ImageError(f"the image has no pixels (shape {np.shape(image)}).")
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        raise ImageError(
            f"an image is uint8 or uint16; got {pixels.dtype}. Convert it, e.g. (image * 255).astype('uint8')."
        )
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])
