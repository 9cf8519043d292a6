"""A run that is killed, stopped or damaged goes on as if nothing had happened."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_training import LOOP, PROVENANCE, losses, toy_trainer

from lockon.errors import CheckpointError, TrainingError
from lockon.training.checkpoints import Checkpoints, decode

PROGRAM = Path(__file__).with_name("toy_training.py")


class Interrupt(Exception):
    """Stands for a crash: raised in the middle of a step."""


def run_until(folder: Path, stop_after: int, loop=LOOP) -> None:
    """Ask a run to stop after a number of steps."""
    steps = iter(range(stop_after - 1))
    outcome = toy_trainer(folder, loop).run(should_stop=lambda: next(steps, None) is None)
    assert not outcome.finished
    assert outcome.position.step == stop_after


def assert_same(one, other, where=""):
    """Plain data with tensors, equal to the last bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key, value in one.items():
            assert_same(value, other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}.{number}")
    else:
        assert one == other, where


def newest(folder: Path) -> dict:
    return decode(Checkpoints(folder / "checkpoints", keep_last=2).newest() or b"")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> dict[int, float]:
    folder = tmp_path_factory.mktemp("whole")
    assert toy_trainer(folder).run().finished
    return losses(folder)


@pytest.mark.parametrize("step", [1, 7, 12, 23])
def test_a_run_that_was_stopped_gives_the_losses_of_one_that_was_not(tmp_path, uninterrupted, step):
    run_until(tmp_path, step)
    assert toy_trainer(tmp_path).run(resume=True).finished
    assert losses(tmp_path) == uninterrupted


def test_weights_averages_and_means_over_steps_are_the_same_too(tmp_path):
    loop = replace(LOOP, log_every=5)
    run_until(tmp_path / "stopped", 8, loop)
    outcomes = [toy_trainer(tmp_path / name, loop).run(resume=True) for name in ("whole", "stopped")]
    assert_same(*(outcome.weights for outcome in outcomes))
    assert_same(*(newest(tmp_path / name) for name in ("whole", "stopped")))
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_a_crash_goes_back_to_the_last_checkpoint_and_repeats_its_steps_exactly(tmp_path, uninterrupted):
    trainer = toy_trainer(tmp_path)
    calls = iter(range(18))

    def crash() -> bool:
        if next(calls, None) is None:
            raise Interrupt
        return False

    with pytest.raises(Interrupt):
        trainer.run(should_stop=crash)
    assert max(losses(tmp_path)) == 18
    assert toy_trainer(tmp_path).run(resume=True).finished
    assert losses(tmp_path) == uninterrupted


def test_a_damaged_checkpoint_makes_the_run_go_on_from_the_one_before(tmp_path, uninterrupted, capsys):
    run_until(tmp_path, 18)
    newest = sorted((tmp_path / "checkpoints").glob("*.pt"))[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    assert toy_trainer(tmp_path).run(resume=True).finished
    assert "is damaged" in capsys.readouterr().err
    assert losses(tmp_path) == uninterrupted


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    run_until(tmp_path, 3)
    with pytest.raises(TrainingError, match=r"at step 3.*--resume"):
        toy_trainer(tmp_path).run()


def test_going_on_where_nothing_was_begins(tmp_path):
    assert toy_trainer(tmp_path).run(resume=True).finished


def test_a_finished_run_takes_no_more_steps(tmp_path, uninterrupted):
    toy_trainer(tmp_path).run()
    outcome = toy_trainer(tmp_path).run(resume=True)
    assert outcome.finished
    assert losses(tmp_path) == uninterrupted


def test_a_changed_recipe_is_shown_and_refused_unless_forced(tmp_path):
    run_until(tmp_path, 3)
    changed = replace(PROVENANCE, recipe={"name": "toy", "lr": 0.5}, data={"numbers": "abd"})
    with pytest.raises(TrainingError) as error:
        toy_trainer(tmp_path, provenance=changed).run(resume=True)
    assert "recipe.lr: 0.01 -> 0.5" in str(error.value)
    assert "data.numbers: abc -> abd" in str(error.value)
    assert "name" not in str(error.value)
    assert toy_trainer(tmp_path, provenance=changed).run(resume=True, force=True).finished


def test_changed_code_is_shown_but_not_refused(tmp_path, capsys):
    run_until(tmp_path, 3)
    assert toy_trainer(tmp_path, provenance=replace(PROVENANCE, code="2")).run(resume=True).finished
    assert "code: 1 -> 2" in capsys.readouterr().err


def test_another_batch_goes_on_with_the_next_samples(tmp_path):
    run_until(tmp_path, 6)
    outcome = toy_trainer(tmp_path, replace(LOOP, batch=8)).run(resume=True, force=True)
    assert outcome.position == (12, 12, 6)
    assert sorted(losses(tmp_path))[:4] == [1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "options"),
    [
        (1, []),
        (17, []),
        (29, ["workers=2", "accumulate=2", "batch=2", "clip_norm=1.0"]),
        (21, ["workers=1", "log_every=3"]),
    ],
)
def test_sigkill_at_any_step_changes_no_bit(tmp_path, kill, options):
    def program(folder: str, *more: str) -> int:
        command = [sys.executable, str(PROGRAM), str(tmp_path / folder), *options, *more]
        return subprocess.run(command, check=False, capture_output=True).returncode

    assert program("whole") == 0
    assert program("killed", f"kill={kill}") == -signal.SIGKILL
    assert program("killed", "resume=true") == 0
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert_same(*(newest(tmp_path / name) for name in ("whole", "killed")))


def test_a_run_whose_checkpoints_are_all_damaged_cannot_go_on(tmp_path):
    run_until(tmp_path, 3)
    for path in (tmp_path / "checkpoints").glob("*.pt"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="all checkpoints"):
        toy_trainer(tmp_path).run(resume=True)
