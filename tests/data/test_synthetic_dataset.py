import numpy as np
import pytest
from PIL import Image

from lockon.boxes import Box
from lockon.data.datasets.synthetic import SyntheticDataset, open_synthetic
from lockon.data.synthetic import ImageBank, SyntheticConfig, SyntheticWorld
from lockon.data.synthetic.bank import Photo
from lockon.errors import DataError, UnknownNameError
from lockon.training.crops import CropConfig, RenderedSequence
from lockon.training.samples import SampleConfig, TrackingSamples
from lockon.training.sampling import FrameConfig, Source

CONFIG = SyntheticConfig(frame_size=(96, 72), length=40, target_size=(15.0, 30.0), distractors=3)


def dataset(**options):
    return SyntheticDataset(CONFIG, **{"length": 5, **options})


def test_sequences_are_those_of_the_world():
    sequence = dataset(first_seed=10)[3]
    plain = SyntheticWorld(CONFIG).sequence(13)
    assert len(sequence) == 40
    assert sequence.name == "13"
    np.testing.assert_array_equal(sequence.frame(2), plain.frame(2))
    np.testing.assert_array_equal(sequence.mask(2), plain.mask(2))
    assert [Box(*row) for row in sequence.distractors(2)] == plain.distractors(2)
    window = Box(10, 5, 40, 40)
    np.testing.assert_array_equal(sequence.render(2, window, (16, 16)), plain.render(2, window, (16, 16)))


def test_a_choice_of_frames_is_annotated():
    sequence = dataset(annotated=8)[0]
    plain = SyntheticWorld(CONFIG).sequence(0)
    known = ~np.isnan(sequence.boxes).any(axis=1)
    assert known.sum() == 8
    assert not (sequence.visible & ~known).any()
    for index in np.flatnonzero(known):
        assert tuple(sequence.boxes[index]) == plain.box(index)
        assert sequence.visible[index] == (plain.visibility(index) >= 0.4)
    assert np.array_equal(dataset(annotated=8)[0].boxes, sequence.boxes, equal_nan=True)
    assert not np.array_equal(np.isnan(dataset(annotated=8)[1].boxes), np.isnan(sequence.boxes))


def test_short_sequences_are_annotated_throughout():
    assert not np.isnan(dataset(annotated=100)[0].boxes).any()


def test_length_and_bounds():
    data = dataset()
    assert len(data) == len(list(data)) == 5
    with pytest.raises(IndexError):
        data[5]
    with pytest.raises(DataError, match="got 0 from 0"):
        dataset(length=0)
    with pytest.raises(DataError, match="got 5 from -1"):
        dataset(first_seed=-1)


def photo(value):
    return Photo(np.full((40, 50, 3), value, np.uint8), (np.eye(40, 50, dtype=bool),))


def test_the_fingerprint_knows_numbers_and_photographs():
    bank = ImageBank([photo(3), photo(4)])
    same = SyntheticDataset(CONFIG, ImageBank([photo(3), photo(4)]), length=5)
    assert SyntheticDataset(CONFIG, bank, length=5).fingerprint == same.fingerprint
    others = [
        dataset(),
        SyntheticDataset(CONFIG, ImageBank([photo(3), photo(5)]), length=5),
        SyntheticDataset(CONFIG, ImageBank([Photo(photo(3).pixels), photo(4)]), length=5),
        SyntheticDataset(CONFIG, bank, length=6),
        SyntheticDataset(CONFIG, bank, length=5, first_seed=1),
        SyntheticDataset(SyntheticConfig(length=40), bank, length=5),
    ]
    prints = {data.fingerprint for data in (same, *others)}
    assert len(prints) == 7
    assert all(len(text) == 64 for text in prints)


def test_training_and_validation_share_nothing(tmp_path):
    for index in range(50):
        Image.new("RGB", (30, 30), (index, 0, 0)).save(tmp_path / f"{index:02d}.png")
    train, val = (open_synthetic(tmp_path, split, config=CONFIG) for split in ("train", "val"))
    assert (train.name, val.name) == ("synthetic/train", "synthetic/val")
    assert train.is_video
    colours = [{int(p.pixels[0, 0, 0]) for p in data._images.photos} for data in (train, val)]
    assert colours[0] | colours[1] == set(range(50))
    assert not colours[0] & colours[1]
    assert len(colours[1]) == 2
    assert int(train[len(train) - 1].name) < int(val[0].name)
    assert train.fingerprint != val.fingerprint


def test_unknown_splits_and_folders_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="train"):
        open_synthetic(None, "trian")
    with pytest.raises(DataError, match="no images"):
        open_synthetic(tmp_path)


def test_samples_are_rendered_at_the_size_of_the_crop():
    data = dataset()
    assert isinstance(data[0], RenderedSequence)
    config = SampleConfig(frames=FrameConfig(train_frames=1, test_frames=2, max_gap=40), crop=CropConfig(size=64))
    sample = TrackingSamples([Source(data)], config, seed=0)[0]
    assert sample.images.shape == (3, 64, 64, 3)
    assert sample.images.float().std() > 5
