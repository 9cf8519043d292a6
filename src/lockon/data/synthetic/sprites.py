"""What the world is made of: sprites with coverage and object mask, and textures, photographic or procedural."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

Levels = tuple[Float[Tensor, "channels height width"], ...]
_SIDE = 144
"""Side of procedural sprites in texels."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawable object. Its coordinates (u, v) run over [-1, 1]² from the top-left to the bottom-right corner."""

    levels: Levels
    """Image pyramid, finest first, values in [0, 1]: RGB times coverage, coverage, object mask."""
    outline: Float[np.ndarray, "points 2"]
    """Points (u, v) whose hull is the hull of the object mask."""
    half_extent: Float[np.ndarray, "2"]
    """Half width and height of the sprite when the object's box has area 1."""


def pyramid(pixels: Float[Tensor, "channels height width"], smallest: int = 12) -> Levels:
    """Successive halvings of an image by 2 × 2 means, down to `smallest` pixels."""
    levels = [pixels]
    while min(levels[-1].shape[1:]) >= 2 * smallest:
        levels.append(F.avg_pool2d(levels[-1][None], 2)[0])
    return tuple(levels)


def make_sprite(
    rgb: UInt8[np.ndarray, "height width 3"],
    coverage: Float[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
) -> Sprite:
    """Build a sprite from an image, its coverage in [0, 1], and the mask of the object in it (not empty)."""
    alpha = torch.from_numpy(np.ascontiguousarray(coverage, dtype=np.float32))
    colour = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1).float().div_(255)
    solid = torch.from_numpy(mask).float()
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    # In every row only the first and the last texel can lie on the hull; take their outer edges.
    left, right = mask[rows].argmax(axis=1), width - mask[rows, ::-1].argmax(axis=1)
    columns = np.concatenate([left, right, left, right]) * (2 / width) - 1
    edges = np.concatenate([rows, rows, rows + 1, rows + 1]) * (2 / height) - 1
    box = np.array([right.max() - left.min(), rows[-1] + 1 - rows[0]], dtype=float)
    return Sprite(
        levels=pyramid(torch.cat([colour * alpha, alpha[None], solid[None]])),
        outline=np.stack([columns, edges], axis=1),
        half_extent=np.array([width, height]) / (2 * np.sqrt(box.prod())),
    )


def fractal_noise(rng: Generator, side: int, octaves: int = 5) -> Float[np.ndarray, "side side"]:
    """Smooth noise in [0, 1] with detail at every scale."""
    total = torch.zeros(1, 1, side, side)
    for octave in range(octaves):
        cells = torch.from_numpy(rng.random((1, 1, 3 * 2**octave, 3 * 2**octave), dtype=np.float32))
        mode = "bicubic" if octave < 2 else "bilinear"  # kinks show in large cells only
        detail = F.interpolate(cells, size=(side, side), mode=mode, align_corners=False)
        total += detail * rng.uniform(0.4, 0.8) ** octave
    low, high = total.aminmax()
    return ((total - low) / (high - low))[0, 0].numpy()


def procedural_texture(rng: Generator, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """A coloured pattern: fractal noise, stripes, checks or rings between two to four colours."""
    v, u = np.mgrid[0:side, 0:side] / side
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(2, 9)
    along = np.cos(angle) * u + np.sin(angle) * v
    noise = fractal_noise(rng, side)
    kind = int(rng.integers(4))
    if kind == 0:
        pattern = noise
    elif kind == 1:
        pattern = 0.5 + 0.5 * np.sin(2 * np.pi * frequency * (along + 0.2 * noise))
    elif kind == 2:
        pattern = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * frequency * u) * np.sin(2 * np.pi * frequency * v))
    else:
        pattern = 0.5 + 0.5 * np.sin(2 * np.pi * frequency * np.hypot(u - rng.random(), v - rng.random()))
    pattern = np.clip(0.8 * pattern + 0.3 * fractal_noise(rng, side) - 0.05, 0, 1)
    colours = rng.random((int(rng.integers(2, 5)), 3))
    position = pattern * (len(colours) - 1)
    below = np.minimum(position.astype(int), len(colours) - 2)
    share = (position - below)[..., None]
    texture: UInt8[np.ndarray, "side side 3"] = (
        255 * ((1 - share) * colours[below] + share * colours[below + 1])
    ).astype(np.uint8)
    return texture


def _procedural_shape(rng: Generator) -> Bool[np.ndarray, "side side"]:
    """A random blob or polygon around the middle of a square."""
    v, u = (np.mgrid[0:_SIDE, 0:_SIDE] + 0.5) * (2 / _SIDE) - 1
    theta, radius = np.arctan2(v, u), np.hypot(u, v)
    if rng.random() < 0.5:
        orders = np.arange(1, 7)
        waves = rng.normal(0, 0.25 / orders**0.7)[:, None, None] * np.cos(
            orders[:, None, None] * theta + rng.uniform(0, 2 * np.pi, (6, 1, 1))
        )
        limit = np.exp(waves.sum(axis=0))
    else:
        corners = np.sort(rng.uniform(-np.pi, np.pi, int(rng.integers(3, 9))))
        corners = np.unique(np.concatenate([corners, np.linspace(-np.pi, np.pi, 4)[:-1]]))
        limit = np.interp(theta, corners, rng.uniform(0.5, 1.0, len(corners)), period=2 * np.pi)
    inside: Bool[np.ndarray, "side side"] = radius < 0.95 * limit / limit.max()
    return inside


def procedural_sprite(rng: Generator) -> Sprite:
    """A random shape with a random texture."""
    shape = _procedural_shape(rng)
    texture = procedural_texture(rng, _SIDE).astype(np.float32)
    shade = 0.6 + 0.5 * fractal_noise(rng, _SIDE, octaves=2)[..., None]
    rgb = np.clip(texture * shade, 0, 255).astype(np.uint8)
    coverage = F.avg_pool2d(torch.from_numpy(shape).float()[None, None], 3, 1, 1)[0, 0].numpy()
    return make_sprite(rgb, coverage, shape)


def procedural_background(rng: Generator, side: int = 384) -> Levels:
    """A textured ground with some flat shapes on it."""
    ground = procedural_texture(rng, side)
    for _ in range(int(rng.integers(4, 14))):
        shape, patch = _procedural_shape(rng), procedural_texture(rng, _SIDE)
        zoom = int(rng.integers(1, 4))
        shape, patch = shape[::zoom, ::zoom], patch[::zoom, ::zoom]
        row, column = rng.integers(0, side - shape.shape[0], 2)
        window = ground[row : row + shape.shape[0], column : column + shape.shape[1]]
        window[shape] = patch[shape]
    return pyramid(torch.from_numpy(ground).permute(2, 0, 1).float().div_(255))
