"""The examples run: on a short clip, with a tracker without training."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

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
