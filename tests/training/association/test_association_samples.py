"""Samples of the association network as tensors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mined_data import FRAME, REGION, FakeDump, mined, squares, whole

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.networks.association import PLACE_SCALE
from lockon.training.association.samples import (
    AssociationSampleConfig,
    AssociationSamples,
    collate,
    real_sample,
)
from lockon.training.association.supervision import UNKNOWN
from lockon.training.augmentation import AugmentationConfig

WHOLE = squares()


def samples(dump=WHOLE, seed=3, **config):
    return AssociationSamples([whole(dump)], AssociationSampleConfig(**config), seed=seed)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))


def test_a_sample_is_a_function_of_seed_and_number():
    first, again, other = samples(), samples(), samples(seed=4)
    assert all(same(first[n], again[n]) for n in (7, 0, 7))
    assert not same(first[0], first[1])
    assert not same(first[0], other[0])


def test_shapes_and_ranges():
    batch = collate([samples()[n] for n in range(12)])
    assert batch.images.shape == (12, 2, 64, 64, 3)
    assert batch.images.dtype == torch.uint8
    assert batch.cells.shape == batch.places.shape == (12, 2, 5, 2)
    assert batch.scores.shape == batch.valid.shape == batch.partners.shape == (12, 2, 5)
    assert batch.valid.all()
    assert (batch.places.abs() <= 0.5 / PLACE_SCALE + 1e-6).all()
    assert ((batch.cells >= 0) & (batch.cells <= 16)).all()


def known(batch):
    """Share of the samples in which more than the target is known, and in which the two pictures are alike."""
    several = ((batch.partners != UNKNOWN).sum(dim=(1, 2)) > 2).float().mean()
    return float(several)


def test_sources_of_truth_are_chosen_by_one_setting():
    def share(supervision):
        return known(collate([samples(supervision=supervision)[n] for n in range(24)]))

    assert share("partial") == 0
    assert share("self") == share("exact") == share("exact_and_self") == 1
    assert 0.2 < share("both") < 0.8


def appearance(**changes):
    quiet = AugmentationConfig(grey_probability=0.0, brightness=0.0, blur_sigma=(0.5, 0.5))
    dataset = samples(supervision="self", dropped=0.0, appearance=replace(quiet, **changes))
    return [dataset[number].images.float() for number in range(12)]


def test_views_share_their_pictures_and_nothing_else():
    one, three = (samples(supervision="self", views=views)[4] for views in (1, 3))
    assert three.images.shape == one.images.shape
    assert three.cells.shape == (3, 2, 5, 2)
    assert len({view.numpy().tobytes() for view in three.places[:, 1]}) == 3
    assert (three.cells[:, 0, :4] == one.cells[0, 0, :4]).float().mean() > 0.8
    batch = collate([samples(views=3)[n] for n in range(4)])
    assert len(batch.images) == 4
    assert len(batch.partners) == len(batch.targets) == 12
    assert torch.equal(batch.scores[3:6], samples(views=3)[1].scores)


def test_the_copy_is_brighter_or_darker():
    factors = torch.stack([current.mean() / previous.mean() for previous, current in appearance(brightness=0.5)])
    assert factors.min() < 0.8
    assert factors.max() > 1.1
    still = torch.stack([current.mean() / previous.mean() for previous, current in appearance()])
    assert still.tolist() == pytest.approx([1.0] * 12, abs=0.03)


def test_the_copy_is_blurred_where_that_is_asked_for():
    sharp, blurred, some = (appearance(blur_probability=p) for p in (0.0, 1.0, 0.75))
    for (original, one), (same, other) in zip(sharp, blurred, strict=True):
        assert torch.equal(original, same)
        assert other.std() < 0.95 * one.std()
    count = sum(torch.equal(one[1], other[1]) for one, other in zip(some, blurred, strict=True))
    assert 6 <= count <= 11


def test_the_copy_is_cut_a_little_elsewhere():
    for previous, current in appearance():
        assert not torch.equal(previous, current)
        pooled = [F.avg_pool2d(image.permute(2, 0, 1), 8).flatten() for image in (previous, current)]
        assert torch.corrcoef(torch.stack(pooled))[0, 1] > 0.8


def test_real_frames_keep_their_pictures():
    for number in range(6):
        sample = samples(supervision="partial", dropped=0.0)[number]
        shown = {frame.crop(Box(*REGION[:2], 128, 128), 64).tobytes() for frame in WHOLE.frames}
        assert all(image.numpy().tobytes() in shown for image in sample.images)


def test_places_are_those_of_training_with_the_right_centre():
    sample = real_sample((WHOLE[0], WHOLE[1]), 64)
    cell = WHOLE[0].candidate_cells[0]
    y, x = REGION.y + cell[0] * 127 / 16, REGION.x + cell[1] * 127 / 16
    height, width = FRAME
    assert sample.places[0, 0, 0].tolist() == pytest.approx(
        [(y - height / 2) / (PLACE_SCALE * width), (x - width / 2) / (PLACE_SCALE * width)], abs=1e-6
    )


def test_real_pairs_of_any_size_make_a_batch():
    few = mined([[2, 2]], [0.9], number=1)
    many = mined([[2, 2], [8, 8], [14, 2]], [0.9, 0.5, 0.1], number=2)
    one, other = real_sample((few, many), 64), real_sample((many, many), 64)
    batch = collate([one, other])
    assert batch.valid.tolist() == [[[True, False, False], [True] * 3], [[True] * 3, [True] * 3]]
    assert batch.partners[0].tolist() == [[0, UNKNOWN, UNKNOWN], [0, UNKNOWN, UNKNOWN]]
    assert batch.targets.tolist() == [[0, 0], [0, 0]]
    assert batch.cells[0, 1].tolist() == [[2, 2], [8, 8], [14, 2]]
    assert batch.scores[0].tolist() == [pytest.approx([0.9, 0, 0]), pytest.approx([0.9, 0.5, 0.1])]
    assert torch.equal(batch.images[1], other.images)


class Damaged(FakeDump):
    def __getitem__(self, index):
        if index % 2:
            raise DataError(f"frame {index} is damaged")
        return super().__getitem__(index)


def test_frames_that_cannot_be_read_are_replaced_and_named():
    found = [samples(Damaged(WHOLE.frames), supervision="self")[n] for n in range(8)]
    skipped = collate(found).skipped
    assert skipped
    assert all("is damaged" in line for line in skipped)


def test_a_dump_without_samples_is_given_up():
    hidden = FakeDump([replace(frame, target_cell=(0, 0)) for frame in WHOLE.frames])
    with pytest.raises(DataError, match="100 draws in a row gave no sample"):
        samples(hidden, supervision="partial", mining=False)[0]
    with pytest.raises(DataError, match="no frame of the categories"):
        samples(FakeDump([mined([[2, 2]], [0.9], number=n) for n in range(3)]))


def test_without_mining_samples_come_from_any_frame():
    lonely = FakeDump([mined([[2, 2]], [0.9], number=n) for n in range(3)])
    batch = collate([samples(lonely, mining=False)[n] for n in range(8)])
    assert np.isfinite(batch.places.numpy()).all()
