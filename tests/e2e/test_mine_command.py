"""`lockon mine` as a user types it: what a dump holds, and what is refused. Mining itself: tests/training/mining."""

import json

import pytest

from lockon.apps.cli import main
from lockon.training.mining.shards import shard_path
from training.mining.toy_dumps import mined_frame, write_dump

RIGHT = ((8, 8, 0.9), (2, 2, 0.3))
WRONG = ((2, 2, 0.9), (8, 8, 0.3))


@pytest.fixture
def dump(tmp_path):
    frames = [mined_frame("a", 1 + place, peaks) for place, peaks in enumerate((RIGHT, RIGHT, WRONG, ((8, 8, 0.9),)))]
    return write_dump(tmp_path / "mined", [frames], [[mined_frame("b", 1, RIGHT, visible=False)]])


def rows(text):
    """The lines of a table by their first word."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_what_a_dump_holds(dump, capsys):
    assert main(["mine", str(dump)]) == 0
    found = rows(capsys.readouterr().out)
    assert found["H"] == [">", "1", "yes", "yes", "yes", "2", "40.0%"]
    assert found["K"] == [">", "1", "yes", "no", "yes", "1", "20.0%"]
    assert found["D"] == ["1", "yes", "yes", "yes", "1", "20.0%"]
    assert found["other"] == ["1", "20.0%"]
    assert (found["HH"], found["HK"], found["HG"]) == (["1", "33.3%"], ["1", "33.3%"], ["0", "0.0%"])
    assert found["frames"] == ["5;", "target", "visible", "in", "4"]


def test_other_heights(dump, capsys):
    assert main(["mine", str(dump), "--found", "0.95"]) == 0
    found = rows(capsys.readouterr().out)
    assert found["G"][-2:] == ["2", "40.0%"]
    assert found["K"][-2:] == ["0", "0.0%"]
    assert main(["mine", str(dump), "--candidate", "0.5", "--found", "0.5"]) == 0
    assert rows(capsys.readouterr().out)["D"][-2:] == ["3", "60.0%"]
    assert main(["mine", str(dump), "--candidate", "0.01"]) == 2
    assert "Mine again with the lower threshold" in capsys.readouterr().err


def test_export_and_verification(dump, tmp_path, capsys):
    assert main(["mine", str(dump), "--verify", "--export", str(tmp_path / "official.json")]) == 0
    out = capsys.readouterr().out
    assert "every byte is as it was written" in out
    assert "3 frames exported" in out
    assert json.loads((tmp_path / "official.json").read_text())["a"]["frame_states"]["K"] == [3]


def test_an_unfinished_dump_says_so(dump, capsys):
    shard_path(dump, 1).unlink()
    assert main(["mine", str(dump)]) == 0
    assert "1 shards; what is whole is counted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "holds no mined frames"),
        (["--data", "lasot=/no/such/folder"], "there is no folder /no/such/folder"),
        (["--data", "lasott=."], "unknown data set 'lasott'. Did you mean 'lasot'?"),
        (["--data", "folder"], "write --data NAME=FOLDER"),
        (["--data", "folder=.", "lasot=."], "a dump holds one data set"),
        (["--data", "synthetic", "--split", "val"], "has no splits"),
        (["--data", "synthetic", "--tracker", "atom"], "atom"),
        (["--data", "synthetic", "--count", "0"], "at least one"),
        (["--data", "synthetic", "--processes", "0"], "at least one process"),
        (["--data", "synthetic", "--set", "data.world.distractor=3"], "Did you mean 'distractors'?"),
        (["--data", "synthetic", "--found", "0.001", "--candidate", "0.1"], "0 < candidate <= found"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(tmp_path, capsys, words, message):
    assert main(["mine", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
