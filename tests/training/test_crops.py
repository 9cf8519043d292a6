import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_data import ToySequence, noise_frame, toy_sequence

from lockon.boxes import Box
from lockon.training.crops import (
    CropConfig,
    RenderedFrame,
    StoredFrame,
    boxes_in_crops,
    cut_window,
    jitter_boxes,
    plan_windows,
    view_frames,
)

FRAME = np.array([[160, 120]])
REPLICATE = CropConfig(size=288, search_factor=5.0, routine="replicate")
INSIDE_MAJOR = CropConfig(size=352, search_factor=6.0, routine="inside_major", max_scale_change=1.5)
INSIDE = CropConfig(size=352, search_factor=6.0, routine="inside")
ATOM = CropConfig(size=288, search_factor=5.0, routine="atom")


def plan(box, config, frame=FRAME):
    windows = plan_windows(np.array([box], float), frame, config)
    return (*windows.corner[0].tolist(), int(windows.side[0]))


@pytest.mark.parametrize(
    ("box", "config", "expected"),
    [
        ((10, 12, 20, 16), REPLICATE, (0, 0, 90)),
        ((140, 100, 18, 18), REPLICATE, (70, 30, 90)),
        ((60, 40, 40, 40), REPLICATE, (-20, -40, 200)),
        ((70, 50, 20, 16), INSIDE_MAJOR, (26, 4, 108)),
        ((60, 40, 40, 40), INSIDE_MAJOR, (0, -20, 160)),
        ((60, 40, 40, 40), INSIDE, (20, 0, 120)),
        ((60, 40, 40.1, 40.1), INSIDE_MAJOR, (0, -20, 160)),  # 241 / 1.5, rounded down
    ],
)
def test_windows_of_the_dimp_family_match_the_reference(box, config, expected):
    assert plan(box, config) == expected


def test_windows_of_atom_stay_centred_beyond_the_border():
    assert plan((10, 12, 20, 16), ATOM) == (20 - 45, 20 - 45, 90)  # ceil(sqrt(320) * 5) = 90
    assert plan((0, 0, 3, 3), ATOM) == (round(1.5 - 7.5), round(1.5 - 7.5), 15)
    # Halves go to the even number: 2 - 7.5 and 3 - 7.5.
    assert plan((0.5, 1.5, 3, 3), ATOM) == (-6, -4, 15)


def test_centred_windows_stay_where_those_of_atom_are_but_map_boxes_continuously():
    box, jittered = np.array([[10.0, 12.0, 20.0, 16.0]]), np.array([[2.0, 3.0, 18.0, 18.0]])
    config = CropConfig(size=288, search_factor=5.0, routine="centred")
    windows = plan_windows(jittered, FRAME, config)
    assert plan((2, 3, 18, 18), config) == plan((2, 3, 18, 18), ATOM) == (11 - 45, 12 - 45, 90)
    scale = 288 / 90
    expected = np.array([10 + 34, 12 + 33, 20, 16]) * scale
    assert boxes_in_crops(box, jittered, windows, config)[0] == pytest.approx(expected)


def test_the_bound_limits_how_far_a_window_shrinks():
    unbounded = CropConfig(size=352, search_factor=6.0, routine="inside_major")
    frame = np.array([[100, 50]])
    assert plan((20, 10, 40, 40), unbounded, frame)[2] == 100  # as wide as the frame
    assert plan((20, 10, 40, 40), INSIDE_MAJOR, frame)[2] == 160  # 240 / 1.5


sizes = st.floats(1, 60)


@given(
    st.floats(-20, 180), st.floats(-20, 140), sizes, sizes, st.sampled_from(["replicate", "inside", "inside_major"])
)
def test_shifted_windows_overhang_on_both_sides_or_not_at_all(x, y, w, h, routine):
    left, top, side = plan((x, y, w, h), CropConfig(search_factor=4.0, routine=routine))
    for first, length in ((left, 160), (top, 120)):
        before, after = max(0, -first), max(0, first + side - length)
        assert abs(before - after) <= 1
        assert side <= length or before + after == side - length
        assert side > length or before == after == 0


def test_boxes_map_by_the_window():
    box = np.array([[10.0, 12.0, 20.0, 16.0]])
    windows = plan_windows(box, FRAME, REPLICATE)
    scale = 288 / 90
    assert boxes_in_crops(box, box, windows, REPLICATE)[0] == pytest.approx(np.array([10, 12, 20, 16]) * scale)


def test_atom_puts_the_centre_of_the_jittered_box_at_the_middle_pixel():
    box, jittered = np.array([[50.0, 40.0, 20.0, 10.0]]), np.array([[53.0, 41.0, 20.0, 10.0]])
    windows = plan_windows(jittered, FRAME, ATOM)
    scale = 288 / math.ceil(5 * math.sqrt(200))
    x, y, w, h = boxes_in_crops(box, jittered, windows, ATOM)[0]
    assert (x + w / 2, y + h / 2) == pytest.approx((143.5 - 3 * scale, 143.5 - scale))
    assert (w, h) == pytest.approx((20 * scale, 10 * scale))


def jittered(centre, scale, count=4000):
    boxes = np.tile([100.0, 80.0, 40.0, 10.0], (count, 1))
    return jitter_boxes(boxes, np.full(count, centre), np.full(count, scale), np.random.default_rng(0))


def test_no_jitter_leaves_boxes_alone():
    np.testing.assert_allclose(jittered(0.0, 0.0, count=3), np.tile([100.0, 80, 40, 10], (3, 1)))


def test_scale_jitter_is_log_normal_and_independent_per_axis():
    ratios = np.log(jittered(0.0, 0.25)[:, 2:] / [40.0, 10.0])
    assert ratios.mean(axis=0) == pytest.approx([0, 0], abs=0.02)
    assert ratios.std(axis=0) == pytest.approx([0.25, 0.25], rel=0.05)
    assert np.corrcoef(ratios.T)[0, 1] == pytest.approx(0, abs=0.06)


def test_centre_jitter_is_uniform_in_square_roots_of_the_jittered_area():
    boxes = jittered(3.0, 0.5)
    reach = 3.0 * np.sqrt(boxes[:, 2:].prod(axis=1, keepdims=True))
    share = (boxes[:, :2] + boxes[:, 2:] / 2 - [120.0, 85.0]) / reach
    assert np.abs(share).max() <= 0.5
    assert share.std(axis=0) == pytest.approx([1 / math.sqrt(12)] * 2, rel=0.05)
    assert np.corrcoef(share.T)[0, 1] == pytest.approx(0, abs=0.06)


PIXELS = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
"""No two neighbours alike."""


def reference_cut(image, window):
    """The reference's words: cut what lies inside less the padding, then repeat its border."""
    height, width = image.shape[:2]
    x1, y1, side = (int(value) for value in window[:3])
    x2, y2 = x1 + side, y1 + side
    left, top, right, bottom = max(0, -x1), max(0, -y1), max(x2 - width + 1, 0), max(y2 - height + 1, 0)
    part = image[y1 + top : y2 - bottom, x1 + left : x2 - right]
    return np.pad(part, ((top, bottom), (left, right), (0, 0)), mode="edge")


@given(st.integers(-60, 150), st.integers(-60, 110), st.integers(2, 220))
def test_windows_overhang_as_in_the_reference(x, y, side):
    if x + side <= 0 or y + side <= 0 or x >= 159 or y >= 119:
        return  # nothing of the frame is left; the reference fails there
    window = Box(x, y, side, side)
    np.testing.assert_array_equal(cut_window(PIXELS, window, side), reference_cut(PIXELS, window))


def test_the_last_column_is_given_up_at_the_border():
    touching = cut_window(PIXELS, Box(140, 10, 20, 20), 20)
    np.testing.assert_array_equal(touching[:, :19], PIXELS[10:30, 140:159])
    np.testing.assert_array_equal(touching[:, 19], PIXELS[10:30, 158])
    np.testing.assert_array_equal(cut_window(PIXELS, Box(139, 10, 20, 20), 20), PIXELS[10:30, 139:159])


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2)])
def test_windows_of_tiny_frames_and_far_outside_repeat_the_border(shape):
    image = np.full((*shape, 3), 9, np.uint8)
    for window in (Box(-40, -40, 30, 30), Box(0, 0, 30, 30), Box(50, 60, 30, 30)):
        assert (cut_window(image, window, 12) == 9).all()


@pytest.mark.parametrize("window", [Box(20, 10, 57, 57), Box(5, 5, 110, 110), Box(-30, -50, 201, 201)])
def test_crops_are_resized_as_opencv_does(window):
    cv2 = pytest.importorskip("cv2")
    image = noise_frame(3)
    expected = cv2.resize(reference_cut(image, window), (96, 96), interpolation=cv2.INTER_LINEAR)
    difference = np.abs(cut_window(image, window, 96).astype(int) - expected)
    assert difference.max() <= 1


def test_frames_are_read_once_however_often_they_are_drawn():
    sequence = toy_sequence()
    views = view_frames(sequence, np.array([5, 3, 5, 5]))
    assert sorted(sequence.reads) == [3, 5]
    assert [view.size for view in views] == [(160, 120)] * 4
    np.testing.assert_array_equal(views[2].cut(Box(0, 0, 50, 50), 50), sequence.make(5)[:50, :50])
    assert isinstance(views[0], StoredFrame)


def test_sequences_that_render_are_not_read():
    class Rendered(ToySequence):
        frame_size = (64, 48)

        def render(self, index, window, size):
            return np.full((*size, 3), index, np.uint8)

    sequence = Rendered(np.zeros((9, 4)), np.ones(9, bool))
    (view,) = view_frames(sequence, np.array([7]))
    assert not sequence.reads
    assert isinstance(view, RenderedFrame)
    assert view.size == (64, 48)
    assert (view.cut(Box(-5, 3, 20, 20), 10) == np.full((10, 10, 3), 7)).all()
