import numpy as np
import pytest
import torch
from toy_data import noise_frame

from lockon.training.augmentation import AugmentationConfig, augment, blur, mirror, recolour

NOTHING = AugmentationConfig(grey_probability=0.0, brightness=0.0)
BOXES = torch.tensor([[10.0, 20, 30, 40], [0, 0, 64, 64], [-5, 3, 20, 9]])
IMAGES = torch.from_numpy(np.stack([noise_frame(i, size=(64, 64)) for i in range(3)]))
ONES = np.ones(3)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_nothing_asked_for_changes_nothing():
    images, boxes = augment(IMAGES, BOXES, NOTHING, rng())
    assert torch.equal(images, IMAGES)
    assert torch.equal(boxes, BOXES)


def test_arguments_are_never_changed():
    images, boxes = IMAGES.clone(), BOXES.clone()
    everything = AugmentationConfig(
        grey_probability=0.5,
        flip_probability=0.5,
        frame_flip_probability=0.5,
        contrast=0.3,
        saturation=0.3,
        blur_probability=0.5,
    )
    for seed in range(10):
        changed, moved = augment(images, boxes, everything, rng(seed))
        assert changed.dtype == torch.uint8
        assert changed.shape == images.shape
        assert moved.shape == boxes.shape
    assert torch.equal(images, IMAGES)
    assert torch.equal(boxes, BOXES)


@pytest.mark.parametrize(("offset", "lefts"), [(1.0, [23.0, -1.0, 48.0]), (0.0, [24.0, 0.0, 49.0])])
def test_mirrored_boxes_follow_the_formula(offset, lefts):
    images, boxes = mirror(IMAGES, BOXES, np.array([True, True, True]), offset)
    assert torch.equal(images, IMAGES.flip(2))
    assert boxes[:, 0].tolist() == lefts  # 64 - offset - x - w
    assert torch.equal(boxes[:, 1:], BOXES[:, 1:])


def test_only_the_chosen_frames_are_mirrored():
    images, boxes = mirror(IMAGES, BOXES, np.array([False, True, False]), 0.0)
    assert torch.equal(images[0], IMAGES[0])
    assert torch.equal(images[1], IMAGES[1].flip(1))
    assert torch.equal(boxes[[0, 2]], BOXES[[0, 2]])


def flips_of(config, count=800):
    """For each of many draws, which of the three frames came out mirrored."""
    generator = rng()
    marked = torch.zeros(3, 2, 2, 3, dtype=torch.uint8)
    marked[:, :, 0] = 255
    drawn = [augment(marked, BOXES, config, generator)[0] for _ in range(count)]
    return np.array([(images[:, 0, 0, 0] == 0).numpy() for images in drawn])


def test_joint_flips_take_all_frames_and_single_flips_are_independent():
    joint = flips_of(AugmentationConfig(grey_probability=0.0, brightness=0.0, flip_probability=0.5))
    assert (joint == joint[:, :1]).all()
    assert joint[:, 0].mean() == pytest.approx(0.5, abs=0.06)
    single = flips_of(AugmentationConfig(grey_probability=0.0, brightness=0.0, frame_flip_probability=0.3))
    assert single.mean(axis=0) == pytest.approx([0.3] * 3, abs=0.06)
    assert np.abs(np.corrcoef(single.T) - np.eye(3)).max() < 0.12
    both = flips_of(
        AugmentationConfig(grey_probability=0.0, brightness=0.0, flip_probability=1.0, frame_flip_probability=0.3)
    )
    assert both.mean() == pytest.approx(0.7, abs=0.05)  # mirrored twice is not mirrored


def test_grey_takes_all_frames_with_its_probability():
    generator = rng()
    config = AugmentationConfig(grey_probability=0.25, brightness=0.0)
    small = IMAGES[:, ::16, ::16]
    grey = [augment(small, BOXES, config, generator)[0] for _ in range(600)]
    is_grey = np.array([[bool((i == i[..., :1]).all()) for i in images] for images in grey])
    assert (is_grey == is_grey[:, :1]).all()
    assert is_grey.mean() == pytest.approx(0.25, abs=0.05)


def test_grey_is_the_luma_of_the_image():
    images = recolour(IMAGES, ONES, ONES, 0 * ONES)
    luma = (IMAGES.double() @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)).round()
    assert (images.double() - luma[..., None]).abs().max() <= 1
    assert (images == images[..., :1]).all()
    cv2 = pytest.importorskip("cv2")
    reference = cv2.cvtColor(IMAGES[0].numpy(), cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(images[0, ..., 0].numpy() - reference).max() <= 1


def test_brightness_scales_each_image_and_saturates():
    images = recolour(IMAGES, np.array([0.8, 1.0, 1.2]), ONES, ONES)
    for image, before, factor in zip(images, IMAGES, (0.8, 1.0, 1.2), strict=True):
        expected = (before.double() * factor).round().clamp(0, 255)
        assert (image.double() - expected).abs().max() <= 1
    assert images[2].max() == 255


def test_brightness_is_drawn_per_frame_within_its_reach():
    white = torch.full((3, 2, 2, 3), 100, dtype=torch.uint8)
    config = AugmentationConfig(grey_probability=0.0, brightness=0.2)
    generator = rng()
    drawn = np.array([augment(white, BOXES, config, generator)[0][:, 0, 0, 0].numpy() for _ in range(500)])
    assert drawn.min() == 80
    assert drawn.max() == 120
    assert drawn.astype(float).std(axis=0) == pytest.approx([40 / np.sqrt(12)] * 3, rel=0.1)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.15


def test_contrast_keeps_the_mean_luma_and_saturation_the_luma_of_every_pixel():
    weights = torch.tensor([0.299, 0.587, 0.114])
    dull = recolour(IMAGES, ONES, 0.5 * ONES, ONES)
    luma, before = dull.float() @ weights, IMAGES.float() @ weights
    torch.testing.assert_close(luma.mean(dim=(1, 2)), before.mean(dim=(1, 2)), atol=0.5, rtol=0)
    torch.testing.assert_close(luma.std(dim=(1, 2)), before.std(dim=(1, 2)) / 2, atol=0.5, rtol=0)
    pale = recolour(IMAGES, ONES, ONES, 0.5 * ONES)
    torch.testing.assert_close(pale.float() @ weights, before, atol=1.0, rtol=0)
    assert pale.float().std(dim=-1).mean() == pytest.approx(IMAGES.float().std(dim=-1).mean().item() / 2, rel=0.02)


def test_blur_is_a_gaussian_and_leaves_flat_images_alone():
    flat = torch.full((20, 20, 3), 77, dtype=torch.uint8)
    assert torch.equal(blur(flat, 1.7), flat)
    point = torch.zeros(33, 33, 3, dtype=torch.uint8)
    point[16, 16] = 255
    blurred = blur(point, 1.2)
    k = np.arange(-16, 17)
    line = np.exp(-(k**2) / (2 * 1.2**2)) / np.exp(-(k**2) / (2 * 1.2**2)).sum()
    assert np.abs(blurred[..., 1].numpy() - 255 * np.outer(line, line)).max() <= 1


def test_validation_keeps_only_what_all_frames_share():
    config = AugmentationConfig(
        grey_probability=0.05,
        flip_probability=0.5,
        frame_flip_probability=0.5,
        contrast=0.1,
        saturation=0.2,
        blur_probability=0.3,
    )
    joint = config.joint_only()
    assert joint == AugmentationConfig(grey_probability=0.05, flip_probability=0.5, brightness=0.0)


def test_changes_are_the_same_for_any_number_of_threads():
    config = AugmentationConfig(contrast=0.3, saturation=0.3, blur_probability=1.0, frame_flip_probability=0.5)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = augment(IMAGES, BOXES, config, rng(3))
        torch.set_num_threads(2)
        two = augment(IMAGES, BOXES, config, rng(3))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
