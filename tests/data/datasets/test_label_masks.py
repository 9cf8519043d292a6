import shutil

import numpy as np
import pytest

from data.datasets.layouts import VOS_FRAMES, make_davis, make_youtube_vos, number_of, write
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError


def assert_objects(first, second):
    np.testing.assert_array_equal(first.boxes, [[4, 5, 6, 7], [5, 5, 6, 7], [np.nan] * 4])
    np.testing.assert_array_equal(second.boxes, [[np.nan] * 4, [30, 20, 8, 9], [31, 20, 8, 9]])
    assert first.visible.tolist() == [True, True, False]
    assert second.visible.tolist() == [False, True, True]
    for index, pixels in enumerate(VOS_FRAMES):
        np.testing.assert_array_equal(first.mask(index), pixels == 1)
        np.testing.assert_array_equal(second.mask(index), pixels == 3)
    assert first.clip == second.clip


def test_davis_has_a_sequence_for_every_object_and_none_for_void(tmp_path):
    dataset = open_dataset("davis", make_davis(tmp_path))
    assert [(sequence.name, sequence.category) for sequence in dataset] == [("bear/1", None), ("bear/3", None)]
    assert_objects(*dataset)
    assert [number_of(dataset[0].frame(index)) for index in range(3)] == [0, 1, 2]


def test_youtube_vos_has_the_annotated_frames_alone(tmp_path):
    dataset = open_dataset("youtube_vos", make_youtube_vos(tmp_path))
    assert [(sequence.name, sequence.category) for sequence in dataset] == [
        ("0043f083b5/1", "ape"),
        ("0043f083b5/3", "fox"),
    ]
    assert_objects(*dataset)
    assert [number_of(dataset[0].frame(index)) for index in range(3)] == [0, 5, 10]


@pytest.mark.parametrize("lost", ["JPEGImages/480p/bear/00001.jpg", "Annotations/480p/bear/00001.png"])
def test_masks_without_images_and_images_without_masks(tmp_path, lost):
    (make_davis(tmp_path) / lost).unlink()
    dataset = open_dataset("davis", tmp_path)
    assert [len(sequence) for sequence in dataset] == [2, 2]
    np.testing.assert_array_equal(dataset[1].mask(1), VOS_FRAMES[2] == 3)
    assert [(issue.kind, issue.count) for issue in dataset.issues] == [("frames", 1)]


@pytest.mark.parametrize("damage", ["unreadable", "colours", "unnumbered", "no masks"])
def test_damaged_masks_leave_the_video_out(tmp_path, damage):
    folder = make_davis(tmp_path) / "Annotations/480p/bear"
    if damage == "unreadable":
        (folder / "00001.png").write_bytes(b"damaged")
    elif damage == "colours":
        shutil.copy(tmp_path / "JPEGImages/480p/bear/00001.jpg", folder / "00001.png")
    elif damage == "unnumbered":
        (folder / "00001.png").rename(folder / "first.png")
    else:
        shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"no sequence of davis/train.*'bear'|/bear"):
        open_dataset("davis", tmp_path)


def test_a_mask_that_is_damaged_later_is_an_error_of_that_frame(tmp_path):
    dataset = open_dataset("davis", make_davis(tmp_path))
    (tmp_path / "Annotations/480p/bear/00001.png").write_bytes(b"damaged")
    assert dataset[0].mask(0).any()
    with pytest.raises(DataError, match=r"00001\.png"):
        dataset[0].mask(1)


def test_missing_parts_of_davis(tmp_path):
    make_davis(tmp_path / "DAVIS")
    with pytest.raises(DataError, match=r"Give '.*DAVIS', which has it"):
        open_dataset("davis", tmp_path)
    with pytest.raises(DataError, match="no sequence of davis/val"):
        open_dataset("davis", tmp_path / "DAVIS", "val")
    shutil.rmtree(tmp_path / "DAVIS" / "Annotations")
    with pytest.raises(DataError, match="480p' is missing"):
        open_dataset("davis", tmp_path / "DAVIS")


def test_missing_parts_of_youtube_vos(tmp_path):
    make_youtube_vos(tmp_path / "2019")
    with pytest.raises(DataError, match=r"Give '.*2019', which has it"):
        open_dataset("youtube_vos", tmp_path)
    write(tmp_path / "2019/train/meta.json", '{"videos": ["a"]}')
    with pytest.raises(DataError, match="does not list videos and their objects"):
        open_dataset("youtube_vos", tmp_path / "2019")
    shutil.rmtree(tmp_path / "2019/train/Annotations")
    with pytest.raises(DataError, match="Annotations' is missing"):
        open_dataset("youtube_vos", tmp_path / "2019")
