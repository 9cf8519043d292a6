"""Whatever is wrong with what a user gives, the program says so in one line before any work, and leaves nothing."""

import io
import pickle
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lockon.trajectory import read_json
from lockon.video import open_source

BOX = "40,50,24,24"


def fails(outcome, *words):
    """One line on stderr that holds these words, and exit status 2."""
    assert outcome.status == 2, outcome
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err
    assert outcome.out == ""


def audio_only() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["does not exist"]),
        (b"", ["empty"]),
        (b"Dear diary, this is not a video.\n" * 50, []),
        (audio_only(), ["only sound"]),
        ("header of the clip", []),
    ],
)
def test_videos_that_are_none(lockon, clip, untrained, content, words):
    if content is not None:
        Path("bad.mp4").write_bytes(clip.read_bytes()[:600] if isinstance(content, str) else content)
    fails(lockon("track", "bad.mp4", "--box", BOX, "--tracker", untrained), "bad.mp4", *words)
    assert not Path("outputs").exists()


def test_a_truncated_video_is_tracked_as_far_as_it_goes(lockon, clip, untrained):
    whole = clip.read_bytes()
    Path("cut.mp4").write_bytes(whole[: len(whole) * 9 // 10])
    outcome = lockon("track", "cut.mp4", "--box", BOX, "--tracker", untrained, "--save", "cut.json")
    assert outcome.status == 0
    results = read_json("cut.json").results
    assert 1 < len(results) < 12
    assert f"{12 - len(results)} unreadable frames skipped" in outcome.out


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ("500,50,24,24", ["outside"]),
        ("-100,50,24,24", ["outside"]),
        ("40,50,0,24", ["no area"]),
        ("40,50,24,-24", ["no area"]),
        ("40,50,nan,24", ["not finite"]),
        ("40,inf,24,24", ["not finite"]),
        ("0,0,1000,1000", ["larger than"]),
        ("40,50,24", ["four numbers"]),
        ("40,50,24,x", ["four numbers"]),
        ("", ["four numbers"]),
    ],
)
def test_boxes_that_are_none(lockon, clip, untrained, box, words):
    fails(lockon("track", clip, f"--box={box}", "--tracker", untrained), "box", *words)
    fails(lockon("track", clip, "--box", BOX, f"--box={box}", "--tracker", untrained), "box", *words)
    assert not Path("outputs").exists() or not any(Path("outputs").iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["--box"]),
        (["--box", BOX, "--resume", "x.safetensors"], ["one of the two"]),
        (["--resume", "x.safetensors", "--save", "a.json"], ["no saved state"]),
        (["--resume", "x.safetensors"], ["--save"]),
        (["--resume", "x.safetensors", "--save", "a.json", "--start", "3"], ["--start"]),
        (["--box", BOX, "--no-video", "--save-video", "a.mp4"], ["--save-video", "leave out --no-video"]),
        (["--box", BOX, "--no-video", "--keep-audio"], ["--keep-audio", "leave out --no-video"]),
        (["--box", BOX, "--end", ""], ["no place in a video"]),
        (["--box", BOX, "--tracker", "lockon_z"], ["unknown tracker", "'lockon_s'"]),
        (["--box", BOX, "--tracker", "missing.pth"], ["no file missing.pth"]),
        (["--box", BOX, "--save", "a.jsn"], ["'.jsn'", "'.json'"]),
        (["--box", BOX, "--save", "nowhere/a.json"], ["no folder nowhere"]),
        (["--box", BOX, "--save-video", "nowhere/a.mp4"], ["nowhere"]),
        (["--box", BOX, "--save-state", "nowhere/a"], ["no folder nowhere"]),
        (["--box", BOX, "--save-video", "a.avi"], ["a.avi"]),
        (["--box", BOX, "--save", "a.json", "--save", "./a.json"], ["given twice"]),
        (["--box", BOX, "--start", "12"], ["12"]),
        (["--box", BOX, "--start", "soon"], ["'soon'"]),
        (["--box", BOX, "--start", "9", "--end", "9"], ["begin at frame 9 (0.36 s) and end before frame 9"]),
        (["--box", BOX, "--start", "3", "--end", "2"], ["begin at frame 3 (0.12 s) and end before frame 2"]),
        (["--box", BOX, "--start", "3", "--end", "0.04s"], ["begin at frame 3 (0.12 s) and end before 0.04 s"]),
        (["--box", BOX, "--device", "gpu"], ["'gpu'", "lockon doctor"]),
    ],
)
def test_options_that_make_no_sense(lockon, clip, untrained, options, words):
    tracker = [] if "--tracker" in options else ["--tracker", untrained]
    fails(lockon("track", clip, *options, *tracker), *words)
    assert not [path for path in Path().rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "options",
    [
        ["--box", BOX, "--tracker", "lockon_z"],
        ["--box", BOX, "--tracker", "missing.pth"],
        ["--box", BOX, "--device", "gpu"],
        ["--box", "500,50,24,24"],
        ["--box", BOX, "--seed", "-1"],
        ["--box", BOX, "--start", "3", "--end", "2"],
    ],
)
def test_what_cannot_start_opens_no_output(lockon, clip, options):
    Path("a.json").write_text("a trajectory")
    fails(lockon("track", clip, *options, "--save", "a.json", "--save-video", "pictures"))
    assert [path.name for path in Path().iterdir()] == ["a.json"]
    assert Path("a.json").read_text() == "a trajectory"


def test_the_source_is_not_written_over(lockon, clip, untrained):
    Path("dog.mp4").write_bytes(clip.read_bytes())
    outcome = lockon(
        "track",
        "dog.mp4",
        "--box",
        BOX,
        "--tracker",
        untrained,
        "--save-video",
        "../" + str(Path.cwd().name) + "/dog.mp4",
    )
    fails(outcome, "dog.mp4", "source")
    assert Path("dog.mp4").read_bytes() == clip.read_bytes()


def test_a_debug_flag_shows_where_an_error_comes_from(lockon):
    from lockon.errors import VideoError

    with pytest.raises(VideoError):
        lockon("track", "missing.mp4", "--box", BOX, "--debug")


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA"])
def test_folders_of_grey_deep_and_transparent_images(lockon, untrained, mode):
    Path("frames").mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
    for index in range(3):
        pixels = {"L": grey, "I;16": grey.astype(np.uint16) * 257, "RGBA": np.stack([grey] * 4, axis=-1)}[mode]
        Image.fromarray(np.roll(pixels, index, axis=1)).save(f"frames/{index}.png")
    outcome = lockon("track", "frames", "--box", "20,20,20,20", "--tracker", untrained, "--save", "a.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert len(read_json("a.json").results) == 3


@pytest.mark.parametrize("side", [1, 8])
def test_tiny_images_are_tracked_in(lockon, untrained, side):
    Path("frames").mkdir()
    for index in range(3):
        Image.new("RGB", (side, side), (index * 20, 90, 200)).save(f"frames/{index}.png")
    outcome = lockon("track", "frames", "--box", f"0,0,{side},{side}", "--tracker", untrained, "--save", "a.json")
    assert (outcome.status, outcome.err) == (0, "")
    results = read_json("a.json").results
    assert len(results) == 3
    assert np.isfinite([result.box for result in results]).all()


def test_frames_that_change_size(lockon, untrained, clip):
    Path("frames").mkdir()
    with open_source(clip) as source:
        for frame in source:
            size = (160, 120) if frame.index < 6 else (200, 90)
            Image.fromarray(frame.image).resize(size).save(f"frames/{frame.index:02d}.png")
    options = ("--box", BOX, "--tracker", untrained, "--save", "a.json", "--save-video", "a.mp4")
    outcome = lockon("track", "frames", *options)
    assert (outcome.status, outcome.err) == (0, "")
    assert len(read_json("a.json").results) == 12
    with open_source("a.mp4") as source:
        assert {frame.image.shape for frame in source} == {(120, 160, 3)}


class Malice:
    """What runs code when unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("harm"),))


def malicious() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"net": Malice()}, protocol=2))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"junk" * 100, malicious(), pickle.dumps(Malice(), protocol=2)])
def test_checkpoints_that_are_corrupt_or_malicious(lockon, clip, content):
    Path("bad.pth").write_bytes(content)
    fails(lockon("track", clip, "--box", BOX, "--tracker", "bad.pth"), "bad.pth")
    fails(lockon("models", "import", "bad.pth", "--as", "dimp50"), "bad.pth")
    assert not Path("harm").exists()


def test_a_full_disk_ends_the_track_and_keeps_what_was_written(lockon, clip, untrained, full_disk, monkeypatch):
    full_disk()
    saves = [f"--save={name}.json" for name in ("a", "b")]
    outcome = lockon("track", clip, *(f"--box={BOX}" for _ in range(6)), "--tracker", untrained, "--no-video", *saves)
    fails(outcome, "a.json", "free space")
    assert 0 < len(read_json("a.json").results) < 12
    assert len(read_json("b.json").results) == len(read_json("a.json").results)
    assert not list(Path().glob("*.part"))
