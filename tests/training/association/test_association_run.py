"""A whole run of an association network, from mined frames to a tracker; killed and resumed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lockon.data.synthetic import SyntheticConfig
from lockon.errors import RecipeError, TrainingError, UnknownNameError
from lockon.training.association.recipes import KEEP_TRACK_S
from lockon.training.association.sources import with_mined
from lockon.training.logs import read_log
from lockon.training.mining.miner import MiningConfig
from lockon.training.mining.run import mine
from lockon.training.monitor import LOG
from lockon.training.overrides import override
from lockon.training.recipe import SyntheticData
from lockon.training.run import MODEL, recipe_of, train
from lockon.training.tasks.association import AssociationTask
from lockon.zoo import load_network

CHANGES = (
    "model.dim=16",
    "model.encoder_widths=8",
    "model.heads=2",
    "samples.mining=false",
    "loop.epochs=2",
    "loop.samples_per_epoch=12",
    "loop.batch=3",
    "loop.workers=0",
    "loop.checkpoint_steps=3",
    "validation.pairs=4",
    "schedule.warmup_steps=2",
)


def recipe(mined):
    return override(with_mined(KEEP_TRACK_S, [("mined", mined)]), CHANGES)


def losses(folder):
    return {entry["step"]: entry["loss"] for entry in read_log(folder / LOG) if entry["kind"] == "train"}


def differing(weights, others):
    """Names of the weights that are not the same, counters of batches aside."""
    assert weights.keys() == others.keys()
    names = [name for name in weights if not name.endswith("num_batches_tracked")]
    return [name for name in names if not torch.equal(weights[name], others[name])]


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    """Two short sequences of the procedural world."""
    out = tmp_path_factory.mktemp("dump") / "mined"
    world = SyntheticConfig(frame_size=(240, 180), length=14, target_size=(24.0, 40.0), distractors=4, clutter=1)
    mine(MiningConfig(data=SyntheticData(world=world, length=2), candidate=0.001), out)
    return out


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_killed_run_goes_on_with_the_same_losses_and_ends_as_a_tracker(mined, tmp_path):
    whole = train(recipe(mined), tmp_path / "whole")
    command = [sys.executable, __file__, str(mined), str(tmp_path / "killed")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(losses(tmp_path / "killed")) < 8
    again = train(recipe_of(tmp_path / "killed"), tmp_path / "killed", resume=True)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert differing(again.outcome.weights, whole.outcome.weights) == []
    assert {"loss", "f1", "precision", "recall", "target_f1"} <= again.outcome.history[-1].keys()

    network, entry = load_network(tmp_path / "killed" / MODEL)
    assert entry.name == "keep_track_s"
    assert network.association is not None
    assert not network.association.training
    trained = {name.removeprefix("net."): value for name, value in whole.outcome.weights.items()}
    assert differing(network.association.state_dict(), trained) == []

    with pytest.raises(TrainingError, match=r"samples\.supervision: both -> self"):
        train(override(recipe(mined), ["samples.supervision=self"]), tmp_path / "killed", resume=True)


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RecipeError, match=r"needs frames mined with lockon_s .* --data mined=FOLDER"):
        with_mined(KEEP_TRACK_S, [])
    with pytest.raises(UnknownNameError, match="unknown kind of mined data 'lasot'"):
        with_mined(KEEP_TRACK_S, [("lasot", tmp_path)])
    placed = with_mined(KEEP_TRACK_S, [("mined", tmp_path)])
    with pytest.raises(RecipeError, match=r"layer3 of 'lockon_s' has 128 channels.*--set model\.in_channels=128"):
        train(override(placed, ["model.in_channels=1024"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_of_mined_frames():
    one, two, held = Path("one"), Path("two"), Path("held")
    split = with_mined(KEEP_TRACK_S, [("mined", one), ("mined", two)])
    assert [(each.root, each.part) for each in split.data] == [(one, "train"), (two, "train")]
    assert [(each.root, each.part) for each in split.validation_data] == [(one, "held_out"), (two, "held_out")]
    apart = with_mined(KEEP_TRACK_S, [("mined", one), ("held_out", held), ("mined", two)])
    assert [(each.root, each.part) for each in apart.data] == [(one, "all"), (two, "all")]
    assert [(each.root, each.part) for each in apart.validation_data] == [(held, "all")]
    assert with_mined(apart, []) == apart
    kept = replace(KEEP_TRACK_S, data=apart.data)
    assert with_mined(kept, []).data == apart.data


def main(mined: str, folder: str) -> None:
    """Die in the sixth step."""
    calls = iter(range(5))
    forward = AssociationTask.forward

    def dying(self, batch):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return forward(self, batch)

    AssociationTask.forward = dying
    train(recipe(Path(mined)), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
