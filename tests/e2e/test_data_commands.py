"""`lockon data`: list, check, pack, synthetic, benchmark."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.datasets.layouts import make_davis, make_lasot
from data.testsets.whole_sets import boxes_file, images, make_otb
from lockon.data.datasets.folders import open_folder
from lockon.data.datasets.shards import open_shards
from lockon.data.sequences import find_sequences

TABLE = "frame,x,y,w,h\n" + "".join(f"{n},{40 + 2 * n},{50 - n},24,24\n" for n in range(12))


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LOCKON_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def mine(lockon, clip):
    """A folder with one annotated video."""
    folder = Path("mine")
    folder.mkdir()
    (folder / "dog.mp4").symlink_to(clip)
    (folder / "dog.csv").write_text(TABLE)
    return folder


@pytest.mark.parametrize("command", ["list", "check", "pack", "synthetic", "benchmark"])
def test_every_command_explains_itself_with_an_example(lockon, command):
    outcome = lockon("data", command, "--help")
    assert f"For example: `lockon data {command}" in re.sub(r"[│\s]+", " ", outcome.out)


def test_check_says_what_is_there(lockon, mine):
    outcome = lockon("data", "check", mine)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "mine is read as folder (--as NAME for something else)"
    assert re.search(r"sequences +1 \(videos\), 12 \(median; 12 to 12\) frames", outcome.out)
    assert re.search(r"frames +12; annotated 100\.0%, visible 100\.0%", outcome.out)
    assert re.search(r"box side +24\.0 \(median; 24\.0 to 24\.0\) pixels", outcome.out)
    assert re.search(r"images read +12: 160×120 12", outcome.out)
    assert lines[-3:] == [
        "errors: 0, warnings: 0",
        "frames with boxes: outputs/mine_check.png",
        "report: outputs/mine_check.json",
    ]
    assert Image.open("outputs/mine_check.png").width > 1000
    assert json.loads(Path("outputs/mine_check.json").read_text())["sequences"] == 1


def test_check_fails_on_errors_and_only_on_them(lockon, mine):
    (mine / "dog.csv").write_text(TABLE.replace("\n3,", "\n3,9999,9999,24,24\n99,") + "12,1,1,1,1\n")
    assert "line 6: there is no frame 99" in lockon("data", "check", mine).err  # nothing is left to check
    (mine / "dog.csv").write_text(TABLE.replace("46,47,24", "500,47,24"))
    outcome = lockon("data", "check", mine, "--out", "here")
    assert outcome.status == 0
    assert "warning: outside, 1×\n  dog: 1 box outside of the image (160×120) (frame 3)" in outcome.out
    assert Path("here/mine_check.json").is_file()
    for number in range(5):
        (mine / f"bare{number}.mp4").symlink_to(mine.resolve() / "dog.mp4")
    outcome = lockon("data", "check", mine)
    assert outcome.status == 1
    assert "error: left out, 5×\n  'mine/bare0.mp4' has no annotation" in outcome.out
    assert outcome.out.count("no annotation") == 3
    assert "errors: 5, warnings: 2" in outcome.out
    report = json.loads(Path("outputs/mine_check.json").read_text())
    assert [finding["kind"] for finding in report["findings"]].count("left out") == 5


def test_check_of_the_folder_it_writes_to_says_the_same_again(lockon, mine, monkeypatch):
    monkeypatch.chdir(mine)
    first, second = (lockon("data", "check", ".") for _ in range(2))
    assert first.out == second.out
    assert (second.status, second.err) == (0, "")


def test_check_of_a_part_says_where_the_whole_is(lockon):
    whole = make_davis(Path("DAVIS")).resolve()
    outcome = lockon("data", "check", "DAVIS/JPEGImages")
    assert outcome.status == 2
    assert f"It is a part of davis: give '{whole}'." in outcome.err


def test_check_reads_every_image_if_asked(lockon, monkeypatch):
    monkeypatch.setattr("lockon.data.datasets.check.SAMPLED_IMAGES", 2)
    make_lasot(Path("LaSOT"))
    broken = Path("LaSOT/airplane/airplane-2/img/00000003.jpg").resolve()
    broken.write_bytes(b"broken")
    outcome = lockon("data", "check", "LaSOT", "--split", "train")
    assert "LaSOT is read as lasot (--as" in outcome.out
    assert "1118 of the 1120 sequences" in outcome.out
    assert "unreadable" not in outcome.out
    outcome = lockon("data", "check", "LaSOT", "--split", "train", "--all-images", "--as", "lasot")
    assert f"error: unreadable, 1×\n  cannot read the image '{broken}'" in outcome.out
    assert outcome.status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no folder 'nowhere'"),
        ([".", "--as", "lasott"], "Did you mean 'lasot'?"),
        ([".", "--as", "synthetic"], "the synthetic world is endless"),
        (["mine", "--split", "train"], "there is no folder 'mine/train'"),
        (["mine", "--annotations", "a.json"], "folder has no option 'annotations'; its options: first_frame"),
        (["mine", "--first-frame", "1"], "frame 0 comes before the first, which is frame 1"),
        (["mine", "--out", "mine/dog.csv/x"], "cannot write mine/dog.csv/x"),
    ],
)
def test_what_cannot_work_is_refused(lockon, mine, arguments, message):
    outcome = lockon("data", "check", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert message in outcome.err


@pytest.mark.parametrize("name", ["dog.json", "dog.csv"])
def test_what_was_tracked_is_data(lockon, mine, untrained, name):
    (mine / "dog.csv").unlink()
    save = ["--save", mine / name, "--no-video", "--start", 2]
    assert lockon("track", mine / "dog.mp4", "--box", "40,50,24,24", "--tracker", untrained, *save).status == 0
    (mine / "dog.state.safetensors").unlink(missing_ok=True)
    (dog,) = open_folder(mine)
    assert dog.boxes[2].tolist() == [40, 50, 24, 24]
    assert np.isnan(dog.boxes[:2]).all()
    assert not np.isnan(dog.boxes[2:]).any()


def test_pack_and_check_what_was_packed(lockon, mine):
    outcome = lockon("data", "pack", mine, "packed")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1:] == ["1 sequences, 12 frames packed now, 1 shards", "shards: packed"]
    assert open_shards("packed").fingerprint == open_folder(mine).fingerprint
    (mine / "bare.mp4").symlink_to(mine.resolve() / "dog.mp4")
    again = lockon("data", "pack", mine, "packed")
    assert "(1 issues; see `lockon data check`): 'mine/bare.mp4' has no annotation" in again.out.splitlines()[1]
    assert again.out.splitlines()[2] == "1 sequences, 0 frames packed now, 1 shards (1 from before)"
    outcome = lockon("data", "check", "packed")
    assert outcome.status == 0
    assert "packed is read as shards" in outcome.out
    path = Path("packed/shard-000000.tar")
    path.write_bytes(path.read_bytes()[:5000])
    outcome = lockon("data", "check", "packed")
    assert outcome.status == 2
    assert "was cut off" in outcome.err
    assert "holds something else" in lockon("data", "pack", mine, mine).err
    assert "at least one pixel" in lockon("data", "pack", mine, "other", "--max-side", 0).err


def test_unreadable_frames_are_packed_without_picture_and_told(lockon):
    Path("mine/a").mkdir(parents=True)
    for number in range(6):
        Image.new("RGB", (64, 48)).save(f"mine/a/{number}.jpg")
    Path("mine/a/groundtruth.txt").write_text("1,2,30,40\n" * 6)
    for number in range(1, 6):
        Path(f"mine/a/{number}.jpg").write_bytes(b"broken")
    outcome = lockon("data", "pack", "mine", "packed", "--max-side", "32")
    assert outcome.status == 0
    assert outcome.out.count("packed without picture") == 3
    assert "… and 2 more" in outcome.out
    assert open_shards("packed")[0].frame(0).shape == (24, 32, 3)


@pytest.mark.slow
def test_ctrl_c_keeps_whole_shards_and_says_how_to_go_on(tmp_path):
    picture = tmp_path / "noise.png"
    Image.effect_noise((640, 480), 50).save(picture)
    for name in range(100):
        folder = tmp_path / "mine" / f"clip {name}"
        folder.mkdir(parents=True)
        for number in range(8):
            (folder / f"{number}.png").hardlink_to(picture)
        (folder / "groundtruth.txt").write_text("1,2,30,40\n" * 8)
    program = "import sys; from lockon.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["data", "pack", "mine", "out", "--shard-mb", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Programs that a shell starts in the background ignore SIGINT, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "shard-000001.tar").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert "to go on: lockon data pack mine out --shard-mb 1" in out
    shards = sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix in (".tar", ".part"))
    assert shards[:2] == ["shard-000000.tar", "shard-000001.tar"]
    assert not [name for name in shards if name.endswith(".part")]


def test_synthetic_sequences_are_written_in_our_layout(lockon):
    outcome = lockon("data", "synthetic", "made", "--count", 2, "--length", 4, "--seed", 3)
    assert (outcome.status, outcome.err, outcome.out) == (0, "", "made\n")
    dataset = open_folder("made")
    numbers = [int(sequence.name.removeprefix("synthetic_")) for sequence in dataset]
    assert len(numbers) == 2
    assert min(numbers) >= 3
    assert [len(sequence) for sequence in dataset] == [4, 4]
    assert dataset[0].mask(0).shape == dataset[0].frame(0).shape[:2]
    assert lockon("data", "check", "made").status == 0
    assert len(find_sequences(Path("made"))) == 2
    assert "exists already" in lockon("data", "synthetic", "made", "--seed", 4).err
    assert "--count 1" in lockon("data", "synthetic", "x", "--count", 0).err


def test_a_test_set_is_compared_with_its_counts(lockon):
    make_otb(Path("OTB"))
    images(Path("OTB/Biker/img"), range(1, 143), 4)
    outcome = lockon("data", "check", "OTB", "--as", "otb100", "--out", "here")
    assert (outcome.status, outcome.err) == (1, "")
    assert re.search(r"sequences +100 of 100; 1 with images", outcome.out)
    assert re.search(r"frames +59,040 of 59,040", outcome.out)
    assert "error: no images, 99×" in outcome.out
    assert json.loads(Path("here/otb100_check.json").read_text())["expected_frames"] == 59_040
    assert Image.open("here/otb100_check.png").width > 1000
    boxes_file(Path("OTB/Biker/groundtruth_rect.txt"), 3)
    outcome = lockon("data", "check", "OTB", "--as", "otb100")
    assert "error: left out, 1×\n  'OTB/Biker/groundtruth_rect.txt' has 3 boxes" in outcome.out
    assert "99 sequences can be used; OTB-100 has 100" in outcome.out
    assert "frames with boxes" not in outcome.out  # no image is left


def test_data_sets_are_listed_and_found(lockon):
    outcome = lockon("data", "list")
    assert outcome.status == 0
    assert re.search(r"otb100 +OTB-100 +100 +59,040 +one_pass", outcome.out)
    assert re.search(r"got10k +train, val", outcome.out)
    make_otb(Path("all/OTB"), "Biker", "Bird1")
    make_lasot(Path("all/LaSOT"))
    outcome = lockon("data", "list", "all")
    assert re.search(r"all/OTB +otb100 +2 of 100 +550 of 59,040 +0", outcome.out)
    assert re.search(r"all/LaSOT +lasot \(to train\)", outcome.out)
    assert "vot2018" not in outcome.out
    Path("none").mkdir()
    assert "no data set of a known layout" in lockon("data", "list", "none").out
    assert "there is no folder 'nowhere'" in lockon("data", "list", "nowhere").err


def test_the_synthetic_test_set_is_made_and_checked(lockon):
    outcome = lockon("data", "benchmark", "made", "--count", 2, "--length", 2)
    assert (outcome.status, outcome.err, outcome.out) == (0, "", "made\n")
    outcome = lockon("data", "check", "made", "--as", "synthetic", "--split", "test")
    assert (outcome.status, outcome.err) == (0, "")
    assert re.search(r"sequences +2; 2 with images", outcome.out)
    assert "made otherwise" in lockon("data", "benchmark", "made", "--count", 3, "--length", 2).err
    assert "--length 2" in lockon("data", "benchmark", "x", "--length", 1).err
