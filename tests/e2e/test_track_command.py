"""`lockon track` from the command line to the files it leaves."""

import json
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tyro
from PIL import Image

from lockon.apps import outputs, track
from lockon.apps.track import Track, arguments
from lockon.errors import OutputError, VideoError
from lockon.tracking import State
from lockon.tracking.learners import Memory
from lockon.trajectory import read_csv, read_json, read_otb
from lockon.video import VideoSource, open_sink, open_source
from lockon.zoo import model_file

BOX = "40,50,24,24"
FRAMES = 12


def frames_of(path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [frame.image for frame in source]


@pytest.fixture
def interrupt_after(monkeypatch):
    """Send SIGINT to this process once, when so many frames were tracked."""

    def arrange(frames: int) -> None:
        count, pending = track.Meter.count, [signal.SIGINT]

        def counting(self, result):
            count(self, result)
            if self.frames == frames and pending:
                signal.raise_signal(pending.pop())

        monkeypatch.setattr(track.Meter, "count", counting)

    return arrange


def test_all_that_a_track_leaves(lockon, clip, untrained):
    names = ("a.json", "a.csv", "a.txt")
    saves = [word for name in names for word in ("--save", name)]
    outcome = lockon("track", clip, "--box", BOX, "--tracker", untrained, *saves, "--save-video", "a.mp4")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1:] == [*names, "a.mp4"]
    assert outcome.out.startswith(f"{FRAMES} frames at ")
    trajectory = read_json("a.json")
    assert [result.frame for result in trajectory.results] == list(range(FRAMES))
    assert [result.time for result in trajectory.results] == pytest.approx(np.arange(FRAMES) / 25)
    assert trajectory.results[0].box == trajectory.header.start_boxes[0] == (40, 50, 24, 24)
    header = trajectory.header
    assert (header.tracker, header.source, header.image_size, header.fps) == (untrained, str(clip), (160, 120), 25)
    assert header.weights_sha256 == json.loads(Path(untrained).with_suffix(".json").read_text())["sha256"]
    assert read_csv("a.csv") == trajectory.results
    assert read_otb("a.txt").tolist() == [list(result.box) for result in trajectory.results]
    drawn, plain = frames_of("a.mp4"), frames_of(clip)
    assert len(drawn) == FRAMES
    assert np.abs(drawn[0].astype(int) - plain[0])[45:80, 36:70].max() > 60, "no box was drawn"
    assert sorted(path.name for path in Path().iterdir()) == sorted([*names, "a.mp4"])


def test_the_weights_named_in_the_trajectory_are_those_that_were_used(lockon, clip):
    Path("lockon_s").write_bytes(b"a file that happens to be named like a tracker")
    options = ("--box", BOX, "--end", 2, "--no-video", "--save", "a.json")
    assert lockon("track", clip, *options).status == 0
    card = model_file("lockon_s").with_suffix(".json")
    assert read_json("a.json").header.weights_sha256 == json.loads(card.read_text())["sha256"]


def test_default_outputs_never_replace_a_file(lockon, clip, untrained):
    options = ("--box", BOX, "--tracker", untrained, "--end", 2)
    assert lockon("track", clip, *options).status == 0
    before = Path("outputs/dog.json").read_bytes()
    assert lockon("track", clip, *options, "--seed", 5, "--no-video").status == 0
    assert sorted(path.name for path in Path("outputs").iterdir()) == ["dog-2.json", "dog.json", "dog.mp4"]
    assert Path("outputs/dog.json").read_bytes() == before
    assert read_json("outputs/dog-2.json").header.seed == 5


def test_several_targets(lockon, clip, untrained):
    outcome = lockon("track", clip, "--box", BOX, "--box=-3,4,30,20", "--tracker", untrained, "--save", "two.txt")
    assert outcome.status == 0
    assert outcome.out.splitlines()[1:] == ["two_0.txt", "two_1.txt", "two.json", "outputs/dog.mp4"]
    results = read_json("two.json").results
    assert [len(result) for result in results] == [2] * FRAMES
    for target in (0, 1):
        assert read_otb(f"two_{target}.txt").tolist() == [list(result[target].box) for result in results]


def test_start_and_end_by_frame_and_by_time(lockon, clip, untrained):
    for start, end in (("4", "9"), ("0.16s", "0:00.36")):
        lockon("track", clip, "--box", BOX, "--tracker", untrained, "--save", "part.json", "--no-video",
               "--start", start, "--end", end)  # fmt: skip
        trajectory = read_json("part.json")
        assert [result.frame for result in trajectory.results] == [4, 5, 6, 7, 8]
        assert trajectory.header.start_frame == 4


@pytest.mark.parametrize("boxes", [[BOX], [BOX, "60,60,20,30"]])
def test_an_interrupted_track_goes_on_as_if_nothing_had_happened(lockon, clip, untrained, interrupt_after, boxes):
    options = [*(f"--box={box}" for box in boxes), "--tracker", untrained]
    whole = ["--save=whole.json", "--save=whole.csv", "--save=whole.txt", "--save-video=whole.mp4"]
    whole += ["--save-state=whole.safetensors"]
    assert lockon("track", clip, *options, *whole).status == 0

    parts = [word.replace("whole", "parts") for word in whole]
    interrupt_after(5)
    outcome = lockon("track", clip, *options, *parts)
    assert outcome.status == 130
    assert len(read_json("parts.json").results) == len(frames_of("parts.mp4")) == 5
    command = outcome.out.splitlines()[-1].removeprefix("to go on: ")
    assert State.load("parts.safetensors").frame == 4

    assert lockon(*shlex.split(command)[1:]).status == 0
    texts = ["whole.txt"] if len(boxes) == 1 else ["whole_0.txt", "whole_1.txt"]
    for name in ("whole.json", "whole.csv", "whole.safetensors", *texts):
        assert Path(name.replace("whole", "parts")).read_bytes() == Path(name).read_bytes()
    assert np.array_equal(frames_of("parts.mp4"), frames_of("whole.mp4"))


def test_a_track_that_was_killed_goes_on_from_the_state_saved_last(lockon, clip, untrained):
    options = ("--box", BOX, "--tracker", untrained, "--no-video")
    assert lockon("track", clip, *options, "--save", "whole.json").status == 0
    lockon("track", clip, *options, "--save", "parts.json", "--end", 4, "--save-state", "saved.safetensors")
    early = Path("saved.safetensors").read_bytes()
    lockon("track", clip, *options, "--save", "parts.json", "--end", 9)
    Path("saved.safetensors").write_bytes(early)
    rest = ("--resume", "saved.safetensors", "--save", "parts.json", "--tracker", untrained, "--no-video")
    assert lockon("track", clip, *rest).status == 0
    assert Path("parts.json").read_bytes() == Path("whole.json").read_bytes()


def test_the_state_is_saved_now_and_then_and_deleted_at_the_end(lockon, clip, untrained, monkeypatch):
    saved = []
    save = State.save
    monkeypatch.setattr(State, "save", lambda self, path: saved.append(self.frame) or save(self, path))
    monkeypatch.setattr(track, "StateKeeper", lambda path: outputs.StateKeeper(path, seconds=0))
    assert lockon("track", clip, "--box", BOX, "--tracker", untrained, "--save", "a.json", "--no-video").status == 0
    assert saved == list(range(FRAMES))
    assert [path.name for path in Path().iterdir()] == ["a.json"]


@pytest.fixture(params=[(0, 4), (1e9, 0)], ids=["copied in every frame", "copied in the first frame"])
def copied(request, monkeypatch):
    """The latest frame before the fifth of which there is a copy of the state."""
    seconds, frame = request.param
    monkeypatch.setattr(track, "StateKeeper", lambda path: outputs.StateKeeper(path, copy_seconds=seconds))
    return frame


def assert_goes_on(lockon, clip, options):
    assert lockon("track", clip, "--resume", "parts.safetensors", *options).status == 0
    for name in ("whole.csv", "whole.safetensors"):
        assert Path(name.replace("whole", "parts")).read_bytes() == Path(name).read_bytes()


@pytest.mark.parametrize("error", [OutputError("the disk is gone"), RuntimeError("out of memory")])
def test_a_track_that_fails_can_go_on(lockon, clip, monkeypatch, error, copied):
    assert lockon("track", clip, "--box", BOX, "--save", "whole.csv", "--save-state", "whole.safetensors").status == 0
    write = outputs.Outputs.write

    def failing(self, frame, result):
        if frame.index == 5 and failures:
            raise failures.pop()
        write(self, frame, result)

    failures = [error]
    monkeypatch.setattr(outputs.Outputs, "write", failing)
    options = ("--save", "parts.csv", "--save-state", "parts.safetensors")
    if isinstance(error, OutputError):
        outcome = lockon("track", clip, "--box", BOX, *options)
        hint, message = outcome.err.splitlines()
        assert (outcome.status, message) == (2, "error: the disk is gone")
        assert hint.startswith(f"to go on: lockon track {clip} --save parts.csv --save-video outputs/dog-2.mp4 ")
    else:
        with pytest.raises(RuntimeError):
            lockon("track", clip, "--box", BOX, *options)
    assert State.load("parts.safetensors").frame == copied
    assert len(read_csv("parts.csv")) == 5
    assert_goes_on(lockon, clip, options)


def test_a_step_that_fails_halfway_does_not_spoil_the_state(lockon, clip, monkeypatch, copied):
    assert lockon("track", clip, "--box", BOX, "--save", "whole.csv", "--save-state", "whole.safetensors").status == 0
    add, calls = Memory.add, []

    def failing(self, *args, **options):
        memory = add(self, *args, **options)
        calls.append(memory)
        if len(calls) == 5:
            raise RuntimeError("out of memory")
        return memory

    monkeypatch.setattr(Memory, "add", failing)
    options = ("--save", "parts.csv", "--save-state", "parts.safetensors", "--no-video")
    with pytest.raises(RuntimeError):
        lockon("track", clip, "--box", BOX, *options)
    assert State.load("parts.safetensors").frame == copied
    assert_goes_on(lockon, clip, options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: Path("a.json").unlink(), "cannot read a.json"),
        (lambda: Path("a.json").write_text(Path("short.json").read_text()), "not the trajectory of the saved track"),
        (lambda: Path("a.json").write_text(Path("other.json").read_text()), "not the trajectory of the saved track"),
        (lambda: Path("a.state.safetensors").write_bytes(b"junk"), "damaged or not a saved track"),
    ],
)
def test_what_does_not_belong_together_is_not_resumed(lockon, clip, untrained, change, message):
    options = ("--tracker", untrained, "--no-video", "--box")
    lockon("track", clip, *options, BOX, "--end", 3, "--save", "a.json", "--save-state", "a.state.safetensors")
    lockon("track", clip, *options, BOX, "--end", 2, "--save", "short.json")
    lockon("track", clip, *options, "60,60,20,30", "--end", 3, "--save", "other.json")
    change()
    resume = ("--resume", "a.state.safetensors", "--save", "a.json", "--tracker", untrained, "--no-video")
    outcome = lockon("track", clip, *resume)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err


def change_state(**changes):
    replace(State.load("a.state.safetensors"), **changes).save("a.state.safetensors")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"tracker": "dimp18"}, [], "belongs to tracker 'dimp18', not to 'lockon_s'"),
        ({"lockstep": True}, [], "lock-step"),
        ({}, ["--end", 4], "goes to frame 4 and cannot end before frame 4"),
        ({}, ["--end", "0.1s"], "goes to frame 4 and cannot end before 0.1 s"),
    ],
)
def test_a_track_that_cannot_go_on_keeps_its_files(lockon, clip, untrained, change, options, message):
    files = ("--save", "a.json", "--save-video", "a.mp4", "--tracker", untrained)
    lockon("track", clip, "--box", BOX, *files, "--save-state", "a.state.safetensors", "--end", 5)
    change_state(**change)
    Path("a.json").write_text(Path("a.json").read_text() + "\n")  # what is written anew lacks this
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    outcome = lockon("track", clip, "--resume", "a.state.safetensors", *files, *options)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(("end", "total"), [((), FRAMES), (("--end", 5), 5), (("--end", 100), FRAMES)])
def test_the_progress_bar_knows_where_the_track_ends(lockon, clip, untrained, monkeypatch, end, total):
    totals = []
    meter = track.Meter
    monkeypatch.setattr(track, "Meter", lambda title, total: totals.append(total) or meter(title, total))
    assert lockon("track", clip, "--box", BOX, "--tracker", untrained, "--no-video", *end).status == 0
    assert totals == [total]


@pytest.fixture
def folder(tmp_path, clip) -> Path:
    """The frames of the clip as images."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, image in enumerate(frames_of(clip)):
        Image.fromarray(image).save(folder / f"{index:04d}.png")
    return folder


def test_no_frame_is_left_out_when_the_last_one_of_the_saved_track_is_lost(lockon, folder, untrained):
    options = ("--tracker", untrained, "--save", "a.json", "--save-state", "a.state")
    lockon("track", folder, "--box", BOX, *options, "--end", 5)
    (folder / "0004.png").write_bytes(b"not an image")
    assert lockon("track", folder, "--resume", "a.state", *options).status == 0
    assert [result.frame for result in read_json("a.json").results] == list(range(FRAMES))


def test_unreadable_frames_are_skipped_and_told(lockon, folder, untrained):
    (folder / "0003.png").write_bytes(b"not an image")
    outcome = lockon("track", folder, "--box", BOX, "--tracker", untrained, "--save", "a.json", "--save", "a.txt")
    assert "1 unreadable frames skipped" in outcome.out
    assert [result.frame for result in read_json("a.json").results] == [0, 1, 2, *range(4, FRAMES)]
    boxes = read_otb("a.txt")
    assert len(boxes) == FRAMES
    assert boxes[3].tolist() == boxes[2].tolist()


class Camera(VideoSource):
    """Shows the clip, live."""

    def __init__(self, clip):
        with open_source(clip) as source:
            self.frames = list(source)
            info = replace(source.info, kind="camera", name="camera 0", frame_count=None)
        super().__init__(info, "skip", 0)

    def _read(self, start):
        yield from self.frames[start:]

    def _checked_index(self, index):
        raise VideoError("live")

    _index_at = count_frames = _checked_index


def test_ctrl_c_is_the_usual_end_of_a_live_source(lockon, clip, untrained, interrupt_after, monkeypatch):
    monkeypatch.setattr(track, "open_source", lambda *_, **__: Camera(clip))
    interrupt_after(4)
    outcome = lockon("track", "camera:0", "--box", BOX, "--tracker", untrained)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1:] == ["outputs/camera_0.json", "outputs/camera_0.mp4"]
    assert len(read_json("outputs/camera_0.json").results) == 4
    assert lockon("track", "camera:0", "--box", BOX, "--tracker", untrained, "--start", 3).status == 2
    assert len(list(Path("outputs").iterdir())) == 2


def test_ctrl_c_on_the_real_program_keeps_what_was_done(clip, untrained, tmp_path):
    long = tmp_path / "long.mp4"
    with open_sink(long, 25) as sink:
        for image in frames_of(clip) * 40:
            sink.write(image)
    program = [sys.executable, "-c", "import sys; from lockon.apps.cli import main; sys.exit(main())"]
    options = ["track", long, "--box", BOX, "--tracker", untrained, "--save", "a.csv"]
    process = subprocess.Popen([*program, *options], cwd=tmp_path, text=True, stdout=subprocess.PIPE)
    csv = tmp_path / "a.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not csv.exists() or csv.read_text().count("\n") < 6):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    tracked = len(read_csv(csv))
    assert 5 <= tracked < 480
    assert out.startswith(f"{tracked} frames at")
    assert "to go on: lockon track" in out
    assert State.load(tmp_path / "a.state.safetensors").frame == tracked - 1
    assert len(frames_of(tmp_path / "outputs" / "long.mp4")) == tracked


def test_the_command_to_go_on_says_the_same_as_its_options():
    options = Track("my dog.mp4", box=("1,2,3,4", "5,6,7,8"), save=(Path("a b.json"), Path("c.txt")), keep_audio=True,
                    resume=Path("s"), end="3s", seed=4)  # fmt: skip
    assert tyro.cli(Track, args=arguments(options)) == options
    assert arguments(replace(options, box=(), save=(), keep_audio=False, resume=None, end=None, seed=0)) == [
        "my dog.mp4"
    ]
