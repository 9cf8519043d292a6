import pickle

import pytest

from data.testsets.whole_sets import images, make_otb
from lockon.data.testsets.images import NumberedImages
from lockon.data.testsets.registry import TEST_SETS, open_test_set
from lockon.errors import DataError, UnknownNameError


def test_names_are_unique_and_counts_plausible():
    assert all(name == benchmark.name for name, benchmark in TEST_SETS.items())
    assert len({benchmark.title for benchmark in TEST_SETS.values()}) == len(TEST_SETS)
    for benchmark in TEST_SETS.values():
        assert len(benchmark.entries) in {0, benchmark.sequences}


def test_unknown_names_and_options_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'otb100'"):
        open_test_set("otb10", tmp_path)
    with pytest.raises(DataError, match="otb100 has no option 'omit'; its options: pytracking"):
        open_test_set("otb100", tmp_path, omit=True)


def test_images_are_a_sequence_of_paths(tmp_path):
    paths = NumberedImages(tmp_path, range(8, 12), 3, ".jpg")
    assert [path.name for path in paths] == ["008.jpg", "009.jpg", "010.jpg", "011.jpg"]
    assert [path.name for path in paths[1:3]] == ["009.jpg", "010.jpg"]
    assert paths[-1] == tmp_path / "011.jpg"
    with pytest.raises(IndexError):
        paths[4]


def test_sequences_travel_to_other_processes(tmp_path):
    images(make_otb(tmp_path, "Bird1") / "Bird1" / "img", [1], 4)
    sequence = open_test_set("otb100", tmp_path)["Bird1"]
    copy = pickle.loads(pickle.dumps(sequence))
    assert (copy.name, copy.frame_paths[407]) == ("Bird1", tmp_path / "Bird1" / "img" / "0408.jpg")
    assert len(pickle.dumps(copy.frame_paths)) < 500  # not one path for each of the frames


def test_only_the_first_image_is_looked_for(tmp_path, monkeypatch):
    images(make_otb(tmp_path, "Bird1") / "Bird1" / "img", [1], 4)
    asked = []
    is_file = type(tmp_path).is_file
    monkeypatch.setattr(type(tmp_path), "is_file", lambda path: asked.append(path.name) or is_file(path))
    assert len(open_test_set("otb100", tmp_path)["Bird1"].frame_paths) == 408
    assert [name for name in asked if name.endswith(".jpg")] == ["0001.jpg"]


def test_a_sequence_that_is_not_there_is_named(tmp_path):
    otb = open_test_set("otb100", make_otb(tmp_path, "Bird1"))
    with pytest.raises(DataError, match="test set 'otb100' has no sequence 'Bird3'"):
        otb["Bird3"]
    with pytest.raises(DataError, match="'Bird1' has annotations only"):
        otb["Bird1"].frame(0)
