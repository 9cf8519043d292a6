"""Mined frames for training and for validation, from the folders a user gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lockon.errors import RecipeError, UnknownNameError
from lockon.training.association.drawing import MinedSource, split
from lockon.training.association.recipe import AssociationRecipe, MinedData
from lockon.training.mining import PAIRS, Category, MinedDump
from lockon.training.sources import ProgressOf

MINED, HELD_OUT = "mined", "held_out"
"""What `--data` calls frames to train on, and others to validate on."""


def with_mined(recipe: AssociationRecipe, roots: Iterable[tuple[str, Path]]) -> AssociationRecipe:
    """A recipe with the folders of its mined frames.

    Args:
        recipe: what to train.
        roots: folders of frames to train on (`mined`, any number) and to validate on (`held_out`). Without the
            latter, some of the sequences to train on are held out.

    Raises:
        RecipeError: there is nothing to train on.
        UnknownNameError: a folder has another name.
    """
    folders: defaultdict[str, list[Path]] = defaultdict(list)
    for name, folder in roots:
        if name not in (MINED, HELD_OUT):
            raise UnknownNameError("kind of mined data", name, (MINED, HELD_OUT))
        folders[name].append(folder)
    if folders[HELD_OUT]:
        recipe = replace(
            recipe, validation_data=tuple(MinedData(root=folder, part="all") for folder in folders[HELD_OUT])
        )
        data = [MinedData(root=folder, part="all") for folder in folders[MINED]]
    else:
        kinds = zip(recipe.data, recipe.validation_data, strict=False)
        pairs = [tuple(replace(kind, root=folder) for kind in both) for both in kinds for folder in folders[MINED]]
        data = [one for one, _ in pairs]
        if pairs:
            recipe = replace(recipe, validation_data=tuple(other for _, other in pairs))
    recipe = replace(recipe, data=tuple(data)) if data else recipe
    if any(each.root is None for each in recipe.data):
        raise RecipeError(
            f"recipe '{recipe.name}' needs frames mined with {recipe.model.base} (`lockon mine`): pass --data "
            f"{MINED}=FOLDER"
        )
    return recipe


def open_mined(data: Sequence[MinedData], progress: ProgressOf) -> list[MinedSource]:
    """Open the dumps of a recipe; those that have no folder are left out.

    Raises:
        DataError: a folder holds no dump, or a damaged one.
    """
    sources = []
    for config in data:
        if config.root is not None:
            with progress("reading mined frames") as told:
                dump = MinedDump(config.root, progress=told)
            sources.append(split(dump, config.part, config.held_out))
    return sources


def describe_mined(source: MinedSource) -> str:
    """What there is to draw, in words."""
    dump = source.dump
    counts = {str(category): len(source.among(dump.categories[category])) for category in Category}
    counts |= {name: len(source.among(dump.pairs[name])) for name in PAIRS}
    sequences = sum(bool(source.kept[sequence.rows.start]) for sequence in dump.sequences if len(sequence.rows))
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{int(np.count_nonzero(source.kept))} frames of {sequences} sequences in {dump.root} ({listed})"
