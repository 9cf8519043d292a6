import numpy as np
import pytest

from data.datasets.layouts import number_of, write
from data.testsets.whole_sets import images
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError

TASKS = "vid0001,obj0000,30,210,0.25,0.75,0.5,1.0\nvid0001,obj0001,0,90,0.0,0.5,0.0,0.5\n"
LABELS = """vid0001,obj0000,12,knife,true,false,30,present,0.25,0.75,0.5,1.0
vid0001,obj0000,12,knife,true,false,210,present,0.1,0.3,0.2,0.7
vid0001,obj0000,12,knife,true,false,60,absent,0.0,0.0,0.0,0.0
vid0001,obj0000,12,knife,true,false,240,present,0.1,0.3,0.2,0.7
vid0001,obj0001,3,dog,false,true,90,present,0.0,0.5,0.0,0.5
"""


def make(root, split="dev", tasks=TASKS, labels=LABELS):
    write(root / "tasks" / f"{split}.csv", tasks)
    if labels:
        write(root / "annotations" / f"{split}.csv", labels)
    return root


def test_boxes_are_relative_and_given_for_some_frames(tmp_path):
    images(make(tmp_path) / "images" / "dev" / "vid0001", [0, 30, 31, 210], 6, ".jpeg")
    dev = open_test_set("oxuva_dev", tmp_path)
    assert (dev.protocol, dev.excluded) == ("oxuva", ())
    first, second = dev.sequences
    assert (first.name, len(first), first.first_number) == ("vid0001_obj0000", 181, 30)
    assert first.truth.numbers.tolist() == [0, 30, 180]
    assert first.truth.present.tolist() == [True, False, True]
    np.testing.assert_allclose(first.truth.boxes[[0, 2]], [[0.25, 0.5, 0.5, 0.5], [0.1, 0.2, 0.2, 0.5]])
    assert np.isnan(first.truth.boxes[1]).all()
    assert (first.category, first.attributes) == ("knife", {"CUT"})
    assert (second.category, second.attributes) == ("dog", {"VIS"})
    assert first.image_size == (64, 48)
    assert first.start == Box(16, 24, 32, 24)
    assert [number_of(first.frame(index)) for index in (0, 1, 180)] == [2, 3, 4]
    assert number_of(second.frame(0)) == 1


def test_without_images_the_start_is_not_known_in_pixels(tmp_path):
    first = open_test_set("oxuva_dev", make(tmp_path)).sequences[0]
    assert (first.start, first.image_size, first.has_images) == (None, None, False)


def test_annotation_of_the_test_set_is_secret(tmp_path):
    (first, _) = open_test_set("oxuva_test", make(tmp_path, "test", labels=None)).sequences
    assert first.truth.numbers.tolist() == [0]
    np.testing.assert_allclose(first.truth.boxes, [[0.25, 0.5, 0.5, 0.5]])


def test_a_task_without_annotation_is_excluded(tmp_path):
    dev = open_test_set("oxuva_dev", make(tmp_path, labels=LABELS.replace("vid0001,obj0001", "vid0001,obj0002")))
    assert [sequence.name for sequence in dev.sequences] == ["vid0001_obj0000"]
    assert "has no annotation of 'vid0001_obj0001'" in dict(dev.excluded)["vid0001_obj0001"]


@pytest.mark.parametrize(
    ("tasks", "labels", "message"),
    [
        (TASKS.replace("30,210", "210,30"), LABELS, r"dev\.csv', line 1: a task from frame 210 to frame 30"),
        (TASKS.replace(",0.75", ""), LABELS, r"line 1: expected 8 values, got 7"),
        (TASKS.replace("30,210", "x,210"), LABELS, r"line 1: expected a frame number, got 'x'"),
        (TASKS, LABELS.replace("absent", "gone"), r"line 3: expected 'present' or 'absent', got 'gone'"),
        (TASKS, LABELS.replace("0.3,", "?,"), r"line 2: expected xmin, xmax, ymin, ymax"),
        (TASKS, None, r"cannot read .*annotations/dev\.csv"),
    ],
)
def test_bad_files_are_refused(tmp_path, tasks, labels, message):
    with pytest.raises(DataError, match=message):
        open_test_set("oxuva_dev", make(tmp_path, tasks=tasks, labels=labels))
