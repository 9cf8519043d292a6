"""The picture of a mined frame shows what it says, the tracker's crop can be cut from it, and cells are in place."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lockon.boxes import Box
from lockon.tracking.search_region import sample_patch
from lockon.training.labels import gaussian_label
from lockon.training.mining.frames import annotation_cell, cut_picture, search_area
from training.mining.toy_dumps import CELLS, REGION, at_cell, mined_frame


def ramp(height, width, origin=(0, 0)):
    """Pixel (row, col) has the values (col, row, 0), less an origin: whole steps of a linear function."""
    rows, columns = np.mgrid[:height, :width]
    values = np.stack([columns - origin[1], rows - origin[0], np.zeros_like(rows)], axis=-1)
    return values.clip(0, 255).astype(np.uint8)


def places(area, count, along):
    start, extent = (area.x, area.w) if along == "x" else (area.y, area.h)
    return start + (np.arange(count) + 0.5) * extent / count


@pytest.mark.parametrize("longest", [600, 220, 100, 37])  # as it is; bilinear; every second, every fifth pixel
def test_the_picture_shows_the_area_it_says(longest):
    image = ramp(700, 900, origin=(180, 280))
    picture, area = cut_picture(image, Box(300.5, 200.5, 199, 199), 0.05, longest)
    rows, columns = picture.shape[:2]
    assert max(rows, columns) <= longest
    if longest == 600:
        assert picture.shape == (221, 221, 3)
        assert area == Box(290, 190, 221, 221)
    across, down = picture[rows // 2, :, 0] + 280.5, picture[:, columns // 2, 1] + 180.5
    inner = slice(1, -1)  # at the border of the picture there is nothing to interpolate with
    np.testing.assert_allclose(across[inner], places(area, columns, "x")[inner], atol=0.51)
    np.testing.assert_allclose(down[inner], places(area, rows, "y")[inner], atol=0.51)
    for low, extent, origin in ((area.x, area.w, 300.5), (area.y, area.h, 200.5)):
        assert low <= origin - 10
        assert low + extent >= origin + 210


def test_beyond_the_frame_its_border_is_repeated():
    picture, area = cut_picture(ramp(100, 120), Box(-40, 70, 79, 79), 0.05, 200)
    assert area == Box(-44, 66, 88, 88)
    assert (picture[:, :44, 0] == 0).all()
    assert (picture[34:, :, 1] == 99).all()
    np.testing.assert_array_equal(picture[0, 44:, 0], np.arange(44))


@pytest.mark.parametrize("rounding", ["current", "legacy"])
@pytest.mark.parametrize("extent", [110.0, 111.0])
@pytest.mark.parametrize("centre", [(90.0, 140.0), (20.0, 260.0)])  # within, and over a corner of the frame
def test_the_crop_of_the_tracker_can_be_cut_from_it(rounding, extent, centre):
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    patch = sample_patch(image, centre, (extent, extent), (128, 128), rounding=rounding)
    top, left, bottom, right = patch.corners_yx
    region = search_area(Box(left, top, right - left, bottom - top))
    picture, area = cut_picture(image, region, 0.05, 141)
    frame = replace(mined_frame(), region=region, image=picture, image_area=area)
    cut = frame.crop(frame.searched, 128).astype(float)
    pixels = patch.pixels.permute(1, 2, 0).numpy()
    # At its border the tracker's crop knows nothing of the pixels beyond.
    np.testing.assert_allclose(cut[1:-1, 1:-1], pixels[1:-1, 1:-1], atol=0.51)


def test_other_areas_can_be_cut_from_it():
    picture, area = cut_picture(ramp(100, 120), Box(10, 10, 79, 79), 0.05, 200)
    frame = replace(mined_frame(), region=Box(10, 10, 79, 79), image=picture, image_area=area)
    jittered = frame.crop(Box(12, 9, 80, 80), 80)
    np.testing.assert_array_equal(jittered[0, :, 0], np.arange(12, 92))
    np.testing.assert_array_equal(jittered[:, 0, 1], np.arange(9, 89))
    enlarged = frame.crop(Box(20, 20, 10, 20), 40).astype(float)
    np.testing.assert_allclose(enlarged[3, :, 0], 19.5 + (np.arange(40) + 0.5) / 4, atol=0.51)
    np.testing.assert_allclose(enlarged[:, 3, 1], 19.5 + (np.arange(40) + 0.5) / 2, atol=0.51)
    beyond = frame.crop(Box(-40, 10, 80, 80), 80)  # the picture begins at 6
    assert (beyond[:, :46, 0] == 6).all()


def test_the_search_area_is_counted_as_the_reference_does():
    exact = Box(100.5, 20.0, 401.0, 401.0)
    single = Box(*np.array([100.50002, 19.99999, 400.99997, 401.00003], np.float32).tolist())
    assert search_area(single) == search_area(exact) == Box(100.5, 20.0, 400.0, 400.0)


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        (at_cell(8, 8), (8, 8)),
        (at_cell(3, 12), (3, 12)),
        (at_cell(3.4, 11.6), (3, 12)),
        (at_cell(3.5, 11.5), (3, 11)),  # of two labels of one height the first
        (at_cell(-0.4, 16.4), (0, 16)),
        (at_cell(-7, 40), (0, 16)),
    ],
)
def test_the_annotated_cell_by_hand(box, cell):
    assert annotation_cell(box, REGION, CELLS) == cell


def test_the_annotated_cell_has_the_highest_label():
    rng = np.random.default_rng(1)
    boxes = [at_cell(*place) for place in rng.uniform(-2, 18, (200, 2))]
    in_crop = [[(box.x - REGION.x) * 1.6, (box.y - REGION.y) * 1.6, box.w * 1.6, box.h * 1.6] for box in boxes]
    labels = gaussian_label(torch.tensor(in_crop, dtype=torch.float64), CELLS - 1, sigma=2.0)
    best = labels.flatten(1).argmax(dim=1).tolist()
    assert [annotation_cell(box, REGION, CELLS) for box in boxes] == [divmod(place, CELLS) for place in best]
