import json
import shutil

import numpy as np
import pytest
from PIL import Image

from data.datasets.layouts import HEIGHT, WIDTH, make_coco, make_tao, make_youtube_vis, number_of, write
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError, UnknownNameError


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_every_instance_that_is_no_crowd_is_a_sequence_of_one_image(tmp_path):
    dataset = open_dataset("coco", make_coco(tmp_path))
    assert not dataset.is_video
    assert [(sequence.name, sequence.category, len(sequence)) for sequence in dataset] == [
        ("9/1", "dog", 1),
        ("25/3", "person", 1),
        ("25/4", "person", 1),
    ]
    assert dataset[0].boxes.tolist() == [[10, 20, 4, 3]]
    assert number_of(dataset[1].frame(0)) == 5
    assert dataset[1].clip == dataset[2].clip != dataset[0].clip


def test_masks_from_polygons_and_run_lengths(tmp_path):
    polygon, run_lengths, nothing = open_dataset("coco", make_coco(tmp_path))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[20:23, 10:14] = True
    np.testing.assert_array_equal(polygon.mask(0), expected)
    assert run_lengths.mask(0).all()
    assert nothing.mask(0) is None


@pytest.mark.parametrize(("split", "prefix"), [("train2014", "COCO_train2014_"), ("val2017", ""), ("val2014", "x")])
def test_years_and_folders(tmp_path, split, prefix):
    make_coco(tmp_path, split, prefix)
    (tmp_path / "images").mkdir()
    (tmp_path / split).rename(tmp_path / "images" / split)
    dataset = open_dataset("coco", tmp_path, split)
    assert len(dataset) == 3
    assert dataset[0].frame_path(0) == tmp_path / "images" / split / f"{prefix}{9:012d}.jpg"
    with pytest.raises(UnknownNameError, match="Did you mean 'train2017'"):
        open_dataset("coco", tmp_path, "train2018")


def test_images_that_are_missing_are_counted(tmp_path):
    make_coco(tmp_path)
    (tmp_path / "train2017" / f"{25:012d}.jpg").unlink()
    dataset = open_dataset("coco", tmp_path)
    assert len(dataset) == 1
    (issue,) = dataset.issues
    assert (issue.kind, issue.count, issue.text[:33]) == ("left out", 1, "1 of the 2 annotated images are n")
    shutil.rmtree(tmp_path / "train2017")
    with pytest.raises(DataError, match="the annotations are there, the images are not"):
        open_dataset("coco", tmp_path)


def test_an_instance_without_a_box_is_left_out(tmp_path):
    path = make_coco(tmp_path) / "annotations" / "instances_train2017.json"
    edit(path, lambda content: content["annotations"][0].update(bbox=[1, 2, 0, 3]))
    edit(path, lambda content: content["annotations"][2].pop("bbox"))
    dataset = open_dataset("coco", tmp_path)
    assert [sequence.name for sequence in dataset] == ["25/4"]
    assert [(issue.sequence, issue.kind) for issue in dataset.issues] == [
        ("9/1", "boxes"),
        ("9/1", "hidden"),
        ("25/3", "hidden"),
    ]


@pytest.mark.parametrize("text", ["", "[1, 2", "[1, 2]", "{}", '{"annotations": 3}', '{"annotations": [{"id": 1}]}'])
def test_another_kind_of_json_is_refused(tmp_path, text):
    write(make_coco(tmp_path) / "annotations" / "instances_train2017.json", text)
    with pytest.raises(DataError, match=r"is not laid out as COCO annotations are|is not JSON"):
        open_dataset("coco", tmp_path)


def test_the_folder_above_or_archives(tmp_path):
    make_coco(tmp_path / "coco")
    with pytest.raises(DataError, match=r"Give '.*/coco', which has it"):
        open_dataset("coco", tmp_path)
    write(tmp_path / "zips" / "train2017.zip", "")
    with pytest.raises(DataError, match="Extract the archives"):
        open_dataset("coco", tmp_path / "zips")


def test_tracks_across_images_of_a_video(tmp_path):
    dataset = open_dataset("coco_json", make_tao(tmp_path))
    assert dataset.is_video
    cup, late = dataset
    assert (cup.name, cup.category) == ("2/4", "cup")
    assert cup.boxes.tolist() == [[1, 1, 5, 5], [3, 3, 5, 5]], "in the order of time, not of the file"
    assert [number_of(cup.frame(index)) for index in range(2)] == [1, 21]
    assert cup.mask(0) is None
    assert cup.mask(1).sum() == 12
    assert late.visible.tolist() == [False, True]
    assert [(issue.sequence, issue.kind) for issue in dataset.issues] == [("2/5", "boxes")]


def test_tracks_of_whole_videos(tmp_path):
    (owl,) = open_dataset("coco_json", make_youtube_vis(tmp_path))
    assert (owl.name, owl.category) == ("1/6", "owl")
    np.testing.assert_array_equal(owl.boxes, [[1, 2, 3, 4], [np.nan] * 4, [2, 3, 3, 4]])
    assert owl.visible.tolist() == [True, False, True]
    assert owl.mask(0).sum() == 2
    assert owl.mask(2) is None
    assert owl.frame_path(1) == tmp_path / "a" / "00005.jpg"


def test_images_of_a_video_that_are_missing(tmp_path):
    make_youtube_vis(tmp_path)
    (tmp_path / "a" / "00000.jpg").unlink()
    dataset = open_dataset("coco_json", tmp_path)
    assert dataset[0].boxes.tolist() == [[2, 3, 3, 4]]
    assert [(issue.kind, issue.count) for issue in dataset.issues] == [("frames", 1)]
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(DataError, match="none of the 3 images of '1' is there"):
        open_dataset("coco_json", tmp_path, rebuild=True)


@pytest.mark.parametrize(
    ("make", "images", "below"),
    [(make_tao, "train", "frames"), (make_youtube_vis, "a", "train/JPEGImages"), (make_youtube_vis, "a", "50%")],
)
def test_images_in_a_folder_below_that_the_file_does_not_name(tmp_path, make, images, below):
    fingerprint = open_dataset("coco_json", make(tmp_path)).fingerprint
    (tmp_path / below).mkdir(parents=True)
    (tmp_path / images).rename(tmp_path / below / images)
    dataset = open_dataset("coco_json", tmp_path, rebuild=True)
    assert dataset.fingerprint == fingerprint
    assert dataset[0].frame_path(0).is_relative_to(tmp_path / below / images)
    assert number_of(dataset[0].frame(0)) == (1 if make is make_tao else 0)


def flat_export(root, folders, names):
    """Images by their bare names, copied to several folders, and the file about them."""
    images = [{"id": name, "file_name": name} for name in names]
    annotations = [{"id": 1, "image_id": name, "bbox": [0, 0, 2, 2]} for name in names]
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for name in names:
            Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / folder / name)
    return write(
        root / "train" / "_annotations.coco.json", json.dumps({"images": images, "annotations": annotations})
    )


def test_images_beside_the_file_come_first_and_several_folders_are_a_question(tmp_path):
    flat_export(tmp_path, ["train", "valid"], ["1.png", "2.png"])
    dataset = open_dataset("coco_json", tmp_path, annotations="train/_annotations.coco.json")
    assert dataset[1].frame_path(0) == tmp_path / "train" / "2.png"
    (tmp_path / "labels").mkdir()
    path = (tmp_path / "train" / "_annotations.coco.json").rename(tmp_path / "labels" / "x.json")
    with pytest.raises(DataError, match=r"are in 'train' and in 'valid'\. Say which is meant: images=FOLDER"):
        open_dataset("coco_json", tmp_path, annotations="labels/x.json", rebuild=True)
    dataset = open_dataset("coco_json", tmp_path, annotations=path, images="valid")
    assert dataset[1].frame_path(0) == tmp_path / "valid" / "2.png"


def test_the_folder_with_most_of_the_images(tmp_path):
    flat_export(tmp_path, ["train", "valid"], ["1.png", "2.png"])
    (tmp_path / "train" / "_annotations.coco.json").rename(tmp_path / "x.json")
    (tmp_path / "train" / "1.png").unlink()
    assert [sequence.frame_path(0).parent.name for sequence in open_dataset("coco_json", tmp_path)] == ["valid"] * 2


def test_images_by_whole_paths(tmp_path):
    name = (tmp_path / "elsewhere" / "1.png").as_posix()
    images, annotations = [{"id": 1, "file_name": name}], [{"id": 1, "image_id": 1, "bbox": [0, 0, 2, 2]}]
    write(tmp_path / "root" / "x.json", json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(name)
    (sequence,) = open_dataset("coco_json", tmp_path / "root")
    assert sequence.frame(0).shape == (9, 9, 3)
    assert sequence.clip == f"{name}..{name}"


def test_the_json_file_may_lie_elsewhere_and_names_may_be_anything(tmp_path):
    images = [{"id": "a", "file_name": "x/50%.png"}, {"id": "b", "file_name": "y/ü.PNG", "width": 9, "height": 9}]
    annotations = [
        {"id": index, "image_id": image, "category_id": 7, "bbox": [0, 0, 2, 2], "segmentation": [[0, 0, 2, 0, 2, 2]]}
        for index, image in enumerate("abb")
    ]
    path = write(tmp_path / "export.json", json.dumps({"images": images, "annotations": annotations}))
    for image in images:
        (tmp_path / "pictures" / image["file_name"]).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "pictures" / image["file_name"])
    with pytest.raises(DataError, match=r"there is none. Name it: annotations=FILE"):
        open_dataset("coco_json", tmp_path / "pictures")
    dataset = open_dataset("coco_json", tmp_path / "pictures", annotations=path)
    assert [(sequence.name, sequence.category) for sequence in dataset] == [
        ("a/0", None),
        ("b/1", None),
        ("b/2", None),
    ]
    assert [sequence.frame(0).shape for sequence in dataset] == [(9, 9, 3)] * 3
    assert dataset[0].mask(0) is None, "nothing says how large the image is"
    assert dataset[1].mask(0).shape == (9, 9)
    assert len(open_dataset("coco_json", tmp_path / "pictures", annotations="../export.json")) == 3
    with pytest.raises(DataError, match="has no option 'annotation'; its options: annotations, images"):
        open_dataset("coco_json", tmp_path / "pictures", annotation=path)


def test_several_json_files_are_a_question(tmp_path):
    make_tao(tmp_path)
    write(tmp_path / "annotations" / "other.json", "{}")
    with pytest.raises(DataError, match=r"'other.json', 'tao.json'|'tao.json', 'other.json'"):
        open_dataset("coco_json", tmp_path)
