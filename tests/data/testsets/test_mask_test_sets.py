"""DAVIS and YouTube-VOS."""

import json

import numpy as np
import pytest
from PIL import Image

from data.datasets.layouts import number_of, write
from data.testsets.whole_sets import images
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError


def labels(path, *numbers):
    """A label image of 64 × 48 pixels with a column for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((48, 64), np.uint8)
    for place, number in enumerate(numbers):
        pixels[:, 4 * place : 4 * place + 3] = number
    image = Image.fromarray(pixels, "P")
    image.putpalette([level for level in range(256) for _ in range(3)])
    image.save(path)


def make_davis(root, name="cat", numbers=((1, 2), (1, 2), (1, 2, 3))):
    for index, given in enumerate(numbers):
        labels(root / "Annotations" / "480p" / name / f"{index:05d}.png", *given)
    images(root / "JPEGImages" / "480p" / name, range(len(numbers)), 5)
    return root


def test_objects_of_davis_are_those_of_the_first_frame(tmp_path):
    write(make_davis(tmp_path) / "ImageSets" / "2017" / "val.txt", "cat\ndog\n")
    make_davis(tmp_path, "unlisted")
    davis = open_test_set("davis2017", tmp_path)
    (cat,) = davis.sequences
    assert (davis.protocol, len(cat), cat.start) == ("davis", 3, None)
    assert (dict(cat.truth.objects), cat.truth.merged) == ({1: 0, 2: 0}, False)
    assert [path.name for path in cat.truth.labels] == ["00000.png", "00001.png", "00002.png"]
    assert number_of(cat.frame(2)) == 3
    assert "Annotations/480p/dog" in dict(davis.excluded)["dog"]


def test_a_gap_in_the_numbers_is_an_object_as_well(tmp_path):
    davis = open_test_set("davis2017", make_davis(tmp_path, numbers=((1, 3, 255), (1,))))
    assert dict(davis.sequences[0].truth.objects) == {1: 0, 2: 0, 3: 0}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("2016", "cat\n"),
        ("480p", "/JPEGImages/480p/cat/00000.jpg /Annotations/480p/cat/00000.png\n" * 2),
    ],
)
def test_davis_2016_has_one_object(tmp_path, file, text):
    write(make_davis(tmp_path) / "ImageSets" / file / "val.txt", text)
    (cat,) = open_test_set("davis2016", tmp_path).sequences
    assert (cat.name, dict(cat.truth.objects), cat.truth.merged) == ("cat", {1: 0}, True)


def test_a_mask_drawn_in_white_is_one_object(tmp_path):
    (cat,) = open_test_set("davis2017", make_davis(tmp_path, numbers=((255,), (255,)))).sequences
    assert (dict(cat.truth.objects), cat.truth.merged) == ({1: 0}, True)


def test_davis_that_does_not_fit_together_is_excluded(tmp_path):
    make_davis(tmp_path)
    make_davis(tmp_path, "empty", ((), (1,)))
    make_davis(tmp_path, "short")
    (tmp_path / "JPEGImages" / "480p" / "short" / "00001.jpg").unlink()
    excluded = dict(open_test_set("davis2017", tmp_path).excluded)
    assert "marks no object" in excluded["empty"]
    assert "has 2 images, which are not those of the 3 masks" in excluded["short"]


def make_test_dev(root):
    write(make_davis(root, numbers=((1, 2), (1,), (1,))) / "ImageSets" / "2017" / "test-dev.txt", "cat\n")
    for frame in (1, 2):
        (root / "Annotations" / "480p" / "cat" / f"{frame:05d}.png").unlink()
    return root


def test_of_test_dev_only_first_masks_are_public(tmp_path):
    davis = open_test_set("davis2017_test_dev", make_test_dev(tmp_path))
    (cat,) = davis.sequences
    assert (davis.title, davis.protocol, len(cat)) == ("DAVIS 2017 test-dev", "davis", 3)
    assert dict(cat.truth.objects) == {1: 0, 2: 0}
    assert [path and path.name for path in cat.truth.labels] == ["00000.png", None, None]
    labels(tmp_path / "Annotations" / "480p" / "cat" / "00007.png", 1)
    with pytest.raises(DataError, match="which are not those of the 2 masks"):
        open_test_set("davis2017_test_dev", tmp_path)


def test_the_length_of_test_dev_is_that_of_its_images(tmp_path):
    (make_test_dev(tmp_path) / "JPEGImages").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="which alone say how long the sequence is"):
        open_test_set("davis2017_test_dev", tmp_path)


META = {
    "videos": {
        "aa": {
            "objects": {
                "1": {"category": "panda", "frames": ["00000", "00005", "00010"]},
                "2": {"category": "dog", "frames": ["00010", "00015"]},
            }
        },
        "bb": {"objects": {"1": {"category": "cat", "frames": ["00000"]}}},
    }
}


def make_vos(root, meta=META):
    write(root / "valid" / "meta.json", json.dumps(meta))
    images(root / "valid" / "JPEGImages" / "aa", range(0, 25, 5), 5)
    labels(root / "valid" / "Annotations" / "aa" / "00000.png", 1)
    labels(root / "valid" / "Annotations" / "aa" / "00010.png", 2)
    return root


def test_objects_of_youtube_vos_may_start_later(tmp_path):
    vos = open_test_set("youtube_vos2019", make_vos(tmp_path))
    (video,) = vos.sequences
    truth = video.truth
    assert (vos.protocol, video.name, len(video)) == ("youtube_vos", "aa", 5)
    assert dict(truth.objects) == {1: 0, 2: 2}
    assert dict(truth.categories) == {1: "panda", 2: "dog"}
    assert truth.required == (0, 1, 2, 3)
    assert [path and path.name for path in truth.labels] == ["00000.png", None, "00010.png", None, None]
    assert number_of(video.frame(1)) == 2
    assert "JPEGImages/bb" in dict(vos.excluded)["bb"]


def test_trackers_may_see_every_frame(tmp_path):
    images(make_vos(tmp_path) / "valid_all_frames" / "JPEGImages" / "aa", range(21), 5)
    video = open_test_set("youtube_vos2018", tmp_path, all_frames=True).sequences[0]
    assert (len(video), dict(video.truth.objects)) == (21, {1: 0, 2: 10})
    assert video.truth.required == (0, 5, 10, 15)


def test_the_folder_of_the_year_may_be_left_out(tmp_path):
    make_vos(tmp_path / "2018", {"videos": {}})
    make_vos(tmp_path / "2019")
    assert len(open_test_set("youtube_vos2019", tmp_path)) == 1


def test_annotation_alone_of_youtube_vos(tmp_path):
    make_vos(tmp_path)
    (tmp_path / "valid" / "JPEGImages").rename(tmp_path / "elsewhere")
    video = open_test_set("youtube_vos2019", tmp_path).sequences[0]
    assert (len(video), video.has_images, dict(video.truth.objects)) == (4, False, {1: 0, 2: 2})


def test_bad_files_of_youtube_vos_are_named(tmp_path):
    make_vos(tmp_path)
    (tmp_path / "valid" / "Annotations" / "aa" / "00010.png").unlink()
    with pytest.raises(DataError, match=r"has no '00010\.png', which gives object 2"):
        open_test_set("youtube_vos2019", tmp_path)
    write(tmp_path / "valid" / "meta.json", '{"videos": {}}')
    with pytest.raises(DataError, match=r"can be used\. It names no sequence"):
        open_test_set("youtube_vos2019", tmp_path)
    write(tmp_path / "valid" / "meta.json", '{"videos": {"aa": []}}')
    with pytest.raises(DataError, match="does not list videos and their objects"):
        open_test_set("youtube_vos2019", tmp_path)
