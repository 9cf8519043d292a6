"""Weight files of every origin become the same plain data, and what does not fit is told."""

import os
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch
from checkpoint_files import defined_classes, filled, random_weights, write_pytracking

from lockon.errors import CheckpointError
from lockon.zoo.checkpoints import Constructor, compare, manifest, read_checkpoint, shapes_of

SHAPES = {"feature_extractor.conv1.weight": (4, 3, 3, 3), "feature_extractor.bn1.num_batches_tracked": ()}
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])


@FORMATS
@pytest.mark.parametrize("framework", ["ltr", "dlframework"])
@pytest.mark.parametrize("name", ["x.pth", "x.pth.tar"])
def test_a_training_checkpoint_gives_weights_epoch_and_constructor(
    tmp_path: Path, zipped: bool, framework: str, name: str
) -> None:
    weights = random_weights(SHAPES)
    arguments = {"filter_size": 4, "score_act": "relu", "frozen_backbone_layers": ["conv1"], "softmax_reg": None}
    path = write_pytracking(tmp_path / name, weights, "dimpnet50", arguments, zipped=zipped, framework=framework)
    checkpoint = read_checkpoint(path)
    assert checkpoint.constructor == Constructor("dimpnet50", arguments)
    assert checkpoint.epoch == 50
    assert checkpoint.state_dict.keys() == weights.keys()
    assert all(torch.equal(checkpoint.state_dict[key], value) for key, value in weights.items())


@FORMATS
def test_only_weights_are_required(tmp_path: Path, zipped: bool) -> None:
    weights = random_weights(SHAPES)
    forms = {
        "bare": weights,
        "pysot": {
            "epoch": "3",
            "state_dict": OrderedDict((f"module.{key}", value) for key, value in weights.items()),
        },
        "net": {"net": weights, "constructor": None},
        "model": {"model": weights},
    }
    for name, form in forms.items():
        torch.save(form, tmp_path / name, _use_new_zipfile_serialization=zipped)
        checkpoint = read_checkpoint(tmp_path / name)
        assert checkpoint.constructor is None
        assert checkpoint.epoch is None
        assert shapes_of(checkpoint.state_dict) == SHAPES


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    weights = random_weights(SHAPES)
    safetensors.torch.save_file(weights, path)
    assert shapes_of(read_checkpoint(path).state_dict) == SHAPES
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        read_checkpoint(path)


@FORMATS
def test_files_without_weights_are_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "x.pth"
    with defined_classes("somebody.net.Net") as (net,):
        module = filled(net, weight=torch.ones(2))
        forms = {
            "a whole object, somebody.net.Net": module,
            "neither tensors by name": {},
            "nor any of net": [torch.ones(2)],
            "lr, name are not plain tensors": {"lr": 0.1, "name": "x", "w": torch.ones(2)},
            "net are not plain tensors": {"net": {"net": module}},
        }
        for message, form in forms.items():
            torch.save(form, path, _use_new_zipfile_serialization=zipped)
            with pytest.raises(CheckpointError, match=message):
                read_checkpoint(path)
    with pytest.raises(CheckpointError, match="no file"):
        read_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="no file"):
        read_checkpoint(tmp_path)


@FORMATS
def test_a_malicious_checkpoint_still_gives_its_weights_and_nothing_runs(tmp_path: Path, zipped: bool) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'victim'}",)

    path = tmp_path / "x.pth"
    torch.save({"net": random_weights(SHAPES), "settings": Attack()}, path, _use_new_zipfile_serialization=zipped)
    assert shapes_of(read_checkpoint(path).state_dict) == SHAPES
    torch.save({"net": random_weights(SHAPES) | {"w": Attack()}}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="w are not plain tensors"):
        read_checkpoint(path)
    assert not (tmp_path / "victim").exists()


def test_a_constructor_that_cannot_be_rebuilt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with defined_classes("ltr.admin.model_constructor.NetConstructor") as (maker,):
        for attributes in ({"fun_name": "f", "args": (1,), "kwds": {}}, {"args": (), "kwds": {}}):
            torch.save({"net": random_weights(SHAPES), "constructor": filled(maker, **attributes)}, path)
            with pytest.raises(CheckpointError, match="cannot be rebuilt"):
                read_checkpoint(path)


def test_comparison_names_what_differs() -> None:
    expected = {"a": (2, 3), "b": (4,), "c": (), "bn.num_batches_tracked": (), "feature_extractor.fc.bias": (1000,)}
    assert len(compare(expected, expected)) == 0
    assert len(compare({"a": (2, 3), "b": (4,), "c": ()}, expected)) == 0
    difference = compare({"a": (3, 2), "c": (), "d": (1,)}, expected)
    assert difference.missing == ("b",)
    assert difference.unexpected == ("d",)
    assert len(difference) == 3
    assert "a (3, 2) instead of (2, 3)" in str(difference)
    many = compare({}, {f"k{i}": () for i in range(20)})
    assert "20 missing: k0, k1" in str(many)
    assert str(many).endswith("and 12 more")


@pytest.mark.parametrize(
    ("constructor", "tensors", "parameters"),
    [
        ("atom_resnet18", 201, 17_285_033),
        ("dimpnet18", 221, 19_645_911),
        ("klcedimpnet18", 218, 19_645_611),
        ("dimpnet50", 407, 43_097_303),
        ("klcedimpnet50", 404, 43_097_003),
        ("dimpnet50_simple", 403, 43_097_002),
        ("target_candidate_matching_net_resnet50", 423, 32_560_425),
    ],
)
def test_manifests_have_the_sizes_of_the_official_networks(constructor: str, tensors: int, parameters: int) -> None:
    shapes = manifest(constructor)
    assert len(shapes) == tensors
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    learned = (shape for key, shape in shapes.items() if not key.endswith(buffers))
    assert sum(torch.Size(shape).numel() for shape in learned) == parameters
