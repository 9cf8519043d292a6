import shutil

import numpy as np
import pytest

from data.datasets.layouts import BOXES, make_got10k, number_of, write
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError

TRAIN = [f"GOT-10k_Train_{number:06d}" for number in (1, 2, 3)]


def names(dataset):
    return [sequence.name for sequence in dataset]


def test_visible_is_not_absent_and_some_of_it_uncovered(tmp_path):
    dataset = open_dataset("got10k", make_got10k(tmp_path))
    assert names(dataset) == TRAIN
    assert [sequence.category for sequence in dataset] == ["jaguar", "boat", "jaguar"]
    assert dataset[0].visible.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(dataset[0].boxes, BOXES)
    assert [number_of(dataset[0].frame(index)) for index in range(4)] == [1, 2, 3, 4]
    assert names(open_dataset("got10k", tmp_path, "val")) == ["GOT-10k_Val_000001"]


def test_the_splits_without_vot_are_lines_of_the_list_from_0(tmp_path):
    make_got10k(tmp_path)
    with pytest.raises(DataError, match=r"'got10k_vot_train_split.txt'.*from 0.*Put it in"):
        open_dataset("got10k", tmp_path, "vot-train")
    write(tmp_path / "got10k_vot_train_split.txt", "2\n0\n")
    write(tmp_path / "got10k_vot_val_split.txt", "1\n")
    assert names(open_dataset("got10k", tmp_path, "vot-train")) == [TRAIN[2], TRAIN[0]]
    assert names(open_dataset("got10k", tmp_path, "vot-val")) == [TRAIN[1]]


@pytest.mark.parametrize(
    ("text", "message"), [("3\n", "from 0 to 2"), ("-1\n", "from 0"), ("", "from 0"), ("1\n1", "twice")]
)
def test_a_list_that_is_not_of_lines_is_refused(tmp_path, text, message):
    write(make_got10k(tmp_path) / "got10k_vot_train_split.txt", text)
    with pytest.raises(DataError, match=message):
        open_dataset("got10k", tmp_path, "vot-train")


def test_a_changed_list_gives_a_changed_data_set(tmp_path):
    make_got10k(tmp_path)
    write(tmp_path / "got10k_vot_train_split.txt", "0\n")
    before = open_dataset("got10k", tmp_path, "vot-train")
    write(tmp_path / "got10k_vot_train_split.txt", "1\n2\n")
    assert names(open_dataset("got10k", tmp_path, "vot-train")) == TRAIN[1:]
    assert len(before) == 1


def test_a_half_copied_set(tmp_path):
    make_got10k(tmp_path)
    shutil.rmtree(tmp_path / "train" / TRAIN[0])
    (tmp_path / "train" / TRAIN[1] / "cover.label").write_text("8\n\n8\n")
    (tmp_path / "train" / TRAIN[2] / "meta_info.ini").write_text("no section\n")
    dataset = open_dataset("got10k", tmp_path)
    assert [(sequence.name, len(sequence), sequence.category) for sequence in dataset] == [
        (TRAIN[1], 2, "boat"),
        (TRAIN[2], 4, None),
    ]
    assert [(issue.sequence, issue.kind) for issue in dataset.issues] == [
        (TRAIN[0], "left out"),
        (TRAIN[1], "frames"),
    ]
    for name in TRAIN[1:]:
        shutil.rmtree(tmp_path / "train" / name)
    with pytest.raises(DataError, match=r"no sequence of got10k/train.*3 reasons.*Copy or extract this part again"):
        open_dataset("got10k", tmp_path)


def test_the_folder_above_or_below(tmp_path):
    make_got10k(tmp_path / "full_data")
    with pytest.raises(DataError, match=r"no 'train/list.txt'. Give '.*full_data', which has it"):
        open_dataset("got10k", tmp_path)
    with pytest.raises(DataError, match=r"Give '.*full_data', which has it"):
        open_dataset("got10k", tmp_path / "full_data" / "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no 'train/list.txt'"):
        open_dataset("got10k", tmp_path / "empty")
