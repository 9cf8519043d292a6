"""Slots of candidates: which are kept, where artificial ones are put, how places move."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mined_data import FRAME, REGION, SIDE, mined

from lockon.boxes import Box
from lockon.training.association.slots import cells_of, fill, move, points_of, slots_of

RNG = np.random.default_rng


def test_outermost_cells_lie_on_the_border_of_the_search_area():
    points = points_of(np.array([[0, 0], [16, 16], [8, 4]]), Box(10, 20, 160, 80), 17)
    assert points.tolist() == [[20, 10], [100, 170], [60, 50]]
    assert cells_of(points, Box(10, 20, 160, 80), 17).tolist() == [[0, 0], [16, 16], [8, 4]]


def test_cells_are_rounded_and_stay_in_the_map():
    found = cells_of(np.array([[24.9, 14.0], [-50, 500]]), Box(10, 20, 160, 80), 17)
    assert found.tolist() == [[1, 0], [0, 16]]


def test_the_highest_candidates_are_kept_and_the_rest_is_empty():
    frame = mined([[2, 2], [8, 8], [14, 2]], [0.9, 0.5, 0.1])
    two, five = slots_of(frame, 2), slots_of(frame, 5)
    assert two.cells.tolist() == [[2, 2], [8, 8]]
    assert two.scores == pytest.approx([0.9, 0.5])
    assert two.points[0] == pytest.approx([REGION.y + 2 * 127 / 16, REGION.x + 2 * 127 / 16])
    assert five.real.tolist() == [True, True, True, False, False]
    assert slots_of(frame, None).real.tolist() == [True] * 3


@given(seed=st.integers(0, 999))
def test_artificial_candidates_lie_in_view_have_low_scores_and_leave_the_real_ones_alone(seed):
    slots = slots_of(mined([[2, 2], [8, 8]], [0.9, 0.5]), 5)
    filled, taken = fill(slots, slots.points[:2], RNG(seed), score_scale=2.0)
    new = filled.points[2:]
    assert (new >= [max(REGION.y, 0), REGION.x]).all()  # the region begins above the frame
    assert (new <= [FRAME[0], REGION.x + REGION.w]).all()
    assert ((filled.scores[2:] >= 0.1) & (filled.scores[2:] <= 0.15 + 1e-9)).all()
    assert filled.cells[2:].tolist() == cells_of(new, REGION, SIDE).tolist()
    assert filled.points[:2].tolist() == slots.points[:2].tolist()
    assert filled.cells[:2].tolist() == [[2, 2], [8, 8]]
    assert filled.scores[:2] == pytest.approx([0.9, 0.5])
    assert filled.real.tolist() == [True, True, False, False, False]
    assert taken.tolist() == filled.points.tolist()


def test_artificial_scores_are_spread_but_not_far():
    slots = slots_of(mined([], [], target=None), 5)
    scores = np.concatenate([fill(slots, np.zeros((0, 2)), RNG(seed))[0].scores for seed in range(100)])
    assert scores.min() == pytest.approx(0.05, abs=0.001)
    assert scores.max() == pytest.approx(0.075)
    # |N(0, 1)| / 50 is below 0.025 in 79 % of the cases, and its median is 0.6745 / 50.
    assert np.mean(scores > 0.0749) == pytest.approx(0.21, abs=0.05)
    assert np.median(scores) == pytest.approx(0.05 + 0.6745 / 50, abs=0.002)


def test_artificial_candidates_keep_away_from_what_is_taken():
    slots = slots_of(mined([[8, 8]], [0.9]), 2)
    middle, corner = np.array([[60.0, 80.0]]), np.array([[0.0, 16.0]])

    def nearest(taken):
        return [np.linalg.norm(fill(slots, taken, RNG(seed))[0].points[1] - taken[0]) for seed in range(50)]

    # Of 20 uniform points in a box of 124 by 128 the farthest from its middle is nearly always in a corner.
    assert min(nearest(middle)) > 55
    assert min(nearest(corner)) > 90


def test_a_slot_that_was_emptied_is_filled_elsewhere():
    slots = slots_of(mined([[2, 2], [8, 8]], [0.9, 0.5]), 2)
    filled, _ = fill(slots.without(np.array([0])), slots.points, RNG(0))
    assert np.linalg.norm(filled.points[0] - slots.points[0]) > 30
    assert filled.cells[0].tolist() != [2, 2]
    assert filled.scores[0] < 0.08
    assert slots.real.all()  # the argument stays as it was


def moves(cells, region=REGION, count=400):
    slots = slots_of(mined(cells, np.linspace(0.9, 0.5, len(cells)), region=region), len(cells))
    moved = [move(slots, RNG(seed)) for seed in range(count)]
    assert all(each.cells.tolist() == slots.cells.tolist() for each in moved)
    return np.stack([each.points for each in moved]) - slots.points


def test_places_move_by_a_cell_at_most_if_all_are_far_apart():
    off = np.abs(moves([[4, 4], [12, 12]], region=Box(0, 0, 119, 159)))
    assert off[..., 0].max() == pytest.approx(159 / 17, rel=0.02)
    assert off[..., 1].max() == pytest.approx(119 / 17, rel=0.02)


def test_places_of_close_candidates_move_less_so_that_they_cannot_meet():
    off = np.abs(moves([[8, 8], [8, 9]]))
    apart = 127 / 16
    assert off.max() == pytest.approx(math.sqrt(2) * apart / 4, rel=0.02)


def test_places_that_are_all_one_move_by_half_a_cell():
    off = np.abs(moves([[8, 8]]))
    assert off.max() == pytest.approx(0.5 * 127 / 17, rel=0.02)


def test_places_stay_in_the_image():
    slots = slots_of(mined([[0, 0], [0, 16]], [0.9, 0.5], region=Box(-5, -5, 180, 150)), 2)
    for seed in range(50):
        points = move(slots, RNG(seed)).points
        assert (points >= 0).all()
        assert (points <= FRAME).all()
