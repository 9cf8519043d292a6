"""Data sets by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from lockon.data.datasets.base import SequenceDataset
from lockon.data.datasets.folder_layout import holds_clips
from lockon.data.datasets.index import Progress, Reader, open_indexed
from lockon.data.datasets.layout import check_options
from lockon.data.datasets.shards import is_packed
from lockon.errors import UnknownNameError

READERS = (
    "trackingnet",
    "got10k",
    "lasot",
    "imagenet_vid",
    "youtube_bb",
    "coco",
    "youtube_vos",
    "davis",
    "coco_json",
)
"""Modules of this package that define a `READER`, the most specific layouts first."""
OPENERS = {
    "folder": "lockon.data.datasets.folders:open_folder",
    "shards": "lockon.data.datasets.shards:open_shards",
    "synthetic": "lockon.data.datasets.synthetic:open_synthetic",
}
"""Data sets that are opened by a function of their own, called with root, split and options."""
DATASETS = (*READERS, *OPENERS)
"""Names of all data sets."""
_LEVELS = 3
"""Folders up to the one that a user should have given instead of a part of it."""


def find_reader(name: str) -> Reader:
    """The reader of a data set at its distributed layout.

    Raises:
        UnknownNameError: there is none of this name.
    """
    if name not in READERS:
        raise UnknownNameError("data set", name, READERS)
    reader: Reader = importlib.import_module(f"lockon.data.datasets.{name}").READER
    return reader


def open_dataset(
    name: str,
    root: str | Path,
    split: str | None = None,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> SequenceDataset:
    """Open a data set.

    Args:
        name: one of `DATASETS`.
        root: folder in which it lies.
        split: by default the first of the reader's.
        rebuild, progress: of its index, see `open_indexed`.
        options: of this kind of data set.

    Raises:
        UnknownNameError: there is no such data set or split.
        DataError: the data set is not there, is not laid out as expected, or has no such option.
        OutputError: its index cannot be written.
    """
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    if name in READERS:
        return open_indexed(find_reader(name), root, split, options=options, rebuild=rebuild, progress=progress)
    opener = _opener(name)
    known = list(signature(opener).parameters)[2:]
    of_index = {"rebuild": rebuild, "progress": progress}
    check_options(name, options, [option for option in known if option not in of_index])
    # The synthetic world has no index, and so no such parameters.
    return opener(root, split, **{key: value for key, value in of_index.items() if key in known}, **options)


def _opener(name: str) -> Callable[..., SequenceDataset]:
    module, _, function = OPENERS[name].partition(":")
    opener: Callable[..., SequenceDataset] = getattr(importlib.import_module(module), function)
    return opener


def dataset_around(root: Path) -> tuple[str, Path] | None:
    """A data set at its distributed layout of which a folder is a part: its name and its own folder."""
    # These two are also recognised in a folder above theirs, or in one that has other things, too.
    names = [name for name in READERS if name not in {"lasot", "coco_json"}]
    around = ((name, folder) for folder in root.absolute().parents[:_LEVELS] for name in names)
    return next((found for found in around if find_reader(found[0]).recognises(found[1])), None)


def detect_dataset(root: Path) -> str | None:
    """What lies in a folder, by files that tell the layouts apart; None where there is nothing to see."""
    if is_packed(root):
        return "shards"
    name = next((name for name in READERS if find_reader(name).recognises(root)), None)
    if name == "coco_json" and holds_clips(root, videos_only=True):
        return "folder"  # its JSON is about frames of videos, which only that one reads
    return name or ("folder" if holds_clips(root) else None)
