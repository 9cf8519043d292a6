"""Smooth random motion: functions of time that can be read at any real frame number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

Vector = Float[np.ndarray, "dims"]


@dataclass(frozen=True, slots=True)
class Wave:
    """A sum of sinusoids per dimension: smooth, bounded, stationary, without a visible period."""

    offset: Float[np.ndarray, "dims"]
    amplitude: Float[np.ndarray, "terms dims"]
    frequency: Float[np.ndarray, "terms dims"]
    """Radians per frame."""
    phase: Float[np.ndarray, "terms dims"]

    def __call__(self, time: float) -> Vector:
        """Value at a real frame number."""
        value: Vector = self.offset + (self.amplitude * np.sin(self.frequency * time + self.phase)).sum(axis=0)
        return value


def random_wave(
    rng: Generator, amplitude: float, period: tuple[float, float], dims: int = 1, offset: float | Vector = 0.0
) -> Wave:
    """Draw a wave whose values stay within `offset` ± `amplitude`.

    Args:
        rng: source of randomness.
        amplitude: largest deviation from `offset`.
        period: shortest and longest period of its three terms, in frames.
        dims: number of independent components.
        offset: mean value.
    """
    terms = 3
    share = rng.dirichlet(np.ones(terms), size=dims).T
    periods = np.exp(rng.uniform(np.log(period[0]), np.log(period[1]), (terms, dims)))
    return Wave(
        offset=np.broadcast_to(np.asarray(offset, dtype=float), (dims,)),
        amplitude=amplitude * share,
        frequency=2 * np.pi / periods,
        phase=rng.uniform(0, 2 * np.pi, (terms, dims)),
    )


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a sprite is in one frame, and how it is deformed there."""

    centre: Vector
    """Image pixels (x, y)."""
    size: float
    """Square root of the area of the object's box in image pixels, before rotation and deformation."""
    aspect: float
    """Factor on width / height, on top of the sprite's own."""
    angle: float
    """Radians, clockwise as seen on the screen."""
    bend: Float[np.ndarray, "4"]
    """Amplitudes of the deformation modes, in units of half the sprite's extent."""
    tilt: Float[np.ndarray, "2"]
    """How much nearer the right and the lower end are than the middle: a turn out of the image plane."""

    def axes(self, half_extent: Vector) -> Float[np.ndarray, "2 2"]:
        """Columns: the image vectors of the sprite's u and v half axes."""
        stretch = self.size * half_extent * np.array([self.aspect**0.5, self.aspect**-0.5])
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        axes: Float[np.ndarray, "2 2"] = np.array([[cos, -sin], [sin, cos]]) * stretch
        return axes


@dataclass(frozen=True, slots=True)
class Route:
    """A displacement by plan: from one point to the next, gently leaving each and gently arriving."""

    times: Float[np.ndarray, "points"]
    """Frame numbers, ascending."""
    points: Float[np.ndarray, "points 2"]
    """Image pixels (x, y). Before the first time and after the last it rests."""

    def __call__(self, time: float) -> Vector:
        """Displacement at a real frame number."""
        leg = min(max(int(np.searchsorted(self.times, time)) - 1, 0), len(self.times) - 2)
        start, end = self.times[leg], self.times[leg + 1]
        share = np.clip((time - start) / (end - start), 0, 1)
        moved: Vector = self.points[leg] + share * share * (3 - 2 * share) * (self.points[leg + 1] - self.points[leg])
        return moved


@dataclass(frozen=True, slots=True)
class Path:
    """The poses of one sprite over time."""

    centre: Wave
    log_size: Wave
    log_aspect: Wave
    angle: Wave
    bend: Wave
    tilt: Wave
    drift: tuple[float, float] = (0.0, 0.0)
    """Constant velocity in pixels per frame; it adds nothing in frame `drift_from`."""
    drift_from: float = 0.0
    route: Route | None = None
    """A displacement by plan, such as a trip out of view."""
    follow: Path | None = None
    """A path whose centre is added to this one's."""

    def __call__(self, time: float) -> Pose:
        """Pose at a real frame number."""
        return Pose(
            centre=self.position(time),
            size=float(np.exp(self.log_size(time)[0])),
            aspect=float(np.exp(self.log_aspect(time)[0])),
            angle=float(self.angle(time)[0]),
            bend=self.bend(time),
            tilt=self.tilt(time),
        )

    def position(self, time: float) -> Vector:
        """Centre at a real frame number, in image pixels (x, y)."""
        centre = self.centre(time) + np.array(self.drift) * (time - self.drift_from)
        if self.route is not None:
            centre = centre + self.route(time)
        return centre if self.follow is None else centre + self.follow.position(time)


_MODE_FREQUENCY = np.array([0.5, 1.0])
"""Half periods of the two deformation modes over half a sprite, in units of pi."""


def bend_points(uv: Float[np.ndarray, "n 2"], bend: Float[np.ndarray, "4"]) -> Float[np.ndarray, "n 2"]:
    """Where deformed sprite coordinates `uv` lie in the undeformed sprite (swinging rows and columns)."""
    across_u = bend[:2] @ np.sin(np.pi * _MODE_FREQUENCY[:, None] * uv[:, 1])
    across_v = bend[2:] @ np.sin(np.pi * _MODE_FREQUENCY[:, None] * uv[:, 0])
    bent: Float[np.ndarray, "n 2"] = uv + np.stack([across_u, across_v], axis=1)
    return bent


def unbend_points(uv: Float[np.ndarray, "n 2"], bend: Float[np.ndarray, "4"]) -> Float[np.ndarray, "n 2"]:
    """Inverse of `bend_points`, by fixed-point iteration (a contraction for the amplitudes in use)."""
    deformed = uv
    for _ in range(8):
        deformed = uv - (bend_points(deformed, bend) - deformed)
    return deformed


def tilt_points(uv: Float[np.ndarray, "n 2"], tilt: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n 2"]:
    """Where the points `uv` of a sprite appear when it is tilted: a perspective map around the middle."""
    tilted: Float[np.ndarray, "n 2"] = uv / (1 - uv @ tilt)[:, None]
    return tilted
