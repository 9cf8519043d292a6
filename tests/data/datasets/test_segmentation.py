import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.data.datasets.segmentation import (
    box_of_mask,
    decode_segmentation,
    encode_segmentation,
    polygon_mask,
    run_length_mask,
)
from lockon.errors import DataError

MASK = np.array(
    [
        [0, 1, 0, 0],
        [0, 1, 0, 1],
        [1, 0, 0, 1],
    ],
    bool,
)
RUNS = [2, 3, 5, 2]
"""Down the columns: 0 0 1 | 1 1 0 | 0 0 0 | 0 1 1, so 2 off, 3 on, 5 off, 2 on."""


def compressed(runs):
    """The compressed form, from its description: differences to the run two before, in groups of five bits."""
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(bits + 32 * more + 48)
    return text


def test_run_lengths_go_down_the_columns():
    np.testing.assert_array_equal(run_length_mask(RUNS, 3, 4), MASK)
    # 2, 3, 5 in one character each, then 2 - 3 = -1, whose five low bits are all set.
    np.testing.assert_array_equal(run_length_mask("235O", 3, 4), MASK)
    assert compressed(RUNS) == "235O"


def test_runs_longer_than_one_character_holds():
    mask = np.ones((30, 40), bool)
    mask[:, :20] = False
    # 600 = 18·32 + 24: 24 with the flag of more to come is 56, so 'h', then 18, whose fifth bit would mean
    # a negative number, with the flag again, 'b', then 0.
    assert compressed([600, 600]) == "hb0hb0"
    np.testing.assert_array_equal(run_length_mask("hb0hb0", 30, 40), mask)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12))
def test_compressed_run_lengths_are_the_plain_ones(runs):
    size = sum(runs)
    np.testing.assert_array_equal(run_length_mask(compressed(runs), size, 1), run_length_mask(runs, size, 1))


def test_pixels_whose_centres_are_inside_a_polygon():
    square = np.array([[1, 1], [3, 1], [3, 2], [1, 2]], float)
    mask = polygon_mask(square, 4, 5)
    assert box_of_mask(mask) == (1, 1, 2, 1)
    assert mask.sum() == 2
    # A little smaller around the same centres: the same pixels. A little further: none of them.
    np.testing.assert_array_equal(polygon_mask(square * 0.8 + [0.4, 0.3], 4, 5), mask)
    assert polygon_mask(square * 0.2 + [1.8, 1.8], 4, 5).sum() == 0


def test_a_triangle_and_a_part_beyond_the_image():
    triangle = np.array([[0, 0], [6, 0], [0, 6]], float)
    # The pixels in row r whose centre (c + 0.5) + (r + 0.5) < 6.
    expected = np.add.outer(np.arange(6), np.arange(6)) < 5
    np.testing.assert_array_equal(polygon_mask(triangle - [0, 1e-9], 6, 6), expected)
    np.testing.assert_array_equal(polygon_mask(triangle - [2, 0], 6, 6)[:, :4], expected[:, 2:])
    crossing = np.array([[0, 0], [4, 4], [4, 0], [0, 4]], float)
    assert polygon_mask(crossing, 4, 4).sum() in range(6, 9)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12))
def test_rectangles_fill_their_boxes(x, y, w, h):
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], float)
    mask = polygon_mask(corners, 32, 32)
    assert mask.sum() == w * h
    assert box_of_mask(mask) == (x, y, w, h)


def test_text_and_back():
    text = encode_segmentation([[1, 1, 3, 1, 3, 2, 1, 2], [0, 3, 1, 3, 1, 4, 0, 4]], 4, 5)
    mask = decode_segmentation(text)
    assert sorted(zip(*np.nonzero(mask), strict=True)) == [(1, 1), (1, 2), (3, 0)]
    np.testing.assert_array_equal(
        decode_segmentation(encode_segmentation({"size": [3, 4], "counts": "235O"}, 0, 0)), MASK
    )
    np.testing.assert_array_equal(
        decode_segmentation(encode_segmentation({"size": [3, 4], "counts": RUNS}, 0, 0)), MASK
    )
    assert encode_segmentation([], 4, 5) == encode_segmentation(None, 4, 5) == ""


@pytest.mark.parametrize(
    "shape",
    [
        {"size": [3, 4], "counts": [2, 3, 5]},
        {"size": [3, 4], "counts": [2, -3, 13]},
        {"size": [3, 4], "counts": "2"},
        {"size": [3], "counts": RUNS},
        {"size": [3, 4]},
        {"size": [3, 4], "polygons": [[1, 2, 3]]},
        {"size": [3, 4], "polygons": ["a"]},
    ],
)
def test_malformed_segmentations_are_refused(shape):
    with pytest.raises(DataError, match=r"is not a segmentation of COCO|^run lengths fill"):
        decode_segmentation(json.dumps(shape))


def test_no_box_around_no_pixel():
    assert np.isnan(box_of_mask(np.zeros((3, 4), bool))).all()
    assert box_of_mask(MASK) == (0, 0, 4, 3)
