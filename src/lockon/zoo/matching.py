"""Which tracker of the catalogue a checkpoint belongs to."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from lockon.errors import CheckpointError
from lockon.zoo.catalogue import Entry, entries
from lockon.zoo.checkpoints import (
    NEVER_EVALUATED,
    OPTIONAL_SUFFIX,
    Checkpoint,
    Difference,
    compare,
    manifest,
    shapes_of,
)

TRUNK = "feature_extractor."
REGRESSOR = "bb_regressor."
LARGEST_ARGUMENT = 4096
"""Bound of the whole numbers that a checkpoint may give to its constructor."""
RESEMBLANCE = 0.5
"""Share of entries that must agree for a tracker to be named as the nearest."""


def fitting(checkpoint: Checkpoint, entry: Entry) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (in float32) and constructor arguments of a checkpoint that a tracker needs.

    Raises:
        CheckpointError: It is a checkpoint of something else; the message lists the differences and says of what.
    """
    weights, constructor = entry.weights, checkpoint.constructor
    difference = _difference(checkpoint, entry)
    if difference or not _same_constructor(checkpoint, entry):
        built = f" It was built by '{constructor.function}'." if constructor else ""
        raise CheckpointError(
            f"{checkpoint.path} does not fit '{entry.name}', a '{weights.constructor}'.{built}\n"
            + "\n".join(filter(None, [str(difference), advice(checkpoint)]))
        )
    tensors = {
        key: value.float()
        for key, value in _tensors(checkpoint, entry).items()
        if not key.startswith(NEVER_EVALUATED) and not key.endswith(OPTIONAL_SUFFIX)
    }
    if constructor is None or weights.trunk_only:
        return tensors, {}
    return tensors, {name: _plain(name, value) for name, value in constructor.arguments.items()}


def identify(checkpoint: Checkpoint) -> Entry:
    """The one tracker that a checkpoint belongs to, by its content, else by its file name.

    Raises:
        CheckpointError: It fits none, or several.
    """
    found = _candidates(checkpoint)
    if len(found) > 1:
        named = [entry for entry in found if checkpoint.path.name in {file.name for file in entry.weights.files}]
        found = named or found
    if len(found) != 1:
        raise CheckpointError(f"{checkpoint.path} can be used only once it is imported.\n{advice(checkpoint)}")
    return found[0]


def advice(checkpoint: Checkpoint) -> str:
    """What a checkpoint looks like, and the command to import it as that."""
    found = _candidates(checkpoint)
    if found:
        names = " or ".join(f"'{entry.name}'" for entry in found)
        return f"It looks like {names}: lockon models import {checkpoint.path} --as {found[0].name}"
    differences = {entry.name: len(_difference(checkpoint, entry)) for entry in _networks(checkpoint)}
    name = min(differences, key=differences.__getitem__)
    if differences[name] < (1 - RESEMBLANCE) * len(checkpoint.state_dict):
        return f"The nearest in the catalogue is '{name}', from which it differs in {differences[name]} entries."
    return "It resembles no network of the catalogue."


def _networks(checkpoint: Checkpoint) -> list[Entry]:
    """The first entry of each network a checkpoint may be of; a mere backbone only if it has no box regressor."""
    first = {entry.weights.name: entry for entry in reversed(entries()) if entry.weights.files}
    whole = any(key.startswith(REGRESSOR) for key in checkpoint.state_dict)
    return [entry for entry in reversed(first.values()) if entry.weights.trunk_only != whole]


def _candidates(checkpoint: Checkpoint) -> list[Entry]:
    """The trackers a checkpoint fits."""
    networks = _networks(checkpoint)
    return [
        entry for entry in networks if _same_constructor(checkpoint, entry) and not _difference(checkpoint, entry)
    ]


def _same_constructor(checkpoint: Checkpoint, entry: Entry) -> bool:
    if checkpoint.constructor is None or entry.weights.trunk_only:
        return True
    return checkpoint.constructor.function == entry.weights.constructor


def _tensors(checkpoint: Checkpoint, entry: Entry) -> dict[str, Tensor]:
    """The tensors an entry asks for, under the names of a tracker's checkpoint."""
    tensors = dict(checkpoint.state_dict)
    if not entry.weights.trunk_only:
        return tensors
    if not any(key.startswith(TRUNK) for key in tensors):
        tensors = {TRUNK + key: value for key, value in tensors.items()}
    return {key: value for key, value in tensors.items() if key.startswith(TRUNK)}


def _difference(checkpoint: Checkpoint, entry: Entry) -> Difference:
    expected = manifest(entry.weights.constructor)
    if entry.weights.trunk_only:
        expected = {key: shape for key, shape in expected.items() if key.startswith(TRUNK)}
    return compare(shapes_of(_tensors(checkpoint, entry)), expected)


def _plain(name: str, value: Any) -> Any:
    """An argument as JSON can keep it."""
    if isinstance(value, list | tuple):
        return [_plain(name, part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if (
        value is None
        or isinstance(value, str | bool | float)
        or (isinstance(value, int) and value <= LARGEST_ARGUMENT)
    ):
        return value
    raise CheckpointError(f"the checkpoint gives its constructor an unusable {name}: a {type(value).__name__}.")
