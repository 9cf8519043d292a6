"""A student approaches its teacher."""

import torch

from lockon.training.tasks.base import Group
from lockon.training.tasks.distillation import DistillationTask, FeatureRegression
from training.tasks.tiny import batch_of, tiny_net

GROUPS = (Group(name="backbone", prefixes=("feature_extractor.", "regression."), lr=1e-2),)


def distillation(seed=0):
    teacher = tiny_net(seed=7).feature_extractor.eval()
    regression = FeatureRegression(teacher, (8, 10), torch.Generator().manual_seed(seed))
    return DistillationTask(tiny_net(seed=seed), regression, GROUPS)


def test_a_student_approaches_its_teacher():
    task, batch = distillation(), batch_of()
    optimizer = torch.optim.Adam(task.parameter_groups())
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        total, parts = task(batch)
        total.backward()
        optimizer.step()
        losses.append(total.item())
    torch.testing.assert_close(parts["layer2"] + parts["layer3"], total.detach())
    assert losses[-1] < 0.7 * losses[0]


def test_a_teacher_explains_itself():
    """With the student equal to the teacher and adapters that standardise, nothing is left unexplained."""
    teacher = tiny_net(seed=7).feature_extractor.eval()
    regression = FeatureRegression(teacher, (8, 10)).eval()
    for adapter in regression.adapters:
        torch.nn.init.eye_(adapter.weight.data[..., 0, 0])
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for loss in regression(images, teacher(images)):
        assert loss.item() < 1e-8  # the standardisation has not seen a batch: mean 0, variance 1, up to its epsilon


def test_the_teacher_is_neither_trained_nor_saved():
    task = distillation()
    assert {name.split(".")[1] for name in task.state_dict() if name.startswith("regression.")} == {
        "adapters",
        "standardise",
    }
    assert {p.shape[1] for p in task.regression.parameters()} == {8, 10}


def test_heads_wait_while_the_backbone_learns():
    task = distillation()
    learning = {name.split(".")[1] for name, p in task.named_parameters() if p.requires_grad}
    assert learning == {"feature_extractor", "adapters"}


def test_adapters_follow_from_the_generator():
    first, again, other = (distillation(seed).regression.adapters[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
