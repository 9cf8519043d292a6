"""The examples run: on a short clip, with a tracker without training."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from lockon.boxes import Box, iou
from lockon.data.datasets.folders import open_folder
from lockon.data.datasets.registry import open_dataset
from lockon.errors import DataError
from lockon.networks.tracker_net import lockon_s
from lockon.video import open_sink, open_source
from lockon.zoo import Card, write_model

EXAMPLES = {path.stem: path for path in (Path(__file__).parents[1] / "examples").glob("*.py")}
FRAMES = 7
BOX = (40.0, 50.0, 24.0, 20.0)


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> str:
    network = lockon_s(torch.Generator().manual_seed(0))
    card = Card(constructor="lockon_s", tracker="lockon_s", licence="none", origin="random numbers")
    return str(write_model(tmp_path_factory.mktemp("model") / "untrained.safetensors", network.state_dict(), card))


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    scene = np.random.default_rng(0).integers(0, 256, (140, 180, 3), dtype=np.uint8)
    with open_sink(path, 25) as sink:
        for index in range(FRAMES):
            sink.write(np.ascontiguousarray(scene[index : index + 120, 2 * index : 2 * index + 160]))
    return str(path)


def test_track_video_draws_on_every_frame_but_the_first(clip, untrained, tmp_path):
    out = tmp_path / "tracked.mp4"
    example("track_video").main(clip, BOX, out, untrained)
    with open_source(out) as drawn:
        assert len(list(drawn)) == FRAMES - 1


def test_live_camera_says_the_box_before_it_learns(clip, untrained, capsys):
    example("live_camera").main(BOX, clip, untrained)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == [f"frame {index}" for index in range(1, FRAMES)]
    assert all("learned after" in line for line in lines[1::2])


def test_resumed_pieces_are_the_track_in_one_go(clip, untrained, tmp_path, capsys):
    resume = example("resume").main
    resume(clip, BOX, FRAMES, tmp_path / "whole", untrained)
    whole = capsys.readouterr().out
    assert len(whole.splitlines()) == FRAMES - 1
    resume(clip, BOX, 2, tmp_path / "pieces", untrained)
    resume(clip, BOX, FRAMES, tmp_path / "pieces", untrained)
    assert capsys.readouterr().out == whole


def test_the_animation_of_the_readme_moves(untrained, tmp_path):
    out = tmp_path / "animation.webp"
    example("render_readme_animation").main(out, frames=4, tracker=untrained)
    with Image.open(out) as animation:
        assert animation.n_frames == 3


def test_pseudo_labels_follow_what_moves_and_can_be_trained_on(tmp_path):
    pytest.importorskip("cv2")
    random = np.random.default_rng(0)
    ground = random.integers(90, 130, (15, 20, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    thing = random.integers(0, 256, (5, 5, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
    truth = [(20.0 + 6 * index, 40.0, 30.0, 30.0) for index in range(16)]
    with open_sink(tmp_path / "clip.mp4", 25) as sink:
        for x, y, w, h in truth:
            image = ground.copy()
            image[int(y) : int(y + h), int(x) : int(x + w)] = thing
            sink.write(image)
    example("pseudo_label_videos").main(tmp_path, tmp_path, motion_every=16)
    dataset = open_folder(tmp_path)
    assert [sequence.name for sequence in dataset] == ["clip"]
    boxes = torch.from_numpy(dataset[0].boxes)[dataset[0].visible]
    assert len(boxes) >= 12
    assert iou(boxes, torch.tensor(truth)[dataset[0].visible]).min() > 0.6
    with pytest.raises(DataError, match="overwritten"):
        example("pseudo_label_videos").main(tmp_path, tmp_path, motion_every=16)


def test_pseudo_labels_end_where_the_way_back_leads_elsewhere():
    script = example("pseudo_label_videos")
    here, elsewhere = Box(10.0, 10.0, 20.0, 20.0), Box(60.0, 10.0, 20.0, 20.0)
    images = list(range(1 + 2 * script.PIECE))
    last = images[-1]

    def sure(images, box):
        yield from [box] * len(images)

    def forgetful(images, box):
        """Loses the object on the way back from the last frame."""
        yield from [box] + [elsewhere if images[0] == last else box] * (len(images) - 1)

    def blind(images, box):
        """Sees the object in no frame but the first ten."""
        yield from [box if place < 10 else None for place in range(len(images))]

    assert list(script.trusted([sure], images, here)) == images
    assert list(script.trusted([forgetful], images, here)) == images[: 1 + script.PIECE]
    assert list(script.trusted([sure, blind], images, here)) == images[:10]


def test_starts_of_pseudo_labels_name_a_clip_of_the_folder(tmp_path):
    read_starts = example("pseudo_label_videos").read_starts
    table = tmp_path / "starts.csv"
    table.write_text("clip,frame,x,y,w,h\ndog,3,1,2,30,40\ndog,9,5,6,30,40\n")
    assert read_starts(table, ["trips/dog", "cat"]) == {"trips/dog": [(3, (1, 2, 30, 40)), (9, (5, 6, 30, 40))]}
    with pytest.raises(DataError, match=r"line 2: .* 'dog'"):
        read_starts(table, ["cat"])


def test_small_whole_objects_become_a_training_set_without_the_photographs_held_out(tmp_path, capsys):
    photos = tmp_path / "photos"
    (photos / "images").mkdir(parents=True)
    for name in "abc":
        Image.new("RGB", (200, 100)).save(photos / "images" / f"{name}.png")
    rows = ["a.png,50,20,30,30", "b.png,50,20,30,30", "b.png,5,5,150,90", "c.png,0,20,30,30", "c.png,60,20,40,40,dog"]
    (photos / "boxes.csv").write_text("\n".join(rows))
    example("boxes_to_coco").main([photos], tmp_path / "stills", every=25)
    stills = open_dataset("coco_json", tmp_path / "stills")
    # a.png is number 0 and held out; of b.png one box is too large, of c.png one touches the border.
    assert sorted(tuple(stills[index].boxes[0]) for index in range(len(stills))) == [
        (50, 20, 30, 30),
        (60, 20, 40, 40),
    ]
    assert stills[0].frame(0).shape == (100, 200, 3)
    assert "2 objects in 2 images" in capsys.readouterr().out
