"""The crop routine on images whose pixels say where they are, so that every crop is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lockon.tracking.search_region import (
    CropFrame,
    Patch,
    box_to_centre,
    centre_to_box,
    crop_frame_of,
    sample_patch,
)

ROUNDING = pytest.mark.parametrize("rounding", ["current", "legacy"])


def coordinates(height=6, width=8):
    """An image whose first two channels are row and column."""
    rows, cols = np.mgrid[:height, :width]
    return np.stack([rows, cols, np.full_like(rows, 9)], axis=-1).astype(np.uint8)


def assert_pixels(patch: Patch, rows, cols):
    """The rows and columns of the image that the patch shows."""
    expected = torch.meshgrid(torch.tensor(rows).float(), torch.tensor(cols).float(), indexing="ij")
    assert patch.pixels.shape == (3, len(rows), len(cols))
    torch.testing.assert_close(patch.pixels[:2], torch.stack(expected), atol=1e-5, rtol=0)
    torch.testing.assert_close(patch.pixels[2], torch.full_like(expected[0], 9.0))


@pytest.mark.parametrize(
    ("rounding", "size", "rows", "cols", "corners"),
    [
        # Odd: one pixel on either side.
        ("legacy", 3, [2, 3, 4], [3, 4, 5], (2, 3, 5, 6)),
        ("current", 3, [2, 3, 4], [3, 4, 5], (2, 3, 5.5, 6.5)),
        # Even: one pixel before the centre and two behind; halves give the current regime one more before.
        ("legacy", 4, [2, 3, 4, 5], [3, 4, 5, 6], (2, 3, 6, 7)),
        ("current", 4, [1, 2, 3, 4, 5], [2, 3, 4, 5, 6], (1.5, 2.5, 6, 7)),
    ],
)
def test_halves_of_whole_sizes(rounding, size, rows, cols, corners):
    patch = sample_patch(coordinates(), (3, 4), (size, size), None, rounding=rounding)

    assert_pixels(patch, rows, cols)
    assert patch.corners_yx == corners


@pytest.mark.parametrize(
    ("size", "rows"),
    [(0.25, [3, 4]), (2.5, [3, 4]), (3.5, [2, 3, 4, 5]), (3.25, [2, 3, 4])],
)
def test_sizes_are_rounded_halves_to_even_and_at_least_two(size, rows):
    assert_pixels(sample_patch(coordinates(), (3, 4), (size, 1), None, rounding="legacy"), rows, [4, 5])


@ROUNDING
def test_the_fraction_of_the_centre_is_dropped(rounding):
    patch = sample_patch(coordinates(), (3.96, -0.96), (3, 3), None, rounding=rounding)

    assert_pixels(patch, [2, 3, 4], [0, 0, 1])
    assert patch.corners_yx[:2] == (2, -1)


@pytest.mark.parametrize(
    ("rounding", "centre", "rows", "cols"),
    [
        ("legacy", (0, 0), [0, 0, 1, 2], [0, 0, 1, 2]),
        ("current", (0, 0), [0, 0, 1, 2], [0, 0, 1, 2]),  # from -1.5: truncated, not floored
        ("legacy", (5, 7), [4, 5, 5, 5], [6, 7, 7, 7]),
        ("current", (5, 7), [3, 4, 5, 5, 5], [5, 6, 7, 7, 7]),
        ("legacy", (-9, 4), [0, 0, 0, 0], [3, 4, 5, 6]),
        ("legacy", (99, 99), [5, 5, 5, 5], [7, 7, 7, 7]),
    ],
)
def test_beyond_the_image_its_border_is_repeated(rounding, centre, rows, cols):
    assert_pixels(sample_patch(coordinates(), centre, (4, 4), None, rounding=rounding), rows, cols)


def test_height_and_width_are_separate():
    assert_pixels(sample_patch(coordinates(), (3, 4), (2, 5), None, rounding="legacy"), [3, 4], [2, 3, 4, 5, 6])


@pytest.mark.parametrize("mode", ["inside", "inside_major"])
@pytest.mark.parametrize(
    ("centre", "rows", "cols"),
    [
        ((3, 4), [2, 3, 4, 5], [3, 4, 5, 6]),
        ((0, 0), [0, 1, 2, 3], [0, 1, 2, 3]),
        ((5, 7), [2, 3, 4, 5], [4, 5, 6, 7]),
        ((-9, 99), [0, 1, 2, 3], [4, 5, 6, 7]),
    ],
)
def test_a_region_smaller_than_the_image_is_shifted_inside(mode, centre, rows, cols):
    patch = sample_patch(coordinates(), centre, (4, 4), None, border_mode=mode, rounding="legacy")

    assert_pixels(patch, rows, cols)
    assert patch.corners_yx == (rows[0], cols[0], rows[-1] + 1, cols[-1] + 1)


@pytest.mark.parametrize(
    ("mode", "limit", "rows", "cols"),
    [
        # 12 is twice the height: halved.
        ("inside", None, range(6), range(2, 8)),
        # 12 is 1.5 times the width: 8. The two rows too many are split between the sides.
        ("inside_major", None, [0, 0, 1, 2, 3, 4, 5, 5], range(8)),
        # 12 / 1.25 = 9.6, truncated. Of three rows too many one is above; the one column too many stays where it is.
        ("inside", 1.25, [0, 0, 1, 2, 3, 4, 5, 5, 5], [0, 0, 1, 2, 3, 4, 5, 6, 7]),
        ("inside_major", 1.25, [0, 0, 1, 2, 3, 4, 5, 5, 5], [0, 0, 1, 2, 3, 4, 5, 6, 7]),
        ("inside_major", 9.0, [0, 0, 1, 2, 3, 4, 5, 5], range(8)),
    ],
)
def test_a_region_larger_than_the_image_shrinks(mode, limit, rows, cols):
    patch = sample_patch(
        coordinates(), (3, 4), (12, 12), None, border_mode=mode, max_scale_change=limit, rounding="legacy"
    )

    assert_pixels(patch, list(rows), list(cols))


@pytest.mark.parametrize("mode", ["inside", "inside_major"])
def test_a_shrunk_size_is_truncated(mode):
    """7.75 becomes 7 here, and 8 where nothing shrinks."""
    image = coordinates(7, 7)

    patch = sample_patch(image, (3, 3), (7.75, 7.75), None, border_mode=mode, max_scale_change=1.0, rounding="legacy")

    assert_pixels(patch, list(range(7)), list(range(7)))
    assert sample_patch(image, (3, 3), (7.75, 7.75), None, rounding="legacy").pixels.shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("centre", "size", "side", "mode", "limit", "corners"),
    [
        ((240, 320), 288, 288, "replicate", None, (96.5, 176.5, 385, 465)),
        ((100.7, 320.3), 288, 288, "replicate", None, (-43.5, 176.5, 245, 465)),
        ((240, 320), 289, 288, "replicate", None, (96, 176, 385.5, 465.5)),
        ((10, 20), 300, 352, "inside_major", 1.5, (0, 0, 300.5, 300.5)),
        ((240, 320), 600, 352, "inside_major", 1.5, (-60, 20.5, 540.5, 621)),
        ((240, 320), 900, 352, "inside_major", 1.5, (-80, -0.5, 560.5, 640)),
        ((240, 320), 900, 352, "inside", None, (-0.5, 80.5, 480, 561)),
        ((241, 323), 800, 288, "replicate", None, (-159, -77, 642, 724)),  # decimated by 2
    ],
)
def test_check_values_of_the_reference(centre, size, side, mode, limit, corners):
    image = np.zeros((480, 640, 3), np.uint8)

    patch = sample_patch(image, centre, (size, size), (side, side), border_mode=mode, max_scale_change=limit)

    assert patch.corners_yx == corners
    assert patch.pixels.shape == (3, side, side)


def test_a_cut_of_another_size_is_resized_with_half_pixel_centres():
    """Rows 7 to 14 at half the size are the means of pairs, at twice the size quarters between neighbours."""
    image = coordinates(30, 30)

    half = sample_patch(image, (10, 10), (8, 8), (4, 4), rounding="legacy")
    twice = sample_patch(image, (10, 10), (2, 2), (4, 4), rounding="legacy")

    assert_pixels(half, [7.5, 9.5, 11.5, 13.5], [7.5, 9.5, 11.5, 13.5])
    assert half.corners_yx == (7, 7, 15, 15)
    assert_pixels(twice, [10, 10.25, 10.75, 11], [10, 10.25, 10.75, 11])


def test_rows_and_columns_are_resized_separately():
    patch = sample_patch(coordinates(30, 30), (10, 10), (4, 8), (2, 8), rounding="legacy")

    assert_pixels(patch, [9.5, 11.5], list(range(7, 15)))


@pytest.mark.parametrize(
    ("size", "rows", "cols"),
    [
        ((4.1, 4.1), [9.5, 11.5], [10.5, 12.5]),  # 2.05 times the output: 4 pixels, resized
        ((4.3, 4.3), [10, 12], [11, 13]),  # 2.15 times: every second pixel
        ((4.1, 9), [9.5, 11.5], [8.75, 13.25]),  # the smaller ratio of the two counts
    ],
)
def test_large_regions_are_decimated_from_2_1_times_the_output(size, rows, cols):
    assert_pixels(sample_patch(coordinates(30, 30), (10, 11), size, (2, 2), rounding="legacy"), rows, cols)


@pytest.mark.parametrize(("rounding", "far"), [("legacy", 15), ("current", 16.5)])
def test_corners_forget_the_offset_of_the_decimation(rounding, far):
    """Four times the output, so every third pixel: rows 1, 4, .. and columns 2, 5, .. of which three each are cut.

    Rows 7, 10, 13 and columns 8, 11, 14 are resized from three to two, a quarter of a pixel from the outer ones. The
    corners are three times those of the decimated image, 6, and not where its first pixel came from (reference).
    """
    patch = sample_patch(coordinates(30, 30), (10, 11), (8, 8), (2, 2), rounding=rounding)

    assert_pixels(patch, [7.75, 12.25], [8.75, 13.25])
    assert patch.corners_yx == (6, 6, far, far)


def test_a_decimated_region_is_shifted_inside_the_decimated_image():
    """Every third of 30 pixels, from 1 and 2 on: 10 of them, and the last three are 22, 25, 28 and 23, 26, 29."""
    patch = sample_patch(coordinates(30, 30), (28, 29), (8, 8), (2, 2), border_mode="inside", rounding="legacy")

    assert_pixels(patch, [22.75, 27.25], [23.75, 28.25])
    assert patch.corners_yx == (21, 21, 30, 30)


@ROUNDING
@pytest.mark.parametrize("mode", ["replicate", "inside", "inside_major"])
@pytest.mark.parametrize(("size", "output"), [(2, (2, 3)), (20, (4, 4)), (100, (4, 6)), (1000, (6, 4))])
@pytest.mark.parametrize("centre", [(0, 0), (31, -17), (-5, 44)])
def test_an_image_of_one_pixel(centre, size, output, mode, rounding):
    """Also where it falls between the pixels that a decimation keeps."""
    patch = sample_patch(
        coordinates(1, 1),
        centre,
        (size, size),
        output,
        border_mode=mode,
        max_scale_change=1.5,
        rounding=rounding,
    )

    assert_pixels(patch, [0] * output[0], [0] * output[1])


def test_an_image_thinner_than_the_decimation():
    """Every third pixel from row 2 on: there is no row 2, so the last one stands for all."""
    patch = sample_patch(coordinates(2, 30), (2, 11), (8, 8), (2, 2), rounding="legacy")

    assert_pixels(patch, [1, 1], [8.75, 13.25])


def test_the_image_is_left_alone():
    image = coordinates()
    patch = sample_patch(image, (3, 4), (3, 3), None)
    patch.pixels.zero_()

    assert np.array_equal(image, coordinates())


def test_boxes_are_centred_on_pixel_indices():
    """Columns 10 to 14 have their centre at 12, rows 20 to 23 at 21.5."""
    boxes = torch.tensor([[10.0, 20.0, 5.0, 4.0], [0.0, 0.0, 1.0, 1.0]])

    centres, sizes = box_to_centre(boxes)

    assert centres.tolist() == [[21.5, 12], [0, 0]]
    assert sizes.tolist() == [[4, 5], [1, 1]]
    assert torch.equal(centre_to_box(centres, sizes), boxes)


def test_a_box_in_its_crop():
    """A crop of 9 pixels around (30, 40), two image pixels each: its centre is pixel 4."""
    frame = CropFrame(torch.tensor([[30.0, 40.0]]), torch.tensor([2.0]), 9)
    centre, size = torch.tensor([[28.0, 44.0]]), torch.tensor([[4.0, 8.0]])

    box = frame.to_crop(centre, size)

    assert box.tolist() == [[4.5, 2.5, 4, 2]]  # centred on pixels (row 3, column 6), 2 rows and 4 columns
    back, same_size = frame.to_image(box)
    assert torch.equal(same_size, size)
    # Half a crop pixel further, as in the reference.
    assert torch.equal(back, centre + 0.5 * 2.0)


def test_where_a_crop_lies_follows_from_its_corners():
    """Rows 2 to 9 and columns 10 to 11 of a crop of 4: means 5.5 and 10.5, and √(8/4 · 2/4) image pixels each."""
    centre, scale = crop_frame_of((2, 10, 10, 12), 4)

    assert centre == (5.5, 10.5)
    assert scale == pytest.approx(1.0)
