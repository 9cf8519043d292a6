"""Target classifiers and their solvers against the reference's numbers."""

import functools
import math

import numpy as np
import pytest
import torch
from golden_data import DIMP_NETS, GoldenArrays, formula_weights

from lockon.networks.dimp import dimp_classifier
from lockon.networks.filter_optimizers import DimpOptimizer, PrDimpOptimizer, SimpleOptimizer
from lockon.networks.resnet import resnet18, resnet50
from lockon.nn.filters import apply_filter_same, project
from lockon.nn.gauss_newton import FilterModel, GaussNewtonSettings, OnlineProblem, TwoLayerModel, gauss_newton

OPTIMIZERS = {
    "dimp18": DimpOptimizer,
    "dimp50": DimpOptimizer,
    "prdimp18": PrDimpOptimizer,
    "prdimp50": PrDimpOptimizer,
    "super_dimp": DimpOptimizer,
    "super_dimp_simple": SimpleOptimizer,
}
STORED_ITERATES = {"opt3": (1, 2, 3, 5), "opt13": (1, 2, 3, 5, 10)}


def is_small(net):
    return net.endswith("18")


def load_part(model, net, prefix):
    weights = {key.removeprefix(prefix): w for key, w in formula_weights(net).items() if key.startswith(prefix)}
    assert list(weights) == list(model.state_dict())
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


@functools.cache
def classifier(net):
    sizes = {"in_channels": 256, "channels": 256, "blocks": 1} if is_small(net) else {}
    sizes = sizes or {"in_channels": 1024, "channels": 512, "blocks": 0}
    return load_part(dimp_classifier(OPTIMIZERS[net](), **sizes), net, "classifier.")


@functools.cache
def crop_features(net):
    """Classification features of the three train crops and the test crop, (4, C, H, W)."""
    backbone = load_part(resnet18() if is_small(net) else resnet50(), net, "feature_extractor.")
    return classifier(net).extract(backbone(GoldenArrays(net).images()).layer3)


def support_set(net, run):
    """Features, boxes, given labels and the first filter of an optimiser run, with the leading target dimension."""
    golden = GoldenArrays(net)
    if run == "opt3":
        features = crop_features(net)[:3]
        boxes = golden["boxes"][:3]
        filters = classifier(net).initial_filter(features[None], boxes[None])
    else:
        channels, size = 256 if is_small(net) else 512, int(golden["crop_size"]) // 16
        rng = np.random.Generator(np.random.PCG64(int(golden["syn_seed"])))
        draw = rng.standard_normal((13, channels, size, size)) * math.sqrt(1 / (16 * channels))
        features = torch.from_numpy(draw.astype(np.float32))
        filters = torch.from_numpy((rng.standard_normal((1, channels, 4, 4)) * 0.02).astype(np.float32))
        golden.check("syn_feat_check", features)
        golden.check("syn_filter_init_check", filters)
        boxes = golden["syn_boxes"]
    label = f"train_label_{run.removeprefix('opt')}"
    labels = golden[label].transpose(0, 1) if label in golden else None
    return features[None], boxes[None], labels, filters


@pytest.mark.parametrize("net", DIMP_NETS)
def test_classification_features_and_initial_filter(net):
    golden, features = GoldenArrays(net), crop_features(net)

    golden.check("clf_feat_train0", features[:1])
    golden.check("clf_feat_test", features[3:])
    golden.check("filter_init", classifier(net).initial_filter(features[None, :3], golden["boxes"][None, :3]))
    golden.check("filter_init_single", classifier(net).initial_filter(features[None, :1], golden["boxes"][None, :1]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("run", ["opt3", "opt13"])
@pytest.mark.parametrize("net", DIMP_NETS)
def test_filter_optimiser(net, run, weighted):
    golden = GoldenArrays(net)
    features, boxes, labels, filters = support_set(net, run)
    weights = golden[f"sample_weights_{run.removeprefix('opt')}"][None] if weighted else None

    trace = classifier(net).optimise(
        filters,
        features,
        boxes,
        iterations=STORED_ITERATES[run][-1],
        sample_weights=weights,
        labels=labels,
        keep_iterates=True,
        keep_losses=True,
    )

    name = run + "w" * weighted
    for iteration in STORED_ITERATES[run]:
        golden.check(f"{name}_iter{iteration}", trace.iterates[iteration])
    # The reference reports the mean over all residuals for the simple optimiser.
    residuals = 1 if labels is None else labels.numel() + filters.numel()
    golden.check(f"{name}_losses", trace.losses / residuals)


@pytest.mark.parametrize("net", DIMP_NETS)
def test_scores(net):
    golden, model = GoldenArrays(net), classifier(net)
    features, boxes, labels, filters = support_set(net, "opt3")
    result = model.optimise(filters, features, boxes, iterations=5, labels=labels).filters
    test = crop_features(net)[None, 3:]

    golden.check("scores_init_test", model.score(filters, test))
    golden.check("scores_train", model.score(result, features))
    golden.check("scores_test", model.score(result, test))
    if "scores_test_softmax" in golden:
        golden.check("scores_test_softmax", model.score_activation(model.score(result, test)))


def atom_problem(golden, dtype, regularisation, weights_name="sample_weights"):
    samples = golden["samples"].to(dtype)[None]
    weights = golden[weights_name].to(dtype) if weights_name else torch.full((8,), 1 / 8, dtype=dtype)
    return OnlineProblem(
        TwoLayerModel(samples), golden["labels"].to(dtype)[None, :, 0], weights[None], regularisation
    )


def atom_start(golden, dtype):
    return golden["filter_init"].to(dtype), golden["projection_init"].to(dtype)[None, :, :, 0, 0]


JOINT_RUNS = {
    # name: (sample weights, regularisation, Gauss-Newton iterations, CG iterations, momentum)
    "joint": (None, (0.1, 1e-4), 6, 10, "fletcher-reeves"),
    "jointw": ("sample_weights", (0.1, 1e-4), 6, 10, "polak-ribiere"),
    "well": ("sample_weights", (0.1, 0.1), 3, 4, "fletcher-reeves"),
    "wellpr": ("sample_weights", (0.1, 0.1), 3, 4, "polak-ribiere"),
}


@pytest.mark.parametrize(("file", "dtype"), [("atom_optim", torch.float32), ("atom_optim_f64", torch.float64)])
@pytest.mark.parametrize("run", JOINT_RUNS)
def test_atom_joint_optimisation(run, file, dtype):
    golden = GoldenArrays(file)
    weights_name, regularisation, gn_iterations, cg_iterations, momentum = JOINT_RUNS[run]
    problem = atom_problem(golden, dtype, regularisation, weights_name)
    settings = GaussNewtonSettings(1, cg_iterations, momentum, preconditioned=True)

    weights = atom_start(golden, dtype)
    losses = [problem.loss(weights)]
    for iteration in range(1, gn_iterations + 1):
        weights = gauss_newton(problem, weights, settings).weights
        losses.append(problem.loss(weights))
        golden.check(f"{run}_filter_gn{iteration}", weights[0])
        golden.check(f"{run}_proj_gn{iteration}", weights[1])
    golden.check(f"{run}_losses", torch.cat(losses))


@pytest.mark.parametrize(("file", "dtype"), [("atom_optim", torch.float32), ("atom_optim_f64", torch.float64)])
@pytest.mark.parametrize(("run", "forget_factor"), [("filt", 0.0), ("filtforget", 0.99**75)])
@pytest.mark.parametrize("well", [False, True])
def test_atom_filter_optimisation(well, run, forget_factor, file, dtype):
    golden = GoldenArrays(file)
    if well:
        samples, filters = golden["comp_P0"] / 3, golden["filter_init"]
    else:
        samples, filters = golden["compressed_samples"], golden["joint_filter_gn6"]
    problem = OnlineProblem(
        FilterModel(samples.to(dtype)[None]),
        golden["labels"].to(dtype)[None, :, 0],
        golden["sample_weights"].to(dtype)[None],
        regularisation=(0.1,),
    )
    settings = GaussNewtonSettings(1, 4 if well else 5, "polak-ribiere", False, direction_forget_factor=forget_factor)

    weights, state = (filters.to(dtype),), None
    for index in range(1, 4):
        result = gauss_newton(problem, weights, settings, state=state)
        weights, state = result.weights, result.state
        golden.check(f"{'well_' * well}{run}_run{index}", weights[0])


def test_atom_scores():
    golden = GoldenArrays("atom_optim")
    samples = golden["samples"][None]
    filters, projection = atom_start(golden, torch.float32)

    compressed = project(samples, projection)

    golden.check("comp_P0", compressed)
    golden.check("scores_P0_w0", apply_filter_same(compressed, filters))
    golden.check(
        "scores_after_joint", apply_filter_same(golden["compressed_samples"][None], golden["joint_filter_gn6"])
    )
