import configparser
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lockon.apps.cli import main
from lockon.data.testsets.registry import open_test_set
from lockon.evaluation.store import Making, ResultKey, ResultStore
from lockon.evaluation.tracks import Track

NAMES = [f"GOT-10k_Test_{number:06d}" for number in (1, 2)]
FRAMES = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The secret part of GOT-10k: images, and only the first box."""
    from PIL import Image as PillowImage

    for name in NAMES:
        folder = tmp_path / "data" / "test" / name
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            PillowImage.new("L", (64, 48)).save(folder / f"{frame + 1:08d}.jpg")
        (folder / "groundtruth.txt").write_text("1.0000,2.0000,30.0000,40.0000\n")
    (tmp_path / "data" / "test" / "list.txt").write_text("\n".join(NAMES))
    return tmp_path / "data"


def boxes_of(run: int) -> Track:
    return Track(boxes=np.full((FRAMES, 4), run + 1.0), seconds=np.full(FRAMES, 0.5))


@pytest.fixture
def results(tmp_path: Path, data: Path) -> Path:
    """Two runs of a tracker, as `lockon eval` keeps them."""
    test_set = open_test_set("got10k_test", data)
    store = ResultStore(tmp_path / "results")
    for run in range(2):
        for sequence in test_set.sequences:
            key = ResultKey(test_set.name, "mine", run, sequence.name)
            store.save(key, sequence, boxes_of(run), Making(seed=run))
    return store.root


def test_own_results_are_packed_for_the_server(
    tmp_path: Path, data: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.zip"
    words = ["results", "submit", str(results), "--on", f"got10k_test={data}", "--tracker", "mine", "--out", str(out)]
    assert main(words) == 0
    with zipfile.ZipFile(out) as archive:
        assert archive.read(f"{NAMES[1]}/{NAMES[1]}_002.txt") == b"2.000,2.000,2.000,2.000\n" * FRAMES
        assert len(archive.namelist()) == 6
    said = capsys.readouterr().out
    assert "expects 3 runs" in said
    assert "6 files, 2 sequences, 2 runs" in said


def test_incomplete_results_are_not_packed(
    tmp_path: Path, data: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("000", "001"):
        for suffix in (".txt", ".json"):
            (results / "got10k_test" / "mine" / run / f"{NAMES[0]}{suffix}").unlink()
    out = tmp_path / "mine.zip"
    words = ["results", "submit", str(results), "--on", f"got10k_test={data}", "--tracker", "mine", "--out", str(out)]
    assert main(words) == 2
    assert f"1 sequences have no result ({NAMES[0]})" in capsys.readouterr().err
    assert not out.exists()


def test_sets_without_a_server_have_no_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "videos" / "one").mkdir(parents=True)
    (tmp_path / "videos" / "one" / "groundtruth.txt").write_text("1,2,3,4\n")
    (tmp_path / "videos" / "one" / "0001.jpg").touch()
    words = ["results", "submit", str(tmp_path), "--on", f"folder={tmp_path / 'videos'}", "--tracker", "mine"]
    assert main([*words, "--out", str(tmp_path / "mine.zip")]) == 2
    assert "no form of submission" in capsys.readouterr().err


def test_presence_for_oxuva_follows_a_threshold_tuned_on_its_dev_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, task = tmp_path / "OxUvA", "vid0001,obj0000,0,3,0.25,0.75,0.25,0.75\n"
    for split in ("dev", "test"):
        (root / "tasks").mkdir(parents=True, exist_ok=True)
        (root / "tasks" / f"{split}.csv").write_text(task)
    (root / "annotations").mkdir()
    start = "vid0001,obj0000,1,car,false,false"
    seen, gone = ("present,0.25,0.75,0.25,0.75", "absent,0,0,0,0")
    labels = f"{start},1,{seen}\n{start},2,{gone}\n{start},3,{seen}\n"
    (root / "annotations" / "dev.csv").write_text(labels)
    store = ResultStore(tmp_path / "results")
    scores = {"oxuva_dev": [1.0, 0.3, 0.2, 0.4], "oxuva_test": [1.0, 0.1, 0.25, 0.2]}
    for name, of_frames in scores.items():
        (sequence,) = open_test_set(name, root).sequences
        # Without images boxes are relative.
        track = Track(boxes=np.tile([0.25, 0.25, 0.5, 0.5], (4, 1)), scores=np.array(of_frames))
        store.save(ResultKey(name, "mine", 0, sequence.name), sequence, track, Making(seed=0))
    out = tmp_path / "mine.zip"
    words = ["results", "submit", str(store.root), "--on", f"oxuva_test={root}", "--tracker", "mine"]
    assert main([*words, "--tuned-on", f"oxuva_dev={root}", "--out", str(out)]) == 0
    assert "above 0.2, which is best on OxUvA dev" in capsys.readouterr().out
    with zipfile.ZipFile(out) as archive:
        rows = archive.read("vid0001_obj0000.csv").decode().splitlines()
    assert [row.split(",")[3] for row in rows] == ["false", "true", "false"]


def test_one_run_is_converted_and_read_back(
    tmp_path: Path, data: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ["--on", f"got10k_test={data}"]
    raw, again = tmp_path / "raw", tmp_path / "again"
    assert main(["results", "convert", str(results), *on, "--form", "text", "--run", "1", "--out", str(raw)]) == 0
    assert (raw / "mine" / f"{NAMES[0]}.txt").read_text() == "2.0,2.0,2.0,2.0\n" * FRAMES
    assert main(["results", "convert", str(raw), *on, "--form", "got10k", "--out", str(again)]) == 0
    assert (again / "mine" / NAMES[0] / f"{NAMES[0]}_001.txt").is_file()
    assert "is read as text" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--form", "text"], "'text' holds one run, and there are 2"),
        (["--form", "text", "--run", "2"], "there is no run 2"),
        (["--form", "text", "--trackers", "min"], "Did you mean 'mine'?"),
        (["--form", "test"], "Did you mean 'text'?"),
        (["--form", "davis"], "cannot be written in the form 'davis'"),
    ],
)
def test_what_cannot_be_converted_is_refused(
    tmp_path: Path, data: Path, results: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["results", "convert", str(results), "--on", f"got10k_test={data}", "--out", str(out), *words]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_trackers_are_registered_with_the_command_that_serves_them(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    assert main(["vot", "register", str(tmp_path), "mine=lockon_s", "--region", "polygon"]) == 0
    registry = configparser.ConfigParser()
    registry.read(tmp_path / "trackers.ini")
    command = shlex.split(registry["mine"]["command"])
    assert command[1:6] == ["-m", "lockon", "vot", "track", "mine=lockon_s"]
    assert command[6:8] == ["--region", "polygon"]
