"""The catalogue of trackers and the import of official checkpoints."""

from lockon.zoo.catalogue import Entry, describe, entries, find_entry
from lockon.zoo.checkpoints import Checkpoint, read_checkpoint
from lockon.zoo.models import import_checkpoint, load, load_network, model_file
from lockon.zoo.store import Card, locate, models_folder, read_model, write_model

__all__ = [
    "Card",
    "Checkpoint",
    "Entry",
    "describe",
    "entries",
    "find_entry",
    "import_checkpoint",
    "load",
    "load_network",
    "locate",
    "model_file",
    "models_folder",
    "read_checkpoint",
    "read_model",
    "write_model",
]
