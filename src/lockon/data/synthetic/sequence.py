"""One synthetic video: its frames on demand, and the exact truth about them."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lockon.boxes import Box
from lockon.data.synthetic.motion import Path, Wave
from lockon.data.synthetic.render import Layer, View, blur, draw_ground, draw_layer, outline_box, sample_sprite
from lockon.data.synthetic.sprites import Levels
from lockon.images import Image

_PROBE = 32
"""Visibility is measured on a grid of this many points a side over the target's box."""


@dataclass(frozen=True, slots=True)
class SyntheticSequence:
    """One synthetic video with its truth. Boxes are amodal: the full extent of the object, hidden or not."""

    seed: int
    frame_size: tuple[int, int]
    length: int
    ground: Levels
    ground_path: Path
    layers: tuple[Layer, ...]
    """Back to front."""
    target: int
    look_alikes: tuple[int, ...]
    light: Wave
    noise: float
    quality: int | None
    """JPEG quality of the frames; None: they are stored without loss."""
    defocus: Wave
    shake: Wave

    def __len__(self) -> int:
        return self.length

    def frame(self, index: int) -> Image:
        """The whole frame, uint8 RGB `(H, W, 3)`."""
        width, height = self.frame_size
        return self.render(index, Box(0, 0, width, height), (height, width))

    def render(self, index: int, window: Box, size: tuple[int, int]) -> Image:
        """Draw part of a frame at any resolution, which is far cheaper than drawing the frame and cropping it.

        Args:
            index: frame number.
            window: the part, `(x, y, w, h)` in frame pixels; beyond the frame its border is replicated.
            size: height and width of the result in pixels.
        """
        if size[1] > window.w:  # a camera has no more pixels than its frames
            return self._enlarge(index, window, size)
        return _compress(self._draw(index, self._view(window, size)), self.quality)

    def _enlarge(self, index: int, window: Box, size: tuple[int, int]) -> Image:
        left, top = math.floor(window.x), math.floor(window.y)
        right, bottom = math.ceil(window.x + window.w) + 1, math.ceil(window.y + window.h) + 1
        patch = Box(left, top, right - left, bottom - top)
        pixels = self._draw(index, self._view(patch, (bottom - top, right - left)))
        part = (window.x - left, window.y - top, window.x - left + window.w, window.y - top + window.h)
        image = PIL.Image.fromarray(_compress(pixels, self.quality))
        return np.array(image.resize((size[1], size[0]), PIL.Image.Resampling.BILINEAR, part))

    def _draw(self, index: int, view: View) -> Image:
        canvas = draw_ground(self.ground, self.ground_path(index), view)
        for layer in self.layers:
            draw_layer(canvas, layer, index, view)
        light = self.light(index)
        canvas = blur(canvas, float(self.defocus(index)[0]) / view.step, self.shake(index) / view.step)
        canvas = canvas * torch.from_numpy(light[:3]).float()[:, None, None] + float(light[3])
        if self.noise > 0.004:
            generator = torch.Generator().manual_seed(self.seed * 100_003 + index)
            canvas += self.noise * torch.randn(canvas.shape, generator=generator)
        return canvas.mul_(255).clamp_(0, 255).byte().permute(1, 2, 0).contiguous().numpy()

    def box(self, index: int) -> Box:
        """The target's full box `(x, y, w, h)` in pixels; it may leave the frame."""
        return self._layer_box(self.target, index)

    def distractors(self, index: int) -> list[Box]:
        """The boxes of the look-alikes, in a fixed order."""
        return [self._layer_box(layer, index) for layer in self.look_alikes]

    def mask(self, index: int) -> Bool[np.ndarray, "height width"]:
        """The visible part of the target in the frame."""
        width, height = self.frame_size
        view = self._view(Box(0, 0, width, height), (height, width))
        return self._seen(self.target, index, view)[0].numpy() > 0.5

    def visibility(self, index: int) -> float:
        """Share of the target's area that lies in the frame with nothing in front of it."""
        return self._visibility(self.target, index)

    def distractor_visibility(self, index: int) -> list[float]:
        """The same of the look-alikes, in the order of `distractors`."""
        return [self._visibility(layer, index) for layer in self.look_alikes]

    def _visibility(self, layer: int, index: int) -> float:
        box, (width, height) = self._layer_box(layer, index), self.frame_size
        x = torch.linspace(box.x, box.x + box.w, _PROBE)
        y = torch.linspace(box.y, box.y + box.h, _PROBE)
        visible, whole = self._seen(layer, index, View(x, y, max(box.w, box.h) / _PROBE))
        inside = ((x >= 0) & (x < width)) & ((y >= 0) & (y < height))[:, None]
        return float((visible * inside).sum() / whole.sum().clamp(min=1e-6))

    def _view(self, window: Box, size: tuple[int, int]) -> View:
        height, width = size
        x = window.x + (torch.arange(width) + 0.5) * (window.w / width)
        y = window.y + (torch.arange(height) + 0.5) * (window.h / height)
        right, bottom = self.frame_size
        return View(x.clamp(0.5, right - 0.5), y.clamp(0.5, bottom - 0.5), window.w / width)

    def _layer_box(self, layer: int, index: int) -> Box:
        shown = self.layers[layer]
        return Box(*outline_box(shown.sprite, shown.path(index)).tolist())

    def _seen(
        self, number: int, index: int, view: View
    ) -> tuple[Float[Tensor, "rows columns"], Float[Tensor, "rows columns"]]:
        """Mask of a layer's object on the view: what is seen of it, and all of it."""
        whole = torch.zeros(len(view.y), len(view.x))
        free = torch.ones_like(whole)
        for layer in self.layers[number:]:
            sample = sample_sprite(layer.sprite, layer.path(index), view)
            if sample is None:
                continue
            rows, columns, pixels = sample
            if layer is self.layers[number]:
                whole[rows, columns] = pixels[4]
            else:
                free[rows, columns] *= 1 - pixels[3]
        return whole * free, whole


def _compress(image: Image, quality: int | None) -> Image:
    """What is left of an image after it was stored as a JPEG file."""
    if quality is None:
        return image
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(PIL.Image.open(file))
