"""Trackers of two networks: each is imported by itself, and found by what it holds."""

import json
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from checkpoint_files import random_weights, write_pytracking
from torch import Tensor

from lockon.apps.models import ModelsImport, ModelsList, ModelsShow
from lockon.errors import CheckpointError, UnknownNameError
from lockon.networks.association import AssociationNet, build_association
from lockon.zoo import (
    Card,
    find_entry,
    import_checkpoint,
    is_ready,
    load_network,
    locate,
    model_files,
    read_model,
    weights_sha256,
    write_model,
)
from lockon.zoo.checkpoints import NEVER_EVALUATED, manifest
from lockon.zoo.store import card_path, digest

Weights = OrderedDict[str, Tensor]
OFFICIAL = "target_candidate_matching_net_resnet50"
SMALL = {"in_channels": 128, "dim": 16, "encoder_widths": [8], "gnn_layers": 2, "heads": 2, "sinkhorn_iterations": 3}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def evaluated(constructor: str, seed: int) -> Weights:
    shapes = {key: shape for key, shape in manifest(constructor).items() if not key.startswith(NEVER_EVALUATED)}
    return random_weights(shapes, seed)


@pytest.fixture(scope="module")
def official() -> Weights:
    return evaluated(OFFICIAL, 1)


@pytest.fixture(scope="module")
def matcher_alone(official: Weights) -> Weights:
    """For tests that need no backbone, which takes time."""
    return OrderedDict((key, value) for key, value in official.items() if not key.startswith("feature_extractor."))


@pytest.fixture(scope="module")
def base() -> Weights:
    return evaluated("dimpnet50_simple", 2)


def small_association(folder: Path, *, half: bool = False, name: str = "keep_track_s", **changes: Any) -> Path:
    """A trained association network, as training exports it."""
    net = AssociationNet(**{**SMALL, **changes}, generator=torch.Generator().manual_seed(7))
    weights = {key: value.half() if half and value.ndim > 1 else value for key, value in net.state_dict().items()}
    card = Card(
        constructor="association",
        arguments={**SMALL, **changes},
        tracker=name,
        licence="ours",
        origin="here",
    )
    return write_model(folder / f"{name}.safetensors", weights, card)


def assert_holds(association: AssociationNet | None, weights: Weights | dict[str, Tensor]) -> None:
    assert association is not None
    assert not association.training
    state = association.state_dict()
    assert not any(key.startswith("feature_extractor.") for key in state)
    for key, value in state.items():
        assert value.device.type == "cpu"
        if not key.endswith("num_batches_tracked"):
            assert value.dtype == torch.float32
            assert torch.equal(value, weights[key].float()), key


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_both_files_of_keep_track_are_imported_and_joined(
    tmp_path: Path, home: Path, official: Weights, base: Weights, zipped: bool
) -> None:
    arguments = {"backbone_pretrained": True, "skip_gnn": False, "GNN_layers": None, "num_sinkhorn_iterations": 10}
    source = write_pytracking(tmp_path / "keep_track.pth.tar", official, OFFICIAL, arguments, zipped=zipped)
    path = import_checkpoint(source, "keep_track")
    assert path == home / "models" / "keep_track.safetensors"
    assert {key.partition(".")[0] for key in read_model(path)[0]} == {"descriptor_extractor", "matcher"}
    with pytest.raises(CheckpointError, match=r"weights of 'keep_track' are not .* Get super_dimp_simple.pth.tar"):
        load_network("keep_track")
    assert not is_ready(find_entry("keep_track"))
    base_file = write_pytracking(tmp_path / "super_dimp_simple.pth.tar", base, "dimpnet50_simple", zipped=zipped)
    assert import_checkpoint(base_file, "keep_track").name == "super_dimp_simple.safetensors"
    assert is_ready(find_entry("keep_track"))
    for name in ("keep_track", path, source):
        network, entry = load_network(name)
        assert entry.name == "keep_track"
        assert_holds(network.association, official)
        assert torch.equal(network.feature_extractor.conv1.weight, base["feature_extractor.conv1.weight"])
    assert load_network("super_dimp_simple")[0].association is None
    assert len(model_files("keep_track")) == len(model_files(source)) == 2
    assert model_files(source)[1] == source


def test_what_is_missing_is_named_with_the_file_and_the_command(tmp_path: Path, matcher_alone: Weights) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_network("keep_track_fast")
    text = str(caught.value)
    for words in (
        "the weights of 'keep_track_fast' are not on this machine. Get super_dimp_simple.pth.tar",
        "lockon models import super_dimp_simple.pth.tar --as keep_track_fast",
        "the weights of the association network of 'keep_track_fast' are not on this machine. Get keep_track.pth.tar",
        "lockon models import keep_track.pth.tar --as keep_track_fast",
    ):
        assert words in text
    torch.save(matcher_alone, tmp_path / "x.pth")
    import_checkpoint(tmp_path / "x.pth", "keep_track")
    with pytest.raises(CheckpointError) as caught:
        load_network("keep_track_fast")
    assert "super_dimp_simple.pth.tar" in str(caught.value)
    assert "association" not in str(caught.value)
    with pytest.raises(CheckpointError, match="Train them: lockon train"):
        load_network("keep_track_gnn9")


def test_one_import_serves_all_that_share_the_network(
    tmp_path: Path, matcher_alone: Weights, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(matcher_alone, tmp_path / "x.pth")
    ModelsImport(tmp_path / "x.pth", "keep_track_fast").run()
    output = capsys.readouterr().out
    assert output.splitlines()[1].strip() == "ready:"
    assert "these need another file" in output
    assert {"keep_track", "keep_track_fast"} <= set(output.splitlines()[2].replace(",", "").split())
    assert "keep_track_gnn9" not in output


def test_the_backbone_in_the_file_is_compared_before_it_is_dropped(tmp_path: Path, matcher_alone: Weights) -> None:
    wrong = matcher_alone | {"feature_extractor.conv1.weight": torch.ones(64, 3, 7, 7)}
    torch.save(wrong, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"\d+ missing: feature_extractor"):
        import_checkpoint(tmp_path / "x.pth", "keep_track")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"GNN_layers": ["cross", "self"]}, "not supported"),
        ({"output_normalization": "dual_softmax"}, "not supported"),
        ({"no_such_argument": 1}, "not supported"),
        ({"GNN_layers": ["self", "cross"]}, r"unexpected: matcher\.gnn\.layers\.2"),
        ({"skip_gnn": True}, r"unexpected: matcher\.gnn\.layers\.0"),
    ],
)
def test_arguments_of_another_structure_are_refused(
    tmp_path: Path, home: Path, matcher_alone: Weights, arguments: dict[str, Any], message: str
) -> None:
    source = write_pytracking(tmp_path / "x.pth", matcher_alone, OFFICIAL, arguments)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(source, "keep_track")
    assert not home.exists()


def test_recorded_iterations_are_kept(tmp_path: Path, matcher_alone: Weights) -> None:
    source = write_pytracking(tmp_path / "x.pth", matcher_alone, OFFICIAL, {"num_sinkhorn_iterations": 17})
    card = read_model(import_checkpoint(source, "keep_track"))[1]
    assert build_association(card.constructor, card.arguments).sinkhorn_iterations == 17


def test_a_file_for_another_tracker_is_recognised(tmp_path: Path, matcher_alone: Weights) -> None:
    torch.save(matcher_alone, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="It looks like 'keep_track': lockon models import"):
        import_checkpoint(tmp_path / "x.pth", "atom")
    source = write_pytracking(tmp_path / "y.pth", matcher_alone, "another_net")
    with pytest.raises(CheckpointError, match="built by 'another_net'"):
        import_checkpoint(source, "keep_track")
    changed = matcher_alone | {"matcher.extra": torch.ones(1)}
    torch.save(changed, tmp_path / "x.pth")
    with pytest.raises(
        CheckpointError, match=r"1 unexpected: matcher.extra\n.*'keep_track', from which it differs in 1"
    ):
        import_checkpoint(tmp_path / "x.pth", "keep_track")


@pytest.mark.parametrize("half", [False, True])
def test_the_network_of_the_package_joins_the_weights_of_lockon_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bool
) -> None:
    package = tmp_path / "package"
    base = locate(find_entry("lockon_s").weights)
    assert base is not None
    package.mkdir()
    for file in (base, card_path(base)):
        (package / file.name).symlink_to(file)
    monkeypatch.setattr("lockon.zoo.store.packaged_models", lambda: package)
    with pytest.raises(CheckpointError, match="lacks the weights of the association network of 'keep_track_s'"):
        load_network("keep_track_s")
    path = small_association(package, half=half)
    network, entry = load_network("keep_track_s")
    assert entry.name == "keep_track_s"
    assert_holds(network.association, read_model(path)[0])
    assert network.association is not None
    assert network.association.sinkhorn_iterations == 3
    kernel = network.association.descriptor_extractor.conv.weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    for key, value in load_network("lockon_s")[0].state_dict().items():
        assert torch.equal(network.state_dict()[key], value)
    assert model_files("keep_track_s") == (package / base.name, path)
    assert weights_sha256("keep_track_s") == f"{digest(base)}+{digest(path)}"
    assert weights_sha256("lockon_s") == digest(base)
    with pytest.raises(CheckpointError, match="no file to import"):
        import_checkpoint(path, "keep_track_s")


def test_a_trained_network_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = small_association(tmp_path)
    for network, entry in (load_network(path), load_network("keep_track_s", weights=path)):
        assert entry.name == "keep_track_s"
        assert_holds(network.association, read_model(path)[0])
    base = locate(find_entry("lockon_s").weights)
    assert model_files(path) == (base, path)
    other = small_association(tmp_path / "other", gnn_layers=0)
    network, _ = load_network("keep_track_s", weights=other)
    assert network.association is not None
    assert len(network.association.matcher.gnn.layers) == 0


def test_base_weights_of_ones_own_go_with_the_network_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = locate(find_entry("lockon_s").weights)
    assert base is not None
    path = small_association(tmp_path)
    weights, card = read_model(base)
    weights = {key: value + 1 if value.is_floating_point() else value for key, value in weights.items()}
    mine = write_model(tmp_path / "mine.safetensors", weights, replace(card, tracker="keep_track_s"))
    monkeypatch.setattr("lockon.zoo.store.packaged_models", lambda: tmp_path)
    network, entry = load_network(mine)
    assert entry.name == "keep_track_s"
    assert_holds(network.association, read_model(path)[0])
    key = "feature_extractor.conv1.weight"
    assert torch.equal(network.state_dict()[key], weights[key].float())
    assert model_files(mine) == (mine, path)


def test_networks_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    path = small_association(tmp_path, in_channels=64)
    with pytest.raises(CheckpointError, match="describes features of 64 channels, and 'keep_track_s' has 128"):
        load_network(path)
    with pytest.raises(CheckpointError, match="does not fit 'lockon_s'"):
        load_network("lockon_s", weights=path)
    weights, card = read_model(path)
    write_model(path, weights, replace(card, arguments={**SMALL, "gnn_layers": 5, "in_channels": 64}))
    with pytest.raises(
        CheckpointError, match=r"(?s)do not fit 'association' with .*missing: matcher\.gnn\.layers\.2"
    ):
        load_network(path)
    write_model(path, weights, replace(card, arguments={"depth": 3}))
    with pytest.raises(CheckpointError, match=r"'association' cannot be built with \{'depth': 3\}"):
        load_network(path)


def test_a_network_without_its_card_is_refused(tmp_path: Path) -> None:
    path = small_association(tmp_path)
    card_path(path).unlink()
    with pytest.raises(CheckpointError, match="has a card beside it"):
        load_network("keep_track_s", weights=path)
    with pytest.raises(CheckpointError, match="only once it is imported"):
        load_network(path)


def test_unknown_association_networks_get_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'association'"):
        build_association("asociation")


def test_the_list_and_the_description_show_both_files(
    tmp_path: Path, matcher_alone: Weights, capsys: pytest.CaptureFixture[str]
) -> None:
    safetensors.torch.save_file(matcher_alone, tmp_path / "x.safetensors")
    path = import_checkpoint(tmp_path / "x.safetensors", "keep_track")
    ModelsShow("keep_track").run()
    output = capsys.readouterr().out
    assert f"  model    {path}" in output
    assert "super_dimp_simple.safetensors is not on this machine" in output
    for file in ("super_dimp_simple.pth.tar", "keep_track.pth.tar"):
        assert f"import   lockon models import {file} --as keep_track" in output
    ModelsList().run()
    row = next(line for line in capsys.readouterr().out.splitlines() if " keep_track " in line)
    assert row.split()[0] == "–"
    assert json.loads(card_path(path).read_text())["constructor"] == OFFICIAL
