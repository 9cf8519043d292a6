"""First-frame transforms on patches small enough to follow each pixel (ATOM, Sec. 3.3 and reference)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from lockon.tracking.augmentation import (
    AugmentationConfig,
    augment,
    blur,
    crop_shifted,
    expanded_size,
    rescale,
    rotate,
)

NOTHING = AugmentationConfig(shifts=(), flip=False, blurs=(), rotations=(), dropout_copies=0)


def coordinates(rows, cols):
    """A patch whose channels are row and column."""
    return torch.stack(torch.meshgrid(torch.arange(float(rows)), torch.arange(float(cols)), indexing="ij"))


def assert_pixels(patch, rows, cols):
    """The rows and columns of `coordinates` that the patch shows."""
    expected = torch.meshgrid(torch.tensor(rows).float(), torch.tensor(cols).float(), indexing="ij")
    torch.testing.assert_close(patch, torch.stack(expected))


@pytest.mark.parametrize(
    ("size", "expansion", "expected"),
    [(288, 2.0, 576), (256, 1.4, 358), (5, 2.0, 11), (5, 1.5, 7), (16, 1.4, 22), (10, 1.5, 16)],
)
def test_the_enlarged_patch_has_the_parity_of_the_sample(size, expansion, expected):
    assert expanded_size(size, expansion) == expected


@pytest.mark.parametrize(
    ("shift", "rows", "cols"),
    [
        ((0, 0), [2, 3], [2, 3]),
        ((1, 0), [1, 2], [2, 3]),  # the content moves down: what was above comes into sight
        ((0, 2), [2, 3], [0, 1]),
        ((-1, -2), [3, 4], [4, 5]),
        ((3, -3), [0, 0], [5, 5]),  # past the patch its border is repeated
        ((9, -9), [0, 0], [5, 5]),
    ],
)
def test_a_shift_moves_the_content_right_and_down(shift, rows, cols):
    assert_pixels(crop_shifted(coordinates(6, 6), (2, 2), shift), rows, cols)


@pytest.mark.parametrize(
    ("size", "output", "rows"),
    [(5, 2, [2, 3]), (2, 5, [0, 0, 1, 1, 1]), (3, 3, [0, 1, 2])],
)
def test_an_odd_difference_puts_the_centre_one_pixel_later(size, output, rows):
    """Left and right of the content: minus 3/2 is -2 and -1 pixels, plus 3/2 is 1 and 2."""
    assert_pixels(crop_shifted(coordinates(size, 4), (output, 4), (0, 0)), rows, [0, 1, 2, 3])


def test_blur_is_a_separable_gaussian_of_two_reaches():
    """Sigma 1 reaches two rows, sigma 0.4 one column (0.8, rounded up); each of the two kernels has the sum 1."""
    rows = [math.exp(-(k**2) / 2) for k in (2, 1, 0, 1, 2)]
    cols = [math.exp(-(k**2) / 0.32) for k in (1, 0, 1)]
    patch = torch.zeros(2, 7, 5)
    patch[0, 3, 2] = 1
    patch[1, 3, 2] = 10

    blurred = blur(patch, (1, 0.4))

    expected = torch.zeros(7, 5)
    expected[1:6, 1:4] = torch.outer(torch.tensor(rows), torch.tensor(cols)) / (sum(rows) * sum(cols))
    torch.testing.assert_close(blurred, torch.stack([expected, 10 * expected]))


def test_outside_the_patch_is_black_for_blur():
    """In a corner of white, kernels lose what reaches out of the patch: two of five rows, one of three columns."""
    rows = [math.exp(-(k**2) / 2) for k in (2, 1, 0, 1, 2)]
    cols = [math.exp(-(k**2) / 0.32) for k in (1, 0, 1)]

    blurred = blur(torch.ones(1, 9, 9), (1, 0.4))

    assert float(blurred[0, 4, 4]) == pytest.approx(1)
    assert float(blurred[0, 0, 0]) == pytest.approx(sum(rows[:3]) / sum(rows) * sum(cols[:2]) / sum(cols))


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [
        (8, 2.0, [0.5, 2.5, 4.5, 6.5]),  # means of pairs
        (9, 1.8, [0.4, 2.2, 4, 5.8, 7.6]),  # 5 of 9: the centre is pixel 4 before and after
        (9, 2.25, [0.4, 2.2, 4, 5.8, 7.6]),  # 4 of 9 would have another centre
        (2, 0.5, [0, 0.25, 0.75, 1]),
    ],
)
def test_rescale_keeps_the_parity_and_with_it_the_centre(size, factor, expected):
    assert_pixels(rescale(coordinates(size, size), factor), expected, expected)


def test_rescale_treats_rows_and_columns_apart():
    assert_pixels(rescale(coordinates(8, 4), 2.0), [0.5, 2.5, 4.5, 6.5], [0.5, 2.5])


NINE = [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0, NINE),
        (90, [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),
        (-90, [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
        (180, [[9, 8, 7], [6, 5, 4], [3, 2, 1]]),
    ],
)
def test_rotation_is_counter_clockwise_about_the_centre(angle, expected):
    rotated = rotate(torch.tensor([NINE]), angle)

    torch.testing.assert_close(rotated, torch.tensor([expected]).float(), atol=1e-5, rtol=0)


def test_rotation_interpolates_and_repeats_the_border():
    """At 45° the middle of the right side is looked up √½ right of and below the centre: of 1 there at the corner.

    The corner above it is looked up √2 to the right, beyond the border, so it shows the middle of the right side.
    """
    corner, side = torch.zeros(1, 3, 3), torch.zeros(1, 3, 3)
    corner[0, 2, 2] = side[0, 1, 2] = 1

    assert float(rotate(corner, 45)[0, 1, 2]) == pytest.approx(0.5, abs=1e-5)
    assert float(rotate(side, 45)[0, 0, 2]) == pytest.approx(1, abs=1e-5)


def test_rotation_takes_patches_that_are_not_square():
    """Half a turn changes the ends of both axes."""
    patch = torch.arange(15.0).reshape(1, 3, 5)

    torch.testing.assert_close(rotate(patch, 180), patch.flip(-2, -1), atol=1e-4, rtol=0)


def no_shift():
    return torch.tensor([0.5, 0.5])


def patch_of(size, seed=0):
    return torch.rand(3, size, size, generator=torch.Generator().manual_seed(seed)) * 255


def test_the_first_sample_is_the_patch_itself():
    patch = patch_of(8)

    samples, shifts = augment(patch, NOTHING, 4, no_shift)

    assert torch.equal(samples, patch[None, :, 2:6, 2:6])
    assert shifts.tolist() == [[0, 0]]


def test_relative_shifts_are_parts_of_half_the_sample():
    """Of 5 pixels: 0.6 and -0.4 give 3 and -2; -0.59 and 0.59 give -2.95 and 2.95, truncated towards zero."""
    patch = patch_of(20)

    samples, shifts = augment(patch, replace(NOTHING, shifts=((0.6, -0.4), (-0.59, 0.59))), 10, no_shift)

    assert shifts.tolist() == [[0, 0], [3, -2], [-2, 2]]
    assert torch.equal(samples[1], patch[:, 2:12, 7:17])
    assert torch.equal(samples[2], patch[:, 7:17, 3:13])


def test_transforms_come_in_the_order_of_the_memory_slots():
    config = AugmentationConfig(shifts=((0.5, 0.5),), blurs=((1, 2), (2, 1)), scales=(2.0,), rotations=(30, -30))
    patch = patch_of(16)

    samples, shifts = augment(patch, config, 8, no_shift)

    expected = [
        patch,
        crop_shifted(patch, (16, 16), (2, 2)),
        patch.flip(-1),
        blur(patch, (1, 2)),
        blur(patch, (2, 1)),
        rescale(patch, 2.0),
        rotate(patch, 30),
        rotate(patch, -30),
    ]
    assert torch.equal(samples, torch.stack([crop_shifted(one, (8, 8), (0, 0)) for one in expected]))
    assert shifts.tolist() == [[0, 0], [2, 2], *[[0, 0]] * 6]


def test_flip_mirrors_left_and_right():
    samples, _ = augment(
        torch.cat([coordinates(4, 4), torch.zeros(1, 4, 4)]), replace(NOTHING, flip=True), 4, no_shift
    )

    assert_pixels(samples[1, :2], [0, 1, 2, 3], [3, 2, 1, 0])


def test_each_random_transform_is_shifted_by_its_own_draw():
    """Of 8 pixels times 1/2: 0.99 gives 1.96, 0.01 gives -1.96 and 0.75 gives 1, truncated towards zero."""
    config = replace(NOTHING, flip=True, blurs=((1, 1),), rotations=(90,), random_shift=0.5)
    draws = iter(torch.tensor([[0.99, 0.5], [0.01, 0.75], [0.5, 0.0]]))
    patch = patch_of(16)

    samples, shifts = augment(patch, config, 8, lambda: next(draws))

    assert shifts.tolist() == [[0, 0], [1, 0], [-1, 1], [0, -2]]
    assert torch.equal(samples[1], patch.flip(-1)[:, 3:11, 4:12])
    assert torch.equal(samples[2], blur(patch, (1, 1))[:, 5:13, 3:11])
    assert torch.equal(samples[3], rotate(patch, 90)[:, 4:12, 6:14])
    assert next(draws, None) is None


@pytest.mark.parametrize(
    ("config", "samples"),
    [
        (NOTHING, 1),
        (AugmentationConfig(), 15),
        (replace(AugmentationConfig(), scales=(1.5, 0.7), flip=False), 16),
    ],
)
def test_samples_are_counted_without_making_them(config, samples):
    made, _ = augment(patch_of(32), config, 16, no_shift)

    assert config.samples == samples
    assert len(made) + config.dropout_copies == samples
    assert config.random_shifts == len(made) - 1 - len(config.shifts)
