"""From a name or a file to a tracker; and the import of weights that others trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from lockon.errors import CheckpointError
from lockon.files import user_path
from lockon.networks.association import CONSTRUCTORS as ASSOCIATIONS
from lockon.networks.association import AssociationNet, build_association
from lockon.networks.tracker_net import TrackerNet, build
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.precision import Precision
from lockon.tracking.profiling import Timer
from lockon.zoo.catalogue import Entry, Weights, entries, find_entry
from lockon.zoo.checkpoints import OPTIONAL_SUFFIX, Checkpoint, Constructor, compare, read_checkpoint, shapes_of
from lockon.zoo.matching import Fitting, fitting, identify, part_of
from lockon.zoo.store import Card, card_path, digest, locate, models_folder, read_card, read_model, write_model


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
        name_or_path: name in the catalogue, a model file with its card, or a checkpoint. Of a tracker with two
            networks, a file holds one; the other is the one this machine has.
        weights: checkpoint or model file to use with the tracker of that name, instead of the weights it has on this
            machine.
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
        given = fitting(_read(user_path(weights)), entry)
    elif _is_name(name_or_path):
        entry, given = find_entry(str(name_or_path)), None
    else:
        entry, given = _load_file(model_file(name_or_path))
    held = None if given is None else given.part
    _require(entry, [part for part in entry.parts if part is not held])
    base, *association = (given if given and part is held else _stored(part) for part in entry.parts)
    network = _assemble(base)
    for model in association:
        _join(network, _assemble_association(model), entry)
    return network, entry


def model_file(name_or_path: str | Path) -> Path:
    """The file that `load` reads: a name in the catalogue goes before a file of that name.

    Of a tracker with two networks, the one of the base tracker; see `model_files`.

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
    _require(entry, [entry.weights])
    return _found(entry.weights)


def model_files(name_or_path: str | Path) -> tuple[Path, ...]:
    """All files that `load` reads, that of the base tracker first; arguments and errors are those of `model_file`."""
    path = model_file(name_or_path)
    if _is_name(name_or_path):
        entry, held = find_entry(str(name_or_path)), None
    elif _has_card(path):
        card = read_card(path)
        entry = find_entry(card.tracker)
        held = _part_built_by(card.constructor, entry)
    else:
        checkpoint = read_checkpoint(path)
        entry = identify(checkpoint)
        held = part_of(checkpoint, entry)
    _require(entry, [part for part in entry.parts if part is not held])
    return tuple(path if part is held else _found(part) for part in entry.parts)


def weights_sha256(name_or_path: str | Path) -> str:
    """SHA-256 of the file that `load` reads, in hexadecimal digits; of two files, both with a plus between them."""
    return "+".join(digest(path) for path in model_files(name_or_path))


def import_checkpoint(path: str | Path, as_name: str, destination: Path | None = None) -> Path:
    """Imports weights for a tracker of the catalogue; nothing in the file is executed.

    Args:
        path: PyTorch file of either format, or safetensors.
        as_name: name in the catalogue. One import serves all trackers that share the weights. Of a tracker with two
            networks, the content of the file decides which of them it is.
        destination: folder to write to; by default `models_folder()`, where `load` finds it by name.

    Returns:
        The safetensors file that was written.

    Raises:
        UnknownNameError: The catalogue has no such tracker.
        CheckpointError: The file is damaged, is not what its publisher distributes, or does not fit the tracker.
    """
    path, entry = Path(path), find_entry(as_name)
    if not any(part.files for part in entry.parts):
        raise CheckpointError(_nothing_to_import(entry, entry.weights))
    checkpoint = read_checkpoint(path)
    part, sha256 = part_of(checkpoint, entry), digest(path)
    if not part.files:
        raise CheckpointError(_nothing_to_import(entry, part))
    for file in part.files:
        if file.name == path.name and file.sha256 and not sha256.startswith(file.sha256):
            raise CheckpointError(f"{path} is not the file that is published under this name. Fetch it again.")
    fit = fitting(checkpoint, entry)
    _assemble_association(fit) if part is entry.association else _assemble(fit)
    card = Card(
        constructor=fit.constructor.function,
        arguments=fit.constructor.arguments,
        tracker=entry.name,
        licence=part.licence,
        origin=part.origin,
        details={"file": path.name, "sha256": sha256, "epoch": checkpoint.epoch},
    )
    return write_model((destination or models_folder()) / f"{part.name}.safetensors", fit.state_dict, card)


def _nothing_to_import(entry: Entry, part: Weights) -> str:
    what = f"{_name_of(part, entry)} ({part.origin})"
    return f"there is no file to import for {what}; load a model by the path of its file."


def _is_name(name_or_path: str | Path) -> bool:
    return str(name_or_path) in {entry.name for entry in entries()}


def _has_card(path: Path) -> bool:
    return path.suffix == ".safetensors" and card_path(path).is_file()


def _read(path: Path) -> Checkpoint:
    """A weight file; where it has a card, that says how the network is built."""
    if not _has_card(path):
        return read_checkpoint(path)
    state_dict, card = read_model(path)
    return Checkpoint(path, state_dict, Constructor(card.constructor, card.arguments))


def _load_file(path: Path) -> tuple[Entry, Fitting]:
    if not _has_card(path):
        checkpoint = read_checkpoint(path)
        entry = identify(checkpoint)
        return entry, fitting(checkpoint, entry)
    state_dict, card = read_model(path)
    entry = find_entry(card.tracker)
    part = _part_built_by(card.constructor, entry)
    return entry, Fitting(part, Constructor(card.constructor, card.arguments), state_dict)


def _part_built_by(constructor: str, entry: Entry) -> Weights:
    return entry.association if entry.association is not None and constructor in ASSOCIATIONS else entry.weights


def _found(part: Weights) -> Path:
    path = locate(part)
    assert path is not None, "whoever calls has asked for it by _require"
    return path


def _stored(part: Weights) -> Fitting:
    state_dict, card = read_model(_found(part))
    return Fitting(part, Constructor(card.constructor, card.arguments), state_dict)


def _assemble(model: Fitting) -> TrackerNet:
    """The base tracker's network, around the given tensors."""
    with torch.random.fork_rng(devices=[]):  # drawing weights that are overwritten must leave no trace
        network = build(model.constructor.function, model.constructor.arguments)
    backbone = network.feature_extractor
    for name in {"layer4", "fc"} & {name for name, _ in backbone.named_children()}:
        delattr(backbone, name)  # never evaluated, and a third of the memory of a ResNet-50
    if model.part.trunk_only:
        network.bb_regressor = None
    _fill(network, model)
    return network


def _assemble_association(model: Fitting) -> AssociationNet:
    """The association network, around the given tensors."""
    with torch.device("meta"):
        network = build_association(model.constructor.function, model.constructor.arguments)
    _fill(network, model)
    kernel = network.descriptor_extractor.conv.weight  # descriptors at single cells then need no copy of it
    kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
    return network


def _fill(network: nn.Module, model: Fitting) -> None:
    expected = shapes_of(network.state_dict())
    difference = compare(shapes_of(model.state_dict), expected)
    if difference:
        built = f"'{model.constructor.function}' with {dict(model.constructor.arguments)}"
        raise CheckpointError(f"the weights do not fit {built}:\n{difference}")
    weights = {key: value.float() for key, value in model.state_dict.items() if not key.endswith(OPTIONAL_SUFFIX)}
    counters = {key: torch.zeros(shape).long() for key, shape in expected.items() if key not in weights}
    network.load_state_dict(weights | counters, assign=True)
    network.eval()


def _join(network: TrackerNet, association: AssociationNet, entry: Entry) -> None:
    channels = network.feature_extractor.channels[1]
    if association.in_channels != channels:
        raise CheckpointError(
            f"the association network describes features of {association.in_channels} channels, and '{entry.name}' "
            f"has {channels}; take one that was trained for it."
        )
    network.association = association


def _require(entry: Entry, parts: Iterable[Weights]) -> None:
    """Raises `CheckpointError` if any of a tracker's networks is not on this machine."""
    missing = [_how_to_get(entry, part) for part in parts if locate(part) is None]
    if missing:
        raise CheckpointError("\n".join(missing))


def _how_to_get(entry: Entry, part: Weights) -> str:
    what = f"the weights of {_name_of(part, entry)}"
    if part.recipe is not None:
        return f"{what} are not on this machine: {part.origin}. Train them: lockon train {part.recipe}"
    if not part.files:
        return f"the package lacks {what}, which should come with it. Install it again."
    names = " or ".join(file.name for file in part.files)
    return (
        f"{what} are not on this machine. Get {names} from {part.origin}, and type:\n"
        f"  lockon models import {part.files[0].name} --as {entry.name}"
    )


def _name_of(part: Weights, entry: Entry) -> str:
    return f"the association network of '{entry.name}'" if part is entry.association else f"'{entry.name}'"
