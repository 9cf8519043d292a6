"""Several processes are one larger one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_training import losses

from lockon.training import peers
from lockon.training.batch_norm import JointBatchNorm1d, JointBatchNorm2d, synchronise
from lockon.training.checkpoints import Checkpoints, decode

PROGRAM = Path(__file__).with_name("toy_training.py")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def launch(program: Path, *arguments: object, processes: int = 2) -> None:
    command = [sys.executable, *(LAUNCHER if processes > 1 else ()), str(program), *map(str, arguments)]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


def newest(folder: Path) -> dict:
    return decode(Checkpoints(folder / "checkpoints", keep_last=2).newest() or b"")


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["accumulate=2", "clip_norm=0.5"]])
def test_two_processes_train_like_one_with_twice_the_batch(tmp_path, more):
    options = ["dropout=0", "sync_batch_norm=true", *more]
    launch(PROGRAM, tmp_path / "two", *options, "batch=3")
    launch(PROGRAM, tmp_path / "one", *options, "batch=6", processes=1)
    two, one = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert two.keys() == one.keys()
    assert list(two.values()) == pytest.approx(list(one.values()), rel=2e-4)
    for name, value in newest(tmp_path / "one")["average"].items():
        assert torch.allclose(newest(tmp_path / "two")["average"][name].float(), value.float(), atol=2e-4), name


@pytest.mark.slow
def test_statistics_of_each_process_alone_are_not_those_of_all(tmp_path):
    """What the option is for; and that the test before would notice."""
    launch(PROGRAM, tmp_path / "two", "dropout=0", "batch=3")
    launch(PROGRAM, tmp_path / "one", "dropout=0", "batch=6", processes=1)
    first_losses = [losses(tmp_path / name)[1] for name in ("two", "one")]
    assert first_losses[0] != pytest.approx(first_losses[1], rel=1e-3)


@pytest.mark.slow
def test_two_processes_go_on_exactly(tmp_path):
    """With dropout: each has random numbers of its own, and gets them back."""
    launch(PROGRAM, tmp_path / "whole", "batch=3")
    launch(PROGRAM, tmp_path / "part", "batch=3", "stop=2")
    launch(PROGRAM, tmp_path / "part", "batch=3", "resume=true")
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


NORMS = """
import json, sys, torch
from torch import nn
from lockon.training import peers
from lockon.training.batch_norm import synchronise

with peers.joined("cpu") as device:
    values = torch.arange(36.0).reshape(6, 3, 2).sin() * 3 + 100
    module = nn.Sequential(nn.BatchNorm1d(3))
    nn.init.uniform_(module[0].weight, generator=torch.Generator().manual_seed(1))
    synchronise(module)
    own = values[:2] if peers.rank() == 0 else values[2:]
    if peers.count() == 1:
        own = values
    own = own.clone().requires_grad_()
    out = module(own)
    (out * torch.arange(6.0)[:, None, None][own.detach()[:, 0, 0][:, None].eq(values[:, 0, 0]).int().argmax(1)]
     ).square().sum().backward()
    told = {"out": out.tolist(), "gradient": own.grad.tolist(), "mean": module[0].running_mean.tolist(),
            "variance": module[0].running_var.tolist(), "seen": module[0].num_batches_tracked.item(),
            "shared": peers.first_says(b"abc" if peers.rank() == 0 else None, device).decode(),
            "nothing": peers.first_says(None, device),
            "total": peers.total(torch.tensor([peers.rank() + 1.0])).item(),
            "everyone": [t.item() for t in peers.gathered(torch.tensor(peers.rank()))]}
    open(f"{sys.argv[1]}/{peers.count()}-{peers.rank()}.json", "w").write(json.dumps(told))
"""


@pytest.mark.slow
def test_joint_batch_norm_is_that_of_the_joint_batch(tmp_path):
    """Of unequal parts, with a mean that is large beside the deviation: outputs, gradients and running statistics."""
    program = tmp_path / "norms.py"
    program.write_text(NORMS)
    launch(program, tmp_path)
    launch(program, tmp_path, processes=1)
    first, second, alone = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("2-0", "2-1", "1-0"))
    for name, tolerance in (("out", 1e-4), ("gradient", 1e-2)):
        joint = torch.tensor(first[name] + second[name])
        assert torch.allclose(joint, torch.tensor(alone[name]), atol=tolerance), name
    for name in ("mean", "variance"):
        assert first[name] == second[name] == pytest.approx(alone[name], rel=1e-5)
    assert first["seen"] == 1
    assert [first["shared"], second["shared"], first["nothing"], second["nothing"]] == ["abc", "abc", None, None]
    assert [first["total"], second["total"]] == [3.0, 3.0]
    assert first["everyone"] == second["everyone"] == [0, 1]


def test_a_process_on_its_own_is_its_only_peer():
    with peers.joined("cpu") as device:
        assert device == torch.device("cpu")
        assert (peers.rank(), peers.count(), peers.on_this_machine()) == (0, 1, 1)
        assert peers.total(torch.tensor([2.0])).tolist() == [2.0]
        assert peers.first_says(b"x", device) == b"x"
        assert [value.tolist() for value in peers.gathered(torch.tensor([1]))] == [[1]]


def test_synchronised_norms_keep_their_parameters_and_do_the_same_alone():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5))
    images = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    weight, expected = module[1].weight, module(images)
    synchronise(module)
    assert type(module[1]) is JointBatchNorm2d
    assert type(module[4]) is JointBatchNorm1d
    assert module[1].weight is weight
    assert torch.equal(module(images), expected)
