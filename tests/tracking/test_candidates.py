"""Local maxima by hand (KeepTrack, Sec. 3.3)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lockon.tracking.candidates import find_candidates, image_places, refined_cells
from lockon.tracking.search_region import CropFrame


def score_map(heights, size=12):
    scores = torch.zeros(size, size)
    for (row, col), height in heights.items():
        scores[row, col] = height
    return scores


def found(scores, threshold=0.05, **options):
    peaks = find_candidates(scores[None], threshold, **options)
    assert peaks.valid.all()
    cells, heights = peaks.cells[0].tolist(), peaks.scores[0].tolist()
    return [(tuple(cell), round(height, 6)) for cell, height in zip(cells, heights, strict=True)]


def test_the_highest_comes_first():
    assert found(score_map({(2, 3): 0.2, (8, 9): 0.7, (9, 1): 0.4})) == [((8, 9), 0.7), ((9, 1), 0.4), ((2, 3), 0.2)]


@pytest.mark.parametrize(("distance", "count"), [(1, 1), (2, 1), (3, 2)])
def test_a_window_has_one_maximum(distance, count):
    assert len(found(score_map({(5, 5): 0.7, (5, 5 + distance): 0.6}))) == count


def test_the_window_may_be_smaller():
    assert len(found(score_map({(5, 5): 0.7, (5, 7): 0.6}), window=3)) == 2


def test_equal_neighbours_are_all_candidates_in_reading_order():
    assert found(score_map({(5, 6): 0.7, (5, 5): 0.7, (4, 6): 0.7})) == [((4, 6), 0.7), ((5, 5), 0.7), ((5, 6), 0.7)]


def test_the_corners_have_smaller_windows():
    assert found(score_map({(0, 0): 0.3, (11, 11): 0.2})) == [((0, 0), 0.3), ((11, 11), 0.2)]


def test_a_candidate_exceeds_the_threshold():
    assert found(score_map({(2, 2): 0.5, (8, 8): 0.25}), threshold=0.25) == [((2, 2), 0.5)]
    assert found(score_map({(2, 2): 0.25}), threshold=0.25) == []


def test_maps_of_different_numbers_are_filled_up():
    maps = torch.stack([score_map({(2, 2): 0.5, (8, 8): 0.6}), score_map({}), score_map({(7, 1): 0.3})])
    peaks = find_candidates(maps, 0.05)
    assert peaks.valid.tolist() == [[True, True], [False, False], [True, False]]
    assert peaks.cells.tolist() == [[[8, 8], [2, 2]], [[0, 0], [0, 0]], [[7, 1], [0, 0]]]
    assert peaks.scores[2].tolist() == pytest.approx([0.3, 0])


def test_there_may_be_forty():
    scores = score_map({(3 * (i // 7), 3 * (i % 7)): 0.9 - i / 100 for i in range(40)}, size=20)
    assert [height for _, height in found(scores)] == pytest.approx([0.9 - i / 100 for i in range(40)])


@given(st.lists(st.floats(0, 1, width=32), min_size=49, max_size=49), st.floats(0, 0.5))
def test_candidates_are_what_their_definition_says(heights, threshold):
    scores = torch.tensor(heights).view(7, 7)
    expected = {
        (row, col)
        for row in range(7)
        for col in range(7)
        if scores[row, col] > threshold
        and scores[row, col] == scores[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3].max()
    }
    assert {cell for cell, _ in found(scores, threshold)} == expected


def test_the_outermost_cells_lie_on_the_outermost_pixels():
    """A region of 11 pixels around pixel (20, 30) reaches from 15 to 25 and from 25 to 35."""
    crop = CropFrame(torch.tensor([[20.0, 30.0]]), torch.tensor([11 / 4]), 4)
    places = image_places(torch.tensor([[[0, 0], [4, 4], [2, 1]]]), crop, (5, 5))
    assert places[0].tolist() == [pytest.approx([15, 25]), pytest.approx([25, 35]), pytest.approx([20, 27.5])]


@given(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49), st.floats(0.8, 3), st.floats(0.05, 5))
def test_peaks_are_found_between_the_cells(row, col, width, height):
    """Exactly, if they are Gaussian."""
    rows, cols = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    scores = height * torch.exp(-((rows - 5 - row) ** 2 + (cols - 7 - col) ** 2) / (2 * width**2))
    assert refined_cells(scores[None], torch.tensor([[[5, 7]]]))[0, 0].tolist() == pytest.approx(
        [5 + row, 7 + col], abs=1e-3
    )


def test_a_refined_peak_stays_near_its_cell():
    """A lone cell stays; next to an equal one it goes half-way; a plateau and the border give no direction."""
    scores = score_map({(5, 5): 0.5, (8, 8): 0.5, (8, 9): 0.5, (0, 11): 0.3})
    cells = torch.tensor([[[5, 5], [8, 8], [0, 11], [2, 2]]])
    assert refined_cells(scores[None], cells)[0].tolist() == [[5, 5], [8, 8.5], [0, 11], [2, 2]]
