"""The commands around tracking."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lockon.networks.tracker_net import lockon_s
from lockon.video import open_source
from lockon.zoo import load


@pytest.mark.parametrize(
    "command", ["track", "demo", "bench", "doctor", "models list", "models show", "models import"]
)
def test_every_command_explains_itself_with_an_example(lockon, command):
    outcome = lockon(*command.split(), "--help")
    text = re.sub(r"[│\s]+", " ", outcome.out)
    assert f"For example: `lockon {command}" in text


def test_an_unknown_command_is_refused(lockon):
    outcome = lockon("trakc", "dog.mp4")
    assert outcome.status == 2
    assert "track" in outcome.err


@pytest.mark.parametrize(("reader", "encoding"), [("head -1", "utf-8"), ("cat", "ascii")])
def test_the_output_can_go_anywhere(reader, encoding, tmp_path):
    program = f"{sys.executable} -c 'import sys; from lockon.apps.cli import main; sys.exit(main())' models list"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": "1"}
    outcome = subprocess.run(
        ["bash", "-c", f"{program} | {reader}"], env=environment, capture_output=True, check=False
    )
    assert b"what it is" in outcome.stdout
    assert outcome.stderr == b""


def test_demo_prints_its_accuracy_and_leaves_a_video(lockon):
    outcome = lockon("demo", "--seconds", "0.4", "--out", "here/demo")
    assert outcome.status == 0
    assert re.search(r"success AUC 0\.\d{3}, mean IoU 0\.\d{3}", outcome.out)
    with open_source("here/demo/tracked.mp4") as video, open_source("here/demo/clip.mp4") as clip:
        assert len(list(video)) == len(list(clip)) == 10


def test_demo_refuses_what_it_cannot_do(lockon):
    assert "too short" in lockon("demo", "--seconds", "0").err
    Path("file").touch()
    assert "cannot create the folder" in lockon("demo", "--out", "file/demo").err


def test_bench_measures_every_stage(lockon, clip, untrained):
    outcome = lockon("bench", "--tracker", untrained, "--frames", 25, "--targets", 2, "--video", clip)
    assert outcome.status == 0
    rows = {line.split()[0]: line.split() for line in outcome.out.splitlines()[2:]}
    for stage in ("decode", "crop", "backbone", "localise", "estimate", "learn", "draw", "all"):
        assert float(rows[stage][1]) > 0, stage
    total = sum(float(row[1]) for name, row in rows.items() if name != "all")
    assert total == pytest.approx(float(rows["all"][1]), rel=0.05)
    assert rows["all"][3] == "FPS"


def test_bench_has_a_clip_of_its_own_in_which_nothing_is_lost(lockon):
    outcome = lockon("bench", "--frames", 25, "--targets", 2, "--share-backbone")
    assert outcome.out.startswith("lockon_s, 2 target(s), present in 100%, cpu fp32, ")
    assert float(next(line for line in outcome.out.splitlines() if "learn" in line).split()[1]) > 0
    assert lockon("bench", "--targets", 0).err.startswith("error: ")
    assert not list(Path().iterdir())


def test_bench_tells_how_often_association_was_skipped(lockon, clip, associating):
    outcome = lockon("bench", "--tracker", associating, "--frames", 5, "--video", clip)
    assert outcome.status == 0, outcome.err
    rows = {line.split()[0]: line.split() for line in outcome.out.splitlines()[2:]}
    assert float(rows["candidates"][1]) > 0
    assert "associate" in rows
    numbers = re.fullmatch(
        r"association: skipped in (\d+)%, as one candidate was alone; "
        r"saves (\S+) ms / frame where one takes (\S+) ms",
        outcome.out.splitlines()[-1],
    )
    assert numbers
    share, saved, cost = map(float, numbers.groups())
    assert saved == pytest.approx(share / 100 * cost, abs=0.02), "the target is in all frames"
    assert cost > 0


def test_models_are_listed_shown_and_imported(lockon, monkeypatch):
    monkeypatch.setenv("LOCKON_HOME", str(Path("home").resolve()))
    listed = lockon("models", "list").out
    assert re.search(r"✓ +lockon_s ", listed)
    assert re.search(r"– +dimp18 ", listed)
    shown = lockon("models", "show", "dimp18").out
    assert "not on this machine" in shown
    assert "lockon models import dimp18.pth --as dimp18" in shown
    assert "lockon_s.safetensors" in lockon("models", "show", "lockon_s").out
    assert "Did you mean 'dimp18'?" in lockon("models", "show", "dimp8").err


def test_import_makes_a_checkpoint_usable_by_name(lockon, monkeypatch):
    from lockon.networks.tracker_net import dimpnet18

    monkeypatch.setenv("LOCKON_HOME", str(Path("home").resolve()))
    torch.save({"net": dimpnet18(generator=torch.Generator().manual_seed(0)).state_dict()}, "dimp18.pth")
    outcome = lockon("models", "import", "dimp18.pth", "--as", "dimp18")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        str(Path("home/models/dimp18.safetensors").resolve()),
        "ready: dimp18, dimp18_vot18",
    ]
    assert load("dimp18").name == "dimp18"
    torch.save({"net": lockon_s(torch.Generator().manual_seed(0)).state_dict()}, "other.pth")
    assert lockon("models", "import", "other.pth", "--as", "dimp18").status == 2


def test_doctor_reports_on_everything(lockon, monkeypatch):
    monkeypatch.setenv("LOCKON_HOME", str(Path("home").resolve()))
    outcome = lockon("doctor")
    assert outcome.status == 0
    for word in ("torch", "cpu", "convolution", "read h264", "write H.264", "plot", "lockon_s", "Recommended here"):
        assert word in outcome.out
    assert "For 'others' type: lockon models show atom" in outcome.out
