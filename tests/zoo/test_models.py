"""Official files are imported, verified and loaded; what does not fit says what it is and what to do."""

import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from checkpoint_files import random_weights, write_pytracking
from torch import Tensor

from lockon.errors import CheckpointError, UnknownNameError
from lockon.networks.filter_optimizers import PrDimpOptimizer
from lockon.networks.tracker_net import TrackerNet, build
from lockon.zoo import (
    Card,
    entries,
    find_entry,
    import_checkpoint,
    load,
    load_network,
    locate,
    model_file,
    read_model,
    write_model,
)
from lockon.zoo.checkpoints import NEVER_EVALUATED, Shapes, manifest
from lockon.zoo.store import card_path

Weights = OrderedDict[str, Tensor]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def evaluated(constructor: str) -> Shapes:
    """The entries without those behind the last layer in use, which make files half as large again or more."""
    return {key: shape for key, shape in manifest(constructor).items() if not key.startswith(NEVER_EVALUATED)}


@pytest.fixture(scope="module")
def atom() -> Weights:
    return random_weights(evaluated("atom_resnet18"))


@pytest.fixture(scope="module")
def prdimp18() -> Weights:
    return random_weights(evaluated("klcedimpnet18"))


def assert_holds(network: TrackerNet, weights: Weights) -> None:
    state = network.state_dict()
    assert not network.training
    assert all(value.dtype == torch.float32 for key, value in state.items() if not key.endswith("tracked"))
    assert not any(key.startswith(NEVER_EVALUATED) for key in state)
    for key in state.keys() & weights.keys():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(state[key], weights[key].float()), key


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_an_import_is_found_by_every_tracker_that_shares_the_weights(
    tmp_path: Path, home: Path, atom: Weights, zipped: bool
) -> None:
    source = write_pytracking(tmp_path / "atom_default.pth", atom, "atom_resnet18", zipped=zipped)
    path = import_checkpoint(source, "atom_gd")
    assert path == home / "models" / "atom.safetensors"
    assert sorted(p.name for p in path.parent.iterdir()) == ["atom.json", "atom.safetensors"]
    for entry in entries():
        assert (locate(entry.weights) == path) == (entry.weights.name == "atom"), entry.name
    network, entry = load_network("atom_vot")
    assert entry.name == "atom_vot"
    assert_holds(network, atom)
    details = read_model(path)[1].details
    assert details["epoch"] == 50
    assert details["file"] == "atom_default.pth"


def test_a_loaded_network_computes_what_an_ordinary_one_does(tmp_path: Path, prdimp18: Weights) -> None:
    source = write_pytracking(tmp_path / "prdimp18.pth.tar", prdimp18, "klcedimpnet18")
    before = torch.get_rng_state()
    network, entry = load_network(source)
    assert torch.equal(torch.get_rng_state(), before)
    assert entry.name == "prdimp18"
    plain = build("klcedimpnet18").eval()
    plain.load_state_dict(prdimp18, strict=False)
    image = torch.randint(0, 255, (1, 3, 64, 64)).float()
    for result, expected in zip(network.backbone_features(image), plain.backbone_features(image), strict=True):
        assert torch.equal(result, expected)
    assert network.bb_regressor is not None


def test_arguments_of_the_file_override_the_defaults(tmp_path: Path, prdimp18: Weights) -> None:
    arguments = {"gauss_sigma": 0.7, "softmax_reg": 0.1, "detach_length": float("inf"), "frozen_backbone_layers": ()}
    source = write_pytracking(tmp_path / "mine.pth", prdimp18, "klcedimpnet18", arguments)
    path = import_checkpoint(source, "prdimp18")
    assert json.loads(card_path(path).read_text())["arguments"]["gauss_sigma"] == 0.7
    classifier = load_network("prdimp18")[0].classifier
    assert classifier is not None
    optimizer = classifier.filter_optimizer
    assert isinstance(optimizer, PrDimpOptimizer)
    assert (optimizer.gauss_sigma, optimizer.softmax_reg) == (0.7, 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gauss_sigma": torch.ones(1)}, "unusable gauss_sigma"),
        ({"out_feature_dim": 10**12}, "unusable out_feature_dim"),
        ({"out_feature_dim": 512}, "misshapen"),
        ({"score_act": "bentpar"}, "not supported"),
        ({"no_such_argument": 1}, "no argument"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    tmp_path: Path, home: Path, prdimp18: Weights, arguments: dict[str, Any], message: str
) -> None:
    source = write_pytracking(tmp_path / "mine.pth", prdimp18, "klcedimpnet18", arguments)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(source, "prdimp18")
    assert not home.exists()


def test_half_precision_without_counters_is_accepted(tmp_path: Path, atom: Weights) -> None:
    weights = OrderedDict((k, v.half()) for k, v in atom.items() if not k.endswith("num_batches_tracked"))
    torch.save(weights, tmp_path / "x.pth")
    import_checkpoint(tmp_path / "x.pth", "atom")
    assert_holds(load_network("atom")[0], weights)


def test_a_complete_file_is_accepted_and_what_is_not_evaluated_left_out(tmp_path: Path) -> None:
    weights = random_weights(manifest("atom_resnet18"))
    assert any(key.startswith(NEVER_EVALUATED) for key in weights)
    path = import_checkpoint(write_pytracking(tmp_path / "atom_default.pth", weights, "atom_resnet18"), "atom")
    assert not any(key.startswith(NEVER_EVALUATED) for key in read_model(path)[0])
    assert_holds(load_network("atom")[0], weights)


def without(key: str) -> Callable[[Weights], Weights]:
    return lambda weights: OrderedDict((k, v) for k, v in weights.items() if k != key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("bb_regressor.iou_predictor.bias"), r"1 missing: bb_regressor\.iou_predictor\.bias"),
        (lambda weights: weights | {"extra.weight": torch.ones(1)}, r"1 unexpected: extra\.weight"),
        (
            lambda weights: weights | {"feature_extractor.bn1.bias": torch.ones(3)},
            r"1 misshapen: feature_extractor\.bn1\.bias \(3,\) instead of \(64,\)",
        ),
    ],
)
def test_differences_are_listed(
    tmp_path: Path, home: Path, atom: Weights, change: Callable[[Weights], Weights], message: str
) -> None:
    torch.save(change(atom), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        import_checkpoint(tmp_path / "x.pth", "atom")
    assert "nearest in the catalogue is 'atom', from which it differs in 1 entries" in str(caught.value)
    assert not home.exists()


def test_a_file_of_another_tracker_is_recognised(tmp_path: Path, prdimp18: Weights) -> None:
    source = write_pytracking(tmp_path / "x.pth", prdimp18, "klcedimpnet18")
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(source, "dimp50")
    assert "does not fit 'dimp50', a 'dimpnet50'. It was built by 'klcedimpnet18'" in str(caught.value)
    assert f"It looks like 'prdimp18': lockon models import {source} --as prdimp18" in str(caught.value)


def test_a_file_of_no_tracker_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "x.pth")
    for use in (lambda: import_checkpoint(tmp_path / "x.pth", "atom"), lambda: load(tmp_path / "x.pth")):
        with pytest.raises(CheckpointError, match="resembles no network"):
            use()


def test_a_wrong_constructor_is_refused_even_if_all_shapes_fit(tmp_path: Path, atom: Weights) -> None:
    source = write_pytracking(tmp_path / "x.pth", atom, "atom_resnet50")
    with pytest.raises(CheckpointError, match="built by 'atom_resnet50'"):
        import_checkpoint(source, "atom")


@pytest.mark.slow
def test_networks_of_one_shape_are_told_apart_by_the_file_name(tmp_path: Path) -> None:
    weights = random_weights(evaluated("dimpnet50"))
    source = write_pytracking(tmp_path / "mine.pth", weights, "dimpnet50")
    with pytest.raises(CheckpointError, match=r"looks like 'dimp50' or 'super_dimp'"):
        load_network(source)
    for name, tracker in (("super_dimp.pth.tar", "super_dimp"), ("dimp50.pth", "dimp50")):
        network, entry = load_network(source.rename(tmp_path / name))
        source = tmp_path / name
        assert entry.name == tracker
        assert_holds(network, weights)


@pytest.mark.parametrize("prefix", ["", "feature_extractor."])
def test_the_multi_scale_tracker_needs_a_backbone_only(tmp_path: Path, atom: Weights, prefix: str) -> None:
    trunk = {
        prefix + key.removeprefix("feature_extractor."): value
        for key, value in atom.items()
        if key.startswith("feature_extractor.")
    }
    source = tmp_path / "trunk.safetensors"
    safetensors.torch.save_file(trunk, source)
    import_checkpoint(source, "atom_multiscale")
    for name in ("atom_multiscale", source):
        network, entry = load_network(name)
        assert entry.name == "atom_multiscale"
        assert network.bb_regressor is None
        assert_holds(network, atom)
    with pytest.raises(CheckpointError, match="It looks like 'atom_multiscale'"):
        import_checkpoint(source, "atom")
    torch.save({"net": atom}, tmp_path / "atom_default.pth")
    import_checkpoint(tmp_path / "atom_default.pth", "atom_multiscale")
    assert load_network("atom_multiscale")[0].bb_regressor is None


def test_a_published_name_with_other_content_is_refused(tmp_path: Path, atom: Weights) -> None:
    torch.save(atom, tmp_path / "resnet18-f37072fd.pth")
    with pytest.raises(CheckpointError, match="not the file that is published under this name"):
        import_checkpoint(tmp_path / "resnet18-f37072fd.pth", "atom_multiscale")


def test_missing_weights_come_with_the_command_that_gets_them() -> None:
    with pytest.raises(CheckpointError) as caught:
        load("prdimp50_vot18")
    assert "prdimp50.pth.tar" in str(caught.value)
    assert "lockon models import prdimp50.pth.tar --as prdimp50_vot18" in str(caught.value)


def test_unknown_names_and_absent_files_are_told_apart() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'prdimp18'"):
        load("prdimp8")
    for name in ("models/dimp50", "dimp50.pth", Path("nowhere/x.safetensors")):
        with pytest.raises(CheckpointError, match="there is no file"):
            load(name)


def test_a_name_of_the_catalogue_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dimp18").write_bytes(b"not weights")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="not on this machine"):
        load("dimp18")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path / "dimp18")


def test_a_changed_model_or_card_is_refused(tmp_path: Path, atom: Weights) -> None:
    torch.save(atom, tmp_path / "x.pth")
    path = import_checkpoint(tmp_path / "x.pth", "atom", tmp_path / "models")
    assert_holds(load_network(path)[0], atom)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_network(path)
    card_path(path).write_text("{}")
    with pytest.raises(CheckpointError, match="not the card of a model"):
        load_network(path)


def test_an_interrupted_write_leaves_the_old_model(
    tmp_path: Path, atom: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(atom, tmp_path / "x.pth")
    path = import_checkpoint(tmp_path / "x.pth", "atom", tmp_path / "models")
    state, card = read_model(path)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_model(path, {key: value + 1 for key, value in state.items()}, card)
    monkeypatch.undo()
    assert torch.equal(
        load_network(path)[0].state_dict()["feature_extractor.bn1.bias"], atom["feature_extractor.bn1.bias"]
    )


def test_the_models_folder_is_below_the_home_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKON_HOME")
    monkeypatch.setenv("HOME", os.sep + "nowhere")
    with pytest.raises(CheckpointError, match="not on this machine"):
        load("dimp18")


def test_a_model_of_the_package_is_found_without_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockon.zoo.store.packaged_models", lambda: tmp_path / "package")
    with pytest.raises(CheckpointError, match="the package lacks the weights of 'lockon_s'"):
        load_network("lockon_s")
    state = build("lockon_s").state_dict()
    half = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    card = Card(constructor="lockon_s", tracker="lockon_s", licence="Apache-2.0", origin="here")
    path = write_model(tmp_path / "package" / "lockon_s.safetensors", half, card)
    network, entry = load_network("lockon_s")
    assert locate(entry.weights) == path
    assert_holds(network, OrderedDict(half))
    assert {k: v.dtype for k, v in network.state_dict().items()} == {k: v.dtype for k, v in state.items()}
    with pytest.raises(CheckpointError, match="the package contains it"):
        import_checkpoint(tmp_path / "x.pth", "lockon_s")


def test_a_name_goes_before_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lockon_s").write_bytes(b"junk")
    assert model_file("lockon_s") == locate(find_entry("lockon_s").weights)
    assert load_network("lockon_s")[1].name == "lockon_s"
    with pytest.raises(CheckpointError, match="lockon_s"):
        load_network("./lockon_s")


def test_weights_from_a_file_replace_those_of_a_name() -> None:
    packaged = locate(find_entry("lockon_s").weights)
    assert packaged is not None
    network, entry = load_network("lockon_s", weights=packaged)
    expected, _ = load_network("lockon_s")
    assert entry.name == "lockon_s"
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), expected.parameters(), strict=True))
    with pytest.raises(CheckpointError, match="atom"):
        load_network("atom", weights=packaged)
