import numpy as np
import pytest

from data.datasets.layouts import number_of, write
from data.testsets.whole_sets import images
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError
from lockon.regions import MaskRegion, Polygon

POLYGON = "1,2,11,2,11,8,1,8"


def make(root, name, truth, **files):
    write(root / name / "groundtruth.txt", "\n".join(truth) + "\n")
    for file, text in files.items():
        write(root / name / file.replace("__", "."), text)
    return root


def test_polygons_tags_and_list(tmp_path):
    make(tmp_path, "bag", [POLYGON, "5,6,7,8", POLYGON], occlusion__tag="0\n1\n", camera_motion__label="1\n1\n1\n")
    make(tmp_path, "unlisted", [POLYGON])
    write(tmp_path / "list.txt", "bag\n")
    images(tmp_path / "bag" / "color", [1, 2, 3], 8)
    vot = open_test_set("vot2019", tmp_path)
    assert vot.protocol == "vot_supervised"
    (bag,) = vot.sequences
    assert isinstance(bag.start, Polygon)
    np.testing.assert_array_equal(bag.start.points, [[1, 2], [11, 2], [11, 8], [1, 8]])
    assert bag.truth.regions[1] == Box(5, 6, 7, 8)
    assert bag.truth.tags["occlusion"].tolist() == [False, True, False]  # lines that are missing say no
    assert bag.truth.tags["camera_motion"].tolist() == [True, True, True]
    assert bag.truth.tags["size_change"].tolist() == [False, False, False]
    assert bag.attributes == {"occlusion", "camera_motion"}
    assert bag.truth.anchors is None
    assert bag.image_size == (64, 48)
    assert number_of(bag.frame(2)) == 3


def test_images_lie_in_the_folder_itself_in_the_first_years(tmp_path):
    make(tmp_path, "bag", ["5,6,7,8"] * 2, sequence="fps=30\nformat=rectangle\nwidth = 640\nheight=480\n")
    images(tmp_path / "bag", [1, 2], 8)
    (bag,) = open_test_set("vot2018", tmp_path).sequences
    assert number_of(bag.frame(1)) == 2
    assert bag.image_size == (640, 480)


def test_what_the_year_had_is_missed_where_some_of_it_is_there(tmp_path):
    make(tmp_path, "ants1", [POLYGON] * 326)  # of VOT2018 the lengths are not known
    make(tmp_path, "bag", [POLYGON] * 196)
    vot = open_test_set("vot2018", tmp_path)
    assert [sequence.name for sequence in vot.sequences] == ["ants1", "bag"]
    assert len(vot.excluded) == 58
    with pytest.raises(DataError, match="its annotation is for 1 frames; the benchmark has 341"):
        open_test_set("vot2019", make(tmp_path / "other", "wiper", [POLYGON]))


def test_a_stack_of_ones_own_is_complete(tmp_path):
    make(tmp_path, "mine", [POLYGON])
    make(tmp_path, "yours", ["1,2,3,4"])
    vot = open_test_set("vot2018", tmp_path)
    assert ([sequence.name for sequence in vot.sequences], vot.excluded) == (["mine", "yours"], ())


def test_anchors_and_masks(tmp_path):
    make(tmp_path, "ms", ["m 2,1,3,2,1,2,2,1", "m0,0,0,0", "4,5,6,7"], anchor__value="3\n0\n-1\n")
    stack = open_test_set("vot2020", tmp_path)
    assert stack.protocol == "vot_multistart"
    (sequence,) = stack.sequences
    assert sequence.truth.anchors.tolist() == [1, 0, -1]
    assert isinstance(sequence.start, MaskRegion)
    assert (sequence.start.left, sequence.start.top) == (2, 1)
    assert sequence.start.pixels.tolist() == [[False, True, True], [False, False, True]]


def test_long_term_is_absent_where_nan(tmp_path):
    make(tmp_path, "ballet", ["1,2,3,4", "nan,nan,nan,nan", "2,2,3,4"])
    vot = open_test_set("vot2018_lt", tmp_path)
    (ballet,) = vot.sequences
    assert vot.protocol == "vot_longterm"
    assert np.isnan(ballet.truth.boxes).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"groundtruth__txt": f"{POLYGON}\n1,2,3\n"}, "groundtruth.txt', line 2: '1,2,3' is no region"),
        ({"groundtruth__txt": ""}, "is empty"),
        ({"occlusion__tag": "0\n1\n1\n"}, "occlusion.tag' has 3 lines for 2 frames"),
        ({"anchor__value": "1\n"}, "anchor.value' has 1 anchors for 2 frames"),
    ],
)
def test_bad_files_are_named(tmp_path, files, message):
    make(tmp_path, "good", [POLYGON])
    make(tmp_path, "bad", [POLYGON] * 2, **files)
    assert message in dict(open_test_set("vot2018", tmp_path).excluded)["bad"]
