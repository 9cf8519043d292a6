"""Drawing of candidates: an object keeps its colour, the selected one is marked, and any image will do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.types import Candidates, Result, Status
from lockon.video import draw_candidates, object_color, target_color

GREY = np.full((480, 640, 3), 90, np.uint8)
RADIUS = 10
"""Of a circle on an image of this size, without its rim."""
INSIDE = 8
"""Pixels to the left of a one-digit number, inside the circle's outline."""


def candidates(points, ids=None, scores=None, selected=-1):
    n = len(points)
    return Candidates(
        points_xy=np.array(points, dtype=float).reshape(n, 2),
        scores=np.array(np.linspace(0.9, 0.5, n) if scores is None else scores, dtype=float),
        ids=np.array(range(n) if ids is None else ids, dtype=np.int64),
        selected=selected,
        partners=np.full(n, -1),
        probabilities=np.zeros(n),
    )


def result_of(*sets):
    if len(sets) == 1:
        return Result(5, (9, 9, 4, 4), 0.9, True, Status.FOUND, candidates=sets[0])
    n = len(sets)
    return Result(5, np.full((n, 4), 9.0), np.ones(n), np.ones(n, bool), (Status.FOUND,) * n, candidates=sets)


def inside(image, point):
    """The colour of a circle's inside, beside its number."""
    return tuple(int(value) for value in image[int(point[1]), int(point[0]) - INSIDE])


def distance(one, other):
    return float(np.linalg.norm(np.subtract(one, other)))


def is_touched(image, x, y):
    return bool((image[y, x] != GREY[y, x]).any())


@pytest.mark.parametrize(
    "nothing", [Result(0, (9, 9, 4, 4), 1.0, True, Status.FOUND), result_of(candidates([])), result_of()]
)
def test_without_candidates_the_image_comes_back_as_a_copy(nothing):
    drawn = draw_candidates(GREY, nothing)
    assert np.array_equal(drawn, GREY)
    assert not np.shares_memory(drawn, GREY)


def test_the_image_itself_is_left_alone():
    before = GREY.copy()
    drawn = draw_candidates(GREY, result_of(candidates([(50, 60)])))
    assert np.array_equal(GREY, before)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, before)


def test_an_object_keeps_its_colour_where_it_goes_and_whatever_its_rank():
    first = draw_candidates(GREY, result_of(candidates([(100, 100), (300, 200)], ids=[4, 7], scores=[0.8, 0.8])))
    later = draw_candidates(GREY, result_of(candidates([(330, 210), (130, 90)], ids=[7, 4], scores=[0.8, 0.8])))
    assert inside(first, (100, 100)) == inside(later, (130, 90)) == object_color(4)
    assert inside(first, (300, 200)) == inside(later, (330, 210)) == object_color(7)


@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 60), st.data())
def test_no_two_objects_that_are_near_in_number_have_a_colour_in_common(targets, id, other, data):
    target, another = (data.draw(st.integers(0, targets - 1)) for _ in range(2))
    if (id, target) != (other, another):
        assert distance(object_color(id, target, targets), object_color(other, another, targets)) > 2


def test_the_object_a_track_starts_with_has_the_colour_of_its_box():
    assert [object_color(0, target, 3) for target in range(3)] == [target_color(target) for target in range(3)]


def test_the_lower_the_score_the_fainter():
    points = [(100, 100), (200, 100), (300, 100)]
    drawn = draw_candidates(GREY, result_of(candidates(points, ids=[3, 3, 3], scores=[0.3, 0.15, 0.03])))
    far = [distance(inside(drawn, point), (90, 90, 90)) for point in points]
    assert far[0] > 1.8 * far[1] > 5 * far[2] > 0
    # 90 + half of the way to the colour
    assert inside(drawn, points[1]) == pytest.approx([(90 + value) / 2 for value in object_color(3)], abs=1)


def test_the_outline_is_there_however_low_the_score():
    drawn = draw_candidates(GREY, result_of(candidates([(100, 100), (300, 100)], scores=[1.0, 0.0])))
    assert tuple(drawn[100 - RADIUS, 299]) == object_color(1)


def test_only_the_selected_one_has_a_white_ring():
    points = [(100, 100), (300, 100)]
    white = [
        [
            int((draw_candidates(GREY, result_of(candidates(points, selected=selected)))[80:, x - 20 : x + 20] == 255)
                .all(axis=2).sum()) for x, _ in points
        ]
        for selected in (-1, 0, 1)
    ]  # fmt: skip
    digits, of_first, of_second = white
    assert of_first[0] > digits[0] + 100
    assert of_second[1] > digits[1] + 100
    assert (of_first[1], of_second[0]) == (digits[1], digits[0])


def test_the_selected_one_lies_over_the_others_and_then_the_higher_score():
    def drawn(selected):
        crowd = candidates([(200, 200), (204, 200)], scores=[0.9, 0.9], selected=selected)
        return draw_candidates(GREY, result_of(crowd))

    assert tuple(drawn(-1)[208, 200]) == object_color(0)
    assert tuple(drawn(1)[208, 204]) == object_color(1)


def test_a_line_leads_to_where_the_same_object_was():
    now = candidates([(300, 300), (500, 300)], ids=[2, 3])
    past = [result_of(candidates([(100, 100), (300, 100)], ids=[3, 2])),
            result_of(candidates([(500, 200), (300, 200)], ids=[3, 2]))]  # fmt: skip
    drawn = draw_candidates(GREY, result_of(now), past=past)
    assert tuple(drawn[250, 299]) == object_color(2)
    assert tuple(drawn[150, 299]) == object_color(2), "through all frames given"
    assert tuple(drawn[250, 499]) == object_color(3)
    assert not is_touched(drawn, 400, 250), "different objects are not joined"


def test_a_line_ends_where_its_object_was_missing():
    now = candidates([(300, 400)], ids=[2])
    past = [result_of(candidates([(300, 100)], ids=[2])), result_of(candidates([(100, 200)], ids=[5])),
            result_of(candidates([(300, 300)], ids=[2]))]  # fmt: skip
    drawn = draw_candidates(GREY, result_of(now), past=past)
    assert is_touched(drawn, 299, 350)
    assert not is_touched(drawn, 299, 200)


def test_a_start_frame_in_the_past_is_no_candidate():
    start = Result(0, (9, 9, 4, 4), 1.0, True, Status.FOUND)
    now = result_of(candidates([(300, 400)]))
    assert np.array_equal(draw_candidates(GREY, now, past=[start]), draw_candidates(GREY, now))


def test_targets_have_sets_of_their_own():
    one, other = candidates([(100, 100), (200, 100)]), candidates([(400, 300)])
    drawn = draw_candidates(GREY, result_of(one, other))
    assert inside(drawn, (100, 100)) == target_color(0)
    assert inside(drawn, (400, 300)) == target_color(1), "ids of both begin at 0, and their colours differ"
    assert inside(drawn, (200, 100)) != target_color(1)
    # The lines of one target do not lead to objects of another.
    past = [result_of(candidates([(100, 200)]), candidates([(400, 400)]))]
    drawn = draw_candidates(GREY, result_of(one, other), past=past)
    assert tuple(drawn[150, 99]) == target_color(0)
    assert tuple(drawn[350, 399]) == target_color(1)


@pytest.mark.parametrize("point", [(-1e9, 50), (1e300, 1e300), (np.nan, 5), (np.inf, 5), (639.9, 479.9), (-3, -3)])
@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 500)])
def test_no_coordinate_leads_out_of_the_image_or_off_the_rails(point, shape):
    image = np.full((*shape, 3), 90, np.uint8)
    now, past = result_of(candidates([(20, 20), point], selected=1)), [result_of(candidates([point, point]))]
    assert draw_candidates(image, now, past=past).shape == image.shape


def test_forty_candidates_change_only_what_is_near_them():
    points = np.stack(np.meshgrid(np.arange(8) * 20.0 + 30, np.arange(5) * 30.0 + 30), axis=-1).reshape(-1, 2)
    drawn = draw_candidates(GREY, result_of(candidates(points, ids=range(100, 140))))
    rows, columns = np.nonzero((drawn != GREY).any(axis=2))
    assert columns.min() >= 10
    assert columns.max() <= 195
    assert rows.min() >= 18
    assert rows.max() <= 162


def test_letters_and_circles_follow_the_resolution():
    def extent(scale):
        image = np.full((480 * scale, 640 * scale, 3), 90, np.uint8)
        drawn = draw_candidates(image, result_of(candidates([(200 * scale, 200 * scale)])))
        return np.ptp(np.nonzero((drawn != image).any(axis=2))[0])

    assert extent(4) == pytest.approx(4 * extent(1), rel=0.15)
