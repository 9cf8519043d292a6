"""ATOM's training: the box head learns, the backbone at most drifts."""

import pytest
import torch

from lockon.networks.iou_net_variants import IoUNetVariant, build_iou_net
from lockon.training.objectives import box_likelihood, overlap_error
from lockon.training.proposals import DensityProposalConfig
from lockon.training.tasks.atom import AtomObjective, AtomTask
from lockon.training.tasks.base import Group
from training.tasks.tiny import OVERLAPS, batch_of, tiny_net

HEAD = (Group(name="box_head", prefixes=("bb_regressor.",), lr=1e-3),)


def atom(objective=None, **arguments):
    return AtomTask(tiny_net(**arguments), objective or AtomObjective(), HEAD)


def pair(**arguments):
    return batch_of(4, train=1, test=1, **arguments)


def buffers(module):
    return {name: value.clone() for name, value in module.named_buffers()}


def test_the_loss_is_the_error_of_the_predicted_overlaps():
    task = atom().eval()
    batch = pair()
    net, boxes = task.net, batch.boxes
    layer2, layer3 = net.backbone_features(batch.images.flatten(0, 1).movedim(-1, 1).float())
    head = net.bb_regressor
    modulation = head.modulation(layer2[::2], layer3[::2], boxes[:, 0])
    predicted = head.predict(modulation, head.test_features(layer2[1::2], layer3[1::2]), batch.proposals.boxes[:, 0])
    losses = task(batch)
    torch.testing.assert_close(losses.total, overlap_error(predicted, batch.proposals.overlap[:, 0]).mean())
    assert losses.parts.keys() == {"box"}
    assert not losses.parts["box"].requires_grad


def test_maximum_likelihood_reads_the_annotated_box_first():
    batch = pair(proposals=DensityProposalConfig(count=9, truth_first=True))
    task = atom(AtomObjective(box="likelihood"))
    assert batch.proposals.boxes.shape[-2] == 10
    energies = []
    predict = task.net.bb_regressor.predict
    task.net.bb_regressor.predict = lambda *a: energies.append(predict(*a)) or energies[-1]
    total = task(batch).total
    torch.testing.assert_close(total, box_likelihood(energies[0], batch.proposals.log_proposal[:, 0]).mean())


def test_gradients_reach_all_of_the_head_and_nothing_of_the_backbone():
    task = atom()
    task(pair()).total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in task.net.bb_regressor.parameters())
    assert all(p.grad is None for p in task.net.feature_extractor.parameters())


@pytest.mark.parametrize("drift", [True, False])
def test_running_statistics_of_the_frozen_backbone_drift_only_if_asked(drift):
    task = atom(AtomObjective(drift=drift)).train()
    before = buffers(task.net.feature_extractor)
    task(pair())
    after = buffers(task.net.feature_extractor)
    changed = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"running_mean", "running_var", "num_batches_tracked"} if drift else set())
    assert any(not torch.equal(value, torch.zeros_like(value)) for value in buffers(task.net.bb_regressor).values())
    assert task.net.bb_regressor.training


def test_without_drift_the_features_are_those_of_evaluation():
    task, batch = atom(AtomObjective(drift=False)).train(), pair()
    seen = []
    task.net.feature_extractor.register_forward_hook(lambda m, i, features: seen.append(features))
    task(batch)
    task.eval()(batch)
    assert torch.equal(seen[0].layer3, seen[1].layer3)


def test_evaluation_changes_no_statistics():
    task, batch = atom().eval(), pair()
    before = buffers(task)
    task(batch)
    assert all(torch.equal(before[name], value) for name, value in buffers(task).items())


@pytest.mark.parametrize("variant", list(IoUNetVariant))
def test_every_architecture_of_table_1_learns(variant):
    generator = torch.Generator().manual_seed(1)
    task = atom(boxes=build_iou_net(variant, (8, 10), 8, generator))
    optimizer, batch = torch.optim.Adam(task.parameter_groups(), lr=1e-2), pair()
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(task(batch).total)
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_there_are_no_label_maps():
    assert atom().label_maps(pair(proposals=OVERLAPS)) is None
