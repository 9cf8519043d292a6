import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from data.datasets.layouts import MAKERS, make_davis
from lockon.data.datasets.registry import OPENERS, READERS, dataset_around, detect_dataset, find_reader, open_dataset
from lockon.errors import DataError, UnknownNameError


@pytest.mark.parametrize("name", READERS)
class TestEveryReader:
    @pytest.fixture
    def dataset(self, name, tmp_path):
        return open_dataset(name, MAKERS[name](tmp_path / "data"))

    def test_keeps_the_promises_of_a_data_set(self, name, dataset):
        assert dataset.name == f"{name}/{find_reader(name).splits[0]}"
        assert len(dataset.fingerprint) == 64
        assert dataset.is_video == (name != "coco")
        names = [sequence.name for sequence in dataset]
        assert len(set(names)) == len(names) == len(dataset)
        for sequence in dataset:
            assert sequence.boxes.shape == (len(sequence), 4)
            assert sequence.visible.shape == (len(sequence),)
            assert sequence.visible.any()
            assert (sequence.boxes[sequence.visible, 2:] > 0).all()
            image = sequence.frame(len(sequence) - 1)
            assert image.dtype == np.uint8
            mask = sequence.mask(0)
            assert mask is None or mask.shape == image.shape[:2]

    def test_is_found_again_and_travels_to_workers(self, name, dataset):
        again = open_dataset(name, dataset.root, progress=lambda *_: pytest.fail("looked through again"))
        copy = pickle.loads(pickle.dumps(dataset))
        for other in (again, copy):
            assert [sequence.name for sequence in other] == [sequence.name for sequence in dataset]
            assert (other.fingerprint, other.issues) == (dataset.fingerprint, dataset.issues)

    def test_is_recognised_by_its_files(self, name, dataset):
        assert detect_dataset(dataset.root) == name

    def test_says_what_is_wrong_with_an_empty_folder_and_an_unknown_split(self, name, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="empty"):
            open_dataset(name, tmp_path / "empty")
        assert detect_dataset(tmp_path / "empty") is None
        with pytest.raises(UnknownNameError, match=f"unknown split of {name} 'trian'"):
            open_dataset(name, tmp_path / "empty", "trian")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("trackingnet", "TRAIN_0/frames"),
        ("got10k", "train/GOT-10k_Train_000001"),
        ("imagenet_vid", "Data/VID/train"),
        ("coco", "annotations"),
        ("youtube_vos", "train"),
        ("davis", "JPEGImages/480p"),
    ],
)
def test_a_part_of_a_data_set_tells_which(tmp_path, monkeypatch, name, part):
    MAKERS[name](tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for folder in (Path("data", part), tmp_path / "data" / part):
        assert dataset_around(folder) == (name, tmp_path / "data")
    assert dataset_around(tmp_path / "data") is None


def test_the_list_of_youtube_vos_is_no_json_of_coco(tmp_path):
    assert detect_dataset(MAKERS["youtube_vos"](tmp_path) / "train") == "folder"


def test_a_name_that_is_wrong_brings_up_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown data set 'lasto'. Did you mean 'lasot'"):
        open_dataset("lasto", tmp_path)
    with pytest.raises(UnknownNameError, match=r"Known:.*shards"):
        open_dataset("webdataset", tmp_path)


def test_data_sets_with_a_function_of_their_own_are_opened_by_it(tmp_path, monkeypatch):
    module = types.ModuleType("openers_of_a_test")
    module.with_index = lambda root, split, *, size=1, rebuild, progress: (root, split, size, rebuild, progress)
    module.without = lambda root, split: (root, split)
    monkeypatch.setitem(sys.modules, "openers_of_a_test", module)
    monkeypatch.setitem(OPENERS, "folder", "openers_of_a_test:with_index")
    monkeypatch.setitem(OPENERS, "synthetic", "openers_of_a_test:without")
    assert open_dataset("folder", tmp_path, "a", size=3, rebuild=True) == (tmp_path, "a", 3, True, None)
    assert open_dataset("synthetic", tmp_path, rebuild=True, progress=print) == (tmp_path, None)
    with pytest.raises(DataError, match="folder has no option 'length'; its options: size"):
        open_dataset("folder", tmp_path, length=3)


@pytest.mark.parametrize("name", OPENERS)
def test_their_functions_are_there(name, tmp_path):
    with pytest.raises(DataError, match="has no option 'nonsense'"):
        open_dataset(name, tmp_path, nonsense=1)


def test_a_path_as_users_write_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_davis(tmp_path / "davis")
    assert len(open_dataset("davis", "~/davis")) == 2
