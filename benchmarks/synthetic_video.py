"""An endless video made from noise: textured rectangles that move and breathe on a panning textured background."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as PillowImage
from torch.nn import functional as F

from lockon.images import Image

MARGIN = 40
"""How far the view pans over the background, in pixels."""
TARGET_WIDTH, TARGET_HEIGHT = 52, 44


class SyntheticVideo:
    """Frames by index, the same for the same seed, with no end and no memory of frames past.

    Args:
        targets: number of rectangles; they pass over each other where they are many.
        width, height: frame size in pixels.
        seed: of textures and paths.
    """

    def __init__(self, targets: int = 1, width: int = 320, height: int = 240, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.size = (width, height)
        self._background = _texture(height + 2 * MARGIN, width + 2 * MARGIN, (3, 6, 12, 24), generator)
        self._textures = [
            PillowImage.fromarray(_texture(2 * TARGET_HEIGHT, 2 * TARGET_WIDTH, (2, 5, 10, 20), generator))
            for _ in range(targets)
        ]
        # Phases of x, y and size, and slow speeds that share no period, in radians.
        self._phases = 2 * np.pi * torch.rand(targets, 3, generator=generator).numpy()
        self._speeds = (0.02 + 0.02 * torch.rand(targets, 3, generator=generator)).numpy()

    def boxes(self, index: int) -> Float[np.ndarray, "targets 4"]:
        """Where the rectangles are in frame `index`: `(x, y, w, h)` in pixels, always inside the frame."""
        x, y, breath = np.sin(self._phases + index * self._speeds).T
        sizes = np.round(np.outer(1 + 0.25 * breath, (TARGET_WIDTH, TARGET_HEIGHT)))
        room = np.array(self.size) - sizes
        return np.concatenate([np.round(room * (0.5 + 0.45 * np.stack([x, y], axis=1))), sizes], axis=1)

    def frame(self, index: int) -> Image:
        """Draw frame `index` as `(H, W, 3)` uint8 RGB."""
        width, height = self.size
        top, left = MARGIN + round(10 * np.sin(0.25 * index)), MARGIN + round(6 * np.cos(0.3 * index))
        image = self._background[top : top + height, left : left + width].copy()
        for texture, box in zip(self._textures, self.boxes(index).astype(int), strict=True):
            x, y, w, h = box.tolist()
            image[y : y + h, x : x + w] = np.asarray(texture.resize((w, h), PillowImage.Resampling.BILINEAR))
        return image


def _texture(height: int, width: int, cells: tuple[int, ...], generator: torch.Generator) -> Image:
    """Coloured noise: a sum of smooth fields with the given numbers of cells a side."""
    fields = [
        F.interpolate(
            torch.randn(1, 3, count + 1, count + 1, generator=generator),
            size=(height, width),
            mode="bilinear",
            align_corners=True,
        )
        for count in cells
    ]
    total = torch.stack(fields).sum(dim=0)[0]
    grey_levels = 127 + 55 * (total - total.mean()) / total.std()
    return grey_levels.clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
