"""The catalogue of trackers and the import of official checkpoints."""

from lockon.zoo.catalogue import Entry, describe, entries, find_entry
from lockon.zoo.checkpoints import Checkpoint, read_checkpoint
from lockon.zoo.models import import_checkpoint, load, load_network, model_file, model_files, weights_sha256
from lockon.zoo.store import Card, is_ready, locate, models_folder, read_model, write_model

__all__ = [
    "Card",
    "Checkpoint",
    "Entry",
    "describe",
    "entries",
    "find_entry",
    "import_checkpoint",
    "is_ready",
    "load",
    "load_network",
    "locate",
    "model_file",
    "model_files",
    "models_folder",
    "read_checkpoint",
    "read_model",
    "weights_sha256",
    "write_model",
]
