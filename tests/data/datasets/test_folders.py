"""Folders as users have them: videos and images, annotation beside, inside and above."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from lockon.data.datasets import folders, video_lengths
from lockon.data.datasets.folders import open_folder
from lockon.data.datasets.packing import pack
from lockon.data.datasets.registry import detect_dataset, open_dataset
from lockon.errors import DataError
from video.video_clips import number_in, numbered_image, write_clip

TABLE = "frame,x,y,w,h\n0,10,20,30,40\n2,12,20,30,40\n"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "mine"


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def put_images(folder, count=4, pattern="{:04d}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(numbered_image(number)).save(folder / pattern.format(number))


def put_video(path, count=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, count)


def names(dataset):
    return [sequence.name for sequence in dataset]


def test_a_video_with_its_table(root):
    put_video(root / "dog.mp4")
    put(root / "dog.csv", TABLE)
    dataset = open_folder(root)
    (dog,) = dataset
    assert (dog.name, dog.clip, len(dog), dog.category, dog.mask(0)) == ("dog", "dog", 4, None, None)
    assert dog.visible.tolist() == [True, False, True, False]
    assert dog.boxes[2].tolist() == [12, 20, 30, 40]
    assert np.isnan(dog.boxes[[1, 3]]).all()
    assert number_in(dog.frame(3)) == 3
    assert (dataset.name, dataset.is_video, dataset.issues, dataset.notes) == ("mine", True, (), ())


@pytest.mark.parametrize(
    "annotation", ["walk.csv", "walk/walk.csv", "walk/boxes.csv", "walk/img/boxes.csv", "labels/walk.csv"]
)
def test_images_with_a_table_somewhere_near(root, annotation):
    put_images(root / "walk" / "img")
    put_video(root / "other.mp4")
    put(root / "other.csv", TABLE)
    put(root / annotation, TABLE)
    assert names(open_folder(root)) == ["other", "walk"]


def test_images_without_a_folder_of_their_own_name(root):
    put_images(root, pattern="{}.png", count=11)
    put(root / "groundtruth.txt", "1,2,3,4\n" * 11)
    (sequence,) = open_folder(root)
    assert sequence.name == "mine"
    assert [number_in(sequence.frame(index)) for index in (0, 2, 10)] == [0, 2, 10]  # 2 comes before 10


def test_the_layout_of_lockon_with_masks(root):
    put_images(root / "walk" / "frames")
    put(root / "walk" / "groundtruth.txt", "1,2,3,4\n" * 4)
    (root / "walk" / "masks").mkdir()
    for number in range(4):
        Image.fromarray(np.full((96, 192), 255 * (number % 2), np.uint8)).save(root / "walk/masks" / f"{number}.png")
    (sequence,) = open_folder(root)
    assert [sequence.mask(index).all() for index in range(4)] == [False, True, False, True]
    (root / "walk" / "masks" / "2.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"2\.png"):
        sequence.mask(2)
    (root / "walk" / "masks" / "2.png").unlink()
    with pytest.raises(DataError, match="3 masks for 4 frames"):
        open_folder(root)


def test_the_layout_of_motchallenge(root):
    put_images(root / "MOT17-02" / "img1")
    put(root / "MOT17-02" / "gt" / "gt.txt", "1,1,11,21,30,40,1,1,1\n4,1,11,21,30,40,1,1,1\n1,2,1,1,9,9,1,3,0.5\n")
    put(root / "MOT17-02" / "seqinfo.ini", "[Sequence]\nseqLength=4\n")
    dataset = open_folder(root)
    assert names(dataset) == ["MOT17-02#1", "MOT17-02#2"]
    assert dataset[0].visible.tolist() == [True, False, False, True]
    assert dataset[0].boxes[3].tolist() == [10, 20, 30, 40]
    assert [sequence.category for sequence in dataset] == ["pedestrian", "car"]
    put(root / "MOT17-02" / "seqinfo.ini", "[Sequence]\nseqLength=600\n")
    with pytest.raises(DataError, match=r"gt\.txt' is for 600 frames, but .*img1' has 4\. Was it copied whole"):
        open_folder(root)


COCO = {
    "videos": [{"id": 1, "name": "deep/dog.mp4"}, {"id": 2, "name": "cat"}],
    "images": [
        {"id": 1, "video_id": 1, "frame_id": 3, "file_name": "frame_000003.png"},
        {"id": 2, "video_id": 2, "frame_id": 99, "file_name": "cat/frames/0001.jpg"},
    ],
    "categories": [],
    "annotations": [
        {"id": 1, "image_id": 1, "track_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 2, "track_id": 1, "bbox": [5, 6, 7, 8]},
    ],
}


def test_one_file_for_all_clips(root):
    put_video(root / "deep" / "dog.mp4")
    put_images(root / "cat" / "frames")
    put(root / "annotations" / "all.json", COCO)
    cat, dog = open_folder(root)
    assert (cat.name, dog.name) == ("cat", "deep/dog")
    assert np.flatnonzero(cat.visible).tolist() == [1]  # by the name of the image (of any suffix), not the frame id
    assert np.flatnonzero(dog.visible).tolist() == [3]


def test_clips_by_the_folders_of_images(root):
    for clip in ("dog", "cat"):
        put_images(root / "images" / clip)
    put(root / "all.csv", "file,x,y,w,h\ndog/0001.png,1,2,3,4\nimages/cat/0002.png,1,2,3,4\nhen/0000.png,1,2,3,4\n")
    dataset = open_folder(root)
    assert {s.name: np.flatnonzero(s.visible).tolist() for s in dataset} == {"images/cat": [2], "images/dog": [1]}
    (issue,) = dataset.issues
    assert "line 4: the clip 'hen' is not in the folder" in issue.text


def test_names_of_frames_of_a_video_are_numbers(root):
    put_video(root / "dog.mp4")
    box = '<box label="a" xtl="1" ytl="1" xbr="3" ybr="3"/>'
    put(root / "dog.xml", f'<annotations><image id="0" name="frame_000002">{box}</image></annotations>')
    (dog,) = open_folder(root)
    assert np.flatnonzero(dog.visible).tolist() == [2]
    assert dog.category == "a"


def test_of_several_files_one_counts_and_it_is_said(root):
    put_video(root / "dog.mp4")
    put(root / "dog.csv", TABLE)
    put(root / "dog.txt", "1,2,3,4\n" * 4)
    put(root / "all.json", {**COCO, "videos": [{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}]})
    dataset = open_folder(root)
    assert dataset[0].boxes[0].tolist() == [10, 20, 30, 40]
    assert dataset.notes == ("'dog' is annotated by 'dog.csv'; 'dog.txt', 'all.json' left aside.",)


def test_groundtruth_comes_before_other_files(root):
    put_images(root / "dog")
    put(root / "dog" / "groundtruth.txt", "1,2,3,4\n" * 4)
    put(root / "dog" / "tracked.csv", TABLE)
    dataset = open_folder(root)
    assert dataset[0].visible.all()
    assert dataset.notes == ("'dog' is annotated by 'groundtruth.txt'; 'tracked.csv' left aside.",)


def test_a_video_and_a_folder_of_one_name(root):
    put_video(root / "dog.mp4")
    put_images(root / "dog")
    put(root / "dog" / "groundtruth.txt", "1,2,3,4\n" * 4)
    put(root / "dog.csv", TABLE)
    assert sorted(names(open_folder(root))) == ["dog", "dog.mp4"]


def test_what_cannot_be_used_is_left_out_and_told(root):
    put_video(root / "good.mp4")
    put(root / "good.csv", TABLE)
    put_video(root / "bare.mp4")
    put_video(root / "short.mp4")
    put(root / "short.txt", "1,2,3,4\n" * 7)
    put_video(root / "late.mp4")
    put(root / "late.csv", "frame,x,y,w,h\n4,1,2,3,4\n")
    put(root / "broken.mp4", "not a video")
    put(root / "broken.csv", TABLE)
    put_video(root / "typo.mp4")
    put(root / "typo.csv", TABLE + "3,1,2,3,x\n")
    put_video(root / "flat.mp4")
    put(root / "flat.csv", "frame,x,y,w,h\n0,1,2,3,4\n1,5,5,0,9\n")
    put_video(root / "hidden.mp4")
    put(root / "hidden.csv", "frame,x,y,w,h,visible\n0,1,2,3,4,0\n")
    put_images(root / "renamed")
    put(root / "renamed.csv", "file,x,y,w,h\n0007.png,1,2,3,4\n")
    (root / "empty" / "frames").mkdir(parents=True)
    dataset = open_folder(root)
    assert names(dataset) == ["flat", "good"]
    told = {issue.sequence.rpartition("/")[2]: issue.text for issue in dataset.issues}
    for name, words in {
        "bare": "no annotation; put one beside it, such as 'bare.csv'",
        "short": "short.txt' is for 7 frames, but",
        "late": "late.csv', line 2: there is no frame 4 in",
        "broken": "broken.mp4",
        "typo": "typo.csv', line 4: expected a number; got 'x'",
        "flat": "1 boxes without area, the first in frame 1",
        "hidden": "shows its target in no frame",
        "renamed": "line 2: the image '0007.png' is not in",
        "frames": "is empty",
    }.items():
        assert words in told.pop(name), name
    assert not told


def test_folders_in_which_there_is_nothing(root):
    with pytest.raises(DataError, match="there is no folder"):
        open_folder(root)
    root.mkdir()
    with pytest.raises(DataError, match="no videos and no images"):
        open_folder(root)
    put_video(root / "dog.mp4")
    with pytest.raises(DataError, match=r"nothing in .* can be used.*dog\.mp4' has no annotation"):
        open_folder(root)
    put_images(root / "a")
    put_images(root / "b")
    put(root / "all.csv", TABLE)
    with pytest.raises(DataError, match="its clip is not named"):
        open_folder(root)


def test_frames_may_be_counted_from_1(root):
    put_video(root / "dog.mp4")
    put(root / "dog.csv", "frame,x,y,w,h\n1,1,2,3,4\n4,1,2,3,4\n")
    assert np.flatnonzero(open_folder(root, first_frame=1)[0].visible).tolist() == [0, 3]
    with pytest.raises(DataError, match="Does the annotation count from 1"):
        open_folder(root)


def test_the_fingerprint_is_that_of_the_annotation(root, tmp_path):
    put_video(root / "dog.mp4")
    put(root / "dog.csv", TABLE)
    before = open_folder(root).fingerprint
    put_images(tmp_path / "elsewhere" / "dog")
    put(tmp_path / "elsewhere" / "dog.txt", "10,20,30,40\nnan,nan,nan,nan\n12,20,30,40\nnan,nan,nan,nan\n")
    assert open_folder(tmp_path / "elsewhere").fingerprint == before
    put(root / "dog.csv", TABLE.replace("12", "13"))
    assert open_folder(root).fingerprint != before
    put(root / "dog.csv", TABLE.replace("w,h", "w,h,class").replace("40\n", "40,dog\n"))
    assert open_folder(root).fingerprint != before


def test_frames_are_counted_once(root, home, monkeypatch):
    put_video(root / "dog.mp4")
    put(root / "dog.csv", TABLE)
    opened = []
    open_source = video_lengths.open_source
    monkeypatch.setattr(video_lengths, "open_source", lambda path: opened.append(path) or open_source(path))
    assert [len(open_folder(root)[0]) for _ in range(3)] == [4, 4, 4]
    assert len(opened) == 1
    (root / "dog.mp4").unlink()
    put_video(root / "dog.mp4", 5)
    assert len(open_folder(root)[0]) == 5
    (home / "indices" / "video_lengths.json").write_text("{")
    assert len(open_folder(root)[0]) == 5
    assert len(opened) == 3


def test_progress_is_told(root):
    for name in "ab":
        put_images(root / name)
        put(root / f"{name}.csv", TABLE)
    told = []
    open_folder(root, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert folders.open_folder(root).is_video


def test_a_folder_is_recognised(root):
    root.mkdir()
    assert detect_dataset(root) is None
    put_images(root / "a" / "b")
    assert detect_dataset(root) == "folder"
    put(root / "all.json", COCO)
    assert detect_dataset(root) == "coco_json"
    put_video(root / "deep" / "dog.mp4")
    assert detect_dataset(root) == "folder"
    assert isinstance(open_dataset("folder", root.parent, "mine", first_frame=0, rebuild=True), folders.FolderDataset)


def test_what_others_made_of_the_clips_is_none_of_them(root):
    put_images(root / "dog")
    put(root / "dog.csv", TABLE)
    pack(open_folder(root), root / "packed")
    (root / "outputs").mkdir()
    Image.fromarray(numbered_image(0)).save(root / "outputs" / "mine_check.png")
    put(root / "__MACOSX" / "dog" / "._0000.png", "shadow")
    dataset = open_folder(root)
    assert names(dataset) == ["dog"]
    assert dataset.issues == ()


def test_links_are_followed_once(root):
    put_images(root / "dog")
    put(root / "dog.csv", TABLE)
    (root / "dog" / "loop").symlink_to(root)
    (root / "gone.csv").symlink_to(root / "nowhere")
    assert names(open_folder(root)) == ["dog"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read(root):
    put_images(root / "dog")
    (root / "dog").chmod(0)
    with pytest.raises(DataError, match="cannot look through"):
        open_folder(root)
    (root / "dog").chmod(0o755)
