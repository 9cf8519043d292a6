"""Categories of frames and pairs, each row of the paper's Table 9 by hand."""

import numpy as np
import pytest

from lockon.errors import DataError
from lockon.training.mining.categories import (
    CATEGORIES,
    PAIRS,
    CandidateLists,
    Category,
    Thresholds,
    categorise,
    find_pairs,
)

TARGET = (8, 8)
# Distances from the target: (8, 8): 0; (8, 10): 2; (9, 10): 2.24; (8, 12): 4; (8, 13): 5; (11, 11): 4.24.
CASES = [
    ("D", [(8, 8, 0.9)]),
    ("D", [(8, 10, 0.25)]),  # at 2 cells it still is the target, and η itself is found
    ("other", [(8, 8, 0.24)]),  # alone and low
    ("other", [(9, 10, 0.9)]),  # alone and too far
    ("other", []),
    ("H", [(8, 8, 0.9), (8, 13, 0.3)]),
    ("H", [(8, 10, 0.25), (11, 11, 0.1), (1, 1, 0.1)]),
    ("G", [(8, 8, 0.2), (8, 13, 0.1)]),
    ("K", [(8, 13, 0.9), (8, 8, 0.3)]),
    ("K", [(8, 13, 0.3), (1, 1, 0.2), (8, 9, 0.1)]),
    ("other", [(8, 13, 0.2), (8, 8, 0.1)]),  # as K, but nothing is found
    ("J", [(8, 13, 0.9), (1, 1, 0.3)]),
    ("J", [(11, 11, 0.25), (1, 1, 0.2)]),
    ("other", [(8, 13, 0.2), (1, 1, 0.1)]),  # as J, but nothing is found
    ("other", [(9, 10, 0.9), (1, 1, 0.3)]),  # the nearest is neither the target nor clearly another
    ("other", [(8, 12, 0.9), (1, 1, 0.3)]),  # at 4 cells just not
    ("other", [(8, 8, 0.9), (8, 12, 0.3)]),  # which one is the target is not clear
    ("other", [(8, 8, 0.9), (8, 10, 0.3)]),
    ("other", [(8, 12, 0.9), (8, 8, 0.3)]),
]


def lists(frames):
    candidates = [candidate for frame in frames for candidate in frame]
    cells = np.array([candidate[:2] for candidate in candidates], np.int32).reshape(-1, 2)
    scores = np.array([candidate[2] for candidate in candidates], np.float32)
    return CandidateLists(cells, scores, np.array([len(frame) for frame in frames]))


def names(codes):
    return [CATEGORIES[code] for code in codes]


@pytest.mark.parametrize(("expected", "frame"), CASES)
def test_a_frame_alone(expected, frame):
    cells = np.array([TARGET])
    assert names(categorise(lists([frame]), cells, np.array([True]), 0.25)) == [expected]
    assert names(categorise(lists([frame]), cells, np.array([False]), 0.25)) == ["other"]


def test_all_frames_together_are_each_alone():
    frames = [frame for _, frame in CASES]
    cells = np.array([TARGET] * len(frames))
    codes = categorise(lists(frames), cells, np.ones(len(frames), bool), 0.25)
    assert names(codes) == [expected for expected, _ in CASES]
    assert set(names(codes)) == set(Category)


def test_the_annotation_counts_and_so_does_the_height():
    frame = lists([[(8, 13, 0.9), (8, 8, 0.3)]])
    assert names(categorise(frame, np.array([[8, 13]]), np.array([True]), 0.25)) == ["H"]
    assert names(categorise(frame, np.array([[8, 13]]), np.array([True]), 0.95)) == ["G"]


def test_candidates_above_a_height():
    some = lists([[(8, 8, 0.9), (1, 1, 0.1)], [], [(2, 2, 0.1)], [(3, 3, 0.4)]]).above(0.1)
    assert some.counts.tolist() == [1, 0, 0, 1]
    assert [some.of(frame)[0].tolist() for frame in range(4)] == [[[8, 8]], [], [], [[3, 3]]]


def test_pairs_are_of_successive_frames():
    codes = np.array(
        [CATEGORIES.index(Category(name)) for name in ["H", "H", "K", "H", "G", "D", "H", "H"]], np.uint8
    )
    successive = np.array([0, 1, 2, 3, 4, 6])  # after 5 begins another sequence, or a frame is missing
    found = {name: find_pairs(codes, successive, parts).tolist() for name, parts in PAIRS.items()}
    assert found == {"HH": [0, 6], "HK": [1], "HG": [3]}
    assert find_pairs(codes, np.array([], int), PAIRS["HH"]).tolist() == []


@pytest.mark.parametrize("values", [(0.0, 0.25), (0.3, 0.25), (float("nan"), 0.25)])
def test_impossible_thresholds_are_refused(values):
    with pytest.raises(DataError, match="0 < candidate <= found"):
        Thresholds(candidate=values[0], found=values[1])
