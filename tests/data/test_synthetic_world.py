from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lockon.boxes import Box, iou
from lockon.data.synthetic import ImageBank, SyntheticConfig, SyntheticWorld
from lockon.data.synthetic.motion import Route, bend_points, unbend_points
from lockon.errors import DataError

SMALL = SyntheticConfig(frame_size=(160, 120), length=20, target_size=(20.0, 40.0))
CLEAN = SyntheticConfig(
    frame_size=(160, 120), length=20, target_size=(30.0, 50.0), distractors=0, clutter=0, occluder_probability=0.0
)


def mask_box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0])


def photo_folder(root, count=4):
    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(root / "images" / f"{i}.png")
        mask = np.zeros((90, 120), dtype=np.uint8)
        mask[20:70, 30:90] = 255
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    return root


@pytest.fixture(params=["procedural", "photographs"])
def bank(request, tmp_path):
    return None if request.param == "procedural" else ImageBank.load([photo_folder(tmp_path)])


def test_a_number_always_gives_the_same_sequence(bank):
    first, second = (SyntheticWorld(SMALL, bank).sequence(7) for _ in range(2))
    other = SyntheticWorld(SMALL, bank).sequence(8)
    assert np.array_equal(first.frame(3), second.frame(3))
    assert first.box(3) == second.box(3)
    assert not np.array_equal(first.frame(3), other.frame(3))


def test_frames_are_images_of_the_configured_size(bank):
    sequence = SyntheticWorld(SMALL, bank).sequence(1)
    assert len(sequence) == 20
    assert sequence.frame(0).shape == (120, 160, 3)
    assert sequence.frame(0).dtype == np.uint8
    assert sequence.frame(0).std() > 5


@pytest.mark.parametrize("seed", range(6))
def test_box_fits_the_mask(seed, bank):
    sequence = SyntheticWorld(CLEAN, bank).sequence(seed)

    inside = [i for i in range(20) if Box.parse(sequence.box(i)).x > 1 and sequence.visibility(i) > 0.999]
    assert inside
    for i in inside[:5]:
        found, told = mask_box(sequence.mask(i)), sequence.box(i)
        assert iou(torch.tensor(found).float(), torch.tensor(told).float()) > 0.85
        assert abs(np.array(found) - np.array(told)).max() < 2.5


@pytest.mark.parametrize("seed", range(4))
def test_box_fits_the_mask_of_a_strongly_changing_target(seed):
    sequence = SyntheticWorld(replace(CLEAN, change=2.0, motion=3.0)).sequence(seed)
    assert max(abs(sequence.layers[sequence.target].path(i).tilt).max() for i in range(20)) > 0.02
    inside = [i for i in range(20) if Box.parse(sequence.box(i)).x > 1 and sequence.visibility(i) > 0.999]
    assert inside
    for i in inside[:5]:
        assert abs(np.array(mask_box(sequence.mask(i))) - np.array(sequence.box(i))).max() < 2.5


def test_a_window_is_no_sharper_than_the_frame():
    sequence = SyntheticWorld(replace(SMALL, degradation=0.0)).sequence(5)
    window = sequence.render(4, Box(40.5, 30.25, 16, 12), (96, 128))
    part = (40.5, 30.25, 56.5, 42.25)
    expected = Image.fromarray(sequence.frame(4)).resize((128, 96), Image.Resampling.BILINEAR, part)
    inner = (slice(8, -8), slice(8, -8))
    assert abs(window.astype(int) - np.array(expected).astype(int))[inner].mean() < 1
    sharp = abs(np.diff(window.astype(int), axis=1)).max()
    assert sharp <= abs(np.diff(sequence.frame(4).astype(int), axis=1)).max() / 4


def test_compression_loses_a_little():
    plain = SyntheticWorld(replace(SMALL, degradation=0.0)).sequence(3)
    frame = replace(plain, quality=30).frame(2).astype(int)
    assert 0.3 < abs(frame - plain.frame(2)).mean() < 20
    qualities = [
        SyntheticWorld(replace(SMALL, compression_probability=0.5)).sequence(seed).quality for seed in range(12)
    ]
    assert None in qualities
    assert any(qualities)


def test_sequences_have_their_own_speed():
    def shortest_period(seed):
        sequence = SyntheticWorld(replace(CLEAN, motion_spread=1.0)).sequence(seed)
        return 2 * np.pi / sequence.layers[sequence.target].path.centre.frequency.max()

    periods = [shortest_period(seed) for seed in range(40)]
    assert min(periods) < 25  # 30 frames at speed 1
    assert max(periods) > 40


def test_window_shows_what_the_frame_shows():
    config = SyntheticConfig(frame_size=(160, 120), length=20, target_size=(40.0, 50.0), degradation=0.0)
    sequence = SyntheticWorld(config).sequence(5)
    window = sequence.render(4, Box(32, 24, 64, 48), (48, 64)).astype(int)
    assert abs(window - sequence.frame(4)[24:72, 32:96].astype(int)).mean() < 1


def test_beyond_the_frame_its_border_is_replicated():
    sequence = SyntheticWorld(SyntheticConfig(frame_size=(160, 120), degradation=0.0)).sequence(5)
    crop = sequence.render(0, Box(-40, 0, 80, 80), (80, 80))
    assert (crop[:, :39] == crop[:, 39:40]).all()
    assert (crop[:, 41:] != crop[:, 40:41]).any()


def lowest_visibility(config, seed):
    sequence = SyntheticWorld(config).sequence(seed)
    return min(sequence.visibility(i) for i in range(0, len(sequence), 4))


def test_occluders_lower_the_visibility():
    plain = SyntheticConfig(frame_size=(160, 120), target_size=(30.0, 40.0), distractors=0, occluder_probability=0.0)
    hidden = replace(plain, occluder_probability=1.0)
    assert min(lowest_visibility(plain, seed) for seed in range(3)) > 0.8
    assert min(lowest_visibility(hidden, seed) for seed in range(5)) < 0.6


def test_excursions_leave_the_view_and_come_back():
    config = SyntheticConfig(
        frame_size=(160, 120), excursion_probability=1.0, occluder_probability=0.0, distractors=0
    )
    sequence = SyntheticWorld(config).sequence(2)
    visible = np.array([sequence.visibility(i) for i in range(100)])
    assert visible[:20].min() > 0.5
    assert visible.min() == 0
    assert visible[95:].min() > 0.5


def test_distractors_are_counted_and_placed():
    sequences = [SyntheticWorld(SyntheticConfig(distractors=3)).sequence(seed) for seed in range(12)]
    counts = {len(sequence.distractors(0)) for sequence in sequences}
    assert counts <= {0, 1, 2, 3}
    assert len(counts) > 1
    several = next(sequence for sequence in sequences if len(sequence.distractors(0)) > 1)
    assert several.distractors(0)[0] != several.distractors(0)[1] != several.box(0)


def test_bending_and_unbending_are_inverse():
    uv = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    bend = np.array([0.1, -0.04, 0.05, 0.03])
    assert np.allclose(bend_points(unbend_points(uv, bend), bend), uv, atol=1e-3)


def test_bank_reads_masks_polygons_and_plain_images(tmp_path):
    root = photo_folder(tmp_path, count=2)
    (root / "labels").mkdir()
    (root / "masks" / "1.png").unlink()
    (root / "labels" / "1.txt").write_text("0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n")
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(root / "ground.png")
    bank = ImageBank.load([root])
    assert sorted(len(photo.masks) for photo in bank.photos) == [0, 1, 1]
    polygon = bank.photos[2].masks[0]
    assert polygon[45, 60]
    assert abs(polygon.mean() - 0.25) < 0.02
    training, held_out = bank.split(1 / 3)
    assert (len(training.photos), len(held_out.photos)) == (2, 1)
    assert ImageBank.load([root], held_out=1 / 3).fingerprint == held_out.fingerprint != training.fingerprint


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="no images"):
        ImageBank.load([tmp_path])


def test_a_route_rests_goes_gently_and_arrives():
    route = Route(np.array([10.0, 20.0, 40.0]), np.array([[0.0, 0.0], [8.0, -4.0], [8.0, 0.0]]))
    assert route(-5).tolist() == route(10).tolist() == [0, 0]
    assert route(15).tolist() == [4, -2]
    assert route(12.5) == pytest.approx([8 * 0.15625, -4 * 0.15625])  # 3 s² − 2 s³ at a quarter
    assert route(20).tolist() == [8, -4]
    assert route(99).tolist() == [8, 0]
