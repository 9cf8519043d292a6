import numpy as np

from data.datasets.layouts import number_of
from data.testsets.whole_sets import images, make_uav
from lockon.data.testsets.registry import open_test_set


def test_all_sequences_are_there(tmp_path):
    uav = open_test_set("uav123", make_uav(tmp_path))
    assert (len(uav), uav.excluded) == (123, ())
    assert sum(map(len, uav.sequences)) == 112_578
    assert sum(int(np.isnan(sequence.truth.boxes).all(axis=1).sum()) for sequence in uav.sequences) == 2_683
    assert uav["bike2"].truth.visible is None
    assert uav["bike1"].attributes == {"SV", "ARC", "FM", "IV", "VC", "CM", "SOB"}


def test_several_sequences_share_a_folder_of_images(tmp_path):
    make_uav(tmp_path, "bird1_1", "bird1_2", "bird1_3")
    images(tmp_path / "data_seq" / "UAV123" / "bird1", [1, 253, 775, 776, 1573], 6)
    first, second, third = open_test_set("uav123", tmp_path).sequences
    assert (len(first), len(second)) == (253, 703)
    assert [number_of(first.frame(index)) for index in (0, 252)] == [1, 2]
    assert [number_of(second.frame(index)) for index in (0, 1)] == [3, 4]
    assert second.frame_paths[-1].name == "001477.jpg"
    assert number_of(third.frame(0)) == 5
