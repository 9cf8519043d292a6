"""`lockon train` as a user types it, at a size that takes seconds."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from lockon.training.logs import read_log
from lockon.training.recipes import RECIPES

TINY = (
    "--set",
    "loop.epochs=2",
    "loop.samples_per_epoch=8",
    "loop.batch=4",
    "loop.workers=0",
    "samples.crop.size=96",
    "samples.crop.search_factor=1.875",
    "validation.samples=4",
    "validation.sequences=1",
    "validation.frames=4",
)


def figures(run: Path, kind: str) -> list[dict]:
    return [entry for entry in read_log(run / "log.jsonl") if entry["kind"] == kind]


@pytest.fixture(scope="module")
def program_run(tmp_path_factory) -> Path:
    """A run of `lockon train smoke` by the program itself."""
    run = tmp_path_factory.mktemp("runs") / "x"
    command = [sys.executable, "-m", "lockon", "train", "smoke", "--device", "cpu", "--out", str(run), *TINY]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert f"model: {run / 'model.safetensors'}" in outcome.stdout
    assert "success AUC on held-out sequences" in outcome.stdout
    return run


@pytest.mark.slow
def test_smoke_leaves_curves_pictures_and_a_card(program_run):
    assert [entry["step"] for entry in figures(program_run, "train")] == [1, 2, 3, 4]
    assert [entry["epoch"] for entry in figures(program_run, "validation")] == [0, 1, 2]
    assert all(0 <= entry["auc"] <= 1 for entry in figures(program_run, "validation"))
    for name in ("curves.png", "samples-step-00000000.png", "samples-step-00000002.png"):
        PillowImage.open(program_run / "pictures" / name).verify()
    card = json.loads((program_run / "model.json").read_text())
    assert card["tracker"] == "lockon_s"
    assert card["details"]["recipe"]["loop"]["epochs"] == 2
    assert card["details"]["steps"] == 4
    assert len(card["details"]["validation"]) == 3
    assert all(len(value) == 64 for value in card["details"]["data"].values())


@pytest.mark.slow
def test_the_trained_model_tracks(program_run, lockon, clip):
    outcome = lockon(
        "track", clip, "--box", "40,50,24,24", "--no-video", "--tracker", program_run / "model.safetensors"
    )
    assert outcome.status == 0, outcome.err


@pytest.mark.slow
def test_the_trained_model_can_be_adapted_to_folders_of_images(program_run, lockon, tmp_path):
    rng = np.random.default_rng(0)
    for clip in ("a", "b"):
        folder = tmp_path / "videos" / clip
        folder.mkdir(parents=True)
        boxes = []
        for number in range(24):
            image = rng.integers(0, 100, (90, 120, 3), dtype=np.uint8)
            image[30:54, 20 + number : 48 + number] = rng.integers(150, 255, (24, 28, 3), dtype=np.uint8)
            PillowImage.fromarray(image).save(folder / f"{number:04d}.png")
            boxes.append(f"{20 + number},30,28,24")
        (folder / "groundtruth.txt").write_text("\n".join(boxes) + "\n")
    start = program_run / "model.safetensors"
    adapt = ("train", "--finetune", start, "--videos", tmp_path / "videos", "--out", "mine", "--device", "cpu")
    outcome = lockon(*adapt, *TINY)
    assert outcome.status == 0, outcome.err
    card = json.loads(Path("mine/model.json").read_text())
    assert card["arguments"] == json.loads((program_run / "model.json").read_text())["arguments"]
    assert str(start) in card["details"]["began_with"]
    assert "training: 1 sequence, 24 frames of" in outcome.err
    assert "validation: 1 sequence, 24 frames of" in outcome.err
    assert lockon("models", "list").status == 0


@pytest.mark.slow
def test_a_run_that_is_interrupted_goes_on_by_the_command_it_prints(lockon, tmp_path):
    command = [sys.executable, "-m", "lockon", "train", "smoke", "--device", "cpu", "--out", "r u n", *TINY]
    process = subprocess.Popen(
        [*command, "loop.epochs=200"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    log = tmp_path / "r u n" / "log.jsonl"
    while not (log.exists() and figures(log.parent, "train")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert "to go on: lockon train --resume --out 'r u n'" in out
    before = len(figures(log.parent, "train"))
    refused = lockon("train", "--resume", "--out", "r u n", "--set", "loop.epochs=3", "--device", "cpu")
    assert refused.status == 2
    assert "recipe.loop.epochs: 200 -> 3" in refused.err
    assert "--force" in refused.err
    steps = before + 2
    change = f"loop.epochs={steps}"
    forced = ("--set", change, "loop.samples_per_epoch=4", "validation.sequences=0", "--force", "--device", "cpu")
    assert lockon("train", "--resume", "--out", "r u n", *forced).status == 0
    assert lockon("train", "--resume", "--out", "r u n", "--device", "cpu").status == 0


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_with_the_very_same_losses(program_run, lockon, tmp_path):
    """Two epochs of the real thing, with workers and averaged weights."""
    command = [sys.executable, "-m", "lockon", "train", "smoke", "--device", "cpu", "--out", "x", *TINY]
    options = ("loop.workers=1", "loop.checkpoint_steps=1")
    process = subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    log = tmp_path / "x" / "log.jsonl"
    while not (log.exists() and len(figures(log.parent, "train")) >= 3):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert lockon("train", "--resume", "--out", "x", "--device", "cpu").status == 0
    for kind, names in (("train", ("step", "loss", "norm")), ("validation", ("step", "loss", "auc"))):
        resumed, whole = (
            [[entry[name] for name in names] for entry in figures(run, kind)] for run in (log.parent, program_run)
        )
        assert resumed == whole
    assert (log.parent / "model.safetensors").read_bytes() == (program_run / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_two_processes_by_torchrun_give_the_losses_of_one_with_twice_the_batch(program_run, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "lockon", "train", "smoke", "--device", "cpu", "--out", str(tmp_path / "x"), *TINY]
    halves = ("loop.batch=2", "loop.sync_batch_norm=true")
    outcome = subprocess.run([*command, *halves], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    two, one = ([entry["loss"] for entry in figures(run, "train")] for run in (tmp_path / "x", program_run))
    assert two[:2] == pytest.approx(one[:2], rel=1e-3)
    assert two == pytest.approx(one, rel=2e-2)
    assert outcome.stdout.count("model: ") == 1
    assert (tmp_path / "x" / "model.safetensors").exists()


def test_recipes_are_listed(lockon):
    outcome = lockon("train", "--list")
    assert outcome.status == 0
    assert all(name in outcome.out for name in RECIPES)


def test_a_recipe_is_printed_with_its_changes(lockon):
    outcome = lockon("train", "dimp18", "--print", "--set", "loop.batch=7", "--set", "schedule.factor=0.5", "seed=3")
    assert outcome.status == 0
    for line in ("loop.batch = 7", "schedule.factor = 0.5", "seed = 3", "loop.epochs = 50"):
        assert line in outcome.out.splitlines()
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("smok",), "Did you mean 'smoke'?"),
        ((), "name a recipe"),
        (("smoke", "--set", "loop.epoch=3"), "'epochs'"),
        (("smoke", "--set", "loop.epochs=many"), "loop.epochs"),
        (("dimp18", "--data", "lasot=/no/such/folder"), "there is no folder /no/such/folder"),
        (("dimp18", "--data", "lasot"), "NAME=FOLDER"),
        (("dimp18", "--data", "lasott=."), "'lasot'"),
        (("dimp18",), "--data lasot=FOLDER"),
        (("--finetune", "lockon_s"), "--videos"),
        (("--videos", "."), "--finetune"),
        (("smoke", "--finetune", "lockon_s", "--videos", "."), "not both"),
        (("--finetune", "lockon_x", "--videos", "."), "lockon_s"),
        (("--resume", "--out", "nothing"), "no run in nothing"),
        (("smoke", "--resume", "--out", "nothing"), "no run in nothing"),
        (("smoke", "--device", "cuda:77"), "cuda:77"),
        (("smoke", "--set", "loop.batch=9000"), "shorter than a step"),
        (("smoke", "--set", "loop.batch=0"), "loop.batch is 0"),
        (("smoke", "--set", "loop.ema_decay=1"), "loop.ema_decay is 1.0"),
        (("smoke", "--set", "loop.clip_norm=-1"), "loop.clip_norm is -1.0"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(lockon, arguments, message):
    outcome = lockon("train", *arguments)
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.err.startswith("error: ")
    assert not list(Path().rglob("*"))
