"""From a recipe to the task that a trainer runs: association network, frozen base tracker, loss."""

from __future__ import annotations

from torch import Generator

from lockon.training.association.recipe import AssociationRecipe
from lockon.training.tasks.association import AssociationTask
from lockon.zoo import load_network


def build_association_task(recipe: AssociationRecipe) -> AssociationTask:
    """The task of a recipe, with initial weights that follow from `recipe.seed`.

    Raises:
        RecipeError: the base tracker does not fit the network.
        UnknownNameError, CheckpointError: the base tracker is not known, or its weights are not at hand.
    """
    base, _ = load_network(recipe.model.base)
    net = recipe.model.build(base.feature_extractor, Generator().manual_seed(recipe.seed))
    return AssociationTask(net, base.feature_extractor, recipe.objective, recipe.groups)
