"""The two stages of lockon_s on tiny inputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lockon.data.synthetic import ImageBank, SyntheticConfig, SyntheticWorld
from lockon.data.synthetic.bank import Photo
from lockon.data.synthetic.sprites import procedural_texture
from lockon.networks.resnet import BasicBlock, ResNet
from lockon.networks.tracker_net import lockon_s as build
from lockon.networks.tracker_net import normalise
from lockon.training.distillation import DistillationTask, FeatureRegression
from lockon.training.probabilistic import ProbabilisticTask
from lockon.training.processing import ProposalConfig
from lockon.training.recipes import lockon_s


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    return ImageBank(Photo(procedural_texture(rng, 96)) for _ in range(6))


def small_teacher():
    return ResNet(BasicBlock, (1, 1, 1), (8, 12, 16), 8, generator=torch.Generator().manual_seed(5)).eval()


def small_recipe():
    recipe = lockon_s(1.0).tracking
    samples = replace(recipe.samples, size=64, search_factor=2.0, proposals=ProposalConfig(count=16))
    return replace(recipe, samples=samples, teacher_images=2, loop=replace(recipe.loop, batch=2))


def tracking_task():
    torch.manual_seed(0)
    net = build()
    world = SyntheticWorld(SyntheticConfig(frame_size=(120, 90), target_size=(20.0, 30.0), length=20))
    regression = FeatureRegression(small_teacher(), net.feature_extractor.channels)
    return net, ProbabilisticTask(net, regression, (world, world), small_recipe(), seed=0)


def test_network_input_is_normalised_with_imagenet_statistics():
    white = normalise(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
    assert white.shape == (1, 3, 2, 2)
    assert white[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)


def test_a_student_approaches_its_teacher(photos):
    torch.manual_seed(0)
    student = ResNet(BasicBlock, (1, 1, 1), (8, 8, 8), 8)
    task = DistillationTask(student, small_teacher(), photos, photos, size=64, lr=1e-2, seed=0)
    optimizer = torch.optim.Adam(task.parameter_groups())
    batch = torch.stack([task.dataset()[i] for i in range(8)])
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss, figures = task.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert figures.keys() == {"layer2", "layer3"}
    assert losses[-1] < 0.7 * losses[0]


def test_crops_of_photographs_are_reproducible(photos):
    task = DistillationTask(build().feature_extractor, small_teacher(), photos, photos, size=48, lr=1.0, seed=3)
    crops = task.dataset()
    assert crops[4].shape == (48, 48, 3)
    assert torch.equal(crops[4], crops[4])
    assert not torch.equal(crops[4], crops[5])


def test_the_teacher_is_neither_trained_nor_saved():
    regression = FeatureRegression(small_teacher(), (64, 128))
    assert {name.split(".")[0] for name in regression.state_dict()} == {"adapters", "standardise"}


def test_tracking_loss_falls_and_reaches_every_head():
    net, task = tracking_task()
    batch = torch.utils.data.default_collate([task.dataset()[i] for i in range(2)])
    optimizer = torch.optim.Adam(task.parameter_groups())
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss, figures = task.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert figures.keys() == {"centre0", "centre", "box", "teacher"}
    untouched = [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert untouched == []


def test_early_layers_stay_as_the_teacher_left_them():
    net, task = tracking_task()
    before = {name: value.clone() for name, value in net.feature_extractor.state_dict().items()}
    batch = torch.utils.data.default_collate([task.dataset()[i] for i in range(2)])
    optimizer = torch.optim.Adam(task.parameter_groups())
    net.train()
    task.loss(batch)[0].backward()
    optimizer.step()
    after = net.feature_extractor.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"layer2", "layer3"}


def test_validation_figures_are_reproducible_and_in_range():
    net, task = tracking_task()
    net.eval()
    figures = task.validate()
    assert figures == task.validate()
    assert 0.4 < figures["iou_start"] < 0.9
    assert 0 <= figures["iou"] <= 1
    assert 0 <= figures["hit"] <= 1
