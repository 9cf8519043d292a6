import numpy as np
import pytest

from data.datasets.layouts import lines, number_of, write
from data.testsets.whole_sets import counting_boxes, images, make_lasot_test
from lockon.data.testsets.registry import open_test_set


def test_visible_is_neither_occluded_nor_out_of_view(tmp_path):
    make_lasot_test(tmp_path, "airplane-1", "volleyball-19")
    folder = tmp_path / "airplane" / "airplane-1"
    write(folder / "full_occlusion.txt", ",".join(["0", "1", "1", "0"] + ["0"] * 2784))
    write(folder / "out_of_view.txt", ",".join(["0", "0", "1", "1"] + ["0"] * 2784))
    images(folder / "img", [1, 2], 8)
    lasot = open_test_set("lasot", tmp_path)
    sequence = lasot["airplane-1"]
    assert len(sequence) == len(sequence.frame_paths) == 2788
    assert sequence.truth.visible[:5].tolist() == [True, False, False, False, True]
    assert number_of(sequence.frame(1)) == 2
    assert (sequence.category, sequence.attributes) == ("airplane", {"POC", "ROT", "SV", "LR"})
    hidden = lasot["volleyball-19"].truth
    assert int((~hidden.visible).sum()) == 270
    np.testing.assert_array_equal(hidden.boxes[-1], [0, 0, 0, 0])
    assert len(lasot.excluded) == 278


def test_sequences_may_lie_side_by_side(tmp_path):
    make_lasot_test(tmp_path / "by class", "airplane-1")
    (tmp_path / "flat").mkdir()
    (tmp_path / "by class" / "airplane" / "airplane-1").rename(tmp_path / "flat" / "airplane-1")
    assert len(open_test_set("lasot", tmp_path / "flat")["airplane-1"]) == 2788


def test_the_extension_has_other_sequences(tmp_path):
    make_lasot_test(tmp_path, "atv-1", "wingsuit-10", name="lasot_ext")
    extension = open_test_set("lasot_ext", tmp_path)
    assert [sequence.name for sequence in extension.sequences] == ["atv-1", "wingsuit-10"]
    assert len(extension.excluded) == 148
    assert "zebra-1" not in dict(extension.excluded)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("groundtruth.txt", lines(counting_boxes(2787)), "has 2787 boxes; the benchmark has 2788"),
        ("full_occlusion.txt", "0,0,0\n", "has 3 flags for 2788 boxes"),
        ("out_of_view.txt", "0,x\n", "should hold numbers only"),
        ("groundtruth.txt", lines([(0, 0, 0, 0)] * 2788), "line 1: a tracker cannot start with this"),
    ],
)
def test_what_does_not_fit_together_is_excluded(tmp_path, file, text, message):
    make_lasot_test(tmp_path, "airplane-1", "volleyball-19")
    write(tmp_path / "airplane" / "airplane-1" / file, text)
    lasot = open_test_set("lasot", tmp_path)
    assert [sequence.name for sequence in lasot.sequences] == ["volleyball-19"]
    assert message in dict(lasot.excluded)["airplane-1"]
