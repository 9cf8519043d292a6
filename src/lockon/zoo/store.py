"""Models on disk: weights as safetensors, and a card with all that the weights cannot say themselves."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from lockon.errors import CheckpointError
from lockon.files import lockon_home, replacing
from lockon.zoo.catalogue import Entry, Weights
from lockon.zoo.checkpoints import read_safetensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The JSON file beside a safetensors file."""

    constructor: str
    """Of the network in `lockon.networks.tracker_net` or `lockon.networks.association`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tracker: str
    """Entry of the catalogue that the network is made for."""
    licence: str
    origin: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is worth keeping: of an import the source file, of a training the recipe and the data."""
    sha256: str = ""
    """Of the safetensors file; `write_model` fills it in."""


def models_folder() -> Path:
    """Where imported models are: `$LOCKON_HOME/models`, or `~/.cache/lockon/models`."""
    return lockon_home() / "models"


def packaged_models() -> Path:
    """Where the models are that come with the package."""
    return Path(str(importlib.resources.files("lockon.zoo"))) / "weights"


def locate(weights: Weights) -> Path | None:
    """The model file of a network, in the package or among the imported ones; None if it is not there."""
    name = f"{weights.name}.safetensors"
    return next((folder / name for folder in (packaged_models(), models_folder()) if (folder / name).is_file()), None)


def is_ready(entry: Entry) -> bool:
    """Whether all that a tracker needs is on this machine."""
    return all(locate(part) for part in entry.parts)


def card_path(model: Path) -> Path:
    """Where the card of a model file is."""
    return model.with_suffix(".json")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_model(path: Path, state_dict: Mapping[str, Tensor], card: Card) -> Path:
    """Writes weights to `path` (safetensors) and their card beside it; a kill leaves no half-written file.

    Raises:
        OutputError: A file cannot be written, or the folder not be made.
    """
    weights = safetensors.torch.save({key: value.contiguous() for key, value in state_dict.items()})
    content = asdict(card) | {"sha256": hashlib.sha256(weights).hexdigest()}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for target, data in ((path, weights), (card_path(path), text.encode())):
        with replacing(target) as part:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
    return path


def read_card(path: Path) -> Card:
    """The card of a model file.

    Raises:
        CheckpointError: It is not there, or damaged.
    """
    try:
        return Card(**json.loads(card_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{card_path(path)} is not the card of a model: {error}. Import it again.") from error


def read_model(path: Path) -> tuple[dict[str, Tensor], Card]:
    """The weights and the card of a model that `write_model` wrote.

    Raises:
        CheckpointError: One of the two files is damaged, or they do not belong together.
    """
    card = read_card(path)
    if digest(path) != card.sha256:
        raise CheckpointError(
            f"{path} is damaged, or not the file its card was written for. Fetch or import it again."
        )
    return read_safetensors(path), card
