"""How objects move: where each should be in the next frame, and how sure that is.

Look-alikes that are described alike are told apart by where they come from. Each object has a Kalman filter with
constant velocity and random acceleration (Bar-Shalom et al., Estimation with Applications to Tracking and Navigation,
2001, Sec. 6.2), the same along rows and columns. This is not in the KeepTrack paper, whose network knows the last
places only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

Motions = Float32[Tensor, "targets n 4"]
"""Place and velocity of objects: (row, col) in pixels, and in pixels per frame."""
Covariances = Float32[Tensor, "targets n 3"]
"""Variance of the place, covariance of place and velocity, variance of the velocity, along either axis."""


@dataclass(frozen=True)
class MotionConfig:
    """How objects move; lengths are in sizes of the target (roots of its area), times in frames.

    The first four are standard deviations, along rows as along columns.
    """

    place: float = 0.12
    """Of the place of a candidate from that of its object."""
    acceleration: float = 0.01
    """Of the change of the velocity from frame to frame."""
    velocity: float = 0.05
    """Of the velocity of a new object."""
    lost: float = 0.6
    """Of its place, above which an object that is not seen is forgotten."""
    ripe: int = 4
    """Frames that an object has to be seen in before it is remembered while it is not; and beside the target, before
    it is known to be another."""
    patience: int = 60
    """Frames after a loss in which the target is not sought among the objects that were seen beside it."""
    overlap: float = 0.9
    """Objects that are nearer to each other than this can be one peak of the score map."""
    blur: float = 20.0
    """Factor on the variance of a candidate's place where another object may be in it."""
    bonus: float = 3.0
    """Logarithm of how much more probable than by looks alone a match is, exactly at a place that is well known."""
    target_bonus: float = 1.0
    """The same, in addition, for the target: who else might be the candidate comes second."""


@dataclass(frozen=True)
class ConstantVelocity:
    """The filters' steps, for T targets.

    Args:
        config: see `MotionConfig`.
        size: of the targets, roots of their areas in pixels.
    """

    config: MotionConfig
    size: Float32[Tensor, "targets"]

    @property
    def _unit(self) -> Float32[Tensor, "targets 1"]:
        """An area of the target, in square pixels."""
        return self.size[:, None] ** 2

    @property
    def _noise(self) -> Float32[Tensor, "targets 1"]:
        return self.config.place**2 * self._unit

    def begin(self, places: Float32[Tensor, "targets n 2"]) -> tuple[Motions, Covariances]:
        """Objects that are seen for the first time: at rest, as far as one knows."""
        variances = torch.stack(
            [self._noise, torch.zeros_like(self._unit), self.config.velocity**2 * self._unit], dim=-1
        )
        return torch.cat([places, torch.zeros_like(places)], dim=-1), variances.expand(-1, places.shape[1], -1)

    def predict(self, motion: Motions, covariance: Covariances) -> tuple[Motions, Covariances]:
        """One frame on."""
        place, both, velocity = covariance.unbind(-1)
        change = self.config.acceleration**2 * self._unit
        moved = torch.cat([motion[..., :2] + motion[..., 2:], motion[..., 2:]], dim=-1)
        wider = [place + 2 * both + velocity + change / 4, both + velocity + change / 2, velocity + change]
        return moved, torch.stack(wider, dim=-1)

    def update(
        self,
        motion: Motions,
        covariance: Covariances,
        places: Float32[Tensor, "targets n 2"],
        blurred: Bool[Tensor, "targets n"],
    ) -> tuple[Motions, Covariances]:
        """What the places where objects are seen say of them.

        Args:
            motion: expected in this frame.
            covariance: of that.
            places: (row, col), where they are seen.
            blurred: which places may be those of another object in part.
        """
        place, both, velocity = covariance.unbind(-1)
        total = place + self._noise * torch.where(blurred, self.config.blur, 1.0)
        gain = torch.stack([place / total, both / total], dim=-1)
        correction = gain[..., None] * (places - motion[..., :2])[..., None, :]
        left = [place * (1 - gain[..., 0]), both * (1 - gain[..., 0]), velocity - gain[..., 1] * both]
        return motion + correction.flatten(-2), torch.stack(left, dim=-1)

    def known(self, covariance: Covariances) -> Bool[Tensor, "targets n"]:
        """Whether places are known well enough to speak of them."""
        return covariance[..., 0] <= self.config.lost**2 * self._unit

    def overlapping(self, motion: Motions) -> Bool[Tensor, "targets n n"]:
        """Which objects can be one peak of the score map; each can with itself."""
        places = motion[..., :2]
        return distances(places, places) < self.config.overlap * self.size[:, None, None]

    def log_likelihood(
        self, motion: Motions, covariance: Covariances, places: Float32[Tensor, "targets m 2"]
    ) -> Float32[Tensor, "targets n m"]:
        """Of objects to be seen at places; 0 at the expected place of one that is known as well as a sighting."""
        variance = covariance[..., 0] + self._noise
        squares = distances(motion[..., :2], places).square()
        return -squares / (2 * variance[..., None]) - (variance / (2 * self._noise)).log()[..., None]


def distances(
    places: Float32[Tensor, "targets n 2"], others: Float32[Tensor, "targets m 2"]
) -> Float32[Tensor, "targets n m"]:
    """Between all places; `torch.cdist` loses pixels where there are many."""
    apart: Tensor = torch.linalg.vector_norm(places[:, :, None] - others[:, None], dim=-1)
    return apart
