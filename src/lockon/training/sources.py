"""From the data sets that a recipe names, and the folders a user has, to what samples are drawn from."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from lockon.data.datasets import SequenceDataset, TargetSequence
from lockon.data.datasets.index import Progress
from lockon.data.datasets.registry import DATASETS, open_dataset
from lockon.data.datasets.shards import is_packed
from lockon.data.datasets.synthetic import SyntheticDataset
from lockon.data.synthetic import ImageBank
from lockon.errors import DataError, RecipeError, UnknownNameError
from lockon.training.recipe import DataConfig, Part, Recipe, SyntheticData
from lockon.training.sampling import Source

Data = tuple[DataConfig | SyntheticData, ...]

_ANNOTATED = 24
"""Frames with a box in a synthetic sequence that is trained on."""


def with_data(
    recipe: Recipe, roots: Iterable[tuple[str, Path]], *, allow_missing: bool = False
) -> tuple[Recipe, list[str]]:
    """A recipe with the folders of its data sets, and lines for the log about what differs from the recipe.

    Args:
        recipe: what to train.
        roots: name and folder of data sets; for `synthetic`, folders of photographs (any number). A data set that
            the recipe does not name joins with weight 1.
        allow_missing: do without the data sets that have no folder; the others keep their relative weights. Those of
            weight 0 need none.

    Raises:
        RecipeError: A data set of the recipe has no folder, two have the same name, or none is left.
        UnknownNameError: There is no data set of a name.
    """
    folders = _folders_by_name(roots)
    data, missing = _place(_drawn_from(recipe.data), folders)
    held_out, _ = _place(_drawn_from(recipe.validation_data), folders)
    if missing and not (allow_missing and data):
        needed = " ".join(f"{name}=FOLDER" for name in missing)
        raise RecipeError(
            f"recipe '{recipe.name}' needs {', '.join(missing)}: pass --data {needed}"
            + (", or --allow-missing to do without." if data else ".")
        )
    joining = tuple(
        DataConfig(dataset=name, root=folders[name][0])
        for name in folders
        if name not in {config.name for config in (*recipe.data, *recipe.validation_data)}
    )
    notes = [f"training without {name}, which has no folder" for name in missing]
    notes += [f"{config.name} joins the data of the recipe with weight 1" for config in joining]
    if recipe.validation_data and not held_out:
        notes.append("no validation: its data have no folder")
    data += joining
    if notes:
        notes.append(f"shares of the samples: {shares(data)}")
    return replace(recipe, data=data, validation_data=held_out), notes


def shares(data: Data) -> str:
    """How often samples come from each data set, as text."""
    total = sum(config.weight for config in data)
    return ", ".join(f"{config.name} {config.weight / total:.0%}" for config in data)


def _folders_by_name(roots: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    folders: defaultdict[str, list[Path]] = defaultdict(list)
    for name, folder in roots:
        if name not in DATASETS:
            raise UnknownNameError("data set", name, DATASETS)
        if folders[name] and name != "synthetic":
            raise RecipeError(f"data set '{name}' has two folders, {folders[name][0]} and {folder}; give one.")
        folders[name].append(folder)
    return dict(folders)


def _drawn_from(data: Data) -> Data:
    return tuple(config for config in data if config.weight > 0)


def _place(data: Data, folders: dict[str, list[Path]]) -> tuple[Data, list[str]]:
    """The data sets that have their folders, and the names of the others."""
    placed: list[DataConfig | SyntheticData] = []
    missing = []
    for config in data:
        given = folders.get(config.name, [])
        if isinstance(config, SyntheticData):
            config = replace(config, photos=tuple(given) or config.photos)
            found = bool(config.photos) or not config.needs_photos
        else:
            config = replace(config, root=given[0] if given else config.root)
            found = config.root is not None
        if found:
            placed.append(config)
        elif config.name not in missing:
            missing.append(config.name)
    return tuple(placed), missing


ProgressOf = Callable[[str], AbstractContextManager[Progress | None]]
"""Shows how far a task of this name has come."""


def unseen(title: str) -> AbstractContextManager[None]:  # noqa: ARG001 - what a `ProgressOf` is called with
    """Progress that nobody looks at."""
    return nullcontext()


def open_sources(data: Data, progress: ProgressOf = unseen) -> list[Source]:
    """Open the data sets of a recipe.

    Args:
        data: with their folders.
        progress: of indexing them, which takes minutes the first time.

    Raises:
        DataError: A folder is not there, is incomplete, or holds too little.
    """
    return [
        Source(_open_synthetic(c) if isinstance(c, SyntheticData) else _open(c, progress), c.weight) for c in data
    ]


def _open(config: DataConfig, progress: ProgressOf) -> SequenceDataset:
    if config.root is None:
        raise RecipeError(f"data set '{config.dataset}' has no folder: pass --data {config.dataset}=FOLDER")
    with progress(f"reading {config.dataset}") as told:
        dataset = _open_packed(config, config.root) or open_dataset(
            config.dataset, config.root, config.split, progress=told
        )
    return dataset if config.part == "all" else part_of_clips(dataset, config.part, config.held_out)


def _open_packed(config: DataConfig, root: Path) -> SequenceDataset | None:
    """The data set from shards (`lockon data pack`), if its folder holds them: those of a split in a folder of it."""
    folder = root / (config.split or "")
    if is_packed(folder):
        return open_dataset("shards", folder)
    if is_packed(root):
        raise DataError(
            f"{root} holds shards, and nothing says that they are the split '{config.split}' of '{config.dataset}': "
            f"pack every split into a folder of its name, {folder}."
        )
    return None


def photographs(config: SyntheticData) -> ImageBank | None:
    """What the world shows of photographs; None where it is procedural.

    Raises:
        DataError: There are no images in the folders.
    """
    images = ImageBank.load(config.photos) if config.photos else None
    if images is not None and config.part != "all":
        images = images.split(config.held_out)[config.part == "held_out"]
    return images


def _open_synthetic(config: SyntheticData) -> SequenceDataset:
    images = photographs(config)
    # Whoever tracks held-out sequences needs the truth of every frame; for training a few of each will do.
    annotated = config.world.length if config.part == "held_out" else _ANNOTATED
    world = SyntheticDataset(
        config.world, images, length=config.length, first_seed=config.first_seed, annotated=annotated
    )
    return Remembered(world) if config.keep else world


class Remembered:
    """A data set that keeps its sequences, for those that cost much to make and little to hold.

    Args:
        dataset: the data set.
    """

    def __init__(self, dataset: SequenceDataset) -> None:
        self.name, self.is_video = dataset.name, dataset.is_video
        self.issues, self.notes = _remarks(dataset)
        self._dataset = dataset
        self._made: dict[int, TargetSequence] = {}

    @property
    def fingerprint(self) -> str:
        """Of the data set."""
        return self._dataset.fingerprint

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> TargetSequence:
        if index not in self._made:
            self._made[index] = self._dataset[index]
        return self._made[index]


def _remarks(dataset: SequenceDataset) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What a data set says about itself, where it says anything: what looks wrong in it, and what else to know."""
    return getattr(dataset, "issues", ()), getattr(dataset, "notes", ())


class Selection:
    """Some of the sequences of a data set.

    Args:
        dataset: the whole.
        numbers: of the sequences that are in it.
        name: of the selection.
    """

    def __init__(self, dataset: SequenceDataset, numbers: Sequence[int], name: str) -> None:
        self.name, self.is_video = name, dataset.is_video
        self.issues, self.notes = _remarks(dataset)
        self._dataset, self._numbers = dataset, tuple(numbers)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole data set's and of the choice."""
        return hashlib.sha256(f"{self._dataset.fingerprint} {self._numbers}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> TargetSequence:
        return self._dataset[self._numbers[index]]


def part_of_clips(dataset: SequenceDataset, part: Part, held_out: float) -> Selection:
    """The clips to train on, or those held out: a share of them, one at least, chosen by their names alone.

    All targets of a clip are on the same side.

    Raises:
        DataError: There are fewer than two clips.
    """
    clips: defaultdict[str, list[int]] = defaultdict(list)
    for number in range(len(dataset)):
        sequence = dataset[number]
        clips[getattr(sequence, "clip", sequence.name)].append(number)
    if len(clips) < 2:
        raise DataError(
            f"'{dataset.name}' has {len(clips)} clip, which cannot be split into training and validation; add clips, "
            "or train on all without validation: --set data.0.part=all --set validation.samples=0 "
            "--set validation.sequences=0"
        )
    ranked = sorted(clips, key=lambda clip: hashlib.sha256(clip.encode()).digest())
    count = min(max(1, round(held_out * len(clips))), len(clips) - 1)
    chosen = ranked[:count] if part == "held_out" else ranked[count:]
    return Selection(dataset, sorted(number for clip in chosen for number in clips[clip]), f"{dataset.name} ({part})")
