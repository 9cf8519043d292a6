"""The filter of each object against one with whole matrices, and what it believes, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lockon.tracking.selectors import MotionConfig
from lockon.tracking.selectors.motion import ConstantVelocity

SIZE = 40.0
CONFIG = MotionConfig()
FILTER = ConstantVelocity(CONFIG, torch.tensor([SIZE]))
places = st.floats(-200, 200)


def as_places(points):
    return torch.tensor([points], dtype=torch.float32)


class Textbook:
    """One object along one axis: x = F x + noise, z = H x + noise."""

    move, see = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])

    def __init__(self, place):
        unit = SIZE**2
        self.noise = CONFIG.place**2 * unit
        self.x = np.array([place, 0.0])
        self.p = np.diag([self.noise, CONFIG.velocity**2 * unit])
        self.q = CONFIG.acceleration**2 * unit * np.outer([0.5, 1], [0.5, 1])

    def predict(self):
        self.x, self.p = self.move @ self.x, self.move @ self.p @ self.move.T + self.q

    def update(self, place, factor=1.0):
        s = self.see @ self.p @ self.see.T + factor * self.noise
        gain = self.p @ self.see.T / s
        self.x = self.x + gain[:, 0] * (place - self.x[0])
        self.p = (np.eye(2) - gain @ self.see) @ self.p


@given(st.lists(st.tuples(places, places, st.sampled_from(["seen", "blurred", "hidden"])), min_size=1, max_size=12))
def test_it_is_the_kalman_filter(seen):
    motion, covariance = FILTER.begin(as_places([[3.0, -5.0]]))
    axes = [Textbook(3.0), Textbook(-5.0)]
    for row, col, how in seen:
        motion, covariance = FILTER.predict(motion, covariance)
        for axis in axes:
            axis.predict()
        if how == "hidden":
            continue
        motion, covariance = FILTER.update(
            motion, covariance, as_places([[row, col]]), torch.tensor([[how != "seen"]])
        )
        for axis, place in zip(axes, (row, col), strict=True):
            axis.update(place, CONFIG.blur if how == "blurred" else 1.0)
    expected = [axes[0].x[0], axes[1].x[0], axes[0].x[1], axes[1].x[1]]
    assert motion[0, 0].tolist() == pytest.approx(expected, rel=1e-3, abs=1e-2)
    p = axes[0].p
    assert covariance[0, 0].tolist() == pytest.approx([p[0, 0], p[0, 1], p[1, 1]], rel=1e-3, abs=1e-3)


def test_it_learns_a_velocity_and_keeps_it():
    motion, covariance = FILTER.begin(as_places([[0.0, 0.0]]))
    for frame in range(1, 31):
        motion, covariance = FILTER.predict(motion, covariance)
        if frame <= 20:
            now = as_places([[2.0 * frame, -frame]])
            motion, covariance = FILTER.update(motion, covariance, now, torch.tensor([[False]]))
    assert motion[0, 0].tolist() == pytest.approx([60, -30, 2, -1], abs=0.5)


def test_what_is_hidden_is_known_for_a_while():
    motion, covariance = FILTER.begin(as_places([[0.0, 0.0]]))
    known = []
    for _ in range(30):
        motion, covariance = FILTER.predict(motion, covariance)
        known.append(bool(FILTER.known(covariance)))
    # After n frames of rest: the place's variance and the velocity's n² times, with what accelerations add.
    lasting = known.index(False)
    assert known == [True] * lasting + [False] * (30 - lasting)
    assert 5 < lasting < 12
    assert CONFIG.place**2 + CONFIG.velocity**2 * (lasting + 2) ** 2 > CONFIG.lost**2


def test_lengths_are_in_sizes_of_each_target():
    """The same scene in another scale has the same likelihoods."""
    sizes = torch.tensor([SIZE, 3 * SIZE])
    both = ConstantVelocity(CONFIG, sizes)
    factor = sizes[:, None, None] / SIZE
    motion, covariance = both.begin(factor * torch.tensor([[[0.0, 0.0], [30.0, 10.0]]]))
    for place in ([[1.0, 1.0], [32.0, 10.0]], [[2.0, 2.0], [34.0, 11.0]]):
        motion, covariance = both.predict(motion, covariance)
        motion, covariance = both.update(
            motion, covariance, factor * torch.tensor([place]), torch.zeros(2, 2, dtype=torch.bool)
        )
    one, other = both.log_likelihood(motion, covariance, factor * torch.tensor([[[3.0, 3.0], [20.0, 0.0]]]))
    assert one.flatten().tolist() == pytest.approx(other.flatten().tolist(), rel=1e-4)
    assert torch.equal(*both.overlapping(motion))


def test_likely_is_who_is_near_and_well_known():
    motion = torch.tensor([[[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    noise = (CONFIG.place * SIZE) ** 2
    covariance = torch.tensor([[[noise, 0.0, 0.0], [7 * noise, 0.0, 0.0]]])
    deviation = noise**0.5
    likely = FILTER.log_likelihood(
        motion, covariance, as_places([[0.0, 0.0], [0.0, 2 * deviation], [0.0, 9 * deviation]])
    )
    # d²/2σ² and log σ²/2r, with σ² of 2r and 8r.
    assert likely[0].tolist() == [
        pytest.approx([0, -1, -81 / 4], abs=1e-5),
        pytest.approx([-np.log(4), -np.log(4) - 1 / 4, -np.log(4) - 81 / 16]),
    ]
    assert likely[0, 1, 2] > likely[0, 0, 2]


def test_objects_overlap_that_can_be_one_peak():
    motion, _ = FILTER.begin(as_places([[0.0, 0.0], [0.0, 0.89 * SIZE], [0.0, 1.81 * SIZE]]))
    assert FILTER.overlapping(motion)[0].tolist() == [[True, True, False], [True, True, False], [False, False, True]]
