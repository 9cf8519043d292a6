import shutil

import numpy as np
import pytest

from data.datasets.layouts import make_imagenet_vid, number_of, write
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError

VIDEO = "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"


def test_every_track_is_a_sequence_from_its_first_frame_to_its_last(tmp_path):
    first, second = open_dataset("imagenet_vid", make_imagenet_vid(tmp_path))
    assert (first.name, first.category) == ("ILSVRC2015_train_00000000/0", "n02084071")
    np.testing.assert_array_equal(first.boxes, [[1, 2, 20, 10], [2, 3, 20, 10], [np.nan] * 4, [4, 5, 20, 10]])
    assert first.visible.tolist() == [True, False, False, True], "occluded in frame 1, not annotated in frame 2"
    assert [number_of(first.frame(index)) for index in range(4)] == [0, 1, 2, 3]
    assert (second.name, second.category, len(second)) == ("ILSVRC2015_train_00000000/1", "n02121808", 2)
    assert [number_of(second.frame(index)) for index in range(2)] == [1, 2]
    assert first.clip != second.clip


def test_validation_videos_have_no_folders_of_groups(tmp_path):
    (sequence,) = open_dataset("imagenet_vid", make_imagenet_vid(tmp_path), "val")
    assert sequence.boxes.tolist() == [[1, 2, 3, 4]]


def test_images_and_annotations_that_differ(tmp_path):
    make_imagenet_vid(tmp_path)
    (tmp_path / "Data/VID/train" / VIDEO / "000001.JPEG").unlink()
    (tmp_path / "Annotations/VID/train" / VIDEO / "000004.xml").unlink()
    dataset = open_dataset("imagenet_vid", tmp_path)
    assert [(issue.kind, issue.count) for issue in dataset.issues] == [("frames", 2)]
    assert [number_of(dataset[0].frame(index)) for index in range(len(dataset[0]))] == [0, 2, 3]
    assert dataset[0].boxes[:, 0].tolist()[::2] == [1, 4]
    assert dataset[1].boxes.tolist() == [[6, 7, 7, 8]]


@pytest.mark.parametrize(
    "text", ["<annotation><object>", "<annotation><object><bndbox><xmin>a</xmin></bndbox></object></annotation>"]
)
def test_a_broken_annotation_leaves_the_video_out(tmp_path, text):
    make_imagenet_vid(tmp_path)
    write(tmp_path / "Annotations/VID/train" / VIDEO / "000002.xml", text)
    with pytest.raises(DataError, match=r"000002\.xml' is not an annotation of ImageNet-VID"):
        open_dataset("imagenet_vid", tmp_path)


def test_annotations_without_images(tmp_path):
    make_imagenet_vid(tmp_path / "ILSVRC")
    with pytest.raises(DataError, match=r"Give '.*ILSVRC', which has it"):
        open_dataset("imagenet_vid", tmp_path)
    shutil.rmtree(tmp_path / "ILSVRC" / "Data" / "VID" / "train" / VIDEO)
    with pytest.raises(DataError, match=r"no sequence.*is missing"):
        open_dataset("imagenet_vid", tmp_path / "ILSVRC")
    shutil.rmtree(tmp_path / "ILSVRC" / "Data")
    with pytest.raises(DataError, match="the annotations are there, the images are not"):
        open_dataset("imagenet_vid", tmp_path / "ILSVRC")
