"""`lockon track --draw` from the command line to the video."""

from pathlib import Path

import numpy as np
import pytest
import torch

import lockon as library
from lockon.errors import LockonError
from lockon.networks.tracker_net import lockon_s
from lockon.trajectory import read_json
from lockon.types import BoxDensity, Candidates
from lockon.video import annotate, draw_candidates, draw_density, open_source
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
    assert (
        lockon("track", clip, *options, "--save", "b.json", "--save-video", "drawn", "--draw", "density").status == 0
    )
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
        "track", clip, "--box", BOX, "--tracker", without_density, "--draw", "density", "--save", "a.json", *extra
    )
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert ("leave out --no-video" if "--no-video" in extra else "predicts no densities") in outcome.err
    assert not list(Path().iterdir())


def test_the_function_refuses_at_once(clip, without_density):
    with pytest.raises(LockonError, match="predicts no densities"):
        library.track(clip, BOX, tracker=without_density, density=True)


def columns(candidates):
    return {name: np.asarray(getattr(candidates, name)).tolist() for name in Candidates.__dataclass_fields__}


def test_candidates_are_drawn_and_kept_and_change_nothing_else(lockon, clip, associating):
    options = ("--box", BOX, "--tracker", associating, "--end", 4)
    assert lockon("track", clip, *options, "--save", "a.json", "--save-video", "plain").status == 0
    outcome = lockon("track", clip, *options, "--save", "b.json", "--save-video", "drawn", "--draw", "candidates")
    assert outcome.status == 0
    plain, drawn = frames_of("plain"), frames_of("drawn")
    assert np.array_equal(plain[0], drawn[0]), "the start frame has no candidates"
    assert all((one != other).any() for one, other in zip(plain[1:], drawn[1:], strict=True))
    before, after = read_json("a.json").results, read_json("b.json").results
    assert [result.box for result in before] == [result.box for result in after]
    assert all(result.candidates is None for result in (*before, after[0]))
    results = list(library.track(clip, BOX, tracker=associating, end=4, candidates=True))
    assert [columns(one.candidates) for one in results[1:]] == [columns(one.candidates) for one in after[1:]]
    assert results[1].candidates.ids[results[1].candidates.selected] == 0


def test_both_may_be_drawn_for_several_targets(lockon, clip, associating):
    boxes = ("--box", BOX, "--box", "90,50,24,24")
    options = ("--tracker", associating, "--end", 2, "--save", "a.json", "--save-video", "both")
    assert lockon("track", clip, *boxes, *options, "--draw", "density", "--draw", "candidates").status == 0
    both = [BOX, "90,50,24,24"]
    _, result = library.track(clip, both, tracker=associating, end=2, density=True, candidates=True)
    with open_source(clip) as source:
        _, frame, *_ = source
    density = draw_density(frame.image, result)
    drawn, undrawn = (annotate(image, result).astype(int) for image in (draw_candidates(density, result), density))
    marked = (drawn != undrawn).any(axis=2)
    found = frames_of("both")[1][marked]
    assert np.abs(found - drawn[marked]).mean() < 0.4 * np.abs(found - undrawn[marked]).mean()  # JPEG is near
    assert len(read_json("a.json").results[1].candidates) == 2


def test_a_track_that_goes_on_draws_the_candidates_of_its_past(lockon, clip, associating):
    def track(name, *options):
        common = ("--tracker", associating, "--draw", "candidates", "--save-video", name)
        outcome = lockon("track", clip, *common, *options)
        assert outcome.status == 0, outcome.err

    track("whole", "--box", BOX, "--end", 6, "--save", "a.json")
    track("begun", "--box", BOX, "--end", 3, "--save", "b.json", "--save-state", "b.safetensors")
    track("ended", "--resume", "b.safetensors", "--end", 6, "--save", "b.json")
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert all(np.array_equal(one, other) for one, other in zip(frames_of("whole"), frames_of("ended"), strict=True))


@pytest.mark.parametrize("extra", [("--save-video", "a.mp4"), ("--no-video",)])
def test_candidates_of_a_tracker_without_are_refused_before_work_starts(lockon, clip, untrained, extra):
    outcome = lockon("track", clip, "--box", BOX, "--tracker", untrained, "--draw", "candidates", *extra)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert ("leave out --no-video" if "--no-video" in extra else "follows no candidates") in outcome.err
    assert not list(Path().glob("**/*.*"))
    with pytest.raises(LockonError, match="follows no candidates"):
        library.track(clip, BOX, tracker=untrained, candidates=True)
