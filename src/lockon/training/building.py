"""From a recipe to the task that a trainer runs: network, initial weights, loss."""

from __future__ import annotations

from pathlib import Path

from torch import Generator

from lockon.errors import RecipeError
from lockon.networks.resnet import ResNet, resnet18
from lockon.training.models import build_network, load_backbone
from lockon.training.proposals import DensityProposalConfig
from lockon.training.recipe import Recipe
from lockon.training.tasks.atom import AtomObjective, AtomTask
from lockon.training.tasks.base import Task
from lockon.training.tasks.dimp import DimpObjective, DimpTask
from lockon.training.tasks.distillation import DistillationObjective, DistillationTask, FeatureRegression


def build_task(recipe: Recipe) -> Task:
    """The task of a recipe, with initial weights that follow from `recipe.seed`.

    Raises:
        RecipeError: The box loss needs other proposals than the samples have; or weights that training starts from,
            or the teacher's, are not given.
        CheckpointError: Such weights cannot be read, or do not fit.
    """
    _check_proposals(recipe)
    generator = Generator().manual_seed(recipe.seed)
    net, objective = build_network(recipe.model, generator), recipe.objective
    if isinstance(objective, AtomObjective):
        return AtomTask(net, objective, recipe.groups)
    regression = None
    if isinstance(objective, DistillationObjective) or objective.teacher_weight > 0:
        regression = FeatureRegression(load_teacher(objective.teacher), net.feature_extractor.channels, generator)
    if isinstance(objective, DimpObjective):
        frames = recipe.samples.frames.train_frames
        return DimpTask(net, objective, recipe.groups, train_frames=frames, regression=regression)
    assert regression is not None
    return DistillationTask(net, regression, recipe.groups)


def load_teacher(path: Path | None) -> ResNet:
    """A ResNet-18 up to layer3, with ImageNet weights."""
    if path is None:
        raise RecipeError(
            "the teacher is missing: pass --set objective.teacher=FILE, ImageNet weights of a ResNet-18 with "
            "torchvision's names (resnet18-f37072fd.pth, or the same as safetensors)."
        )
    teacher = resnet18(with_head=False)
    load_backbone(teacher, path)
    return teacher


def _check_proposals(recipe: Recipe) -> None:
    """A box loss reads what its proposals must bring along."""
    if isinstance(recipe.objective, DistillationObjective):
        return
    proposals, loss = recipe.samples.proposals, recipe.objective.box
    needed = "overlap"
    if isinstance(proposals, DensityProposalConfig):
        needed = "likelihood" if proposals.truth_first else "divergence"
    if proposals is None or loss != needed:
        kind = type(proposals).__name__
        raise RecipeError(
            f"recipe '{recipe.name}' has proposals of kind {kind} and the box loss '{loss}'; 'overlap' goes with "
            "proposals that have overlaps, 'divergence' with densities, 'likelihood' with densities and truth_first."
        )
