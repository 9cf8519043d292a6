"""Which tracker of the catalogue a checkpoint belongs to, and which of its networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lockon.errors import CheckpointError
from lockon.networks.association import OWN_CONSTRUCTOR
from lockon.zoo.catalogue import Entry, Weights, entries
from lockon.zoo.checkpoints import (
    NEVER_EVALUATED,
    OPTIONAL_SUFFIX,
    Checkpoint,
    Constructor,
    Difference,
    compare,
    manifest,
    shapes_of,
)

TRUNK = "feature_extractor."
REGRESSOR = "bb_regressor."
MATCHER = "matcher."
LARGEST_ARGUMENT = 4096
"""Bound of the whole numbers that a checkpoint may give to its constructor."""
RESEMBLANCE = 0.5
"""Share of entries that must agree for a tracker to be named as the nearest."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a checkpoint has of a tracker: one of its networks."""

    part: Weights
    constructor: Constructor
    state_dict: dict[str, Tensor]
    """In float32, without what nothing evaluates."""


def fitting(checkpoint: Checkpoint, entry: Entry) -> Fitting:
    """The network of a tracker that a checkpoint holds.

    The official association network comes with a backbone, which must be the right one and is then left out: the
    base tracker computes the features.

    Raises:
        CheckpointError: It is a checkpoint of something else; the message lists the differences and says of what.
    """
    part, constructor = part_of(checkpoint, entry), checkpoint.constructor
    own = constructor is not None and constructor.function == OWN_CONSTRUCTOR
    # Of our own association networks the card knows the sizes, and there is no list of entries.
    if part is entry.association and part.constructor == OWN_CONSTRUCTOR and not own:
        raise CheckpointError(
            f"{checkpoint.path} is not an association network for '{entry.name}', which has a card beside it.\n"
            + advice(checkpoint)
        )
    if part is entry.weights or not own:
        _check(checkpoint, entry, part)
    unused = (TRUNK,) if part is entry.association else NEVER_EVALUATED
    tensors = {
        key: value.float()
        for key, value in _tensors(checkpoint, part).items()
        if not key.startswith(unused) and not key.endswith(OPTIONAL_SUFFIX)
    }
    if constructor is None or part.trunk_only:
        return Fitting(part, Constructor(part.constructor), tensors)
    arguments = {name: _plain(name, value) for name, value in constructor.arguments.items()}
    return Fitting(part, Constructor(constructor.function, arguments), tensors)


def _check(checkpoint: Checkpoint, entry: Entry, part: Weights) -> None:
    constructor, difference = checkpoint.constructor, _difference(checkpoint, part)
    if difference or not _same_constructor(checkpoint, part):
        built = f" It was built by '{constructor.function}'." if constructor else ""
        raise CheckpointError(
            f"{checkpoint.path} does not fit '{entry.name}', a '{part.constructor}'.{built}\n"
            + "\n".join(filter(None, [str(difference), advice(checkpoint)]))
        )


def part_of(checkpoint: Checkpoint, entry: Entry) -> Weights:
    """Which of a tracker's networks a checkpoint is to be compared with."""
    return entry.association if entry.association is not None and _associates(checkpoint) else entry.weights


def identify(checkpoint: Checkpoint) -> Entry:
    """The one tracker that a checkpoint belongs to, by its content, else by its file name.

    Raises:
        CheckpointError: It fits none, or several.
    """
    found = _candidates(checkpoint)
    if len(found) > 1:
        named = [
            entry for entry in found if checkpoint.path.name in {f.name for f in part_of(checkpoint, entry).files}
        ]
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
    networks = _networks(checkpoint)
    differences = {entry.name: len(_difference(checkpoint, part_of(checkpoint, entry))) for entry in networks}
    name = min(differences, key=differences.__getitem__)
    if differences[name] < (1 - RESEMBLANCE) * len(checkpoint.state_dict):
        return f"The nearest in the catalogue is '{name}', from which it differs in {differences[name]} entries."
    return "It resembles no network of the catalogue."


def _associates(checkpoint: Checkpoint) -> bool:
    return any(key.startswith(MATCHER) for key in checkpoint.state_dict)


def _networks(checkpoint: Checkpoint) -> list[Entry]:
    """The first entry of each network a checkpoint may be of; a mere backbone only if it has no box regressor."""
    associates = _associates(checkpoint)
    whole = any(key.startswith(REGRESSOR) for key in checkpoint.state_dict)
    first: dict[str, Entry] = {}
    for entry in entries():
        part = part_of(checkpoint, entry)
        possible = part is entry.association if associates else part.trunk_only != whole
        if part.files and possible:
            first.setdefault(part.name, entry)
    return list(first.values())


def _candidates(checkpoint: Checkpoint) -> list[Entry]:
    """The trackers a checkpoint fits."""
    pairs = [(entry, part_of(checkpoint, entry)) for entry in _networks(checkpoint)]
    return [
        entry for entry, part in pairs if _same_constructor(checkpoint, part) and not _difference(checkpoint, part)
    ]


def _same_constructor(checkpoint: Checkpoint, part: Weights) -> bool:
    if checkpoint.constructor is None or part.trunk_only:
        return True
    return checkpoint.constructor.function == part.constructor


def _tensors(checkpoint: Checkpoint, part: Weights) -> dict[str, Tensor]:
    """The tensors a network asks for, under the names of a tracker's checkpoint."""
    tensors = dict(checkpoint.state_dict)
    if not part.trunk_only:
        return tensors
    if not any(key.startswith(TRUNK) for key in tensors):
        tensors = {TRUNK + key: value for key, value in tensors.items()}
    return {key: value for key, value in tensors.items() if key.startswith(TRUNK)}


def _difference(checkpoint: Checkpoint, part: Weights) -> Difference:
    found, expected = shapes_of(_tensors(checkpoint, part)), manifest(part.constructor)
    if part.trunk_only:
        expected = {key: shape for key, shape in expected.items() if key.startswith(TRUNK)}
    elif _associates(checkpoint) and not any(key.startswith(TRUNK) for key in found):
        expected = {key: shape for key, shape in expected.items() if not key.startswith(TRUNK)}
    return compare(found, expected)


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
