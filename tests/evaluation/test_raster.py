import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.evaluation.vot.raster import is_empty, matlab_overlaps, toolkit_overlaps
from lockon.regions import MaskRegion, Polygon

RULES = [matlab_overlaps, toolkit_overlaps]
BOUNDS = (60, 50)
COORDINATE = st.floats(-20, 80).map(lambda value: round(value, 3))
SIDE = st.floats(0, 40).map(lambda value: round(value, 3))
BOXES = st.builds(Box, COORDINATE, COORDINATE, SIDE, SIDE)
POLYGONS = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=6).map(lambda c: Polygon(np.array(c)))
REGIONS = BOXES | POLYGONS
BORDERS = st.sampled_from([None, BOUNDS])


def one(rule, a, b, bounds=None):
    (value,) = rule([a], [b], bounds)
    return float(value)


def square(left, top, side):
    return Polygon(np.array([[left, top], [left + side, top], [left + side, top + side], [left, top + side]], float))


@pytest.mark.parametrize("rule", RULES)
@given(a=REGIONS, b=REGIONS, bounds=BORDERS)
def test_symmetric_and_a_share(rule, a, b, bounds):
    overlap = one(rule, a, b, bounds)
    assert 0 <= overlap <= 1
    assert overlap == one(rule, b, a, bounds)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25)
@given(regions=st.lists(st.tuples(REGIONS, REGIONS), min_size=1, max_size=4), bounds=BORDERS)
def test_frames_do_not_influence_each_other(rule, regions, bounds):
    first, second = zip(*regions, strict=True)
    together = rule(first, second, bounds).tolist()
    assert together == [one(rule, a, b, bounds) for a, b in regions]


@given(a=BOXES, b=BOXES)
def test_toolkit_boxes_are_painted_pixel_by_pixel(a, b):
    def painted(box):
        x, y, w, h = map(round, box)
        image = np.zeros((BOUNDS[1], BOUNDS[0]), dtype=bool)
        image[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
        return image

    first, second = painted(a), painted(b)
    union = np.count_nonzero(first | second)
    expected = np.count_nonzero(first & second) / union if union else 0.0
    expected = float(is_empty(a) and is_empty(b)) if is_empty(a) or is_empty(b) else expected
    assert one(toolkit_overlaps, a, b, BOUNDS) == expected


@given(
    box=st.builds(Box, *[st.integers(5, 20).map(float)] * 2, *[st.integers(1, 15).map(float)] * 2),
    other=st.builds(Box, *[st.integers(5, 20).map(float)] * 2, *[st.integers(1, 15).map(float)] * 2),
)
def test_matlab_boxes_cover_a_row_and_a_column_more(box, other):
    def closed_form(a, b):
        sides = [min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1)]
        area = max(sides[0], 0) * max(sides[1], 0)
        meets = all(min(a[i] + a[i + 2], b[i] + b[i + 2]) > max(a[i], b[i]) for i in (0, 1))
        return area / ((a.w + 1) * (a.h + 1) + (b.w + 1) * (b.h + 1) - area) if meets else 0.0

    assert one(matlab_overlaps, box, other) == pytest.approx(closed_form(box, other), abs=1e-12)
    assert one(matlab_overlaps, box, other, (200, 200)) == one(matlab_overlaps, box, other)


@pytest.mark.parametrize("rule", RULES)
@given(region=REGIONS, bounds=BORDERS)
def test_a_region_covers_itself_or_nothing(rule, region, bounds):
    assert one(rule, region, region, bounds) in (0.0, 1.0)


@given(pixels=st.integers(1, 12), region=REGIONS, left=st.integers(-5, 55), top=st.integers(-5, 45))
def test_a_full_mask_is_a_box(pixels, region, left, top):
    mask = MaskRegion(left, top, np.ones((pixels, pixels + 1), dtype=bool))
    box = Box(float(left), float(top), float(pixels + 1), float(pixels))
    assert one(toolkit_overlaps, mask, region, BOUNDS) == one(toolkit_overlaps, box, region, BOUNDS)


def test_rules_by_hand():
    # 10×10 against the same shifted by 5: 50 of 150 pixels; with corners at x + w, 66 of 11·11·2 - 66.
    a, b = Box(10, 10, 10, 10), Box(15, 10, 10, 10)
    assert one(toolkit_overlaps, a, b) == pytest.approx(50 / 150)
    assert one(matlab_overlaps, a, b) == pytest.approx(66 / 176)
    # A polygon is painted with its border under both rules.
    assert one(toolkit_overlaps, square(10, 10, 9), Box(10, 10, 10, 10)) == 1.0
    assert one(toolkit_overlaps, square(10, 10, 10), a) == pytest.approx(100 / 121)
    # Only 5 columns lie in the image; [W, H] leaves the C code one column and row more than there are.
    assert one(toolkit_overlaps, Box(-5, 0, 10, 10), Box(0, 0, 5, 10), (60, 50)) == 1.0
    assert one(matlab_overlaps, Box(55, 0, 10, 9), Box(50, 0, 7, 9), (60, 50)) == pytest.approx(3 / 11)


def test_triangle_by_hand():
    # Rows 0 to 4 of the triangle (0, 0), (8, 4), (0, 4) reach to columns 0, 2, 4, 6 and 8. The first is a point,
    # which the C code leaves out and the Python toolkit paints.
    triangle, all_of_it = Polygon(np.array([[0.0, 0], [8, 4], [0, 4]])), Box(0, 0, 9, 5)
    pixels = 3 + 5 + 7 + 9
    assert one(toolkit_overlaps, triangle, all_of_it) == pytest.approx((pixels + 1) / 45)
    assert one(matlab_overlaps, triangle, Box(0, 0, 8, 4)) == pytest.approx(pixels / 45)


def test_empty_regions():
    nothing, something = Box(3, 3, 0, 4), Box(3, 3, 4, 4)
    no_pixels = MaskRegion(0, 0, np.zeros((2, 2), dtype=bool))
    assert one(toolkit_overlaps, nothing, no_pixels) == 1.0
    assert one(toolkit_overlaps, nothing, something) == 0.0
    assert one(matlab_overlaps, nothing, something) == 0.0
    assert is_empty(Box(math.nan, 0, math.nan, 0))


def test_what_cannot_be_compared():
    mask = MaskRegion(0, 0, np.ones((2, 2), dtype=bool))
    with pytest.raises(DataError, match="vot_toolkit"):
        matlab_overlaps([mask], [Box(0, 0, 2, 2)], None)
    for rule in RULES:
        with pytest.raises(DataError, match="no position"):
            rule([Box(math.inf, 0, 2, 2)], [Box(0, 0, 2, 2)], None)
        with pytest.raises(DataError, match="no position"):
            rule([Box(0, 0, 2, 2)], [Polygon(np.array([[0, 0], [math.nan, 1], [2, 2]]))], None)
