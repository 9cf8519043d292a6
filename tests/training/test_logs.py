import resource
import sys

import numpy as np
import pytest
from toy_training import LOOP, losses, toy_trainer

from lockon.errors import MissingExtraError
from lockon.training.logs import Board, JsonLog, read_log


def test_lines_are_added_and_read(tmp_path):
    path = tmp_path / "log.jsonl"
    for step in (1, 2):
        JsonLog(path).append({"step": step, "loss": step / 2})
    assert read_log(path) == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}]


def test_lines_are_json_whatever_the_numbers(tmp_path):
    JsonLog(tmp_path / "log.jsonl").append({"step": 1, "loss": float("nan"), "auc": float("inf")})
    assert read_log(tmp_path / "log.jsonl") == [{"step": 1, "loss": None, "auc": None}]


def test_what_comes_after_a_step_is_cut(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JsonLog(path)
    for step in range(1, 6):
        log.append({"step": step})
    with path.open("a") as file:
        file.write('{"step": 2, "lo')  # as a killed process leaves it
    log.cut(3)
    log.append({"step": 4})
    assert path.read_text() == "".join(f'{{"step": {step}}}\n' for step in (1, 2, 3, 4))


def test_a_line_cut_off_by_a_kill_is_no_line(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2')
    assert read_log(path) == [{"step": 1}]
    JsonLog(path).cut(5)
    assert path.read_text() == '{"step": 1}\n'


def test_damaged_lines_are_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\nnonsense\n[1]\n\xff\xfe\n{"step": 2}\n')
    assert [entry["step"] for entry in read_log(path)] == [1, 2]


def test_on_a_full_disk_lines_wait(tmp_path, full_disk):
    told = []
    path = tmp_path / "log.jsonl"
    log = JsonLog(path, told.append)
    log.append({"step": 0, "text": "a" * 3000})
    full_disk()
    for step in (1, 2, 3):
        log.append({"step": step, "text": "b" * 3000})
    assert [entry["step"] for entry in read_log(path)] == [0]
    assert path.read_bytes().endswith(b"\n")
    assert len(told) == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    log.append({"step": 4})
    assert [entry["step"] for entry in read_log(path)] == [0, 1, 2, 3, 4]


def board_figures(folder) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_has_the_curves_without_doubles(tmp_path):
    """A run that crashed at step 18 and goes on after step 15."""
    pytest.importorskip("tensorboard")
    calls = iter(range(18))
    with pytest.raises(KeyError):
        toy_trainer(tmp_path).run(should_stop=lambda: next(calls, None) is None and {}["crash"])
    toy_trainer(tmp_path).run(resume=True)
    curve = board_figures(tmp_path / "tensorboard")["train/loss"]
    assert [step for step, _ in curve] == list(range(1, 25))
    assert [value for _, value in curve] == pytest.approx(list(losses(tmp_path).values()))


def test_tensorboard_shows_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = Board(tmp_path, after_step=0)
    board.picture("samples", 3, np.zeros((4, 6, 3), dtype=np.uint8))
    board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (picture,) = events.Images("samples")
    assert (picture.step, picture.width, picture.height) == (3, 6, 4)


def test_without_tensorboard_training_goes_on_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lockon\[train\]'"):
        Board(tmp_path, after_step=0)
    assert toy_trainer(tmp_path, LOOP).run().finished
    assert "lockon[train]" in capsys.readouterr().err
    assert not (tmp_path / "tensorboard").exists()


def test_a_full_disk_stops_neither_pictures_nor_curves(tmp_path, full_disk, capsys):
    """Of a run whose log fits."""
    from lockon.training.monitor import RunMonitor
    from lockon.training.schedules import Position

    monitor = RunMonitor(tmp_path, "toy")
    monitor.begin(Position(0, 9, 3))
    full_disk()
    for step in (1, 2, 3):
        monitor.validation(Position(step, 9, 3), {"loss": 1.0, "auc": 0.5})
    monitor.close()
    assert capsys.readouterr().err.count("curves.png") == 1
