"""Which parameters learn at which rate."""

import pytest
import torch
from torch import nn

from lockon.errors import RecipeError
from lockon.training.tasks.base import Group, group_parameters


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.ModuleDict(
            {"backbone": nn.ModuleList([nn.Linear(1, 1) for _ in range(3)]), "head": nn.Linear(1, 1)}
        )
        self.extra = nn.Linear(1, 1)


def named(holder, groups):
    names = {id(parameter): name for name, parameter in holder.named_parameters()}
    return {group["name"]: [names[id(p)] for p in group["params"]] for group in group_parameters(holder, groups)}


def test_the_longest_prefix_decides_and_the_rest_does_not_learn():
    holder = Holder()
    groups = [
        Group(name="slow", prefixes=("backbone.",), lr=1e-4),
        Group(name="fast", prefixes=("backbone.2.", "extra."), lr=1e-2),
    ]
    assert named(holder, groups) == {
        "slow": [f"net.backbone.{i}.{p}" for i in (0, 1) for p in ("weight", "bias")],
        "fast": ["net.backbone.2.weight", "net.backbone.2.bias", "extra.weight", "extra.bias"],
    }
    assert [group["lr"] for group in group_parameters(holder, groups)] == [1e-4, 1e-2]
    frozen = {name for name, p in holder.named_parameters() if not p.requires_grad}
    assert frozen == {"net.head.weight", "net.head.bias"}
    torch.optim.Adam(group_parameters(holder, groups))


def test_a_prefix_that_fits_nothing_is_a_mistake():
    with pytest.raises(RecipeError, match=r"begins with 'backbone\.7\.' \(group 'g'\)"):
        group_parameters(Holder(), [Group(name="g", prefixes=("backbone.7.",), lr=1.0)])
