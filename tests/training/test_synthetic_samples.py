import numpy as np
import torch

from lockon.data.synthetic import SyntheticConfig, SyntheticWorld
from lockon.training.processing import Jitter, ProposalConfig
from lockon.training.sampling import SampleConfig, SyntheticSamples, draw_causal_frames

CONFIG = SampleConfig(
    train_frames=2, test_frames=3, size=64, search_factor=5.0, proposals=ProposalConfig(count=8), max_gap=30
)
WORLD = SyntheticWorld(SyntheticConfig(frame_size=(160, 120), length=60, target_size=(20.0, 40.0)))


def test_test_frames_come_after_all_train_frames_within_the_gap():
    rng = np.random.default_rng(0)
    draws = np.array([draw_causal_frames(rng, 60, CONFIG) for _ in range(500)])
    base = draws[:, 1:2]
    assert (draws[:, :1] < base).all()
    assert (draws[:, 2:] > base).all()
    assert (abs(draws - base) <= 30).all()
    assert draws.min() == 0
    assert draws.max() == 59


def test_samples_have_one_layout_and_are_reproducible():
    samples = SyntheticSamples(WORLD, CONFIG, first_seed=3)
    first, again, other = samples[0], samples[0], samples[1]
    assert first.images.shape == (5, 64, 64, 3)
    assert first.boxes.shape == (5, 4)
    assert first.proposals.boxes.shape == (4, 8, 4)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.proposals.boxes, again.proposals.boxes)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(SyntheticSamples(WORLD, CONFIG, first_seed=4)[0].images, other.images)


def test_flips_mirror_images_and_boxes():
    still = Jitter(centre=0.0, scale=0.0)
    plain, flipped = (
        SyntheticSamples(
            WORLD,
            SampleConfig(
                size=64,
                search_factor=5.0,
                flip_probability=p,
                grey_probability=0.0,
                train_jitter=still,
                test_jitter=still,
            ),
            first_seed=0,
        )[0]
        for p in (0.0, 1.0)
    )
    assert torch.equal(plain.images.flip(2), flipped.images)
    assert torch.allclose(flipped.boxes[:, 0], 64 - plain.boxes[:, 0] - plain.boxes[:, 2])
    assert torch.equal(flipped.boxes[:, 1:], plain.boxes[:, 1:])


def test_grey_samples_have_equal_channels():
    config = SampleConfig(size=64, search_factor=5.0, grey_probability=1.0)
    images = SyntheticSamples(WORLD, config, first_seed=0)[0].images
    assert (images == images[..., :1]).all()
    assert images.float().std() > 5
