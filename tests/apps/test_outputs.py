from pathlib import Path

import numpy as np
import pytest

from lockon.apps.outputs import WAY, OutputPaths, Outputs
from lockon.boxes import Box
from lockon.errors import OutputError
from lockon.trajectory import Header
from lockon.types import Candidates, Frame, Result, Status
from lockon.video import object_color


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def choose(source="dog.mp4", *, save=(), video=None, no_video=False, state=None):
    return OutputPaths.choose(source, save=tuple(map(Path, save)), video=video, no_video=no_video, state=state)


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("dog.mp4", "dog"),
        ("some/where/my dog.mov", "my_dog"),
        ("frames/*.png", "track"),
        ("camera:0", "camera_0"),
        ("0", "0"),
        ("rtsp://user:secret@example.org:554/garden?token=secret", "garden"),
        ("http://example.org", "track"),
        ("file://dog.mp4", "dog"),
    ],
)
def test_outputs_are_named_after_the_source_and_give_no_secret_away(source, stem):
    paths = choose(source)
    assert paths.trajectories == (Path(f"outputs/{stem}.json"),)
    assert paths.video == Path(f"outputs/{stem}.mp4")
    assert paths.state == Path(f"outputs/{stem}.state.safetensors")


def test_a_folder_is_named_by_its_own_name():
    Path("walk").mkdir()
    Path("walk/deep").mkdir()
    assert choose("walk/deep/").video == choose("walk/../walk/deep").video == Path("outputs/deep.mp4")


def test_nothing_is_written_that_was_not_asked_for():
    assert choose(no_video=True).video is None
    assert choose(save=["a.csv"]).trajectories == (Path("a.csv"),)
    assert choose(save=["a.txt"]).trajectories == (Path("a.txt"), Path("a.json"))
    assert not Path("outputs").exists()


def test_new_names_are_found_beside_old_files():
    Path("outputs").mkdir()
    Path("outputs/dog.mp4").touch()
    assert choose().trajectories == (Path("outputs/dog-2.json"),)
    Path("outputs/dog-2.state.safetensors").touch()
    assert choose().video == Path("outputs/dog-3.mp4")


def test_a_folder_that_cannot_be_made_is_told():
    Path("outputs").touch()
    with pytest.raises(OutputError, match="cannot create the folder"):
        choose().check("dog.mp4")


@pytest.mark.parametrize("source", ["dog.mp4", "file://dog.mp4", "~/dog.mp4", "file://~/dog.mp4"])
def test_the_source_is_recognised_however_it_is_named(source, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OutputError, match=r"dog.mp4 is given twice"):
        choose(save=["a.json"], video=Path("dog.mp4")).check(source)


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = choose(save=["~/a.json"], video=Path("~/a.mp4"), state=Path("~/a.state"))
    paths.check("dog.mp4")
    assert (*paths.trajectories, paths.video, paths.state) == tuple(
        tmp_path / name for name in ("a.json", "a.mp4", "a.state")
    )


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_trajectory_without_a_name_is_told(name):
    with pytest.raises(OutputError, match="name of a file"):
        choose(save=[name])


def test_outputs_must_differ_from_each_other_and_from_the_source():
    for paths in (
        choose(save=["dog.mp4.json"], video=Path("dog.mp4")),
        choose(save=["a.json", "b/../a.json"]),
        choose(save=["a.json"], state=Path("a.json")),
    ):
        Path("b").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match="given twice"):
            paths.check("dog.mp4")


class Sink:
    path = Path("drawn")

    def __init__(self):
        self.images = []

    def write(self, image, time):
        self.images.append(image)

    def close(self):
        pass


def test_lines_lead_to_candidates_of_the_frames_before_but_not_too_far_back():
    frame = np.full((240, 640, 3), 90, np.uint8)
    header = Header(
        tracker="t",
        source="s",
        image_size=(640, 240),
        fps=25.0,
        start_frame=0,
        start_boxes=(Box(0, 0, 4, 4),),
        seed=0,
    )
    sink = Sink()
    with Outputs([Path("a.json")], sink, header, past=()) as outputs:
        for index in range(WAY + 3):
            one = np.zeros(1, np.int64)
            found = Candidates(np.array([[30.0 + 40 * index, 200.0]]), np.ones(1), one, 0, one - 1, np.zeros(1))
            result = Result(index, Box(0, 0, 4, 4), 0.9, True, Status.FOUND, candidates=found if index else None)
            outputs.write(Frame(index, index / 25, frame), result)
    assert not (sink.images[0][150:] != 90).any(), "the start frame has none"
    line = sink.images[-1][199]
    reached = [index for index in range(WAY + 2) if tuple(line[30 + 40 * index + 20]) == object_color(0)]
    assert reached == list(range(2, WAY + 2))
