"""Every recipe's loss, on small networks of its kind, can be driven down on 32 samples: by a factor of 20.

What is measured is the distance to the least value a loss can have. It is 0 for squared errors. For the divergences
it is the entropy of the label: of the score map for the classifier; for the boxes that of the importance weights
p / q of the proposals at hand (they are scaled to a mean of 1, without which the estimate has no least value). The
likelihood of `atom_prob_ml` has none: its value itself must fall by the factor. Recipes that are the same in this
reduced form, such as `dimp18` and `dimp50`, are tested once.

The distillation of `lockon_s_backbone` is the exception: its targets are feature maps of noise, 4096 vectors of them,
more than a network of this size can know by heart; there the unexplained variance must fall by a factor of 4.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lockon.networks.filter_optimizers import DimpOptimizer, PrDimpOptimizer, SimpleOptimizer
from lockon.networks.iou_net_variants import IoUNetVariant, build_iou_net
from lockon.training.labels import label_density
from lockon.training.proposals import DensityProposals
from lockon.training.recipes import RECIPES
from lockon.training.tasks.atom import AtomObjective, AtomTask
from lockon.training.tasks.dimp import DimpTask
from lockon.training.tasks.distillation import DistillationTask, FeatureRegression
from training.tasks.tiny import SIZE, batch_of, tiny_net

STEPS, PEAK = 120, 1e-2
WIDTHS, HIDDEN = (12, 14, 16), 12
FACTOR = 20
DISTILLATION_FACTOR = 4
OPTIMIZERS = {
    "dimpnet18": DimpOptimizer,
    "dimpnet50": DimpOptimizer,
    "klcedimpnet18": PrDimpOptimizer,
    "klcedimpnet50": PrDimpOptimizer,
    "dimpnet50_simple": SimpleOptimizer,
    "lockon_s": PrDimpOptimizer,
}


def reduced(recipe):
    """The recipe's task around a small network, with its losses, weights and frozen layers."""
    generator = torch.Generator().manual_seed(1)
    if isinstance(recipe.objective, AtomObjective):
        variant = IoUNetVariant(recipe.model.arguments.get("iou_net", "modulation"))
        boxes = build_iou_net(variant, WIDTHS[1:], HIDDEN, generator)
        return AtomTask(tiny_net(boxes=boxes, widths=WIDTHS), recipe.objective, recipe.groups)
    optimizer = OPTIMIZERS[recipe.model.constructor]()
    zero = isinstance(optimizer, PrDimpOptimizer)
    net = tiny_net(optimizer, zero=zero, widths=WIDTHS, hidden=HIDDEN)
    if recipe.name == "lockon_s_backbone":
        teacher = tiny_net(seed=7, widths=WIDTHS).feature_extractor.eval()
        return DistillationTask(net, FeatureRegression(teacher, WIDTHS[1:], generator), recipe.groups)
    return DimpTask(net, recipe.objective, recipe.groups, train_frames=1)


def samples_of(recipe):
    """32 samples with the recipe's kind of proposals, fewer of them."""
    proposals = recipe.samples.proposals or RECIPES["dimp18"].samples.proposals
    batch = batch_of(32, train=1, test=1, proposals=replace(proposals, count=12))
    if not isinstance(batch.proposals, DensityProposals) or recipe.objective.box == "likelihood":
        return batch
    weights = batch.proposals.log_label - batch.proposals.log_proposal
    surplus = weights.logsumexp(dim=-1, keepdim=True) - math.log(weights.shape[-1])
    return batch._replace(proposals=batch.proposals._replace(log_label=batch.proposals.log_label - surplus))


def floors(recipe, batch) -> dict[str, Tensor]:
    """Least values of the parts of the loss that are not 0."""
    least = {}
    if getattr(recipe.objective, "classifier", "") == "divergence":
        density = label_density(batch.boxes[:, 1:], SIZE // 16, recipe.objective.label_sigma).double()
        entropy = -(density * density.clamp(min=1e-300).log()).sum(dim=(-2, -1)).mean()
        least |= {"centre_initial": entropy, "centre": entropy}
    if getattr(recipe.objective, "box", "") == "divergence":
        log_q = batch.proposals.log_proposal
        shares = (batch.proposals.log_label - log_q).softmax(dim=-1)
        spread = (shares * (shares.clamp(min=1e-30).log() + log_q)).sum(dim=-1)
        least["box"] = (-math.log(log_q.shape[-1]) - spread).mean()
    return least


def families() -> list[str]:
    """One recipe of each kind that differs in the reduced form: in network, losses or proposals."""
    kinds = {}
    for name, recipe in RECIPES.items():
        constructor = OPTIMIZERS.get(recipe.model.constructor)
        proposals = type(recipe.samples.proposals).__name__
        kinds.setdefault((constructor, recipe.model.arguments.get("iou_net"), recipe.objective, proposals), name)
    return list(kinds.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", families())
def test_32_samples_can_be_learned_by_heart(name):
    recipe = RECIPES[name]
    task, batch = reduced(recipe), samples_of(recipe)
    least = floors(recipe, batch)
    optimizer = torch.optim.Adam([p for group in task.parameter_groups() for p in group["params"]])
    excess = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = PEAK * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.zero_grad()
        losses = task(batch)
        losses.total.backward()
        optimizer.step()
        excess.append({part: value.item() - float(least.get(part, 0)) for part, value in losses.parts.items()})
    factor = DISTILLATION_FACTOR if isinstance(task, DistillationTask) else FACTOR
    for part, first in excess[0].items():
        assert excess[-1][part] < first / factor, part
