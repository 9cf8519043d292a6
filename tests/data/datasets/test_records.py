import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.data.datasets.records import FrameFiles

NAMES = st.text(st.sampled_from("ab01239%_-."), min_size=1, max_size=6).map(lambda stem: f"{stem}.jpg")


@given(st.sampled_from(["", "a", "50%d/%s"]), st.lists(NAMES, min_size=1, max_size=4))
def test_any_names_come_back(folder, names):
    files = FrameFiles.of_names(folder, names)
    prefix = f"{folder}/" if folder else ""
    assert [files.pattern % key for key in files.keys] == [f"{prefix}{name}" for name in names]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["1.jpg", "10.jpg"], "f/%01d.jpg"),
        (["00000001.jpg", "00000010.jpg"], "f/%08d.jpg"),
        (["99.jpg", "100.jpg"], "f/%02d.jpg"),
        (["x+3+0+1000.jpg"], "f/x+3+0+%04d.jpg"),
        (["COCO_train2014_000000000009.jpg"], "f/COCO_train2014_%012d.jpg"),
        (["img1_left.png", "img2_left.png"], "f/img%01d_left.png"),
        (["1.jpg", "02.jpg"], "f/%s"),
        (["1.jpg", "2.png"], "f/%s"),
        (["a1.jpg", "b2.jpg"], "f/%s"),
        (["a.jpg"], "f/%s"),
        ([f"{2**31}.jpg"], "f/%s"),
        (["٣.jpg"], "f/%s"),
    ],
)
def test_numbered_names_are_recognised(names, pattern):
    assert FrameFiles.of_names("f", names).pattern == pattern


def test_some_of_the_files():
    rows = np.array([2, 0])
    assert FrameFiles.of_names("f", ["a.jpg", "b.jpg", "c.jpg"]).take(rows).keys == ("c.jpg", "a.jpg")
    assert FrameFiles.of_names("f", ["5.jpg", "7.jpg", "9.jpg"]).take(rows).keys.tolist() == [9, 5]
