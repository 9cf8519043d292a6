import pytest

from data.testsets.whole_sets import make_nfs, make_otb, make_uav
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError


def make_all(root):
    make_nfs(root / "nfs", "Skiing_red", "Gymnastics")
    make_uav(root / "UAV123", "bird1_1")
    make_otb(root / "OTB100", "Tiger1", "Bird1")
    return root


def test_names_are_those_of_the_result_files_of_pytracking(tmp_path):
    nuo = open_test_set("nuo323", make_all(tmp_path))
    assert [(sequence.name, sequence.benchmark, len(sequence)) for sequence in nuo.sequences] == [
        ("nfs_Gymnastics", "nfs30", 368),
        ("nfs_Skiing_red", "nfs30", 69),
        ("uav_bird1_1", "uav123", 253),
        ("Bird1", "otb100", 408),
        ("Tiger1", "otb100", 349),
    ]
    assert len(nuo.excluded) == 323 - 5
    assert {"nfs_zebra_fish", "uav_bike1", "Walking"} <= set(dict(nuo.excluded))
    assert len(open_test_set("nuo323", tmp_path, pytracking=False)["Tiger1"]) == 354


def test_all_may_lie_in_one_folder(tmp_path):
    make_nfs(tmp_path, "Skiing_red")
    make_uav(tmp_path, "bird1_1")
    make_otb(tmp_path, "Bird1")
    assert len(open_test_set("nuo323", tmp_path)) == 3


def test_one_that_is_missing_is_named(tmp_path):
    make_otb(tmp_path / "OTB100", "Bird1")
    make_nfs(tmp_path / "nfs", "Skiing_red")
    with pytest.raises(DataError, match=r"UAV123 is neither in .* nor in a folder of it; NUO323 needs all three"):
        open_test_set("nuo323", tmp_path)
