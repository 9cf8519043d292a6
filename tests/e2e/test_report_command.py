"""`lockon report`, from stored and imported results to a page."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lockon.data.testsets.registry import open_test_set
from lockon.evaluation.store import Making, ResultKey, ResultStore
from lockon.evaluation.tracks import Track

FRAMES = 12


@pytest.fixture
def videos(tmp_path):
    """Two sequences of a square that moves 4 pixels a frame."""
    for name in ("left", "right"):
        folder = tmp_path / "videos" / name
        (folder / "frames").mkdir(parents=True)
        lines = []
        for index in range(FRAMES):
            image = np.full((60, 80, 3), 90, np.uint8)
            image[20:40, 4 * index + 4 : 4 * index + 20] = (200, 60, 60)
            Image.fromarray(image).save(folder / "frames" / f"{index:04d}.jpg")
            lines.append(f"{4 * index + 4},20,16,20")
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "videos"


@pytest.fixture
def results(videos, tmp_path):
    """Results of a tracker that follows and of one that stays where it started."""
    store, test_set = ResultStore(tmp_path / "results"), open_test_set("folder", videos)
    for sequence in test_set.sequences:
        follows = sequence.truth.boxes
        stays = np.tile(follows[0], (FRAMES, 1))
        for tracker, boxes in (("follows", follows), ("stays", stays)):
            key = ResultKey("folder", tracker, 0, sequence.name)
            store.save(key, sequence, Track(boxes=boxes), Making(seed=0, environment={"torch": "2.13"}))
    return tmp_path / "results"


def test_report_shows_tables_and_writes_nothing_unasked(lockon, videos, results, tmp_path):
    outcome = lockon("report", results, "--on", f"folder={videos}")
    assert outcome.status == 0
    assert outcome.out.index("follows") < outcome.out.index("stays")
    assert "95.24" in outcome.out  # a perfect track under these rules: 20 of 21 thresholds
    assert "rules of pytracking" in outcome.out
    assert "follows is better than stays with probability" in outcome.out
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["results", "videos"]


@pytest.mark.slow
def test_report_of_all_rules_has_them_side_by_side_and_everything_on_disk(lockon, videos, results):
    outcome = lockon("report", results, "--on", f"folder={videos}", "--rules", "all", "--out", "here/report")
    assert outcome.status == 0
    assert "AUC under each set of rules" in outcome.out
    with Path("here/report/values.csv").open(newline="") as file:
        values = {
            (row["rules"], row["tracker"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["measure"] == "AUC"
        }
    assert values["pytracking", "follows"] == pytest.approx(100 * 20 / 21)
    assert values["trackingnet", "follows"] == pytest.approx(100)
    page = Path("here/report/index.html").read_text()
    assert "lost from frame 4 on, 8 frames" in page  # the overlap is 0 once it is 16 pixels off
    assert "data:image/jpeg;base64," in page
    assert "torch: 2.13" in page


def test_missing_results_are_listed_with_their_reason(lockon, videos, results):
    (results / "folder" / "stays" / "000" / "left.txt").write_text("1,2,3,4\n")
    outcome = lockon("report", results, "--on", f"folder={videos}", "--out", "out")
    assert outcome.status == 0
    assert "does not count: left (stays): " in outcome.out
    assert "half-written" in outcome.out
    assert "half-written" in Path("out/exclusions.csv").read_text()


def test_what_is_odd_about_the_test_set_is_a_remark(lockon, videos, results):
    (videos / "left.csv").write_text("frame,x,y,w,h\n0,4,5,10,8\n")
    outcome = lockon("report", results, "--on", f"folder={videos}", "--out", "out")
    assert "'left' is annotated by 'groundtruth.txt'; 'left.csv' left aside." in outcome.out
    assert "left aside" in Path("out/index.html").read_text()


def test_a_tracker_without_any_result_does_not_keep_others_from_their_report(lockon, videos, results):
    for name in ("left", "right"):
        (results / "folder" / "stays" / "000" / f"{name}.txt").write_text("1,2,3,4\n")
    (results / "folder" / "killed").mkdir()
    outcome = lockon("report", results, "--on", f"folder={videos}", "--out", "out")
    assert outcome.status == 0
    assert "'stays' is left out, as none of its results on this test set counts: " in outcome.out
    assert "'killed' is left out, as none of its results on this test set counts; its folder is empty" in outcome.out
    assert "stays" in Path("out/exclusions.csv").read_text()
    outcome = lockon("report", results, "--on", f"folder={videos}", "--trackers", "stays")
    assert outcome.status == 2
    assert "half-written" in outcome.err


def test_raw_results_of_other_programs_can_be_compared(lockon, videos, results, tmp_path):
    folder = tmp_path / "raw" / "theirs"
    folder.mkdir(parents=True)
    for name in ("left", "right"):
        (folder / f"{name}.txt").write_text("".join(f"{4 * index + 4},20,16,10\n" for index in range(FRAMES)))
    outcome = lockon(
        "report",
        results,
        "--on",
        f"folder={videos}",
        "--import",
        f"ATOM={folder}:text",
        "--trackers",
        "ATOM",
        "stays",
    )
    assert outcome.status == 0
    assert "ATOM is better than stays" in outcome.out
    assert "follows" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "folder"), "is not NAME=FOLDER"),
        (("--on", "foldre=VIDEOS"), "Did you mean 'folder'"),
        (("--on", "folder=VIDEOS", "folder=VIDEOS"), "twice"),
        (("--on", "folder=VIDEOS", "--trackers", "folows"), "Did you mean 'follows'"),
        (("--on", "folder=VIDEOS", "--rules", "otv"), "Did you mean 'otb'"),
        (("--on", "folder=VIDEOS", "--import", "ATOM=nowhere"), "there is no folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(lockon, videos, results, arguments, message):
    outcome = lockon("report", results, *(argument.replace("VIDEOS", str(videos)) for argument in arguments))
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_results_that_are_not_there_are_no_report(lockon, videos):
    outcome = lockon("report", "nowhere", "--on", f"folder={videos}")
    assert outcome.status == 2
    assert "lockon eval" in outcome.err


def test_models_are_compared_over_all_their_settings(lockon, videos, results):
    store, test_set = ResultStore(results), open_test_set("folder", videos)
    for model, offsets in (("good", (0, 2)), ("bad", (4, 6))):
        for number, offset in enumerate(offsets):
            for sequence in test_set.sequences:
                boxes = sequence.truth.boxes + np.array([offset, 0, 0, 0])
                key = ResultKey("folder", f"{model}~selector.lost=0.{number}", 0, sequence.name)
                store.save(key, sequence, Track(boxes=boxes), Making(seed=0))
    wanted = [f"{model}~selector.lost=0.{number}" for model in ("good", "bad") for number in (0, 1)]
    outcome = lockon("report", results, "--on", f"folder={videos}", "--over-settings", "--trackers", *wanted)
    assert outcome.status == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    means = {row[0]: float(row[1]) for row in rows if row and row[0] in {"good", "bad"}}
    assert means["good"] > means["bad"] > 0


@pytest.fixture
def secret(tmp_path):
    """GOT-10k's test part, of one sequence."""
    folder = tmp_path / "got10k" / "test" / "GOT-10k_Test_000001"
    folder.mkdir(parents=True)
    for frame in range(3):
        Image.new("RGB", (64, 48)).save(folder / f"{frame + 1:08d}.jpg")
    (folder / "groundtruth.txt").write_text("1,2,30,40\n")
    (folder.parent / "list.txt").write_text(folder.name)
    return tmp_path / "got10k"


@pytest.mark.parametrize("form", ["", ":got10k_server"])
def test_what_the_server_of_got10k_said_is_reported(lockon, secret, tmp_path, form):
    for name, overlap in (("atom", 0.556), ("dimp", 0.611)):
        numbers = {"ao": overlap, "sr": 0.7, "speed_fps": 30.0, "succ_curve": np.linspace(1, 0, 101).tolist()}
        (tmp_path / f"{name}.json").write_text(json.dumps({"submitted": {"overall": numbers}}))
    (tmp_path / "results" / "got10k_test" / "mine").mkdir(parents=True)
    imports = [f"ATOM=atom.json{form}", f"DiMP=dimp.json{form}"]
    outcome = lockon("report", "results", "--on", f"got10k_test={secret}", "--import", *imports, "--out", "report")
    assert outcome.status == 0, outcome.err
    assert outcome.out.index("DiMP") < outcome.out.index("ATOM")
    assert "55.60" in outcome.out
    assert "'mine' is left out, as there is no report of the server on it" in outcome.out
    assert Path("report/plots/got10k_test/got10k/success_plot.svg").is_file()
    with Path("report/curves.csv").open(newline="") as file:
        assert {row["tracker"] for row in csv.DictReader(file)} == {"ATOM", "DiMP"}
    assert "has no effect" not in outcome.out
    said = ("report", "results", "--on", f"got10k_test={secret}", "--import", imports[0])
    outcome = lockon(*said, "--rules", "otb", "--over-settings")
    assert "--rules has no effect on what the server said." in outcome.out
    assert "--over-settings has no effect on what the server said." in outcome.out
    outcome = lockon("report", "results", "--on", f"got10k_test={secret}", "--import", imports[0], imports[0])
    assert outcome.status == 2
    assert "several results of 'ATOM'" in outcome.err
