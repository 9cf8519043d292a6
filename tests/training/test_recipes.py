"""The settings of the papers, number by number, and what learns under each of them."""

import json

import pytest
import torch

from lockon.errors import RecipeError, UnknownNameError
from lockon.networks.tracker_net import build
from lockon.training.building import build_task
from lockon.training.models import drop_classifier_end
from lockon.training.overrides import override
from lockon.training.proposals import DensityProposalConfig, MixtureOverlapConfig, OverlapProposalConfig
from lockon.training.recipe import as_plain, describe, from_plain
from lockon.training.recipes import RECIPES, find_recipe
from lockon.training.schedules import Position, StepDecay
from lockon.training.tasks.base import Task
from lockon.zoo.checkpoints import NEVER_EVALUATED, manifest

EVERY_RECIPE = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
DIMP_FAMILY = ["dimp18", "dimp50", "prdimp18", "prdimp50", "super_dimp", "super_dimp_simple"]

# The table of settings, column by column.
DATA_WEIGHTS = {
    "atom": (1, 1, 1, 1),
    "dimp18": (0.25, 1, 1, 1),
    "dimp50": (0.25, 1, 1, 1),
    "prdimp18": (0.25, 1, 1, 1),
    "prdimp50": (0.25, 1, 1, 1),
    "super_dimp": (1, 1, 1, 1),
    "super_dimp_simple": (1, 1, 1, 1),
}
FRAMES = dict.fromkeys(DIMP_FAMILY, ("causal", 3, 3, 200)) | {
    "atom": ("interval", 1, 1, 50),
    "atom_gmm_sampl": ("interval", 1, 1, 200),
    "atom_prob_ml": ("interval", 1, 1, 200),
    "dimp18": ("causal", 3, 3, 30),
    "dimp50": ("causal", 3, 3, 30),
}
LOOPS = {  # samples of an epoch for training and validation, batch
    "atom": (64000, 32000, 64),
    "atom_prob_ml": (64000, 32000, 64),
    "dimp18": (26000, 5000, 26),
    "dimp50": (26000, 5000, 10),
    "prdimp18": (26000, 5000, 26),
    "prdimp50": (26000, 5000, 10),
    "super_dimp": (40000, 10000, 20),
    "super_dimp_simple": (40000, 10000, 20),
}
CROPS = {  # size, factor, routine, most shrinking, jitter of train and test frames
    "atom": (288, 5, "atom", None, (0, 0), (4.5, 0.5)),
    "dimp18": (288, 5, "replicate", None, (3, 0.25), (4.5, 0.5)),
    "prdimp50": (288, 5, "replicate", None, (3, 0.25), (4.5, 0.5)),
    "super_dimp": (352, 6, "inside_major", 1.5, (3, 0.25), (5.5, 0.5)),
    "super_dimp_simple": (352, 6, "inside_major", 1.5, (3, 0.25), (5.5, 0.5)),
}
LEARNING_RATES = {  # initialiser, filter optimiser, classification head, box head, backbone
    "dimp18": (5e-5, 5e-4, 5e-5, 1e-3, 2e-4),
    "dimp50": (5e-5, 5e-4, 5e-5, 2e-4, 2e-5),
    "prdimp18": (1e-3, 1e-3, 1e-3, 1e-3, 2e-4),
    "prdimp50": (1e-3, 1e-3, 1e-3, 1e-3, 2e-5),
    "super_dimp": (5e-5, 5e-4, 5e-5, 1e-3, 2e-5),
    "super_dimp_simple": (5e-5, 5e-4, 5e-5, 1e-3, 2e-5),
}
GROUPS = ("initialiser", "filter_optimiser", "classification_head", "box_head", "backbone")
PROPOSALS = {
    "atom": OverlapProposalConfig(count=16),
    "atom_gmm_sampl": MixtureOverlapConfig(count=128),
    "atom_prob_ml": DensityProposalConfig(count=128, truth_first=True),
    "dimp18": OverlapProposalConfig(count=8),
    "dimp50": OverlapProposalConfig(count=8),
    "prdimp18": DensityProposalConfig(count=128),
    "prdimp50": DensityProposalConfig(count=128),
    "super_dimp": DensityProposalConfig(count=128),
    "super_dimp_simple": DensityProposalConfig(count=128),
}
LOSSES = {  # classifier, weights of the first, the intermediate and the last filter, box, its weight
    "dimp18": ("hinge", 100, 400, 100, "overlap", 1),
    "dimp50": ("hinge", 100, 400, 100, "overlap", 1),
    "prdimp18": ("divergence", 0.25, 1, 0.25, "divergence", 0.0025),
    "prdimp50": ("divergence", 0.25, 1, 0.25, "divergence", 0.0025),
    "super_dimp": ("hinge", 100, 400, 100, "divergence", 0.01),
    "super_dimp_simple": ("hinge", 100, 400, 100, "divergence", 0.01),
}
SPLITS = {
    "atom": ["train", "vot-train", "train_0-3", "train2014"],
    "dimp50": ["train", "vot-train", "train_0-3", "train2014"],
    "atom_paper": ["train", "train_0-10", "train2014"],
    "atom_vid": ["train"],
}
DATA_SETS = {
    "dimp18": ["lasot", "got10k", "trackingnet", "coco"],
    "atom_paper": ["lasot", "trackingnet", "coco"],
    "atom_siamese": ["lasot", "trackingnet", "coco"],
    "atom_vid": ["imagenet_vid"],
}


def cells(table):
    return pytest.mark.parametrize(("name", "expected"), table.items(), ids=table.keys())


@cells(DATA_WEIGHTS)
def test_weights_of_the_data_sets(name, expected):
    assert tuple(config.weight for config in RECIPES[name].data) == expected


@cells(DATA_SETS)
def test_data_sets(name, expected):
    assert [config.dataset for config in RECIPES[name].data] == expected


@cells(SPLITS)
def test_splits(name, expected):
    assert [config.split for config in RECIPES[name].data] == expected


@cells(FRAMES)
def test_frames_of_a_sample(name, expected):
    frames = RECIPES[name].samples.frames
    assert (frames.mode, frames.train_frames, frames.test_frames, frames.max_gap) == expected


@cells(LOOPS)
def test_samples_and_batch(name, expected):
    recipe = RECIPES[name]
    assert (recipe.loop.samples_per_epoch, recipe.validation.samples, recipe.loop.batch) == expected
    assert recipe.loop.epochs == 50
    assert recipe.loop.workers == 8
    assert recipe.loop.validate_every == 5


@cells(CROPS)
def test_crops_and_jitter(name, expected):
    samples = RECIPES[name].samples
    crop = samples.crop
    jitters = [(jitter.centre, jitter.scale) for jitter in (samples.train_jitter, samples.test_jitter)]
    assert (crop.size, crop.search_factor, crop.routine, crop.max_scale_change, *jitters) == expected


@cells(PROPOSALS)
def test_proposals(name, expected):
    assert RECIPES[name].samples.proposals == expected
    assert RECIPES[name].samples.proposal_frames == "test"


@cells(LEARNING_RATES)
def test_learning_rates(name, expected):
    recipe = RECIPES[name]
    assert tuple(group.name for group in recipe.groups) == GROUPS
    assert tuple(group.lr for group in recipe.groups) == expected


@cells(LOSSES)
def test_losses_and_their_weights(name, expected):
    o = RECIPES[name].objective
    weights = (o.initial_weight, o.intermediate_weight, o.final_weight)
    assert (o.classifier, *weights, o.box, o.box_weight) == expected
    assert o.iterations == 5
    assert o.teacher_weight == 0


@pytest.mark.parametrize("name", ["atom", *DIMP_FAMILY])
def test_adam_without_decay_or_clipping_and_a_fifth_of_the_rate_every_15_epochs(name):
    recipe = RECIPES[name]
    assert (recipe.loop.optimizer, recipe.loop.weight_decay, recipe.loop.clip_norm) == ("adam", 0.0, None)
    assert recipe.loop.ema_decay is None
    assert recipe.schedule == StepDecay(every_epochs=15, factor=0.2)
    rates = [recipe.schedule.rate(Position(step=epoch * 10, steps=500, steps_per_epoch=10)) for epoch in (14, 15, 49)]
    assert rates == pytest.approx([1, 0.2, 0.008])


def test_labels_are_a_quarter_of_the_target_wide():
    assert RECIPES["dimp18"].objective.label_sigma == pytest.approx(0.9)
    assert RECIPES["prdimp50"].objective.label_sigma == pytest.approx(0.9)
    assert RECIPES["super_dimp"].objective.label_sigma == pytest.approx(0.916667, abs=1e-6)
    assert RECIPES["super_dimp"].model.arguments == {"init_gauss_sigma": pytest.approx(0.916667, abs=1e-6)}


def test_augmentation_is_that_of_the_papers():
    for name in ("atom", "dimp18", "prdimp50"):
        augmentation = RECIPES[name].samples.augmentation
        assert (augmentation.grey_probability, augmentation.flip_probability) == (0.05, 0.0)
        assert (augmentation.frame_flip_probability, augmentation.brightness) == (0.0, 0.2)
    augmentation = RECIPES["super_dimp"].samples.augmentation
    assert (augmentation.flip_probability, augmentation.frame_flip_probability) == (0.5, 0.5)
    assert (augmentation.grey_probability, augmentation.brightness) == (0.05, 0.2)


def test_the_simple_variant_differs_from_super_dimp_by_network_and_given_labels_alone():
    simple, full = as_plain(RECIPES["super_dimp_simple"]), as_plain(RECIPES["super_dimp"])
    differing = {key for key in full if simple[key] != full[key]}
    assert differing == {"name", "summary", "tracker", "model", "objective"}
    assert simple["objective"] == full["objective"] | {"given_labels": True}


@pytest.mark.parametrize("name", ["baseline", "concatenation", "siamese", "modulation_block3", "modulation_block4"])
def test_the_architectures_of_table_1_are_trained_as_the_papers_atom(name):
    variant, paper = RECIPES[f"atom_{name}"], RECIPES["atom_paper"]
    assert variant.model.arguments == {"iou_net": name}
    assert variant.loop == paper.loop
    assert variant.samples == paper.samples
    assert variant.data == paper.data


def learning(task: Task) -> dict[str, str]:
    """Group of every parameter that learns, by name."""
    names = {id(parameter): name.removeprefix("net.") for name, parameter in task.named_parameters()}
    groups = [(group["name"], p) for group in task.parameter_groups() for p in group["params"]]
    assert len({id(p) for _, p in groups}) == len(groups)  # nothing in two groups
    return {names[id(p)]: group for group, p in groups}


def on_meta(recipe) -> Task:
    """The task of a recipe around a network without values."""
    from lockon.training.tasks.atom import AtomTask
    from lockon.training.tasks.dimp import DimpTask

    with torch.device("meta"):
        net = build(recipe.model.constructor, recipe.model.arguments)
    drop_classifier_end(net.feature_extractor)
    if recipe.name.startswith("atom"):
        return AtomTask(net, recipe.objective, recipe.groups)
    return DimpTask(net, recipe.objective, recipe.groups, train_frames=3)


def group_of(name: str) -> str:
    """Group of a parameter of the DiMP family by the part of the network it belongs to."""
    prefixes = {
        "classifier.filter_initializer": "initialiser",
        "classifier.filter_optimizer": "filter_optimiser",
        "classifier.feature_extractor": "classification_head",
        "bb_regressor": "box_head",
        "feature_extractor": "backbone",
    }
    return next(group for prefix, group in prefixes.items() if name.startswith(prefix))


def official_parameters(constructor: str) -> set[str]:
    """Names of the parameters in the official checkpoint, but for the layers behind layer3."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    keys = manifest(constructor)
    return {key for key in keys if not key.endswith(buffers) and not key.startswith(NEVER_EVALUATED)}


@pytest.mark.parametrize("name", ["dimp18", "dimp50", "prdimp18", "prdimp50"])
def test_everything_learns_in_its_own_group(name):
    recipe = RECIPES[name]
    expected = {key: group_of(key) for key in official_parameters(recipe.model.constructor)}
    assert learning(on_meta(recipe)) == expected


@pytest.mark.parametrize("name", ["super_dimp", "super_dimp_simple"])
def test_of_the_backbone_of_super_dimp_layer3_alone_learns(name):
    recipe = RECIPES[name]
    task = on_meta(recipe)
    early = ("conv1", "bn1", "layer1", "layer2")
    frozen = tuple(f"feature_extractor.{layer}." for layer in early)
    expected = {
        key: group_of(key) for key in official_parameters(recipe.model.constructor) if not key.startswith(frozen)
    }
    assert learning(task) == expected
    backbone = task.train().net.feature_extractor
    assert not any(m.training for layer in early if layer != "conv1" for m in getattr(backbone, layer).modules())
    assert all(m.training for m in backbone.layer3.modules())


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("atom")])
def test_of_atom_the_box_head_alone_learns(name):
    task = on_meta(RECIPES[name])
    expected = {key for key, _ in task.net.named_parameters() if key.startswith("bb_regressor.")}
    assert learning(task) == dict.fromkeys(expected, "box_head")
    assert not any(p.requires_grad for p in task.net.feature_extractor.parameters())


@EVERY_RECIPE
def test_a_recipe_survives_json_and_prints_the_paths_that_change_it(recipe):
    assert from_plain(json.loads(json.dumps(as_plain(recipe)))) == recipe
    lines = describe(recipe).splitlines()
    assert f"loop.batch = {recipe.loop.batch}" in lines
    settable = [
        line.replace(" = ", "=", 1)
        for line in lines
        if ".type = " not in line and not line.endswith((" = {}", " = "))
    ]
    assert override(recipe, settable) == recipe


@EVERY_RECIPE
def test_a_recipe_has_the_name_it_is_found_by_and_the_network_of_its_tracker(recipe):
    from lockon.zoo import find_entry

    assert find_recipe(recipe.name) is recipe
    assert find_entry(recipe.tracker).weights.constructor == recipe.model.constructor


def test_a_typo_gets_the_nearest_recipe():
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'dimp_18'\. Did you mean 'dimp18'"):
        find_recipe("dimp_18")


def test_papers_recipes_ask_for_imagenet_weights():
    with pytest.raises(RecipeError, match=r"starts from ImageNet weights: pass --set model\.pretrained=FILE"):
        build_task(RECIPES["dimp18"])


def test_box_loss_and_proposals_must_fit():
    recipe = override(RECIPES["smoke"], ["samples.proposals=OverlapProposalConfig"])
    with pytest.raises(RecipeError, match="proposals of kind OverlapProposalConfig and the box loss 'divergence'"):
        build_task(recipe)
    build_task(override(recipe, ["objective.box=overlap"]))


def test_initial_weights_follow_from_the_seed_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (build_task(override(RECIPES["smoke"], [f"seed={seed}"])) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    a, b, c = (task.state_dict() for task in (first, again, other))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["net.bb_regressor.conv3_1t.0.weight"], c["net.bb_regressor.conv3_1t.0.weight"])
