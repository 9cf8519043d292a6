import gzip
import shutil

import numpy as np
import pytest

from data.datasets.layouts import make_youtube_bb, number_of
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError


def test_relative_sides_become_boxes_in_pixels_in_the_order_of_time(tmp_path):
    first, second = open_dataset("youtube_bb", make_youtube_bb(tmp_path))
    assert (first.name, first.category) == ("-ab_c+3+0", "dog")
    np.testing.assert_array_equal(first.boxes, [[32, 0, 16, 12], [16, 24, 32, 24], [np.nan] * 4])
    assert first.visible.tolist() == [True, True, False]
    assert [number_of(first.frame(index)) for index in range(3)] == [1, 2, 3], "the uncertain moment is left out"
    assert (second.name, second.category, len(second)) == ("xyz+5+1", "cat", 1)


def test_segments_without_frames_are_one_issue(tmp_path):
    (issue,) = open_dataset("youtube_bb", make_youtube_bb(tmp_path)).issues
    assert (issue.kind, issue.count) == ("left out", 1)
    assert issue.text.startswith("1 of the 3 segments")


def test_moments_without_an_image(tmp_path):
    make_youtube_bb(tmp_path)
    (tmp_path / "frames/3/-ab_c+3+0/-ab_c+3+0+1000.jpg").unlink()
    dataset = open_dataset("youtube_bb", tmp_path)
    assert dataset[0].boxes[0].tolist() == [16, 24, 32, 24]
    assert [(issue.kind, issue.count) for issue in dataset.issues] == [("frames", 1), ("left out", 1)]


def test_the_table_may_be_compressed_and_frames_lie_in_a_folder_of_its_name(tmp_path):
    plain = open_dataset("youtube_bb", make_youtube_bb(tmp_path / "a"))
    make_youtube_bb(tmp_path / "b")
    table = tmp_path / "b" / "yt_bb_detection_train.csv"
    with gzip.open(table.with_suffix(".csv.gz"), "wt") as file:
        file.write(table.read_text())
    table.unlink()
    (tmp_path / "b" / "frames").rename(tmp_path / "b" / "yt_bb_detection_train")
    assert open_dataset("youtube_bb", tmp_path / "b").fingerprint == plain.fingerprint


@pytest.mark.parametrize(("old", "new"), [("dog,0,present", "dog,present"), ("0.25,0.75", "a,0.75")])
def test_a_table_of_another_form_is_refused(tmp_path, old, new):
    table = make_youtube_bb(tmp_path) / "yt_bb_detection_train.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=r"cannot read .*yt_bb_detection_train\.csv"):
        open_dataset("youtube_bb", tmp_path)


def test_missing_parts(tmp_path):
    make_youtube_bb(tmp_path)
    with pytest.raises(DataError, match=r"no 'yt_bb_detection_validation\.csv'"):
        open_dataset("youtube_bb", tmp_path, "validation")
    shutil.rmtree(tmp_path / "frames")
    with pytest.raises(DataError, match="frames' is missing: take the frames out of the videos"):
        open_dataset("youtube_bb", tmp_path)
