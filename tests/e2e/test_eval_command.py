"""`lockon eval`: results, scores, going on, failures, sweeps, and programs as trackers."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lockon as library
from lockon.video import open_source

TRACKERS = """
import time

from lockon.boxes import Box
from lockon.evaluation.trackers import Observation


class Perfect:
    def __init__(self, seed):
        self.x = None

    def start(self, image, region):
        self.x = region.x

    def step(self, image):
        self.x += 1
        return Observation(Box(self.x, 5, 10, 8), 0.9, True)


class Still:
    def __init__(self, seed):
        pass

    def start(self, image, region):
        self.region = region

    def step(self, image):
        return Observation(self.region)


class Slow(Still):
    def start(self, image, region):
        super().start(image, region)
        with open("begun", "a") as file:
            file.write("x")

    def step(self, image):
        time.sleep(0.1)
        return super().step(image)


class Failing(Still):
    def step(self, image):
        raise RuntimeError("out of ideas")
"""
PROGRAM = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split(" ", 3)
    if word == "quit":
        break
    if word == "start":
        x, y, w, h = map(float, rest[1].split(","))
    else:
        x += 1
    print("region", f"{x},{y},{w},{h}", 0.5, 1, flush=True)
"""
FRAMES = 6


@pytest.fixture
def videos(lockon) -> Path:
    """Two sequences in which the target moves a pixel a frame."""
    for name, left in (("one", 4), ("two", 9)):
        folder = Path("videos") / name
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            Image.fromarray(np.full((40, 60, 3), frame, dtype=np.uint8)).save(folder / f"{frame:05d}.png")
        lines = (f"{left + frame},5,10,8\n" for frame in range(FRAMES))
        (Path("videos") / f"{name}.txt").write_text("".join(lines))
    Path("own.py").write_text(TRACKERS)
    return Path("videos")


def row(out: str, tracker: str) -> list[str]:
    return next(line for line in out.splitlines() if line.split()[:1] == [tracker]).split()


def test_trackers_are_run_scored_and_kept(lockon, videos):
    outcome = lockon("eval", "own.py:Perfect", "still=own.py:Still", "--on", "folder=videos", "--processes", "0")
    assert outcome.status == 0, outcome.err
    perfect, still = row(outcome.out, "Perfect"), row(outcome.out, "still")
    assert float(perfect[1]) > 95
    assert float(still[1]) < float(perfect[1])
    assert "4 of 4 sequences" in outcome.err
    record = json.loads(Path("results/folder/still/000/one.json").read_text())
    assert record["provenance"]["factory"] == f"{Path('own.py').resolve()}:Still"
    assert len(record["seconds"]) == FRAMES
    assert "code" in record["environment"]

    again = lockon("eval", "own.py:Perfect", "still=own.py:Still", "--on", "folder=videos", "--processes", "0")
    assert "4 results are there, 0 are missing" in again.out
    assert row(again.out, "Perfect")[:5] == perfect[:5]


def test_a_failure_is_told_and_the_rest_is_done(lockon, videos):
    outcome = lockon("eval", "own.py:Failing", "own.py:Perfect", "--on", "folder=videos", "--processes", "0")
    assert outcome.status == 1
    assert "failed: Failing on folder/one, run 0: RuntimeError: out of ideas" in outcome.err
    assert "own.py" in outcome.err
    assert "no result of Failing on Own videos" in outcome.out
    assert float(row(outcome.out, "Perfect")[1]) > 95
    assert "2 sequences failed. To try them again: lockon" in outcome.out
    assert len(list(Path("results/folder/Perfect/000").glob("*.json"))) == 2


def test_what_is_odd_about_the_videos_is_said_and_a_damaged_image_named_without_a_traceback(lockon, videos):
    Path("videos/one.csv").write_text("frame,x,y,w,h\n0,4,5,10,8\n")
    Path("videos/two/00003.png").write_bytes(b"no image")
    outcome = lockon("eval", "own.py:Still", "--on", "folder=videos", "--processes", "0")
    assert outcome.status == 1
    assert "note on Own videos: 'one' is annotated by 'one.csv'; 'one.txt' left aside." in outcome.out
    assert "failed: Still on folder/two, run 0: cannot read the image 'videos/two/00003.png'" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_program_is_a_tracker(lockon, videos):
    Path("program.py").write_text(PROGRAM)
    outcome = lockon(
        "eval", "--external", f"prog={sys.executable} program.py", "--on", "folder=videos", "--processes", "0"
    )
    assert outcome.status == 0, outcome.err
    assert float(row(outcome.out, "prog")[1]) > 95
    assert json.loads(Path("results/folder/prog/000/one.json").read_text())["scores"] == [0.5] * FRAMES


def test_a_sweep_has_a_column_for_every_setting(lockon, videos, untrained):
    outcome = lockon(
        "eval", untrained, "--on", "folder=videos", "--processes", "0",
        "--set", "memory.interval=5", "--sweep", "selector.lost=0.1,1e9",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    heading = next(line for line in outcome.out.splitlines() if "selector.lost" in line and "AUC" in line)
    assert "memory.interval" in heading
    name = "untrained~memory.interval=5~selector.lost=1e9"
    assert row(outcome.out, name)[1:3] == ["5", "1e9"]


def test_a_tracker_with_a_name_can_be_swept(lockon, videos, untrained):
    outcome = lockon(
        "eval", f"mine={untrained}", "--on", "folder=videos", "--processes", "0", "--sweep", "selector.lost=0.1,1e9"
    )
    assert outcome.status == 0, outcome.err
    assert row(outcome.out, "mine~selector.lost=1e9")[1] == "1e9"


def test_real_time_results_are_kept_apart(lockon, videos):
    outcome = lockon("eval", "own.py:Still", "--on", "folder=videos", "--processes", "0", "--real-time", "20")
    assert outcome.status == 0, outcome.err
    assert Path("results/folder/Still@20fps/000/one.txt").exists()


def test_the_best_threshold_of_presence_is_told(lockon, clip, associating):
    """OxUvA's dev set: from the scores of a tracker to the threshold above which its targets are present."""
    frames, images = 4, Path("OxUvA/images/dev/vid0001")
    for folder in (images, Path("OxUvA/tasks"), Path("OxUvA/annotations")):
        folder.mkdir(parents=True)
    with open_source(clip) as source:
        for frame in islice(source, frames):
            Image.fromarray(frame.image).save(images / f"{frame.index:06d}.jpeg", quality=95)
    where = f"{40 / 160},{64 / 160},{50 / 120},{74 / 120}"
    Path("OxUvA/tasks/dev.csv").write_text(f"vid0001,obj0000,0,{frames - 1},{where}\n")
    labels = [(1, f"present,{where}"), (2, f"present,{where}"), (3, "absent,0,0,0,0")]
    lines = [f"vid0001,obj0000,1,car,false,false,{number},{said}\n" for number, said in labels]
    Path("OxUvA/annotations/dev.csv").write_text("".join(lines))
    outcome = lockon("eval", f"kept={associating}", "--on", "oxuva_dev=OxUvA", "--out", "results", "--processes", 0)
    assert outcome.status == 0, outcome.err
    record = json.loads(Path("results/oxuva_dev/kept/000/vid0001_obj0000.json").read_text())
    tracked = library.track(images, "40,50,24,24", tracker=associating, seed=record["seed"])
    scores = [result.score for result in tracked]
    assert record["scores"] == pytest.approx(scores)
    told = re.search(r"'kept' would be best by calling present what has a score above (\S+): MaxGM", outcome.out)
    assert told
    # Thresholds lie on scores, and the one below which nothing lies is -inf.
    assert float(told[1]) in [pytest.approx(score, rel=1e-3) for score in (*scores[1:], -math.inf)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a tracker"),
        (["own.py:Nobody"], "no function 'Nobody'"),
        (["no_such_tracker"], "no_such_tracker"),
        (["own.py:Still", "--runs", "0"], "at least one run"),
        (["own.py:Still", "--real-time", "0"], "positive frame rate"),
        (["own.py:Still", "--set", "selector.lost=1"], "none is named"),
        (["own.py:Still", "--draws", "3"], "--draws needs something"),
        (["own.py:Still", "--processes", "-1"], "at least one process"),
        (["own.py:Still", "a=own.py:Still", "Still=own.py:Still"], "2 of tracker 'Still'"),
    ],
)
def test_bad_input_is_explained_before_any_work(lockon, videos, arguments, message):
    outcome = lockon("eval", *arguments, "--on", "folder=videos")
    assert outcome.status == 2
    assert message in outcome.err
    assert not Path("results").exists()


def test_a_test_set_must_be_named(lockon, videos):
    outcome = lockon("eval", "own.py:Still")
    assert outcome.status == 2
    assert "there is no test set" in outcome.err
    assert lockon("eval", "own.py:Still", "--on", "videos").status == 2


@pytest.mark.slow
def test_ctrl_c_finishes_what_is_begun_and_says_how_to_go_on(videos):
    for name in ("three", "four", "five", "six"):
        shutil.copytree(videos / "one", videos / name)
        shutil.copy(videos / "one.txt", videos / f"{name}.txt")
    command = [sys.executable, "-m", "lockon", "eval", "own.py:Slow", "--on", "folder=videos"]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stderr is not None
    assert "1 of 6 sequences" in program.stderr.readline()
    while len(Path("begun").read_text()) < 2:
        time.sleep(0.02)
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=120)
    assert program.returncode == 130
    assert "what is begun is finished" in err
    assert "To go on: lockon eval own.py:Slow --on folder=videos" in out
    kept, begun = len(list(Path("results/folder/Slow/000").glob("*.json"))), Path("begun").read_text()
    assert kept == len(begun) < 6
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    assert f"{kept} results are there, {6 - kept} are missing" in done.stdout
    assert "Slow" in done.stdout
