"""Training of the DiMP family: losses of all iterates, gradients through the solver, frozen layers."""

from dataclasses import replace

import pytest
import torch

from lockon.networks.filter_optimizers import DimpOptimizer, PrDimpOptimizer, SimpleOptimizer
from lockon.training.labels import gaussian_label, label_density
from lockon.training.objectives import centre_divergence, hinge_loss
from lockon.training.tasks.base import Group
from lockon.training.tasks.dimp import DimpObjective, DimpTask
from lockon.training.tasks.distillation import FeatureRegression
from training.tasks.tiny import BACKBONE, DENSITIES, HEADS, OVERLAPS, SIZE, batch_of, tiny_net

HINGE = DimpObjective(label_sigma=0.8)
DENSITY = DimpObjective(
    classifier="divergence",
    label_sigma=0.8,
    initial_weight=0.25,
    intermediate_weight=1.0,
    final_weight=0.25,
    box="divergence",
    box_weight=0.0025,
)
KINDS = {
    "dimp": (DimpOptimizer, HINGE, OVERLAPS),
    "prdimp": (PrDimpOptimizer, DENSITY, DENSITIES),
    "super_dimp": (DimpOptimizer, replace(HINGE, box="divergence", box_weight=0.01), DENSITIES),
    "simple": (SimpleOptimizer, replace(HINGE, given_labels=True, box="divergence"), DENSITIES),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def task_and_batch(kind, groups=(HEADS, BACKBONE), **changes):
    optimizer, objective, proposals = KINDS[kind]
    net = tiny_net(optimizer(), zero=kind == "prdimp")
    task = DimpTask(net, replace(objective, **changes), groups, train_frames=2)
    return task, batch_of(proposals=proposals)


def test_hinge_losses_of_the_iterates_are_weighted_as_in_the_papers():
    task, batch = task_and_batch("dimp")
    task.eval()
    classifier = task.net.classifier
    features = task.net.backbone_features(batch.images.flatten(0, 1).movedim(-1, 1).float()).layer3
    known, new = classifier.extract(features).unflatten(0, (3, 4)).split(2, dim=1)
    first = classifier.initial_filter(known, batch.boxes[:, :2])
    iterates = classifier.optimise(first, known, batch.boxes[:, :2], iterations=5, keep_iterates=True).iterates
    labels = gaussian_label(batch.boxes[:, 2:], SIZE // 16, 0.8)
    losses = [hinge_loss(classifier.score(w, new), labels).mean() for w in iterates]
    assert len(losses) == 6
    result = task(batch)
    expected = 100 * losses[0] + 400 / 4 * sum(losses[1:5]) + 100 * losses[5] + result.parts["box"]
    torch.testing.assert_close(result.total, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(result.parts["centre_initial"], losses[0])
    torch.testing.assert_close(result.parts["centre"], losses[5])


def test_divergences_of_the_iterates_are_weighted_as_in_the_papers():
    task, batch = task_and_batch("prdimp")
    result = task.eval()(batch)
    scores = torch.zeros(3, 2, 5, 5)
    first = centre_divergence(scores, label_density(batch.boxes[:, 2:], SIZE // 16, 0.8)).mean()
    torch.testing.assert_close(result.parts["centre_initial"], first)  # PrDiMP starts from a filter of zeros
    assert result.parts["centre"] < first
    one = DimpTask(task.net, replace(DENSITY, iterations=1), (HEADS, BACKBONE), train_frames=2).eval()(batch)
    expected = 0.25 * (one.parts["centre_initial"] + one.parts["centre"]) + 0.0025 * one.parts["box"]
    torch.testing.assert_close(one.total, expected)


@EVERY_KIND
def test_gradients_reach_every_parameter(kind):
    task, batch = task_and_batch(kind)
    if kind == "prdimp":  # from a filter of zeros no gradient leads back through the first step to the solver's start
        torch.nn.init.normal_(task.net.classifier.filter_initializer.filter_conv.weight, std=0.1)
    task(batch).total.backward()
    silent = {name for name, p in task.net.named_parameters() if p.grad is None or p.grad.abs().sum() == 0}
    # The regularisation of PrDiMP starts at its least value, where the clamp may stop its gradient.
    assert silent <= {"classifier.filter_optimizer.filter_reg"}


@EVERY_KIND
def test_gradients_through_the_unrolled_solver_agree_with_finite_differences(kind):
    task, batch = task_and_batch(kind)
    task = task.double().eval()
    optimizer = task.net.classifier.filter_optimizer
    parameters = dict(optimizer.named_parameters())
    for name, parameter in parameters.items():
        if "filter_reg" in name:
            parameter.data.fill_(0.3)  # above the least value, where the clamp has no slope
    parameters["start"] = task.net.classifier.filter_initializer.filter_conv.weight
    layer3 = torch.randn(3, 4, 10, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    boxes = batch.boxes.double()

    def loss():
        return task.centre_losses(layer3, boxes).sum()

    gradients = torch.autograd.grad(loss(), list(parameters.values()))
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        step = 1e-6 * torch.randn(
            parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(name))
        )
        with torch.no_grad():
            parameter += step
            above = loss()
            parameter -= 2 * step
            below = loss()
            parameter += step
        expected = (above - below).item() / 2
        assert (gradient * step).sum().item() == pytest.approx(expected, rel=1e-4, abs=1e-13), name


def test_given_labels_are_those_of_the_train_frames():
    task, batch = task_and_batch("simple")
    seen = []
    optimise = task.net.classifier.optimise
    task.net.classifier.optimise = lambda *a, **k: seen.append(k["labels"]) or optimise(*a, **k)
    task(batch)
    torch.testing.assert_close(seen[0], gaussian_label(batch.boxes[:, :2], SIZE // 16, 0.8))


def test_frozen_layers_neither_learn_nor_follow_the_batch():
    groups = (HEADS, Group(name="backbone", prefixes=("feature_extractor.layer3.",), lr=1e-4))
    task, batch = task_and_batch("super_dimp", groups, frozen_norms=("bn1", "layer1", "layer2"))
    before = {name: value.clone() for name, value in task.net.feature_extractor.state_dict().items()}
    optimizer = torch.optim.Adam(task.parameter_groups())
    task.train()
    task(batch).total.backward()
    optimizer.step()
    after = task.net.feature_extractor.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"layer3"}
    assert {name.rpartition(".")[2] for name in changed} >= {"weight", "running_mean", "running_var"}


def test_the_whole_backbone_of_dimp_learns_with_its_statistics():
    task, batch = task_and_batch("dimp")
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimizer = torch.optim.Adam(task.parameter_groups())
    task(batch).total.backward()
    optimizer.step()
    after = task.state_dict()
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_frames_without_annotation_do_not_count_for_the_boxes():
    task, batch = task_and_batch("prdimp")
    task.eval()
    alone = task(batch._replace(boxes=batch.boxes.clone())).parts["box"]
    nowhere = batch.boxes.clone()
    nowhere[0, 3, 0] = 99999.0
    proposals = batch.proposals._replace(boxes=batch.proposals.boxes.clone())
    proposals.boxes[0, 1] += 12345.0  # whatever stands there
    masked = task(batch._replace(boxes=nowhere, proposals=proposals)).parts["box"]
    assert masked != alone
    one_fewer = []
    for sample, frame in ((0, 2), (1, 2), (1, 3), (2, 2), (2, 3)):
        kept = batch.boxes.clone()
        kept[..., 2:, 0] = 99999.0
        kept[sample, frame, 0] = batch.boxes[sample, frame, 0]
        one_fewer.append(task(batch._replace(boxes=kept)).parts["box"])
    torch.testing.assert_close(masked, torch.stack(one_fewer).mean())


@EVERY_KIND
def test_under_autocast_the_solver_keeps_to_full_precision(kind):
    task, batch = task_and_batch(kind)
    task.eval()
    seen = []
    optimise = task.net.classifier.optimise
    task.net.classifier.optimise = lambda *a, **k: seen.append((a[0].dtype, a[1].dtype)) or optimise(*a, **k)
    plain = task(batch).total
    with torch.autocast("cpu", torch.bfloat16):
        mixed = task(batch).total
    assert seen == [(torch.float32, torch.float32)] * 2
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(plain.item(), rel=0.1)


def test_the_teacher_joins_with_its_weight():
    teacher = tiny_net(seed=7).feature_extractor.eval()
    task, batch = task_and_batch("dimp")
    regression = FeatureRegression(teacher, (8, 10), torch.Generator().manual_seed(1))
    groups = (HEADS, BACKBONE, Group(name="adapters", prefixes=("regression.",), lr=1e-3))
    objective = replace(HINGE, teacher_weight=0.5, teacher_images=4)
    with_teacher = DimpTask(task.net, objective, groups, train_frames=2, regression=regression).eval()
    alone, taught = task.eval()(batch), with_teacher(batch)
    assert taught.parts.keys() == {*alone.parts, "teacher"}
    torch.testing.assert_close(taught.total, alone.total + 0.5 * taught.parts["teacher"])
    assert not any("teacher" in name for name in with_teacher.state_dict())


@EVERY_KIND
def test_label_maps_are_what_the_loss_compares_with(kind):
    task, batch = task_and_batch(kind)
    maps = task.label_maps(batch)
    assert maps.shape == (3, 2, 5, 5)
    make = label_density if kind == "prdimp" else gaussian_label
    torch.testing.assert_close(maps, make(batch.boxes[:, 2:], 4, 0.8))


@EVERY_KIND
def test_the_loss_falls(kind):
    task, batch = task_and_batch(kind)
    optimizer = torch.optim.Adam(task.parameter_groups())
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        losses.append(task(batch).total)
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
