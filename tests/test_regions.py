import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.regions import MaskRegion, Polygon, format_region, parse_region

FINITE = st.floats(-1e6, 1e6)
MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=7))


def test_text_of_a_box_and_of_a_polygon():
    assert parse_region("1,2.5,3,4\n") == Box(1, 2.5, 3, 4)
    assert parse_region("1\t2 3,  4") == Box(1, 2, 3, 4)
    polygon = parse_region("0,0,4,0,4,3,0,3")
    assert isinstance(polygon, Polygon)
    assert polygon.points.tolist() == [[0, 0], [4, 0], [4, 3], [0, 3]]
    assert all(map(math.isnan, parse_region("nan,nan,nan,nan")))


def test_text_of_a_mask_by_hand():
    # Rows 0 1 1 and 1 1 0: one zero, four ones, one zero.
    for text in ("m 5,6,3,2,1,4,1", "m5,6,3,2,1,4"):
        mask = parse_region(text)
        assert (mask.left, mask.top) == (5, 6)
        assert mask.pixels.tolist() == [[False, True, True], [True, True, False]]
    assert format_region(mask) == "m5,6,3,2,1,4,1"
    assert format_region(MaskRegion(1, 2, np.ones((1, 3), dtype=bool))) == "m1,2,3,1,0,3"
    assert parse_region("m0,0,3,2").pixels.tolist() == [[False] * 3] * 2


@given(MASKS, st.integers(-50, 50), st.integers(-50, 50))
def test_a_mask_survives_its_text(pixels, left, top):
    again = parse_region(format_region(MaskRegion(left, top, pixels)))
    assert (again.left, again.top) == (left, top)
    np.testing.assert_array_equal(again.pixels, pixels)


@given(st.lists(FINITE, min_size=4, max_size=4), st.lists(st.tuples(FINITE, FINITE), min_size=3, max_size=6))
def test_boxes_and_polygons_survive_their_text(box, corners):
    assert parse_region(format_region(Box(*box))) == Box(*box)
    np.testing.assert_array_equal(parse_region(format_region(Polygon(np.array(corners)))).points, corners)


@given(MASKS)
def test_the_window_of_a_mask_holds_all_of_it(pixels):
    region = MaskRegion.of(pixels)
    height, width = region.pixels.shape
    restored = np.zeros_like(pixels)
    restored[region.top : region.top + height, region.left : region.left + width] = region.pixels
    np.testing.assert_array_equal(restored, pixels)
    if pixels.any():
        assert region.pixels[0].any()
        assert region.pixels[-1].any()
        assert region.pixels[:, 0].any()
        assert region.pixels[:, -1].any()


def test_box_of_a_mask_is_that_of_its_set_pixels():
    pixels = np.zeros((5, 6), dtype=bool)
    pixels[1:3, 2:5] = True
    assert MaskRegion(10, 20, pixels).box == Box(12, 21, 3, 2)
    assert MaskRegion(10, 20, np.zeros((2, 2), dtype=bool)).box.area == 0


def test_polygon_to_box_by_both_rules():
    # A square of side 2√2 stood on its corner: the box around it is 4×4, twice its area.
    diamond = Polygon(np.array([[2.0, 0.0], [4.0, 2.0], [2.0, 4.0], [0.0, 2.0]]))
    assert diamond.box == Box(0, 0, 4, 4)
    side = 4 / math.sqrt(2) + 1
    assert diamond.area_preserving_box == pytest.approx((2 - side / 2, 2 - side / 2, side, side))
    upright = Polygon(np.array([[1.0, 2.0], [5.0, 2.0], [5.0, 10.0], [1.0, 10.0]]))
    assert upright.area_preserving_box == pytest.approx((0.5, 1.5, 5, 9))


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "1,2,x,4", "m1,2,3", "m0,0,2,2,1,9", "m0,0,2,2,-1,2", "1"]
)
def test_what_is_no_region_is_refused(text):
    with pytest.raises(DataError, match=r"is no (region|mask)"):
        parse_region(text)
