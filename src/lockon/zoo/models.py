"""From a name or a file to a tracker; and the import of weights that others trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lockon.errors import CheckpointError
from lockon.files import user_path
from lockon.networks.tracker_net import TrackerNet, build
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.precision import Precision
from lockon.tracking.profiling import Timer
from lockon.zoo.catalogue import Entry, entries, find_entry
from lockon.zoo.checkpoints import OPTIONAL_SUFFIX, compare, read_checkpoint, shapes_of
from lockon.zoo.matching import fitting, identify
from lockon.zoo.store import Card, card_path, digest, locate, models_folder, read_model, write_model


def load(
    name_or_path: str | Path = "lockon_s",
    *,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
    share_backbone: bool = False,
    timer: Timer | None = None,
) -> Tracker:
    """A tracker, ready to start.

    Args:
        name_or_path: name in the catalogue, a model file with its card, or a checkpoint.
        weights: checkpoint to use with the tracker of that name, instead of the weights it has on this machine.
        device: where it runs.
        precision: numeric type of its networks; `fp32` is the reference.
        share_backbone: see `lockon.Tracker`: for many targets in one video faster, at slightly different tracks.
        timer: told how long each stage of a frame takes.

    Raises:
        UnknownNameError: It is neither a name nor a file.
        CheckpointError: The weights are not on this machine (the message says how to get them), or unfit.
    """
    network, entry = load_network(name_or_path, weights=weights)
    return Tracker(
        network,
        PRESETS[entry.name],
        name=entry.name,
        device=device,
        precision=precision,
        share_backbone=share_backbone,
        timer=timer,
    )


def load_network(name_or_path: str | Path, *, weights: str | Path | None = None) -> tuple[TrackerNet, Entry]:
    """A network with its weights, in float32 and evaluation mode on the CPU, and the entry it belongs to.

    Arguments and errors are those of `load`.
    """
    if weights is not None:
        entry = find_entry(str(name_or_path))
        state_dict, arguments = fitting(read_checkpoint(weights), entry)
        return _assemble(entry, entry.weights.constructor, arguments, state_dict), entry
    path = model_file(name_or_path)
    if not _is_name(name_or_path):
        return _load_file(path)
    entry = find_entry(str(name_or_path))
    state_dict, card = read_model(path)
    return _assemble(entry, card.constructor, card.arguments, state_dict), entry


def model_file(name_or_path: str | Path) -> Path:
    """The file that `load` reads: a name in the catalogue goes before a file of that name.

    Raises:
        UnknownNameError: It is neither a name nor a file.
        CheckpointError: The weights are not on this machine; the message says how to get them.
    """
    path = user_path(name_or_path)
    if not _is_name(name_or_path):
        if path.is_file():
            return path
        if path.suffix or len(path.parts) > 1:
            raise CheckpointError(f"there is no file {path}.")
    entry = find_entry(str(name_or_path))
    model = locate(entry)
    if model is None:
        raise CheckpointError(_how_to_get(entry))
    return model


def import_checkpoint(path: str | Path, as_name: str, destination: Path | None = None) -> Path:
    """Imports weights for a tracker of the catalogue; nothing in the file is executed.

    Args:
        path: PyTorch file of either format, or safetensors.
        as_name: name in the catalogue. One import serves all trackers that share the weights.
        destination: folder to write to; by default `models_folder()`, where `load` finds it by name.

    Returns:
        The safetensors file that was written.

    Raises:
        UnknownNameError: The catalogue has no such tracker.
        CheckpointError: The file is damaged, is not what its publisher distributes, or does not fit the tracker.
    """
    path, entry = Path(path), find_entry(as_name)
    weights = entry.weights
    if not weights.files:
        raise CheckpointError(
            f"there is no file to import for '{as_name}' ({weights.origin}); load a model by the path of its file."
        )
    checkpoint = read_checkpoint(path)
    sha256 = digest(path)
    for file in weights.files:
        if file.name == path.name and file.sha256 and not sha256.startswith(file.sha256):
            raise CheckpointError(f"{path} is not the file that is published under this name. Fetch it again.")
    state_dict, arguments = fitting(checkpoint, entry)
    _assemble(entry, weights.constructor, arguments, state_dict)
    card = Card(
        constructor=weights.constructor,
        arguments=arguments,
        tracker=entry.name,
        licence=weights.licence,
        origin=weights.origin,
        details={"file": path.name, "sha256": sha256, "epoch": checkpoint.epoch},
    )
    return write_model((destination or models_folder()) / f"{weights.name}.safetensors", state_dict, card)


def _is_name(name_or_path: str | Path) -> bool:
    return str(name_or_path) in {entry.name for entry in entries()}


def _load_file(path: Path) -> tuple[TrackerNet, Entry]:
    if path.suffix == ".safetensors" and card_path(path).is_file():
        state_dict, card = read_model(path)
        entry = find_entry(card.tracker)
        return _assemble(entry, card.constructor, card.arguments, state_dict), entry
    checkpoint = read_checkpoint(path)
    entry = identify(checkpoint)
    state_dict, arguments = fitting(checkpoint, entry)
    return _assemble(entry, entry.weights.constructor, arguments, state_dict), entry


def _assemble(
    entry: Entry, constructor: str, arguments: Mapping[str, Any], state_dict: Mapping[str, Tensor]
) -> TrackerNet:
    """The network that an entry needs, around the given tensors."""
    with torch.random.fork_rng(devices=[]):  # drawing weights that are overwritten must leave no trace
        network = build(constructor, arguments)
    backbone = network.feature_extractor
    for name in {"layer4", "fc"} & {name for name, _ in backbone.named_children()}:
        delattr(backbone, name)  # never evaluated, and a third of the memory of a ResNet-50
    if entry.weights.trunk_only:
        network.bb_regressor = None
    expected = shapes_of(network.state_dict())
    difference = compare(shapes_of(state_dict), expected)
    if difference:
        raise CheckpointError(f"the weights do not fit '{constructor}' with {dict(arguments)}:\n{difference}")
    weights = {key: value.float() for key, value in state_dict.items() if not key.endswith(OPTIONAL_SUFFIX)}
    counters = {key: torch.zeros(shape).long() for key, shape in expected.items() if key not in weights}
    network.load_state_dict(weights | counters, assign=True)
    return network.eval()


def _how_to_get(entry: Entry) -> str:
    weights = entry.weights
    if weights.recipe is not None:
        return (
            f"the weights of '{entry.name}' are not on this machine: {weights.origin}. Train them: "
            f"lockon train {weights.recipe}"
        )
    if not weights.files:
        return f"the package lacks the weights of '{entry.name}', which should come with it. Install it again."
    names = " or ".join(file.name for file in weights.files)
    return (
        f"the weights of '{entry.name}' are not on this machine. Get {names} from {weights.origin}, and type:\n"
        f"  lockon models import {weights.files[0].name} --as {entry.name}"
    )
