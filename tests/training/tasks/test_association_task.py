"""The task of the association network: what learns, and that it does."""

import sys
from pathlib import Path

import pytest
import torch

from lockon.networks.association import AssociationNet
from lockon.networks.resnet import BasicBlock, ResNet
from lockon.training.association.samples import AssociationSampleConfig, AssociationSamples, collate
from lockon.training.association.validation import AssociationValidation
from lockon.training.tasks.association import AssociationObjective, AssociationTask
from lockon.training.tasks.base import Group

sys.path.insert(0, str(Path(__file__).parents[1] / "association"))
from mined_data import squares, whole

ALL = (Group(name="association", prefixes=("descriptor_extractor.", "matcher."), lr=3e-3),)


def a_task(loss="balanced", seed=0):
    generator = torch.Generator().manual_seed(seed)
    backbone = ResNet(BasicBlock, (1, 1, 1), (4, 6, 8), stem_width=4, generator=generator)
    net = AssociationNet(8, 16, (8, 16), heads=2, generator=generator)
    return AssociationTask(net, backbone, AssociationObjective(loss=loss), ALL).train()


def a_batch(count=32, **config):
    samples = AssociationSamples([whole(squares())], AssociationSampleConfig(**config), seed=5)
    return collate([samples[number] for number in range(count)])


@pytest.mark.parametrize("supervision", ["both", "exact"])
def test_32_samples_are_learned_by_heart(supervision):
    task, batch = a_task(), a_batch(supervision=supervision)
    optimizer = torch.optim.Adam(task.parameter_groups())
    first = None
    for _ in range(120):
        optimizer.zero_grad()
        loss = task(batch).total
        loss.backward()
        optimizer.step()
        first = first or loss.item()
    assert task(batch).total.item() < first / 20


def test_the_base_tracker_stays_as_it_is_and_is_not_saved():
    task, batch = a_task(), a_batch(4)
    backbone = task._backbone[0]
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    task(batch).total.backward()
    task.train()
    assert not backbone.training
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert all(name.startswith(("net.descriptor_extractor.", "net.matcher.")) for name in task.state_dict())
    assert all(parameter.requires_grad for parameter in task.parameters())


def test_parts_add_up_and_carry_no_gradient():
    losses = a_task()(a_batch(6))
    assert losses.total.item() == pytest.approx(sum(part.item() for part in losses.parts.values()), rel=1e-5)
    assert not any(part.requires_grad for part in losses.parts.values())
    plain = a_task("likelihood")(a_batch(6))
    assert plain.total.item() > losses.total.item()


def test_a_batch_is_the_mean_of_its_samples_in_evaluation_mode():
    task, batch = a_task().eval(), a_batch(5)
    alone = [task(type(batch)(*(value[k : k + 1] for value in batch[:-1]))).total.item() for k in range(5)]
    assert task(batch).total.item() == pytest.approx(sum(alone) / 5, rel=1e-4)


def test_views_are_described_by_the_pictures_they_belong_to():
    task, batch = a_task().eval(), a_batch(3, views=2)
    repeated = batch._replace(images=batch.images.repeat_interleave(2, dim=0))
    assert torch.allclose(task.assign(batch), task.assign(repeated), atol=1e-5)
    exchanged = batch._replace(images=batch.images.flip(0))
    assert not torch.allclose(task.assign(batch), task.assign(exchanged), atol=1e-3)


def test_validation_judges_held_out_pairs_and_leaves_the_task_as_it_was():
    task, dump = a_task(), squares(2, frames=5, seed=9)
    judge = AssociationValidation([whole(dump)], 6, batch=4)
    assert len(judge) == 6
    before = {name: value.clone() for name, value in task.state_dict().items()}
    figures = judge(task, None, torch.device("cpu"))
    assert figures.keys() == {"loss", "f1", "precision", "recall", "target_f1"}
    assert task.training
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    one = AssociationValidation([whole(dump)], 6, batch=1)(task, None, torch.device("cpu"))
    assert one == pytest.approx(figures, rel=1e-4)


def test_without_held_out_pairs_there_is_nothing_to_judge():
    lonely = squares(1, frames=1)
    assert len(AssociationValidation([whole(lonely)], 6, batch=4)) == 0
    assert len(AssociationValidation([], 6, batch=4)) == 0
