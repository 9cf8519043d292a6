"""A short clip with known boxes, a tracker without training, and the program itself."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lockon.apps.cli import main
from lockon.boxes import Box
from lockon.networks.association import AssociationNet
from lockon.networks.tracker_net import lockon_s
from lockon.video import open_sink
from lockon.zoo import Card, write_model

FRAMES = 12
WIDTH, HEIGHT = 160, 120
SIDE = 24


def clip_box(index: int) -> Box:
    return Box(40 + 2 * index, 50 - index, SIDE, SIDE)


def clip_frame(index: int) -> np.ndarray:
    """A bright textured square that moves over a dark textured ground."""
    rng = np.random.default_rng(0)
    image = rng.integers(40, 110, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y = (int(value) for value in clip_box(index)[:2])
    image[y : y + SIDE, x : x + SIDE] = rng.integers(150, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    return image


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "dog.mp4"
    with open_sink(path, 25) as sink:
        for index in range(FRAMES):
            sink.write(clip_frame(index))
    return path


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> str:
    """Path of a model of lockon_s with random weights: what it says is wrong, but it is always the same."""
    network = lockon_s(torch.Generator().manual_seed(0))
    card = Card(constructor="lockon_s", tracker="lockon_s", licence="none", origin="random numbers")
    return str(write_model(tmp_path_factory.mktemp("model") / "untrained.safetensors", network.state_dict(), card))


@pytest.fixture(scope="session")
def associating(tmp_path_factory) -> str:
    """The small tracker, with an association network that has random weights."""
    sizes = {"in_channels": 128, "dim": 16, "encoder_widths": [8], "gnn_layers": 2, "heads": 2}
    network = AssociationNet(**sizes, generator=torch.Generator().manual_seed(0))
    card = Card(constructor="association", arguments=sizes, tracker="keep_track_s", licence="none", origin="random")
    path = tmp_path_factory.mktemp("model") / "associating.safetensors"
    return str(write_model(path, network.state_dict(), card))


@dataclass
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def lockon(tmp_path, monkeypatch, capsys):
    """The program, run in an empty folder: `lockon("track", "dog.mp4", …)`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        status: int | str | None = None
        capsys.readouterr()
        with contextlib.suppress(SystemExit):
            status = main([str(argument) for argument in arguments])
        return Outcome(2 if status is None else status, *capsys.readouterr())

    return run
