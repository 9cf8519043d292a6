import numpy as np
import pytest

from data.datasets.layouts import number_of, pictures, write
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError
from video.video_clips import number_in, write_clip


def clip(root, name, truth, frames=4):
    pictures(root / name / "frames", "%04d.jpg", range(1, frames + 1))
    write(root / name / "groundtruth.txt", truth)


def test_boxes_are_those_of_the_file_to_the_last_digit(tmp_path):
    clip(tmp_path, "dog", "204.731,150.1,17.33,50\nnan,nan,nan,nan\n1,2,3,4\n5,6,7,8\n")
    folder = open_test_set("folder", tmp_path)
    (dog,) = folder.sequences
    assert (folder.protocol, dog.name, dog.first_number) == ("one_pass", "dog", 0)
    assert dog.start == Box(204.731, 150.1, 17.33, 50.0)
    np.testing.assert_array_equal(dog.truth.boxes[1:3], [[np.nan] * 4, [1, 2, 3, 4]])
    assert dog.truth.visible.tolist() == [True, False, True, True]
    assert number_of(dog.frame(3)) == 4


def test_each_object_starts_where_it_is_first_visible(tmp_path):
    pictures(tmp_path / "street", "%04d.jpg", range(1, 5))
    rows = "".join(f"{frame},{frame},{frame},20,10,1,car\n" for frame in range(4))
    rows += "2,7,8,20,10,2,bus\n3,8,8,20,10,2,bus\n"
    write(tmp_path / "street.csv", "frame,x,y,w,h,id,class\n" + rows)
    car, bus = open_test_set("folder", tmp_path).sequences
    assert (car.name, car.category, len(car), car.first_number) == ("street#1", "car", 4, 0)
    assert (bus.name, bus.category, len(bus), bus.first_number) == ("street#2", "bus", 2, 2)
    assert bus.start == Box(7, 8, 20, 10)
    assert [number_of(bus.frame(index)) for index in (0, 1)] == [3, 4]
    (note,) = open_test_set("folder", tmp_path).notes
    assert note.endswith("do not count, which is a later one in 'street#2' (frame 2).")


def test_annotation_that_is_left_aside_is_named(tmp_path):
    clip(tmp_path, "dog", "1,2,3,4\n" * 4)
    assert open_test_set("folder", tmp_path).notes == ()
    write(tmp_path / "dog.csv", "frame,x,y,w,h\n0,1,2,3,4\n")
    (note,) = open_test_set("folder", tmp_path).notes
    assert note == "'dog' is annotated by 'groundtruth.txt'; 'dog.csv' left aside."


def test_frames_of_a_video_are_counted_from_the_start_as_well(tmp_path):
    write_clip(tmp_path / "dog.mp4", 4)
    write(tmp_path / "dog.csv", "frame,x,y,w,h\n1,1,2,20,10\n2,2,2,20,10\n3,3,2,20,10\n")
    (dog,) = open_test_set("folder", tmp_path).sequences
    assert (len(dog), dog.has_images, len(dog.frame_paths)) == (3, True, 0)
    assert [number_in(dog.frame(index)) for index in (0, 2)] == [1, 3]
    assert len(dog.clip) == 3


def test_what_cannot_be_used_is_excluded(tmp_path):
    clip(tmp_path, "dog", "1,2,3,4\n" * 4)
    clip(tmp_path, "cat", "1,2,3,4\n" * 5)
    pictures(tmp_path / "bare", "%04d.jpg", range(1, 3))
    excluded = dict(open_test_set("folder", tmp_path).excluded)
    assert set(excluded) == {"cat", "bare"}
    assert "has no annotation" in excluded["bare"]


def test_clips_in_folders_below_have_names_that_files_can_have(tmp_path):
    clip(tmp_path, "street/left", "1,2,3,4\n" * 4)
    clip(tmp_path, "street/right", "1,2,3,4\n" * 4)
    clip(tmp_path, "street-left", "1,2,3,4\n" * 4)
    folder = open_test_set("folder", tmp_path)
    assert sorted(sequence.name for sequence in folder.sequences) == ["street-left", "street-right"]
    assert [name for name, _ in folder.excluded] == ["street-left"]


def test_boxes_in_every_other_frame_are_refused(tmp_path):
    pictures(tmp_path / "dog", "%04d.jpg", range(1, 6))
    write(tmp_path / "dog.csv", "frame,x,y,w,h\n0,1,2,20,10\n2,2,2,20,10\n4,3,2,20,10\n")
    with pytest.raises(DataError, match="'dog' has boxes 2 frames apart"):
        open_test_set("folder", tmp_path)
    write(tmp_path / "dog.csv", "frame,x,y,w,h\n0,1,2,20,10\n2,2,2,20,10\n3,3,2,20,10\n")
    assert len(open_test_set("folder", tmp_path)) == 1
