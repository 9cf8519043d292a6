"""From data sets of a recipe and folders of a user to what samples are drawn from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lockon.data.datasets.packing import pack
from lockon.data.synthetic import SyntheticConfig
from lockon.errors import DataError, RecipeError, UnknownNameError
from lockon.training.overrides import override
from lockon.training.recipe import DataConfig, SyntheticData
from lockon.training.recipes import RECIPES
from lockon.training.sources import open_sources, part_of_clips, with_data
from training.toy_data import ToyDataset, toy_sequence

DIMP = RECIPES["dimp18"]
ALL = [(name, Path("/data") / name) for name in ("lasot", "got10k", "trackingnet", "coco")]
SMALL = SyntheticConfig(frame_size=(80, 60), length=6, target_size=(15.0, 20.0), clutter=0, distractors=0)


def test_every_data_set_gets_its_folder():
    recipe, notes = with_data(DIMP, ALL)
    assert [(c.dataset, c.root) for c in recipe.data] == ALL
    assert [c.root for c in recipe.validation_data] == [Path("/data/got10k")]
    assert [c.weight for c in recipe.data] == [0.25, 1, 1, 1]
    assert notes == []
    assert replace(recipe, data=DIMP.data, validation_data=DIMP.validation_data) == DIMP


def test_data_sets_without_a_folder_are_named_with_the_command():
    with pytest.raises(RecipeError, match=r"'dimp18' needs trackingnet, coco: pass --data trackingnet=FOLDER coco="):
        with_data(DIMP, ALL[:2])


def test_missing_data_sets_can_be_left_out_and_the_log_says_so():
    recipe, notes = with_data(DIMP, [ALL[0], ALL[3]], allow_missing=True)
    assert [(c.dataset, c.weight) for c in recipe.data] == [("lasot", 0.25), ("coco", 1)]
    assert recipe.validation_data == ()
    assert notes == [
        "training without got10k, which has no folder",
        "training without trackingnet, which has no folder",
        "no validation: its data have no folder",
        "shares of the samples: lasot 20%, coco 80%",
    ]
    with pytest.raises(RecipeError, match=r"needs .*FOLDER\.$"):
        with_data(DIMP, [], allow_missing=True)


def test_a_data_set_of_weight_0_needs_no_folder():
    recipe, notes = with_data(override(DIMP, ["data.coco.weight=0"]), ALL[:3])
    assert [config.dataset for config in recipe.data] == ["lasot", "got10k", "trackingnet"]
    assert notes == []


def test_another_data_set_joins():
    recipe, notes = with_data(DIMP, [*ALL, ("davis", Path("/data/davis"))])
    assert recipe.data[-1] == DataConfig(dataset="davis", root=Path("/data/davis"))
    assert notes[0] == "davis joins the data of the recipe with weight 1"
    assert "davis 24%" in notes[1]


def test_mistakes_are_named():
    with pytest.raises(UnknownNameError, match=r"unknown data set 'lasott'\. Did you mean 'lasot'"):
        with_data(DIMP, [("lasott", Path("x"))])
    with pytest.raises(RecipeError, match="'coco' has two folders, /data/coco and y"):
        with_data(DIMP, [*ALL, ("coco", Path("y"))])


def test_photographs_go_to_the_synthetic_world():
    recipe, _ = with_data(RECIPES["lockon_s_backbone"], [("synthetic", Path("a")), ("synthetic", Path("b"))])
    assert recipe.data[0].photos == recipe.validation_data[0].photos == (Path("a"), Path("b"))
    with pytest.raises(RecipeError, match="'lockon_s_backbone' needs synthetic: pass --data synthetic=FOLDER"):
        with_data(RECIPES["lockon_s_backbone"], [])


def test_the_smoke_recipe_needs_nothing():
    assert with_data(RECIPES["smoke"], []) == (RECIPES["smoke"], [])


def test_finetuning_takes_one_folder_of_videos_for_training_and_validation():
    recipe, notes = with_data(RECIPES["finetune"], [("folder", Path("videos"))])
    assert [(c.root, c.part) for c in (*recipe.data, *recipe.validation_data)] == [
        (Path("videos"), "train"),
        (Path("videos"), "held_out"),
    ]
    assert notes == []


@dataclass(frozen=True)
class Clip:
    name: str
    clip: str

    def __len__(self):
        return 5


class Clips:
    name, is_video, fingerprint = "mine", True, "abc"

    def __init__(self, clips, targets=1):
        self._sequences = [Clip(f"{clip}-{k}", f"clip{clip}") for clip in range(clips) for k in range(targets)]

    def __len__(self):
        return len(self._sequences)

    def __getitem__(self, index):
        return self._sequences[index]


def names(selection):
    return [selection[i].name for i in range(len(selection))]


@pytest.mark.parametrize(("clips", "share", "expected"), [(2, 0.1, 1), (20, 0.1, 2), (3, 0.99, 2), (10, 0.5, 5)])
def test_clips_are_split_by_name_with_all_their_targets(clips, share, expected):
    data = Clips(clips, targets=3)
    train, held_out = (part_of_clips(data, part, share) for part in ("train", "held_out"))
    assert len(held_out) == 3 * expected
    assert sorted(names(train) + names(held_out)) == sorted(names(data))
    assert {name.split("-")[0] for name in names(train)}.isdisjoint(name.split("-")[0] for name in names(held_out))
    again = part_of_clips(data, "held_out", share)
    assert names(again) == names(held_out)
    assert again.fingerprint == held_out.fingerprint != train.fingerprint
    assert train.is_video


def test_a_part_says_what_is_to_be_said_about_the_whole():
    data = Clips(4)
    assert (part_of_clips(data, "train", 0.5).issues, part_of_clips(data, "train", 0.5).notes) == ((), ())
    data.issues, data.notes = ("two clips without boxes",), ("a folder without clips",)
    part = part_of_clips(data, "train", 0.5)
    assert (part.issues, part.notes) == (data.issues, data.notes)


def test_one_clip_cannot_be_split():
    with pytest.raises(DataError, match=r"'mine' has 1 clip, which cannot be split .*--set data\.0\.part=all"):
        part_of_clips(Clips(1, targets=4), "train", 0.1)


def test_synthetic_sequences_are_made_as_configured():
    (source,) = open_sources((SyntheticData(world=SMALL, length=3, first_seed=10, weight=0.5),))
    dataset, weight = source
    assert (len(dataset), weight, dataset.is_video) == (3, 0.5, True)
    assert dataset[0].name == "10"
    assert dataset[1] is not dataset[1]


def test_kept_sequences_are_made_once():
    (kept, _), (fresh, _) = open_sources(
        tuple(SyntheticData(world=SMALL, length=3, keep=keep) for keep in (True, False))
    )
    assert kept[1] is kept[1]
    assert kept[1].name == fresh[1].name
    assert kept.fingerprint == fresh.fingerprint
    assert len(kept) == 3


def test_held_out_sequences_have_a_box_in_every_frame():
    ((dataset, _),) = open_sources((SyntheticData(world=replace(SMALL, length=40), length=1, part="held_out"),))
    assert not np.isnan(dataset[0].boxes).any()


def test_training_and_validation_share_no_photograph(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(50):
        Image.new("RGB", (40, 40), (i, i, i)).save(tmp_path / "images" / f"{i}.png")
    fingerprints = {
        part: open_sources((SyntheticData(world=SMALL, length=1, photos=(tmp_path,), part=part),))[0][0].fingerprint
        for part in ("all", "train", "held_out")
    }
    assert len(set(fingerprints.values())) == 3


def test_a_data_set_may_be_packed_one_folder_for_each_split(tmp_path):
    pack(ToyDataset([toy_sequence(length=4)]), tmp_path / "lasot" / "train")
    config = DataConfig(dataset="lasot", split="train", root=tmp_path / "lasot", weight=2.0)
    ((dataset, weight),) = open_sources((config,))
    assert (len(dataset), len(dataset[0]), weight) == (1, 4, 2.0)
    np.testing.assert_allclose(dataset[0].boxes, toy_sequence(length=4).boxes)
    with pytest.raises(DataError, match=r"pack every split into a folder of its name, .*train/val"):
        open_sources((replace(config, root=tmp_path / "lasot" / "train", split="val"),))


def test_a_data_set_without_a_folder_is_not_opened():
    with pytest.raises(RecipeError, match="'lasot' has no folder: pass --data lasot=FOLDER"):
        open_sources((DataConfig(dataset="lasot"),))
