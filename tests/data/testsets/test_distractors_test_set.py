import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from lockon.data.synthetic import ImageBank, SyntheticWorld
from lockon.data.synthetic.bank import Photo
from lockon.data.testsets.distractors import (
    FIRST_SEED,
    DistractorTestSet,
    objects_of,
    shows,
    world_of,
    write_distractors,
)
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError, OutputError
from lockon.training.recipes import RECIPES

_PIXELS = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
BANK = ImageBank([Photo(_PIXELS, (np.pad(np.ones((40, 40), dtype=bool), 10),))])
SMALL = DistractorTestSet(count=3, length=80, frame_size=(96, 72), photos=BANK.fingerprint)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("distractors") / "new"
    write_distractors(root, SMALL, BANK)
    return root


def test_it_is_opened_with_the_boxes_of_all_look_alikes(made):
    test_set = open_test_set("distractors", made)
    assert [sequence.name for sequence in test_set.sequences] == ["crossing_00", "occlusion_00", "absence_00"]
    assert (test_set.protocol, test_set.excluded) == ("identity", ())
    for sequence in test_set.sequences:
        assert sequence.attributes == {sequence.name.removesuffix("_00")} <= test_set.attributes.keys()
        truth = sequence.truth
        assert truth.look_alikes.shape[1:] == truth.boxes.shape == (80, 4)
        assert 1 <= len(truth.look_alikes) <= 3
        assert not np.isnan(truth.boxes).any()
        np.testing.assert_allclose(sequence.start, truth.boxes[0], atol=0.01)
        assert sequence.frame(79).shape == (72, 96, 3)
    assert (~test_set["absence_00"].truth.visible).sum() >= 15
    assert test_set["absence_00"].truth.visible[[0, -1]].all()


def test_other_readers_see_frames_and_boxes_alone(made):
    sequence = open_test_set("folder", made)["absence_00"]
    ours = open_test_set("distractors", made)["absence_00"].truth
    assert np.array_equal(sequence.truth.visible, ours.visible)
    np.testing.assert_allclose(sequence.truth.boxes[ours.visible], ours.boxes[ours.visible], atol=0.01)


def test_one_that_was_made_in_part_is_completed_to_the_same_files(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "absence_00" / "groundtruth.txt").unlink()
    (tmp_path / "absence_00" / "objects.txt").write_text("half-writ")
    (tmp_path / "crossing_00" / "frames" / "00000003.jpg").write_bytes(b"kept")
    assert [name for name, _ in open_test_set("distractors", tmp_path).excluded] == ["absence_00"]
    said = []
    write_distractors(tmp_path, SMALL, BANK, lambda *progress: said.append(progress))
    assert said == [(1, 3), (2, 3), (3, 3)]
    assert contents(tmp_path / "absence_00") == contents(made / "absence_00")
    assert (tmp_path / "crossing_00" / "frames" / "00000003.jpg").read_bytes() == b"kept"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_other_recipes_and_photographs_are_refused(made, tmp_path):
    with pytest.raises(OutputError, match="made otherwise"):
        write_distractors(made, replace(SMALL, count=6), BANK)
    with pytest.raises(DataError, match="other photographs"):
        write_distractors(tmp_path, SMALL)
    recipe = json.loads((made / "distractors.json").read_text())
    (tmp_path / "distractors.json").write_text(json.dumps(recipe | {"colour": "red"}))
    with pytest.raises(DataError, match=r"no recipe of a synthetic test set: KeyError\('colour'\)"):
        open_test_set("distractors", tmp_path)


def test_damaged_objects_exclude_their_sequence(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    objects = tmp_path / "crossing_00" / "objects.txt"
    objects.write_text(objects.read_text().replace(",", ",x", 1))
    (excluded,) = open_test_set("distractors", tmp_path).excluded
    assert excluded[0] == "crossing_00"
    assert "objects.txt' is not five numbers" in excluded[1]


def objects(target_seen, other_seen=1.0, apart=2.0):
    """One look-alike `apart` sizes to the right of a target whose visibility is told for every frame."""
    frames = len(target_seen)
    told = np.zeros((frames, 2, 5))
    told[..., 2:4] = 10
    told[:, 0, 4], told[:, 1, 4] = target_seen, other_seen
    told[:, 1, 0] = 10 * np.broadcast_to(apart, frames)
    return told


CLEAR, LONG, SHORT = np.ones(60), np.ones(60), np.ones(60)
LONG[20:40], SHORT[20:28] = 0, 0


def test_sequences_in_which_nothing_happens_are_passed_over():
    meeting = np.where(np.arange(60) == 30, 0.3, 2.0)
    assert shows("crossing", objects(CLEAR, apart=meeting))
    assert not shows("crossing", objects(CLEAR))
    assert shows("occlusion", objects(SHORT))
    assert not shows("occlusion", objects(CLEAR))
    assert shows("absence", objects(LONG))
    assert not shows("absence", objects(SHORT))
    assert not shows("absence", objects(LONG, other_seen=np.where(np.arange(60) == 30, 0.1, 1.0)))
    assert not shows("absence", objects(np.where(np.arange(60) == 0, 0.8, LONG)))
    assert not shows("absence", objects(np.where(np.arange(60) > 55, 0.3, LONG)))


def test_nothing_is_trained_on_its_numbers():

    last = max(
        config.first_seed + config.length
        for recipe in RECIPES.values()
        for config in (*recipe.data, *recipe.validation_data)
        if hasattr(config, "first_seed")
    )
    assert last < FIRST_SEED


def test_objects_are_the_target_and_then_the_look_alikes():

    sequence = SyntheticWorld(world_of(SMALL, "crossing"), BANK).sequence(5)
    told = objects_of(replace(sequence, length=2))
    assert told.shape == (2, 1 + len(sequence.look_alikes), 5)
    assert told[1, 0].tolist() == [*sequence.box(1), sequence.visibility(1)]
    assert told[1, 1, :4].tolist() == list(sequence.distractors(1)[0])
