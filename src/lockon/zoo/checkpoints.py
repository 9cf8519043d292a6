"""What a weight file contains, and which network it fits."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from lockon.errors import CheckpointError
from lockon.zoo.archives import open_archive
from lockon.zoo.pickles import Inert, TensorRef

Shapes = Mapping[str, tuple[int, ...]]

STATE_DICT_KEYS = ("net", "state_dict", "model")
"""Where the weights stand in files of pytracking, of PySOT and many others, and of some more."""
OPTIONAL_SUFFIX = "num_batches_tracked"
"""Counters of batch normalisation that PyTorch before 0.4.1 does not write and inference does not read."""
NEVER_EVALUATED = ("feature_extractor.layer4.", "feature_extractor.fc.")
"""The end of the ImageNet network: in the official files, but behind the last layer that trackers use."""
LISTED = 8
"""Keys of each kind that an error message names."""


@dataclass(frozen=True, slots=True)
class Constructor:
    """How the network of a checkpoint was built: a name, never looked up, and its arguments."""

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A weight file as plain data."""

    path: Path
    state_dict: Mapping[str, Tensor]
    constructor: Constructor | None = None
    epoch: int | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads weights from a PyTorch file (either format), or from safetensors; executes nothing from it.

    The weights may stand under `net` (pytracking), `state_dict` or `model`, or be the whole file. A prefix `module.`
    that all keys share, left by data-parallel training, is removed.

    Raises:
        CheckpointError: There is no such file, or it holds no weights that can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":
        return Checkpoint(path, _without_module_prefix(read_safetensors(path)))
    with open_archive(path) as archive:
        content = archive.tree if isinstance(archive.tree, dict) else {}
        weights = {key: archive.tensor(ref) for key, ref in _find_weights(archive.tree, path).items()}
    epoch = content.get("epoch")
    return Checkpoint(
        path,
        _without_module_prefix(weights),
        _constructor(content.get("constructor"), path),
        epoch if type(epoch) is int else None,
    )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read as safetensors: {error}. Fetch it again.") from error


def _find_weights(tree: Any, path: Path) -> dict[str, TensorRef]:
    if isinstance(tree, Inert):
        raise CheckpointError(f"{path} holds a whole object, {tree.kind}. Save its state_dict() and import that.")
    candidates = [tree[key] for key in STATE_DICT_KEYS if key in tree] if isinstance(tree, dict) else []
    weights = candidates[0] if candidates else tree
    if not isinstance(weights, dict) or not weights or not all(isinstance(key, str) for key in weights):
        raise CheckpointError(
            f"{path} holds no weights: neither tensors by name nor any of {', '.join(STATE_DICT_KEYS)}."
        )
    others = [key for key, value in weights.items() if not isinstance(value, TensorRef)]
    if others:
        raise CheckpointError(f"{path} holds no weights: {_some(others)} are not plain tensors.")
    return weights


def _constructor(value: Any, path: Path) -> Constructor | None:
    """Reads pytracking's pickled constructor object, whatever package it was defined in."""
    if not isinstance(value, Inert) or not isinstance(value.state, dict):
        return None
    match value.state:
        case {"fun_name": str(function), "args": (), "kwds": dict(arguments)}:
            return Constructor(function, arguments)
    raise CheckpointError(f"{path}: its constructor has no name, or arguments without names; it cannot be rebuilt.")


def _without_module_prefix(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = "module."
    if not all(key.startswith(prefix) for key in state_dict):
        return state_dict
    return {key.removeprefix(prefix): value for key, value in state_dict.items()}


@functools.cache
def manifest(constructor: str) -> Shapes:
    """The entries that a checkpoint of a network has, and their shapes."""
    folder = importlib.resources.files("lockon.zoo").joinpath("manifests")
    shapes: dict[str, list[int]] = json.loads(folder.joinpath(f"{constructor}.json").read_text(encoding="utf-8"))
    return {key: tuple(shape) for key, shape in shapes.items()}


def is_optional(key: str) -> bool:
    """Whether a network works the same without an entry."""
    return key.endswith(OPTIONAL_SUFFIX) or key.startswith(NEVER_EVALUATED)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a checkpoint departs from a manifest."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def __str__(self) -> str:
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "misshapen": self.misshapen}
        return "\n".join(f"  {len(keys)} {kind}: {_some(keys)}" for kind, keys in kinds.items() if keys)


def compare(found: Shapes, expected: Shapes) -> Difference:
    """The entries that are missing, unexpected or of another shape; optional ones may be missing."""
    return Difference(
        tuple(key for key in expected if key not in found and not is_optional(key)),
        tuple(key for key in found if key not in expected),
        tuple(
            f"{key} {found[key]} instead of {shape}"
            for key, shape in expected.items()
            if key in found and found[key] != shape
        ),
    )


def shapes_of(state_dict: Mapping[str, Tensor]) -> Shapes:
    """The shape of every tensor."""
    return {key: tuple(tensor.shape) for key, tensor in state_dict.items()}


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return ", ".join(keys[:LISTED]) + more
