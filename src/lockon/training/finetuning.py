"""The recipe that adapts a trained tracker to videos of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lockon.errors import RecipeError
from lockon.training.models import ModelConfig
from lockon.training.recipe import DataConfig, Recipe
from lockon.training.recipes import FINETUNE, RECIPES
from lockon.zoo import load_network, model_file, read_model
from lockon.zoo.store import card_path

_GENTLER = 0.1
"""Of the learning rates that the tracker was trained with."""


def finetuning(start: str, videos: Path) -> Recipe:
    """The recipe for a tracker and a folder of videos.

    What is learned, and by which loss, is what the tracker was trained with; learning rates, length and validation
    are those of the recipe `finetune`.

    Args:
        start: name in the catalogue, or file of a model.
        videos: folder of videos or image folders with boxes (`lockon.data.datasets.folders`).

    Raises:
        UnknownNameError, CheckpointError: there is no such tracker, or its weights are not at hand.
        RecipeError: nobody knows how such a network is trained.
    """
    _, entry = load_network(start)
    path = model_file(start)
    arguments = read_model(path)[1].arguments if card_path(path).is_file() else {}
    constructor = entry.weights.constructor
    base = next((each for each in (FINETUNE, *RECIPES.values()) if each.model.constructor == constructor), None)
    if base is None:
        raise RecipeError(f"there is no recipe that trains a '{constructor}', so '{start}' cannot be adapted.")
    if base is not FINETUNE:
        base = replace(
            base,
            name=FINETUNE.name,
            summary=FINETUNE.summary,
            validation_data=FINETUNE.validation_data,
            data=FINETUNE.data,
            groups=tuple(replace(group, lr=_GENTLER * group.lr) for group in base.groups),
            schedule=FINETUNE.schedule,
            loop=replace(FINETUNE.loop, batch=min(base.loop.batch, FINETUNE.loop.batch)),
            validation=FINETUNE.validation,
        )
    model = ModelConfig(constructor=constructor, arguments=dict(arguments), finetune=start)
    return replace(
        base,
        tracker=entry.name,
        model=model,
        data=_in(videos, base.data),
        validation_data=_in(videos, base.validation_data),
    )


def _in(videos: Path, data: tuple[object, ...]) -> tuple[DataConfig, ...]:
    return tuple(replace(each, root=videos) for each in data if isinstance(each, DataConfig))
