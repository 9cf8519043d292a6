"""The settings of the KeepTrack paper, number by number."""

import json

import pytest
import torch

from lockon.networks.association import build_association
from lockon.networks.resnet import resnet50
from lockon.training.association.recipes import ASSOCIATION_RECIPES, KEEP_TRACK
from lockon.training.overrides import override
from lockon.training.recipe import as_plain, describe, from_plain
from lockon.training.recipes import find_recipe
from lockon.training.schedules import Position
from lockon.training.tasks.association import AssociationTask
from lockon.zoo import find_entry

EVERY = pytest.mark.parametrize("recipe", ASSOCIATION_RECIPES.values(), ids=ASSOCIATION_RECIPES.keys())


def test_the_schedule_of_the_paper():
    loop = KEEP_TRACK.loop
    assert (loop.epochs, loop.samples_per_epoch, loop.batch, loop.optimizer) == (15, 6400, 64, "adam")
    assert (loop.weight_decay, loop.clip_norm, loop.ema_decay) == (0.0, None, None)
    assert [group.lr for group in KEEP_TRACK.groups] == [1e-4]
    rates = [KEEP_TRACK.schedule.rate(Position(100 * epoch, 1500, 100)) for epoch in (0, 5, 6, 12, 14)]
    assert rates == pytest.approx([1, 1, 0.2, 0.04, 0.04])


def test_the_samples_of_the_paper():
    samples = KEEP_TRACK.samples
    assert samples.supervision == "both"
    assert samples.mining
    assert samples.frame_shares == {"H": 2, "K": 1, "J": 1}
    assert samples.pair_shares == {"HH": 10, "HK": 1, "HG": 1}
    assert (samples.candidates, samples.dropped, samples.artificial) == (5, 0.25, "ignored")
    look = samples.appearance
    assert (look.brightness, look.blur_probability, look.blur_sigma) == (0.5, 0.75, (0.5, 0.5))
    assert (look.grey_probability, look.flip_probability, look.frame_flip_probability) == (0, 0, 0)


def test_the_rows_of_table_11():
    layers = {name: find_recipe(f"keep_track{name}").model for name in ("", "_gnn0", "_gnn9")}
    found = {name: (model.gnn_layers, model.sinkhorn_iterations) for name, model in layers.items()}
    assert found == {"": (4, 10), "_gnn0": (0, 50), "_gnn9": (18, 50)}


@EVERY
def test_a_recipe_survives_json_and_prints_the_paths_that_change_it(recipe):
    assert from_plain(json.loads(json.dumps(as_plain(recipe)))) == recipe
    settable = [line.replace(" = ", "=", 1) for line in describe(recipe).splitlines() if ".type = " not in line]
    assert override(recipe, settable) == recipe


@EVERY
def test_a_recipe_trains_the_association_network_of_its_entry(recipe):
    assert find_recipe(recipe.name) is recipe
    entry = find_entry(recipe.tracker)
    assert entry.association is not None
    assert entry.weights.name == recipe.model.base


def test_the_network_of_the_paper_is_the_one_that_is_published():
    with torch.device("meta"):
        trained = build_association(KEEP_TRACK.model.constructor, KEEP_TRACK.model.arguments)
        published = build_association(find_entry("keep_track").association.constructor)
    shapes = [{name: value.shape for name, value in net.state_dict().items()} for net in (trained, published)]
    assert shapes[0] == shapes[1]


def test_everything_learns_but_the_base_tracker():
    with torch.device("meta"):
        backbone = resnet50(with_head=False)
        net = KEEP_TRACK.model.build(backbone)
    task = AssociationTask(net, backbone, KEEP_TRACK.objective, KEEP_TRACK.groups)
    assert {id(p) for group in task.parameter_groups() for p in group["params"]} == {id(p) for p in net.parameters()}
    assert all(parameter.requires_grad for parameter in net.parameters())
