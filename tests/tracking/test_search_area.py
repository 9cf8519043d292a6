"""How wide a lost target is searched for, by hand (KeepTrack, supplement B.2, and reference)."""

from __future__ import annotations

import pytest
import torch

from lockon.tracking.search_area import RescalingConfig, SearchHistory

CONFIG = RescalingConfig(window=6, least=2, most=4)


def follow(scales, lost=0, config=CONFIG):
    """The scale after a target was found at some scales, then lost for some frames."""
    history = SearchHistory.empty(1, config)
    for scale in scales:
        history, same = history.after(torch.tensor([float(scale)]), torch.tensor([True]), config)
        assert float(same) == pytest.approx(scale)
    wider = torch.tensor([0.5])
    for _ in range(lost):
        history, wider = history.after(wider, torch.tensor([False]), config)
    return float(wider)


@pytest.mark.parametrize(
    ("lost", "scale"),
    [
        (1, (1 + 2) / 2),  # two at least
        (2, (1 + 2) / 2),
        (3, (1 + 2 + 3) / 3),
        (4, (1 + 2 + 3 + 4) / 4),
        (5, (1 + 2 + 3 + 4) / 4),  # four at most
    ],
)
def test_the_longer_lost_the_more_scales_count(lost, scale):
    assert follow([5.0, 4, 3, 2, 1], lost) == pytest.approx(scale)


def test_scales_smaller_than_the_last_do_not_count():
    assert follow([3.0, 1, 4, 1, 2], lost=3) == pytest.approx((2 + 4 + 3) / 3)


def test_equal_scales_count():
    assert follow([2.0, 2, 2], lost=3) == pytest.approx(2)


def test_what_is_older_than_the_window_is_forgotten():
    """Of eight scales the latest six remain."""
    assert follow([9.0, 9, 1, 1, 1, 3, 1, 2], lost=4) == pytest.approx((2 + 3) / 2)


def test_a_target_that_was_never_found_is_searched_as_before():
    assert follow([], lost=3) == pytest.approx(0.5)


def test_a_target_that_is_found_again_starts_anew():
    history = SearchHistory.empty(1, CONFIG)
    for scale, found in [(4.0, True), (3.0, True), (1.0, False), (1.0, False), (1.0, False), (2.0, True)]:
        history, _ = history.after(torch.tensor([scale]), torch.tensor([found]), CONFIG)
    assert int(history.lost) == 0
    _, scale = history.after(torch.tensor([2.0]), torch.tensor([False]), CONFIG)
    assert float(scale) == pytest.approx((2 + 3) / 2)


def test_each_target_by_itself():
    history = SearchHistory.empty(2, CONFIG)
    for scales, found in [([3.0, 5.0], [True, True]), ([1.0, 2.0], [True, True]), ([1.0, 2.0], [False, True])]:
        history, wider = history.after(torch.tensor(scales), torch.tensor(found), CONFIG)
    assert wider.tolist() == pytest.approx([2, 2])
    assert history.lost.tolist() == [1, 0]
    assert history.scales[:, -3:].tolist() == [[0, 3, 1], [5, 2, 2]]
