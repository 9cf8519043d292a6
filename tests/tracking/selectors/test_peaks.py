"""Peak selection on score maps small enough to decide by hand (ATOM, Sec. 3.3; the same rules in the DiMP family)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockon.tracking.selectors import PeakConfig, Selection, select_peak
from lockon.types import Status

# Thresholds that floating point holds exactly. On a 9 × 9 map the target is expected within 0.8 · 9 / 2 = 3.6 cells,
# and with targets of one cell a peak owns the 3 × 3 cells around it.
CONFIG = PeakConfig(lost=0.25, distractor=0.75, hard_negative=0.5, neighbourhood=2.0, displacement=0.8)
CENTRE = (4, 4)


def score_map(peaks, shape=(9, 9), background=0.0):
    scores = np.full(shape, background, np.float32)
    for cell, height in peaks.items():
        scores[cell] = height
    return scores


def select(*maps, config=CONFIG, centre=CENTRE, previous=(0, 0), target=(1, 1), window=None) -> Selection:
    return select_peak(
        np.stack(maps),
        config,
        centre=np.array(centre, np.float32),
        previous=np.array(previous, np.float32),
        target_cells=np.array(target, np.float32),
        window=window,
    )


def chosen_cell(selection, centre=CENTRE):
    return tuple((selection.displacement + centre).tolist())


def test_a_single_peak_is_the_target():
    selection = select(score_map({(2, 7): 0.875}))

    assert selection.status is Status.FOUND
    assert selection.displacement.tolist() == [-2, 3]
    assert selection.peak == 0.875
    assert selection.scale_index == 0


@pytest.mark.parametrize(("peak", "status"), [(0.125, Status.LOST), (0.25, Status.FOUND), (0.375, Status.FOUND)])
def test_lost_is_a_peak_below_the_threshold(peak, status):
    selection = select(score_map({(2, 7): peak}))

    assert selection.status is status
    assert (selection.peak, chosen_cell(selection)) == (peak, (2, 7))


def test_a_lost_target_has_no_distractors():
    assert select(score_map({(4, 4): 0.2, (4, 8): 0.2})).status is Status.LOST


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (0.5, Status.FOUND),  # not above the share
        (0.5625, Status.HARD_NEGATIVE),
        (0.75, Status.HARD_NEGATIVE),  # not above the share from which on it competes
        (0.8125, Status.UNCERTAIN),
    ],
)
def test_a_second_peak_near_by_by_its_share_of_the_first(second, status):
    selection = select(score_map({(4, 5): 1.0, (4, 2): second}))

    assert selection.status is status
    assert (selection.peak, chosen_cell(selection)) == (1.0, (4, 5))


@pytest.mark.parametrize(("second", "status"), [(0.25, Status.FOUND), (0.28125, Status.HARD_NEGATIVE)])
def test_what_would_itself_be_lost_is_not_worth_learning_against(second, status):
    """Both are above half the first and below three quarters of it."""
    assert select(score_map({(4, 5): 0.40625, (4, 2): second})).status is status


@pytest.mark.parametrize(
    ("first", "second", "previous", "status", "chosen"),
    [
        # 0 and 4 cells from the centre, and the radius is 3.6.
        ((4, 4), (4, 8), (0, 0), Status.HARD_NEGATIVE, "first"),
        ((4, 8), (4, 4), (0, 0), Status.HARD_NEGATIVE, "second"),
        ((4, 2), (4, 6), (0, 0), Status.UNCERTAIN, "first"),
        ((0, 0), (8, 8), (0, 0), Status.UNCERTAIN, "first"),
        # What counts is the distance to the previous position: at (4, 8) the far one is near.
        ((4, 4), (4, 8), (0, 4), Status.HARD_NEGATIVE, "second"),
        ((4, 8), (4, 4), (0, 4), Status.HARD_NEGATIVE, "first"),
        ((4, 4), (4, 8), (0, 2), Status.UNCERTAIN, "first"),
        # Distances are Euclidean: 3 rows and 2 columns are 3.606 cells, 3 and 1 are 3.162.
        ((4, 4), (1, 2), (0, 0), Status.HARD_NEGATIVE, "first"),
        ((4, 4), (1, 3), (0, 0), Status.UNCERTAIN, "first"),
    ],
)
def test_of_competing_peaks_the_one_near_the_previous_position_wins(first, second, previous, status, chosen):
    selection = select(score_map({first: 1.0, second: 0.875}), previous=previous)

    assert selection.status is status
    assert chosen_cell(selection) == (first if chosen == "first" else second)
    assert selection.peak == 1.0  # also where the second is chosen


NEAR, ON, FAR = (4, 4), (4, 0), (0, 0)


@pytest.mark.parametrize(("first", "second"), [(NEAR, ON), (ON, NEAR), (FAR, ON), (ON, FAR)])
def test_on_the_radius_is_neither_near_nor_far(first, second):
    """The radius of an 8 × 8 map is 4 cells here."""
    config = replace(CONFIG, displacement=1.0)
    selection = select(score_map({first: 1.0, second: 0.875}, shape=(8, 8)), config=config)

    assert selection.status is Status.UNCERTAIN
    assert chosen_cell(selection) == first


def test_the_radius_grows_with_the_root_of_the_area():
    """0.8 · √(4 · 9) / 2 = 2.4 cells."""
    for column, status in [(6, Status.UNCERTAIN), (7, Status.HARD_NEGATIVE)]:
        scores = score_map({(1, 4): 1.0, (1, column): 0.875}, shape=(4, 9))
        assert select(scores, centre=(1, 4)).status is status


@pytest.mark.parametrize("shape", [(4, 4), (5, 7)])
def test_displacements_count_from_the_centre_of_the_search_region(shape):
    """On a map of even size it lies between cells."""
    centre = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    selection = select(score_map({(3, 1): 1.0}, shape=shape), centre=centre)

    assert selection.displacement.tolist() == [3 - centre[0], 1 - centre[1]]


@pytest.mark.parametrize(
    ("target", "first", "owned_rows", "owned_cols"),
    [
        ((1, 1), (4, 4), (3, 5), (3, 5)),  # 2 × 2 cells: 1 on either side
        ((2, 1), (4, 4), (2, 6), (3, 5)),  # 4 rows: 2 on either side
        ((1.5, 1.5), (4, 5), (2, 5), (4, 7)),  # 3 × 3: from 2.5 to 6.5 and from 3.5 to 7.5, halves to even
        ((2, 2), (0, 8), (0, 2), (6, 8)),  # ends at the border of the map
        ((2, 2), (8, 0), (6, 8), (0, 2)),
    ],
)
def test_the_first_peak_owns_the_area_of_the_target(target, first, owned_rows, owned_cols):
    """A second peak just inside is not seen, one just outside is."""
    (top, bottom), (left, right) = owned_rows, owned_cols
    inside = {(top, first[1]), (bottom, first[1]), (first[0], left), (first[0], right)}
    outside = {(top - 1, first[1]), (bottom + 1, first[1]), (first[0], left - 1), (first[0], right + 1)}
    for cells, status in [(inside, Status.FOUND), (outside, Status.HARD_NEGATIVE)]:
        for cell in cells - {first}:
            if min(cell) >= 0 and max(cell) < 9:
                selection = select(score_map({first: 1.0, cell: 0.625}), target=target)
                assert selection.status is status, cell


def test_the_size_of_that_area_is_relative_to_the_target():
    scores = score_map({(4, 4): 1.0, (4, 6): 0.625})

    assert select(scores, target=(2, 2)).status is Status.FOUND
    assert select(scores, target=(2, 2), config=replace(CONFIG, neighbourhood=1.0)).status is Status.HARD_NEGATIVE


def test_the_first_peak_is_taken_out_as_zero():
    """Where all scores are negative, those zeros are the second peak (reference behaviour)."""
    never_lost = replace(CONFIG, lost=-10.0)

    assert select(score_map({(4, 4): -1.0}, background=-2.0), config=never_lost).status is Status.UNCERTAIN


def test_of_equal_peaks_the_leftmost_and_then_the_topmost_is_the_first():
    assert chosen_cell(select(score_map({(2, 6): 1.0, (3, 5): 1.0, (4, 5): 1.0}))) == (3, 5)


def test_of_several_scales_the_one_with_the_highest_peak_counts():
    """A distractor that only another scale sees is none."""
    maps = score_map({(4, 4): 0.5}), score_map({(2, 3): 1.0}), score_map({(4, 8): 0.875, (4, 2): 0.875})

    selection = select(*maps)

    assert (selection.scale_index, selection.status, selection.peak) == (1, Status.FOUND, 1.0)
    assert chosen_cell(selection) == (2, 3)


def test_of_equal_scales_the_first_counts():
    assert select(score_map({(1, 1): 0.5}), score_map({(2, 2): 1.0}), score_map({(3, 3): 1.0})).scale_index == 1


def test_the_best_scale_is_looked_for_in_the_window():
    window = score_map({(4, 4): 0.5}, background=0.25)

    selection = select(score_map({(0, 0): 1.0}), score_map({(4, 4): 0.75}), window=window)

    assert (selection.scale_index, selection.peak) == (1, 0.375)


def test_the_window_weighs_the_first_peak_but_not_the_second():
    """Height 1 in a corner, a quarter of it in the window; 0.75 in the middle, all of it in the window."""
    window = score_map({(4, 4): 1.0}, background=0.25)
    scores = score_map({(0, 0): 1.0, (4, 4): 0.75})

    selection = select(scores, window=window)

    # The corner competes with its full height: a quarter would not be worth learning against.
    assert (selection.status, chosen_cell(selection), selection.peak) == (Status.HARD_NEGATIVE, (4, 4), 0.75)
    assert select(scores).status is Status.HARD_NEGATIVE
    assert select(scores).peak == 1.0


def test_the_target_is_lost_by_its_height_in_the_window():
    assert select(score_map({(4, 4): 1.0}), window=np.full((9, 9), 0.125, np.float32)).status is Status.LOST


@pytest.mark.parametrize("window", [None, np.full((9, 9), 0.5, np.float32)])
def test_scores_are_left_as_they_are(window):
    scores = score_map({(4, 4): 1.0, (4, 8): 0.875})[None]
    before, middle = scores.copy(), np.array(CENTRE, np.float32)

    select_peak(
        scores, CONFIG, centre=middle, previous=middle * 0, target_cells=np.ones(2, np.float32), window=window
    )

    assert np.array_equal(scores, before)
