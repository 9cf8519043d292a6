import numpy as np
import pytest
import torch
from toy_data import ToyDataset, toy_sequence

from lockon.errors import DataError
from lockon.training.augmentation import AugmentationConfig
from lockon.training.crops import CropConfig, Jitter
from lockon.training.proposals import DensityProposalConfig, OverlapProposalConfig
from lockon.training.samples import SampleConfig, TrackingSamples, collate
from lockon.training.sampling import FrameConfig, Source

FRAMES = FrameConfig(mode="causal", train_frames=2, test_frames=3, max_gap=30)
CONFIG = SampleConfig(frames=FRAMES, crop=CropConfig(size=48), proposals=DensityProposalConfig(count=8))
STILL = Jitter(centre=0.0, scale=0.0)
PLAIN = SampleConfig(
    frames=FRAMES,
    crop=CropConfig(size=48),
    train_jitter=STILL,
    test_jitter=STILL,
    augmentation=AugmentationConfig(grey_probability=0.0, brightness=0.0),
    proposals=None,
)


def sources(**options):
    return [Source(ToyDataset([toy_sequence(seed=seed, **options) for seed in range(4)]))]


def equal(a, b):
    return all(
        torch.equal(x, y) for x, y in zip((*a[:2], *(a.proposals or ())), (*b[:2], *(b.proposals or ())), strict=True)
    )


def test_samples_have_one_layout():
    sample = TrackingSamples(sources(), CONFIG, seed=0)[0]
    assert sample.images.shape == (5, 48, 48, 3)
    assert sample.images.dtype == torch.uint8
    assert sample.boxes.shape == (5, 4)
    assert sample.boxes.dtype == torch.float32
    assert sample.proposals.boxes.shape == (3, 8, 4)
    assert sample.skipped == ()


def test_a_sample_is_a_function_of_seed_and_number():
    samples = TrackingSamples(sources(), CONFIG, seed=7)
    first = samples[3]
    assert equal(samples[3], first)
    assert equal(TrackingSamples(sources(), CONFIG, seed=7)[3], first)
    assert not equal(samples[4], first)
    assert not equal(TrackingSamples(sources(), CONFIG, seed=8)[3], first)


def test_crops_show_the_target_where_the_boxes_say():
    """The target of the toy clip is a white square here; jittered crops must contain it at their boxes."""

    def paint(index):
        image = np.zeros((120, 160, 3), np.uint8)
        image[50:68, 40 + index : 64 + index] = 255
        return image

    sequence = toy_sequence()
    sequence.make = paint
    config = SampleConfig(
        frames=FRAMES,
        crop=CropConfig(size=96, routine="inside_major", search_factor=4.0),
        augmentation=AugmentationConfig(frame_flip_probability=0.5, flip_offset=0.0),
        proposals=None,
    )
    samples = TrackingSamples([Source(ToyDataset([sequence]))], config, seed=0)
    for number in range(8):
        for image, box in zip(*samples[number][:2], strict=True):
            rows, columns = np.nonzero(image[..., 0].numpy() > 60)
            x, y, w, h = box.tolist()
            seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            expected = np.clip([x, y, x + w, y + h], 0, 96)
            assert np.abs(np.array(seen) - expected).max() < 2.5, (number, seen, expected)


def test_without_jitter_the_target_is_in_the_middle():
    samples = TrackingSamples(sources(), PLAIN, seed=0)
    centres = torch.cat([samples[n].boxes[:, :2] + samples[n].boxes[:, 2:] / 2 for n in range(4)])
    vertical = centres[:, 1]  # the horizontal one is shifted where the window meets the border
    assert (vertical - 24).abs().max() < 48 / 104  # half a frame pixel of rounding


def test_validation_is_without_jitter_and_brightness():
    sample = TrackingSamples(sources(), CONFIG, seed=0, augment=False)
    plain = TrackingSamples(sources(), PLAIN, seed=0)
    assert sample.config.train_jitter == sample.config.test_jitter == STILL
    assert sample.config.augmentation.brightness == 0
    torch.testing.assert_close(sample[0].boxes, plain[0].boxes)


def test_jitter_differs_between_train_and_test_frames():
    config = SampleConfig(
        frames=FRAMES,
        crop=CropConfig(size=48, routine="atom"),
        train_jitter=STILL,
        test_jitter=Jitter(centre=2.0, scale=0.0),
        proposals=None,
    )
    samples = TrackingSamples(sources(), config, seed=0)
    boxes = torch.stack([samples[n].boxes for n in range(20)])
    offset = (boxes[..., :2] + boxes[..., 2:] / 2 - 23.5).abs().amax(dim=-1)
    assert offset[:, :2].max() < 1e-4
    assert offset[:, 2:].min() > 0


@pytest.mark.parametrize(("which", "count"), [("test", 3), ("all_but_first", 4)])
def test_proposals_belong_to_the_last_frames(which, count):
    config = SampleConfig(
        frames=FRAMES,
        crop=CropConfig(size=48),
        proposals=OverlapProposalConfig(count=40, factors=(0.01,)),
        proposal_frames=which,
    )
    sample = TrackingSamples(sources(), config, seed=0)[0]
    assert sample.proposals.boxes.shape == (count, 40, 4)
    near = sample.proposals.boxes.median(dim=1).values - sample.boxes[-count:]
    assert near.abs().max() < 1.5


def test_unreadable_images_are_skipped_and_reported():
    good, bad = toy_sequence(name="good"), toy_sequence(name="bad", broken=frozenset(range(40)))
    samples = TrackingSamples([Source(ToyDataset([good, bad]))], CONFIG, seed=0)
    drawn = [samples[n] for n in range(30)]
    skipped = [message for sample in drawn for message in sample.skipped]
    # Half of all draws meet the bad clip, so one sample costs one failure on average.
    assert 12 < len(skipped) < 60
    assert all("bad/" in message for message in skipped)
    assert equal(samples[0], drawn[0])
    assert [sample.skipped for sample in drawn] == [samples[n].skipped for n in range(30)]
    assert collate(drawn).skipped == tuple(skipped)


def test_a_draw_that_failed_is_replaced_by_another_stream():
    whole = TrackingSamples([Source(ToyDataset([toy_sequence()]))], CONFIG, seed=0)
    first = whole[0]
    sequence = toy_sequence()
    sequence.make = whole._sources[0].dataset[0].make
    frames = whole._sources[0].dataset[0].reads
    sequence.broken = frozenset(frames[:1])
    redrawn = TrackingSamples([Source(ToyDataset([sequence]))], CONFIG, seed=0)[0]
    assert len(redrawn.skipped) >= 1
    assert not equal(redrawn, first)


def test_a_data_set_that_cannot_be_read_at_all_ends_the_run():
    bad = toy_sequence(name="bad", broken=frozenset(range(40)))
    with pytest.raises(DataError, match=r"100 sequences in a row.*lockon data check.*bad/"):
        TrackingSamples([Source(ToyDataset([bad]))], CONFIG, seed=0)[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "nothing to draw"),
        ([Source(ToyDataset([]), 0.0)], "nothing to draw"),
        ([Source(ToyDataset([], name="got10k/train"))], "got10k/train.*empty"),
    ],
)
def test_sources_are_checked_before_any_work(given, message):
    with pytest.raises(DataError, match=message):
        TrackingSamples(given, CONFIG, seed=0)


def test_a_data_set_without_fit_sequences_is_not_retried():
    short = ToyDataset([toy_sequence(length=10)], name="short")
    with pytest.raises(DataError, match="'short' has no sequence"):
        TrackingSamples([Source(short)], CONFIG, seed=0)[0]


def test_images_of_image_sets_are_repeated():
    image = toy_sequence(length=1)
    sample = TrackingSamples([Source(ToyDataset([image], is_video=False))], PLAIN, seed=0)[0]
    assert image.reads == [0]
    assert (sample.images == sample.images[:1]).all()


@pytest.mark.parametrize("proposals", [None, OverlapProposalConfig(count=4), DensityProposalConfig(count=4)])
def test_batches_stack_every_tensor(proposals):
    config = SampleConfig(frames=FRAMES, crop=CropConfig(size=32), proposals=proposals)
    samples = TrackingSamples(sources(), config, seed=0)
    singles = [samples[n] for n in range(3)]
    batch = collate(singles)
    assert batch.images.shape == (3, 5, 32, 32, 3)
    assert torch.equal(batch.boxes[1], singles[1].boxes)
    if proposals is None:
        assert batch.proposals is None
    else:
        assert type(batch.proposals) is type(singles[0].proposals)
        for stacked, single in zip(batch.proposals, singles[2].proposals, strict=True):
            assert torch.equal(stacked[2], single)
