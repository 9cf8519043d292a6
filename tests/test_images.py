"""Images: what a user may hold becomes RGB uint8."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lockon.errors import ImageError
from lockon.images import as_rgb8


def test_rgb8_passes_without_a_copy():
    image = np.zeros((4, 5, 3), np.uint8)
    assert np.shares_memory(as_rgb8(image), image)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_one_three_and_four_channels(shape, make):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    expected = np.broadcast_to(np.atleast_3d(image)[..., :3], (4, 5, 3))
    assert np.array_equal(as_rgb8(make(image)), expected)


def test_sixteen_bits_are_rounded_to_eight():
    image = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    assert as_rgb8(image)[0, :, 0].tolist() == [0, 0, 1, 100, 255]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 5, 2), np.uint8), "channels"),
        (np.zeros((2, 4, 5, 3), np.uint8), "channels"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (np.zeros((4, 5, 3), np.float32), "float32"),
    ],
)
def test_what_is_no_image_is_refused(image, said):
    with pytest.raises(ImageError, match=said):
        as_rgb8(image)
