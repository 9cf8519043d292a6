import re
import shutil

import numpy as np
import pytest

from data.datasets.layouts import BOXES, lasot_sequence, make_lasot, number_of, write
from lockon.data.datasets.lasot import names_of_test_set, scan
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError, UnknownNameError


def names(dataset):
    return [sequence.name for sequence in dataset]


def test_visible_is_neither_occluded_nor_out_of_view(tmp_path):
    first, second = open_dataset("lasot", make_lasot(tmp_path / "LaSOT"))
    assert (first.name, first.category, len(first)) == ("airplane-2", "airplane", 4)
    assert first.visible.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(first.boxes, [*BOXES[:3], [np.nan] * 4])
    assert [number_of(first.frame(index)) for index in range(4)] == [1, 2, 3, 4]
    assert first.mask(0) is None
    assert (second.name, second.visible.all()) == ("zebra-3", True)


def test_the_test_set_is_never_read(tmp_path):
    assert len(names_of_test_set()) == 280
    assert "airplane-1" in names_of_test_set()
    assert "airplane-1" not in names(open_dataset("lasot", make_lasot(tmp_path), "train"))
    write(tmp_path / "lasot_train_val_split.txt", "zebra-3\nairplane-1\n")
    with pytest.raises(DataError, match="names 'airplane-1', which is in the test set"):
        open_dataset("lasot", tmp_path, "train-val")


def test_what_is_missing_of_the_1120_is_one_issue(tmp_path):
    (issue,) = open_dataset("lasot", make_lasot(tmp_path)).issues
    assert (issue.kind, issue.count) == ("left out", 1118)
    assert "1118 of the 1120 sequences" in issue.text


@pytest.mark.parametrize("levels", [".", "LaSOTBenchmark/airplane", "a/b"])
def test_folders_of_classes_may_be_missing_or_doubled(tmp_path, levels):
    nested = open_dataset("lasot", make_lasot(tmp_path / "as distributed"))
    root = tmp_path / "other"
    for name in ("zebra-3", "airplane-2", "airplane-1"):
        source = tmp_path / "as distributed" / name.partition("-")[0] / name
        shutil.copytree(source, root / levels / name)
    other = open_dataset("lasot", root)
    assert names(other) == names(nested)
    assert other.fingerprint == nested.fingerprint


def test_parts_for_the_association_network_come_from_the_users_lists(tmp_path, home):
    make_lasot(tmp_path)
    with pytest.raises(DataError, match=r"'lasot_train_train_split.txt'.*Put it in '.*' or '.*splits'"):
        open_dataset("lasot", tmp_path, "train-train")
    write(tmp_path / "lasot_train_train_split.txt", "airplane-2\nbear-1\n")
    write(home / "splits" / "lasot_train_val_split.txt", "zebra-3\n")
    train, val = open_dataset("lasot", tmp_path, "train-train"), open_dataset("lasot", tmp_path, "train-val")
    assert (names(train), names(val)) == (["airplane-2"], ["zebra-3"])
    assert train.issues[0].text.startswith("1 of the 2 sequences of lasot/train-train")
    assert val.issues == ()


def test_a_class_or_a_sequence_is_not_the_data_set(tmp_path):
    make_lasot(tmp_path / "LaSOT")
    with pytest.raises(DataError, match=r"only the class 'airplane'.*Give '.*LaSOT'"):
        open_dataset("lasot", tmp_path / "LaSOT" / "airplane")
    with pytest.raises(DataError, match=r"no folder of a sequence.*Give '.*airplane'"):
        open_dataset("lasot", tmp_path / "LaSOT" / "airplane" / "airplane-2")
    write(tmp_path / "zips" / "airplane.zip", "")
    with pytest.raises(DataError, match="Extract the archives in it first"):
        open_dataset("lasot", tmp_path / "zips")
    with pytest.raises(UnknownNameError, match="unknown split of lasot 'test'"):
        open_dataset("lasot", tmp_path / "LaSOT", "test")


def test_damage_of_one_sequence_leaves_the_others(tmp_path):
    make_lasot(tmp_path)
    (tmp_path / "zebra" / "zebra-3" / "out_of_view.txt").unlink()
    shutil.rmtree(tmp_path / "airplane" / "airplane-2" / "img")
    lasot_sequence(tmp_path / "bear" / "bear-1", occluded=(0, 0))
    lasot_sequence(tmp_path / "bear" / "bear-3", boxes=[*BOXES, (9, 9, 9, 9)], outside=(0, 0, 0, 0, 0))
    dataset = open_dataset("lasot", tmp_path)
    assert [(sequence.name, len(sequence)) for sequence in dataset] == [("bear-1", 2), ("bear-3", 4)]
    found = {issue.sequence: (issue.kind, issue.text) for issue in dataset.issues}
    assert found["zebra-3"][0] == found["airplane-2"][0] == "left out"
    assert re.fullmatch(
        r"cannot read '.*out_of_view\.txt': .* Copy or extract this part again\.", found["zebra-3"][1]
    )
    assert "img' is missing" in found["airplane-2"][1]
    assert found["bear-1"] == (
        "frames",
        "'bear-1' has 4 boxes, 2 labels, 4 labels, 4 images; the 2 frames that have all are used.",
    )
    assert found["bear-3"][1].startswith("'bear-3' has 5 boxes, 4 labels, 5 labels, 4 images; the 4 frames")


def test_shadows_of_archives_and_marks_of_editors(tmp_path):
    root = make_lasot(tmp_path)
    write(root / "__MACOSX" / "airplane" / "airplane-2" / "._img", "shadow")
    (root / "lasot_train_val_split.txt").write_text("airplane-2\n", encoding="utf-8-sig")
    (sequence,) = open_dataset("lasot", root, "train-val")
    assert sequence.frame_path(0).relative_to(root).as_posix() == "airplane/airplane-2/img/00000001.jpg"


def test_the_clips_do_not_depend_on_the_order_of_the_file_system(tmp_path):
    root = make_lasot(tmp_path)
    assert [clip.name for clip in scan(root, "train").clips] == ["airplane-2", "zebra-3", "lasot"]
