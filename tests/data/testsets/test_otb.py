import numpy as np
import pytest

from data.datasets.layouts import number_of, picture, write
from data.testsets.whole_sets import boxes_file, images, make_otb
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError


def test_all_sequences_are_there(tmp_path):
    otb = open_test_set("otb100", make_otb(tmp_path))
    assert (otb.name, otb.title, otb.protocol, otb.excluded) == ("otb100", "OTB-100", "one_pass", ())
    assert len(otb) == 100
    assert sum(map(len, otb.sequences)) == 59_035  # without five of Tiger1
    assert otb.sequences[0].name == "Basketball"
    assert otb["Basketball"].attributes == {"IV", "OCC", "DEF", "OPR", "BC"}
    assert otb.attributes["OPR"] == "Out-of-Plane Rotation"
    assert not otb["Basketball"].has_images


@pytest.mark.parametrize(
    ("name", "folder", "first", "frames", "digits"),
    [
        ("David", "David/img", 300, 471, 4),
        ("BlurCar1", "BlurCar1/img", 247, 742, 4),
        ("BlurCar3", "BlurCar3/img", 3, 357, 4),
        ("BlurCar4", "BlurCar4/img", 18, 380, 4),
        ("Diving", "Diving/img", 1, 215, 4),
        ("Football1", "Football1/img", 1, 74, 4),
        ("Freeman3", "Freeman3/img", 1, 460, 4),
        ("Freeman4", "Freeman4/img", 1, 283, 4),
        ("Board", "Board/img", 1, 698, 5),
        ("Tiger1", "Tiger1/img", 1, 354, 4),
        ("Human4_2", "Human4/img", 1, 667, 4),
    ],
)
def test_images_do_not_count_from_one_everywhere(tmp_path, name, folder, first, frames, digits):
    make_otb(tmp_path, name)
    images(tmp_path / folder, [first, first + 1], digits)
    sequence = open_test_set("otb100", tmp_path, pytracking=False)[name]
    assert len(sequence) == len(sequence.frame_paths) == frames
    assert sequence.frame_paths[0] == tmp_path / folder / f"{first:0{digits}d}.jpg"
    assert sequence.frame_paths[-1].name == f"{first + frames - 1:0{digits}d}.jpg"
    assert [number_of(sequence.frame(index)) for index in (0, 1)] == [1, 2]
    assert sequence.start == Box(1, 2, 20, 10)


def test_two_targets_of_one_video_have_a_file_each(tmp_path):
    make_otb(tmp_path, "Jogging_1", "Jogging_2", "Skating2_1", "Skating2_2", "Human4_2")
    write(tmp_path / "Human4" / "groundtruth_rect.1.txt", "")
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", "9,9,9,9\n" * 307)
    otb = open_test_set("otb100", tmp_path)
    assert [sequence.name for sequence in otb.sequences] == [
        "Human4_2",
        "Jogging_1",
        "Jogging_2",
        "Skating2_1",
        "Skating2_2",
    ]
    assert otb["Jogging_1"].start == Box(1, 2, 20, 10)
    assert otb["Jogging_2"].start == Box(9, 9, 9, 9)


def test_pytracking_starts_tiger1_five_frames_later(tmp_path):
    make_otb(tmp_path, "Tiger1", "Tiger2")
    images(tmp_path / "Tiger1" / "img", range(1, 8), 4)
    otb = open_test_set("otb100", tmp_path)
    assert [len(sequence) for sequence in otb.sequences] == [349, 365]
    assert otb["Tiger1"].start == Box(6, 7, 20, 10)
    assert number_of(otb["Tiger1"].frame(0)) == 6
    assert len(open_test_set("otb100", tmp_path, pytracking=False)["Tiger1"]) == 354


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", "\t "])
def test_numbers_are_separated_in_many_ways(tmp_path, separator):
    boxes_file(tmp_path / "Car24" / "groundtruth_rect.txt", 3059, separator)
    assert open_test_set("otb100", tmp_path)["Car24"].truth.boxes[3058].tolist() == [3059, 3060, 20, 10]


def test_separators_may_differ_within_a_line(tmp_path):
    text = (make_otb(tmp_path, "BlurCar1") / "BlurCar1" / "groundtruth_rect.txt").read_text().splitlines()
    text[495] = "496\t497 20,10"
    write(tmp_path / "BlurCar1" / "groundtruth_rect.txt", "\r\n".join(text) + "\r\n\r\n")
    assert open_test_set("otb100", tmp_path)["BlurCar1"].truth.boxes[495].tolist() == [496, 497, 20, 10]


def test_boxes_stay_as_they_are_annotated(tmp_path):
    rows = ["5,6,7,8", *["-3,0,0,0"] * 72, "1.5,-2.25,3,4"]
    write(tmp_path / "Football1" / "groundtruth_rect.txt", "\n".join(rows))
    truth = open_test_set("otb100", tmp_path)["Football1"].truth
    np.testing.assert_array_equal(truth.boxes[[0, 1, 73]], [[5, 6, 7, 8], [-3, 0, 0, 0], [1.5, -2.25, 3, 4]])
    assert truth.visible is None


def test_kitesurf_is_found_where_it_is_distributed_as_well(tmp_path):
    make_otb(tmp_path, "KiteSurf")
    picture(tmp_path / "KiteSurf" / "jpg" / "0001.png", 3)
    assert number_of(open_test_set("otb100", tmp_path)["KiteSurf"].frame(0)) == 3


def test_what_is_missing_or_cut_off_is_excluded_with_the_reason(tmp_path):
    make_otb(tmp_path, "Basketball", "Biker", "Bird1")
    boxes_file(tmp_path / "Biker" / "groundtruth_rect.txt", 141)
    images(tmp_path / "Bird1" / "img", [7], 4)
    otb = open_test_set("otb100", tmp_path)
    assert [sequence.name for sequence in otb.sequences] == ["Basketball"]
    excluded = dict(otb.excluded)
    assert len(excluded) == 99
    assert "has 141 boxes; the benchmark has 142" in excluded["Biker"]
    assert "no image '0001.jpg'" in excluded["Bird1"]
    assert "Bird2/groundtruth_rect.txt" in excluded["Bird2"]


def test_malformed_annotation_is_named_with_its_line(tmp_path):
    make_otb(tmp_path, "Basketball")
    path = tmp_path / "Walking" / "groundtruth_rect.txt"
    boxes_file(path, 412).write_text(path.read_text().replace("7,8,20,10", "7,8,20"))
    reason = dict(open_test_set("otb100", tmp_path).excluded)["Walking"]
    assert f"'{path}', line 7: expected 4 numbers, got '7 8 20'" in reason


def test_a_folder_above_is_recognised(tmp_path):
    make_otb(tmp_path / "data" / "OTB", "Basketball")
    with pytest.raises(DataError, match=r"OTB-100 does not lie in .*data'\. Give '.*data/OTB', where it seems to be"):
        open_test_set("otb100", tmp_path / "data")
    with pytest.raises(DataError, match=r"Give '.*data/OTB'"):
        open_test_set("otb100", tmp_path / "data" / "OTB" / "Basketball")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"Expected SEQUENCE/groundtruth_rect\.txt .* docs/test_sets\.md"):
        open_test_set("otb100", tmp_path)
    with pytest.raises(DataError, match=r"there is no folder '.*nowhere'"):
        open_test_set("otb100", tmp_path / "nowhere")
