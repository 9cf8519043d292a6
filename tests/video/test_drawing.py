import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.boxes import Box
from lockon.errors import ImageError
from lockon.types import Result, Status
from lockon.video import annotate, draw_box, draw_mask, draw_trail, target_color
from lockon.video.drawing import letter_size
from lockon.video.labels import fitting_label


def grey(width, height, value=90):
    return np.full((height, width, 3), value, np.uint8)


def changed(before, after):
    return (before != after).any(axis=2)


BOX = Box(40, 30, 60, 50)


def result(box=BOX, score=0.87, present=True, **more):
    return Result(0, box, score, present, Status.FOUND if present else Status.LOST, **more)


def results(count, **more):
    boxes = np.array([[20 + 60 * index, 60, 40, 40] for index in range(count)], float)
    return Result(0, boxes, np.full(count, 0.5), np.ones(count, bool), (Status.FOUND,) * count, **more)


def test_a_box_is_drawn_on_its_edge_and_nowhere_else():
    image = grey(200, 120)
    drawn = draw_box(image, Box(40, 30, 60, 50), color=(255, 0, 0))
    expected = np.zeros((120, 200), bool)
    expected[30:80, 40:100] = True
    expected[31:79, 41:99] = False
    assert np.array_equal(changed(image, drawn), expected)
    assert (drawn[expected] == (255, 0, 0)).all()
    assert (image == 90).all()


def test_lines_grow_with_the_image_and_have_a_rim():
    image = grey(1280, 720, 255)
    drawn = draw_box(image, Box(200, 200, 400, 300), color=(255, 255, 255))
    assert changed(image, drawn).any()  # seen even on its own colour
    column = draw_box(image, Box(200, 200, 400, 300), color=(255, 0, 0))[350, 190:215]
    assert (column == (255, 0, 0)).all(axis=1).sum() == 3
    assert (column == 0).all(axis=1).sum() == 2


def test_a_dashed_box_has_gaps():
    image = grey(640, 480)
    solid = changed(image, draw_box(image, Box(100, 100, 300, 200)))
    dashed = changed(image, draw_box(image, Box(100, 100, 300, 200), dashed=True))
    assert not (dashed & ~solid).any()
    assert 0.4 < dashed.sum() / solid.sum() < 0.6


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (320, 240), (1280, 720), (720, 1280), (7680, 4320)])
def test_labels_are_readable_and_inside_at_any_resolution(size):
    width, height = size
    image = grey(width, height)
    raster = fitting_label("dog 0.87", letter_size(image), target_color(0), width, height)
    letters = (raster[..., 0] > 150).sum()  # neither the plate nor the image is as red as that
    assert letters > 20
    for x, y in ((-0.1, -0.1), (0.9, 0.9), (0.95, 0.0), (5, 5)):
        box = Box(x * width, y * height, 0.3 * width, 0.3 * height)
        labelled = draw_box(image, box, label="dog", score=0.87)
        assert (labelled[..., 0] > 150).sum() == letters  # not a pixel of them is cut off
    assert raster.shape[0] >= max(10, min(size) / 32)
    assert raster.shape[0] <= max(20, min(size) / 15)
    luminance = raster.astype(float).mean(axis=2)
    assert luminance.max() > 200  # white letters
    assert luminance.min() < 60  # in a dark outline


def test_long_names_shrink_and_then_lose_letters():
    image = grey(200, 100)
    short = fitting_label("dog", 20, (0, 0, 0), 200, 100)
    long = fitting_label("a name of thirty-five letters or so", 20, (0, 0, 0), 200, 100)
    endless = fitting_label("x" * 10_000, 20, (0, 0, 0), 200, 100)
    assert short.shape[0] > long.shape[0] >= endless.shape[0]
    assert all(raster.shape[1] <= 200 for raster in (short, long, endless))
    assert fitting_label("dog", 20, (0, 0, 0), 4, 4) is None
    assert changed(image, draw_box(image, Box(20, 30, 60, 50), label="naïve 狗 \ud800\nline\0")).any()


def test_a_score_that_is_no_number_is_left_out():
    image = grey(200, 100)
    nameless = draw_box(image, Box(20, 30, 60, 50), score=float("nan"))
    assert np.array_equal(nameless, draw_box(image, Box(20, 30, 60, 50)))


numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-50, 150).map(float))


@given(st.tuples(numbers, numbers, numbers, numbers), st.integers(1, 80), st.integers(1, 80), st.booleans())
def test_no_box_is_too_odd_to_draw(box, width, height, present):
    image = grey(width, height)
    drawn = annotate(image, result(Box(*box), present=present), names="dog", trails=[[box[:2], box[2:], (3, 4)]])
    assert drawn.shape == image.shape
    assert (image == 90).all()


def test_a_mask_tints_its_pixels_and_is_outlined():
    image = grey(200, 100)
    mask = np.zeros((100, 200), bool)
    mask[20:60, 30:90] = True
    drawn = draw_mask(image, mask, color=(255, 0, 0), opacity=0.5)
    assert np.array_equal(changed(image, drawn), mask)
    assert tuple(drawn[40, 60]) == (172, 45, 45)
    assert tuple(drawn[20, 30]) == tuple(drawn[59, 89]) == (255, 0, 0)
    assert np.array_equal(draw_mask(image, mask.astype(np.uint8), color=(255, 0, 0), opacity=0.5), drawn)
    assert np.array_equal(draw_mask(image, np.zeros_like(mask)), image)
    full = draw_mask(image, np.ones_like(mask), color=(255, 0, 0))
    assert len(np.unique(full.reshape(-1, 3), axis=0)) == 1  # no outline where the object goes on beyond the image
    with pytest.raises(ImageError, match="size of its image"):
        draw_mask(image, mask.T)


def test_a_trail_joins_its_points():
    image = grey(200, 100)
    points = [(20, 20), (100.5, 20), (100.5, 80), (float("nan"), 5), (300, 80)]
    line = changed(image, draw_trail(image, points, color=(255, 0, 0)))
    assert line[20, 20:100].all()
    assert line[20:80, 100].all()
    assert line[80, 101:200].all()
    assert line.sum() < 500
    for nothing in ([], [(5, 5)], [(500, 500), (600, 600)], [(float("inf"), 1), (2, 2)]):
        assert np.array_equal(draw_trail(image, nothing), image)


def test_colours_are_distinct_and_stable():
    colors = [target_color(index) for index in range(100)]
    assert len(set(colors)) == 100
    first = np.array(colors[:12], float)
    distances = np.linalg.norm(first[:, None] - first[None], axis=2) + 999 * np.eye(12)
    assert distances.min() > 60
    assert colors == [target_color(index) for index in range(100)]


def test_one_target_has_its_name_and_score():
    image = grey(320, 240)
    expected = draw_box(image, Box(40, 30, 60, 50), label="dog", score=0.87)
    assert np.array_equal(annotate(image, result(), names="dog"), expected)
    assert np.array_equal(annotate(image, result(), names=["dog"]), expected)
    assert np.array_equal(annotate(image, result()), draw_box(image, Box(40, 30, 60, 50), score=0.87))


def test_an_absent_target_is_dashed_and_greyed():
    image = grey(320, 240)
    absent = annotate(image, result(present=False))
    colors = {tuple(color) for color in absent[changed(image, absent)]}
    assert target_color(0) not in colors
    solid = changed(image, draw_box(image, Box(40, 30, 60, 50)))
    assert (solid & ~changed(image, absent)).any()


def test_several_targets_have_their_own_colours_and_numbers():
    image = grey(640, 480)
    drawn = annotate(image, results(4), names=["dog", "cat"])
    expected = image
    for index, name in enumerate(("dog", "cat", "#3", "#4")):
        box = Box(20 + 60 * index, 60, 40, 40)
        expected = draw_box(expected, box, color=target_color(index), label=name, score=0.5)
    assert np.array_equal(drawn, expected)


def test_masks_and_trails_lie_under_the_boxes():
    image = grey(320, 240)
    masks = np.zeros((2, 240, 320), bool)
    masks[0, 50:110, 10:70] = True
    drawn = annotate(image, results(2, mask=masks), trails=[[(15, 70), (300, 70)]])
    tinted = draw_trail(
        draw_mask(image, masks[0], color=target_color(0)), [(15, 70), (300, 70)], color=target_color(0)
    )
    expected = tinted
    for index in range(2):
        box = Box(20 + 60 * index, 60, 40, 40)
        expected = draw_box(expected, box, color=target_color(index), label=f"#{index + 1}", score=0.5)
    assert np.array_equal(drawn, expected)


def test_grey_frames_are_taken():
    assert annotate(grey(64, 64)[..., 0], result()).shape == (64, 64, 3)
