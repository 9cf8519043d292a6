"""Every format by a file written by hand; all give the same tracks."""

import json

import numpy as np
import pytest

from lockon.boxes import Box
from lockon.data.datasets.annotations import read_annotation
from lockon.data.datasets.annotations.base import gather_tracks
from lockon.errors import DataError
from lockon.trajectory import Header, open_writer
from lockon.types import Result, Status

CVAT_VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><size>9</size></task></meta>
  <track id="7" label="dog" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="10" ytl="20" xbr="40" ybr="60" z_order="0">
    </box>
    <box frame="4" outside="0" occluded="1" keyframe="1" xtl="18" ytl="20" xbr="56" ybr="60" z_order="0">
      <attribute name="pose">sitting</attribute>
    </box>
    <box frame="5" outside="1" occluded="0" keyframe="1" xtl="18" ytl="20" xbr="56" ybr="60" z_order="0"></box>
    <box frame="8" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="4" ybr="6" z_order="0"></box>
  </track>
  <track id="8" label="cat">
    <polygon frame="0" outside="0" points="1,2;3,4"></polygon>
    <box frame="2" outside="0" occluded="0" keyframe="1" xtl="5" ytl="5" xbr="9" ybr="7"></box>
  </track>
</annotations>
"""
CVAT_IMAGES = """<annotations>
  <image id="0" name="dog/frame_000000.PNG" width="64" height="48">
    <box label="dog" occluded="0" xtl="1" ytl="2" xbr="4" ybr="6"><attribute name="track_id">3</attribute></box>
    <box label="dog" occluded="1" xtl="2" ytl="2" xbr="5" ybr="6"><attribute name="track_id">4</attribute></box>
  </image>
  <image id="1" name="dog/frame_000001.PNG" width="64" height="48">
    <box label="dog" occluded="0" xtl="2" ytl="3" xbr="5" ybr="7"><attribute name="track_id">3</attribute></box>
    <box label="cat" group_id="2" xtl="0" ytl="0" xbr="5" ybr="7"></box>
  </image>
</annotations>
"""
COCO = {
    "videos": [{"id": 1, "name": "dog", "length": 3}, {"id": 2, "name": "cat.mp4"}],
    "images": [
        {"id": 10, "video_id": 1, "frame_id": 0, "file_name": "dog/000001.jpg"},
        {"id": 11, "video_id": 1, "frame_id": 2, "file_name": "dog/000003.jpg"},
        {"id": 20, "video_id": 2, "frame_index": 5, "file_name": "x.jpg"},
    ],
    "categories": [{"id": 3, "name": "animal"}],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 3, "track_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 11, "category_id": 3, "track_id": 1, "bbox": [2, 3, 3, 4]},
        {
            "id": 3,
            "image_id": 20,
            "category_id": 3,
            "attributes": {"track_id": 9, "occluded": True},
            "bbox": [5, 6, 7, 8],
        },
        {"id": 4, "image_id": 20, "category_id": 3, "track_id": 8, "iscrowd": 1, "bbox": [5, 6, 7, 8]},
    ],
}


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def tracks(annotation):
    """Object → frame → (box, visible)."""
    found = {}
    for one in annotation.observations:
        found.setdefault(one.track, {})[one.frame if one.file is None else one.file] = (tuple(one.box), one.visible)
    return found


WALK = {0: ((10, 20, 30, 40), True), 2: ((12, 20, 30, 41), False)}


@pytest.mark.parametrize(
    ("name", "text", "track"),
    [
        ("a.csv", "frame,x,y,w,h,id,class,visible\n0,10,20,30,40,5,dog,1\n2,12,20,30,41,5,dog,0\n", "5"),
        ("a.csv", "frame1;x1;y1;x2;y2;track_id;label;outside\n1;10;20;40;60;5;dog;0\n3;12;20;42;61;5;dog;1\n", "5"),
        (
            "a.csv",
            "# by hand\nFrame\tXMin\tYMin\tXMax\tYMax\tvisibility\n0\t10\t20\t40\t60\t0.9\n\n2\t12\t20\t42\t61\t0.1",
            "0",
        ),
        ("a.txt", '"frame","left","top","width","height","Present"\n0,10,20,30,40,yes\n2,12,20,30,41,no', "0"),
        (
            "a.csv",
            "frame,width,height,xmin,ymin,xmax,ymax,lost\n0,640,480,10,20,40,60,0\n2,640,480,12,20,42,61,1",
            "0",
        ),
        ("a.csv", "x,y,w,h,occluded\n10,20,30,40,false\nnan,nan,nan,nan,true\n12,20,30,41,true\n", "0"),
        ("gt/gt.txt", "1,5,11,21,30,40,1,1,1.0\n3,5,13,21,30,41,1,1,0.1\n3,6,1,1,5,5,0,8,1\n", "5"),
    ],
)
def test_tables_and_text_say_the_same(write, name, text, track):
    assert tracks(read_annotation(write(name, text))) == {track: WALK}


def test_boxes_by_line_have_a_length_and_gaps(write):
    annotation = read_annotation(
        write("groundtruth.txt", "10,20,30,40\nNaN NaN NaN NaN\n0\t0\t0\t0\n12,20 30,41\n5,5,0,9\n")
    )
    assert annotation.lengths == {None: 5}
    assert tracks(annotation)["0"] == {
        0: ((10, 20, 30, 40), True), 3: ((12, 20, 30, 41), True), 4: ((5, 5, 0, 9), False),
    }  # fmt: skip
    polygon = read_annotation(write("vot.txt", "10,60,10,20,40,20,40,60\n"))
    assert tracks(polygon) == {"0": {0: ((10, 20, 30, 40), True)}}


def test_classes_of_mot_text_and_its_length(write):
    path = write("seq/gt/gt.txt", "1,5,11,21,30,40,1,3,1.0\n2,1,1,1,3,4,1,99,1\n2,2,1,1,3,4,1\n")
    write("seq/seqinfo.ini", "[Sequence]\nname=seq\nseqLength=600\n")
    annotation = read_annotation(path)
    assert [one.category for one in annotation.observations] == ["car", None, None]
    assert annotation.lengths == {None: 600}
    write("seq/gt/labels.txt", "dog\ncat\nhen\n")
    assert read_annotation(path).observations[0].category == "hen"
    write("seq/seqinfo.ini", "[Sequence]\nseqLength=many\n")
    with pytest.raises(DataError, match=r"seqinfo\.ini.*seqLength"):
        read_annotation(path)


def test_frames_of_tables_may_count_from_elsewhere(write):
    path = write("a.csv", "frame,x,y,w,h\n1,1,2,3,4\n2,1,2,3,4\n")
    assert [one.frame for one in read_annotation(path, first_frame=1).observations] == [0, 1]
    with pytest.raises(DataError, match=r"line 2: frame 1 comes before the first, which is frame 2"):
        read_annotation(path, first_frame=2)


def test_tables_may_name_clips_and_images(write):
    annotation = read_annotation(write("all.csv", "video,image,x,y,w,h\ndog.mp4,0004.jpg,1,2,3,4\n"))
    assert [(one.clip, one.file, one.frame) for one in annotation.observations] == [("dog.mp4", "0004.jpg", None)]
    assert annotation.lengths == {}


def test_tracks_of_cvat_are_interpolated_between_keyframes(write):
    annotation = read_annotation(write("a.xml", CVAT_VIDEO))
    dog = tracks(annotation)["7"]
    assert {frame: visible for frame, (_, visible) in dog.items()} == {
        0: True, 1: True, 2: True, 3: True, 4: False, 8: True,
    }  # fmt: skip
    assert dog[1][0] == pytest.approx((12, 20, 32, 40))
    assert dog[3][0] == pytest.approx((16, 20, 36, 40))
    assert dog[8][0] == (1, 2, 3, 4)
    assert tracks(annotation)["8"] == {2: ((5, 5, 4, 2), True)}
    assert {one.category for one in annotation.observations} == {"dog", "cat"}


def test_an_object_that_leaves_stays_where_it_was_until_then(write):
    text = CVAT_VIDEO.replace('frame="5"', 'frame="7"')
    dog = tracks(read_annotation(write("a.xml", text)))["7"]
    assert dog[6] == (dog[4][0], False)  # occluded there, too
    assert 7 not in dog


def test_images_of_cvat_have_names(write):
    assert tracks(read_annotation(write("a.xml", CVAT_IMAGES))) == {
        "3": {"dog/frame_000000.PNG": ((1, 2, 3, 4), True), "dog/frame_000001.PNG": ((2, 3, 3, 4), True)},
        "4": {"dog/frame_000000.PNG": ((2, 2, 3, 4), False)},
        "group 2": {"dog/frame_000001.PNG": ((0, 0, 5, 7), True)},
    }


def test_coco_with_videos(write):
    annotation = read_annotation(write("a.json", COCO))
    assert [(one.clip, one.frame, one.track, one.visible) for one in annotation.observations] == [
        ("dog", 0, "1", True), ("dog", 2, "1", True), ("cat.mp4", 5, "9", False),
    ]  # fmt: skip
    assert annotation.lengths == {"dog": 3}
    assert {one.category for one in annotation.observations} == {"animal"}


def test_coco_by_file_names_tells_objects_apart_by_category(write):
    content = {
        "images": [{"id": 1, "file_name": "dog/1.jpg"}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [{"image_id": 1, "category_id": number, "bbox": [1, 2, 3, 4]} for number in (1, 2)],
    }
    assert tracks(read_annotation(write("a.json", content))).keys() == {"dog", "cat"}
    content["annotations"].append({"image_id": 1, "category_id": 2, "bbox": [9, 9, 9, 9]})
    with pytest.raises(DataError, match="2 objects of category 2 in image 1 and no track_id"):
        read_annotation(write("a.json", content))


def test_tracks_of_youtube_vis(write):
    content = {
        "videos": [{"id": 1, "file_names": ["dog/00.jpg", "dog/05.jpg"], "length": 2}],
        "categories": [],
        "annotations": [{"id": 4, "video_id": 1, "category_id": 1, "bboxes": [None, [1, 2, 3, 4]]}],
    }
    one = read_annotation(write("a.json", content)).observations
    assert [(o.clip, o.frame, o.file, o.track, tuple(o.box)) for o in one] == [
        ("dog", 1, "dog/05.jpg", "4", (1, 2, 3, 4))
    ]


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_what_lockon_track_wrote(tmp_path, suffix):
    path = tmp_path / f"dog{suffix}"
    header = Header(
        tracker="lockon_s", source="dog.mp4", image_size=(64, 48), fps=25.0, start_frame=4,
        start_boxes=(Box(1, 2, 3, 4), Box(5, 6, 7, 8)), seed=0,
    )  # fmt: skip
    with open_writer(path, header) as writer:
        writer.write(
            Result(
                4, np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), np.array([1.0, 0.2]), np.array([True, False]),
                (Status.FOUND, Status.LOST), time=0.1,
            )
        )  # fmt: skip
    assert tracks(read_annotation(path)) == {"0": {4: ((1, 2, 3, 4), True)}, "1": {4: ((5, 6, 7, 8), False)}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "a.csv' is empty"),
        ("a.csv", "frame,x,y,w\n0,1,2,3", "line 1: expected columns x,y,w,h"),
        ("a.csv", "frame,x,left,y,w,h\n", "'x' and 'left' both mean the left"),
        ("a.csv", "frame,x,y,w,h\n0,1,2,3,4\n\n1,1,2,3", "line 4: expected 5 values, as in the header; got 4"),
        ("a.csv", "frame,x,y,w,h\n0,1,2,three,4", "line 2: expected a number; got 'three'"),
        ("a.csv", "frame,x,y,w,h\n0.5,1,2,3,4", "line 2: a frame number is whole; got 0.5"),
        ("a.csv", "frame,x,y,w,h\n-1,1,2,3,4", "line 2: frame -1 comes before the first"),
        ("a.csv", "frame,x,y,w,h\n0,1,2,-3,4", "line 2: .*1,2,-3,4.*negative size"),
        ("a.csv", "frame,x,y,w,h\n0,inf,2,3,4", "line 2: .*not finite"),
        ("a.csv", "frame,x1,y1,x2,y2\n0,10,20,5,30", "line 2: .*negative size"),
        ("a.csv", "frame,x,y,w,h,visible\n0,1,2,3,4,perhaps", "line 2: expected a number; got 'perhaps'"),
        ("a.csv", "0,1,2,3,4", "line 1: 5 numbers a line are no format.*header"),
        ("a.txt", "1,2,3,4\n1,2,3\n", "line 2: expected x,y,w,h .*got 3 values"),
        ("a.txt", "1,1,1,2,3,4\n1,-1,1,2,3,4\n", "line 2: the object has no id"),
        ("a.txt", "0,1,1,2,3,4\n", "line 1: frame 0 comes before the first, which is frame 1"),
        ("a.xml", "<annotations><track", "a.xml', line 1: it is not complete XML"),
        ("a.xml", "<annotation><size/></annotation>", "outermost element is <annotation>"),
        ("a.xml", CVAT_VIDEO.replace('xtl="18"', 'xtl="a"'), "line 8: expected a number; got 'a'"),
        ("a.xml", CVAT_VIDEO.replace('frame="4" ', ""), "line 8: <box> has no 'frame'"),
        ("a.json", '{"annotations": [', "not complete JSON: .*line 1"),
        ("a.json", "[]", "neither COCO JSON"),
        ("a.json", {**COCO, "images": []}, "annotation 1: image_id 10 is not in the file"),
        ("a.json", {**COCO, "annotations": [{"image_id": 10, "bbox": [1, 2]}]}, "annotation 0: expected bbox"),
        ("a.json", {**COCO, "videos": [{"id": 1}, {"id": 1}]}, "the id 1 is given twice"),
        ("a.json", {"annotations": [], "categories": []}, 'no list "images"'),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named_with_its_place(write, name, text, message):
    with pytest.raises(DataError, match=message):
        read_annotation(write(name, text))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not a text file"):
        read_annotation(tmp_path / "a.csv")
    with pytest.raises(DataError, match="No such file"):
        read_annotation(tmp_path / "b.csv")


def test_tracks_are_gathered_and_spread(write):
    annotation = read_annotation(
        write("a.csv", "frame,x,y,w,h,id,class\n3,1,2,3,4,a,\n1,5,6,7,8,a,dog\n3,1,1,1,1,b,\n")
    )
    first, second = gather_tracks((one.frame, one) for one in annotation.observations)
    assert (first.id, first.category, second.id, second.category) == ("a", "dog", "b", None)
    assert first.frames.tolist() == [1, 3]
    boxes, visible = first.spread(5)
    assert visible.tolist() == [False, True, False, True, False]
    assert boxes[3].tolist() == [1, 2, 3, 4]
    assert np.isnan(boxes[[0, 2, 4]]).all()


def test_two_boxes_of_one_object_in_a_frame(write):
    annotation = read_annotation(write("a.csv", "frame,x,y,w,h\n3,1,2,3,4\n3,5,6,7,8\n"))
    with pytest.raises(DataError, match=r"line 3: a second box of object '0' in frame 3.*line 2"):
        gather_tracks((one.frame, one) for one in annotation.observations)
