"""`lockon track --density` from the command line to the video."""

from pathlib import Path

import numpy as np
import pytest
import torch

import lockon as library
from lockon.errors import LockonError
from lockon.networks.tracker_net import lockon_s
from lockon.types import BoxDensity
from lockon.video import open_source
from lockon.zoo import Card, write_model

BOX = "40,50,24,24"


def frames_of(path):
    with open_source(path) as source:
        return [frame.image.astype(int) for frame in source]


@pytest.fixture(scope="module")
def without_density(tmp_path_factory):
    """A model of the same network that localises as DiMP does."""
    network = lockon_s(torch.Generator().manual_seed(0))
    card = Card(constructor="lockon_s", tracker="dimp18", licence="none", origin="random numbers")
    return str(write_model(tmp_path_factory.mktemp("model") / "plain.safetensors", network.state_dict(), card))


def test_densities_are_drawn_and_change_nothing_else(lockon, clip, untrained):
    options = ("--box", BOX, "--tracker", untrained, "--end", 4)
    assert lockon("track", clip, *options, "--save", "a.json", "--save-video", "plain").status == 0
    assert lockon("track", clip, *options, "--save", "b.json", "--save-video", "drawn", "--density").status == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    plain, drawn = frames_of("plain"), frames_of("drawn")
    assert np.array_equal(plain[0], drawn[0]), "in the start frame nothing is predicted"
    assert all(np.abs(one - other).mean() > 10 for one, other in zip(plain[1:], drawn[1:], strict=True))


def test_the_function_gives_the_densities_of_every_frame_after_the_first(clip, untrained):
    results = list(library.track(clip, BOX, tracker=untrained, end=3, density=True))
    assert results[0].density is None
    assert all(isinstance(result.density, BoxDensity) for result in results[1:])


@pytest.mark.parametrize("extra", [("--save-video", "a.mp4"), ("--no-video",)])
def test_what_cannot_be_drawn_is_said_before_work_starts(lockon, clip, without_density, extra):
    outcome = lockon(
        "track", clip, "--box", BOX, "--tracker", without_density, "--density", "--save", "a.json", *extra
    )
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert ("leave out --no-video" if "--no-video" in extra else "predicts no densities") in outcome.err
    assert not list(Path().iterdir())


def test_the_function_refuses_at_once(clip, without_density):
    with pytest.raises(LockonError, match="predicts no densities"):
        library.track(clip, BOX, tracker=without_density, density=True)
