import shutil

import pytest

from data.datasets.layouts import lines, make_trackingnet, number_of, write
from lockon.data.datasets.registry import open_dataset
from lockon.data.datasets.trackingnet import sets_of
from lockon.errors import DataError, UnknownNameError


def test_frames_are_in_the_order_of_their_numbers_from_0(tmp_path):
    (sequence,) = open_dataset("trackingnet", make_trackingnet(tmp_path), "train_1")
    assert (sequence.name, sequence.category, len(sequence)) == ("v1_a-b", None, 12)
    assert [number_of(sequence.frame(index)) for index in (0, 2, 9, 10, 11)] == [0, 2, 9, 10, 11]
    assert sequence.boxes[10].tolist() == [10.5, 11.25, 20, 10]
    assert sequence.visible.all()


def test_sets_by_name():
    assert sets_of("train") == list(range(12))
    assert sets_of("train_0-3") == [0, 1, 2, 3]
    assert sets_of("train_11") == [11]
    assert sets_of("train_7,0-2,1") == [0, 1, 2, 7]
    for split in ("test", "TEST", "train_12", "train_", "train_3-1", "train_a", "train_1-", "val"):
        with pytest.raises(UnknownNameError, match=r"unknown split of trackingnet.*train_0-3"):
            sets_of(split)


def test_sets_make_one_data_set(tmp_path):
    dataset = open_dataset("trackingnet", make_trackingnet(tmp_path, (0, 1, 3)), "train_0-1,3")
    assert [sequence.name for sequence in dataset] == ["v0_a-b", "v1_a-b", "v3_a-b"]
    with pytest.raises(DataError, match=r"TRAIN_2' is missing.*name those that are there"):
        open_dataset("trackingnet", tmp_path, "train_0-3")


def test_frames_that_were_not_extracted(tmp_path):
    make_trackingnet(tmp_path)
    shutil.rmtree(tmp_path / "TRAIN_0" / "frames" / "v0_a-b")
    dataset = open_dataset("trackingnet", tmp_path, "train_0-1")
    assert [sequence.name for sequence in dataset] == ["v1_a-b"]
    (issue,) = dataset.issues
    assert (issue.sequence, issue.kind) == ("v0_a-b", "left out")
    assert issue.text.endswith("Extract 'zips/v0_a-b.zip' into it.")
    with pytest.raises(DataError, match=r"can be used.*v0_a-b' is missing"):
        open_dataset("trackingnet", tmp_path, "train_0")
    shutil.rmtree(tmp_path / "TRAIN_0" / "frames")
    with pytest.raises(DataError, match=r"TRAIN_0' has no folder 'frames'. Extract the archives in 'zips'"):
        open_dataset("trackingnet", tmp_path, "train_0")


def test_frames_that_arrive_later_are_found(tmp_path):
    make_trackingnet(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "TRAIN_0" / "frames" / "v0_a-b")
    assert len(open_dataset("trackingnet", tmp_path / "half", "train_0-1")) == 1
    shutil.copytree(tmp_path / "whole" / "TRAIN_0", tmp_path / "half" / "TRAIN_0", dirs_exist_ok=True)
    assert len(open_dataset("trackingnet", tmp_path / "half", "train_0-1")) == 2


@pytest.mark.parametrize("text", ["", "1,2,3,4,5\n", "1,2,three,4\n", "\x00"])
def test_a_broken_annotation_leaves_one_video_out(tmp_path, text):
    make_trackingnet(tmp_path)
    write(tmp_path / "TRAIN_0" / "anno" / "v0_a-b.txt", text)
    dataset = open_dataset("trackingnet", tmp_path, "train_0-1")
    assert [sequence.name for sequence in dataset] == ["v1_a-b"]
    assert [issue.kind for issue in dataset.issues] == ["left out"]


def test_a_missing_first_frame_does_not_shift_the_boxes(tmp_path):
    (make_trackingnet(tmp_path) / "TRAIN_0" / "frames" / "v0_a-b" / "0.jpg").unlink()
    (sequence,) = open_dataset("trackingnet", tmp_path, "train_0")
    assert (len(sequence), number_of(sequence.frame(0)), sequence.boxes[0, 0]) == (11, 1, 1.5)


def test_boxes_of_no_size_are_not_visible(tmp_path):
    make_trackingnet(tmp_path)
    rows = [(1, 2, 3, 4)] * 11 + [(1, 2, 3, 0)]
    write(tmp_path / "TRAIN_0" / "anno" / "v0_a-b.txt", lines(rows))
    (sequence,) = open_dataset("trackingnet", tmp_path, "train_0")
    assert sequence.visible.tolist() == [True] * 11 + [False]


def test_a_set_is_not_the_data_set(tmp_path):
    make_trackingnet(tmp_path / "TrackingNet")
    for folder in (tmp_path, tmp_path / "TrackingNet" / "TRAIN_0", tmp_path / "TrackingNet" / "TRAIN_0" / "anno"):
        with pytest.raises(DataError, match=r"Give '.*TrackingNet', which has it"):
            open_dataset("trackingnet", folder)
