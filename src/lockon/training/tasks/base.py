"""What a trainer needs of a model and its loss, and which parameters learn at which rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lockon.errors import RecipeError

NET = "net."
"""Prefix of the network's parameters among those of a task."""


class Losses(NamedTuple):
    """What a task makes of a batch."""

    total: Float[Tensor, ""]
    """To descend on."""
    parts: dict[str, Float[Tensor, ""]]
    """For the log: terms before their weights, detached."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Parameters that share a learning rate."""

    name: str
    prefixes: tuple[str, ...]
    """Of the names of the parameters, counted from the network. Where prefixes of several groups fit, the longest
    decides."""
    lr: float
    """Peak learning rate."""


def check_groups(recipe: str, groups: Sequence[Group]) -> None:
    """Check the groups of a recipe of some name.

    Raises:
        RecipeError: two have one name, or a learning rate is not positive.
    """
    if len({group.name for group in groups}) < len(groups):
        raise RecipeError(f"recipe '{recipe}' has two parameter groups of one name.")
    if any(not group.lr > 0 for group in groups):
        raise RecipeError(f"recipe '{recipe}' has a learning rate that is not positive; remove the group.")


class Task(nn.Module, ABC):
    """A network with its loss: the seam between the trainer and what it trains.

    Args:
        net: the network; what is exported.
        groups: learning rates by prefix of the parameters' names; parameters of no group do not learn.
        regression: distance of the backbone's features to a teacher's, where one is kept.
    """

    def __init__(self, net: nn.Module, groups: Sequence[Group], regression: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net
        self.regression = regression
        self._groups = group_parameters(self, groups)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters that learn, for an optimiser: `params`, `lr` and `name` of each group."""
        return [dict(group) for group in self._groups]

    @abstractmethod
    def forward(self, batch: Any) -> Losses:
        """Loss of a batch of samples."""

    def label_maps(self, batch: Any) -> Float[Tensor, "batch frames rows cols"] | None:  # noqa: ARG002
        """What score maps are compared with, in the last frames of each sample; None where there are none."""
        return None


def group_parameters(task: nn.Module, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The parameters of a task by group, in the form optimisers take; those of no group cease to learn.

    Raises:
        RecipeError: A prefix fits no parameter.
    """
    rates = {prefix: group for group in groups for prefix in group.prefixes}
    members: dict[str, list[nn.Parameter]] = {prefix: [] for prefix in rates}
    for full_name, parameter in task.named_parameters():
        fitting = [prefix for prefix in rates if full_name.removeprefix(NET).startswith(prefix)]
        parameter.requires_grad_(bool(fitting))
        if fitting:
            members[max(fitting, key=len)].append(parameter)
    for prefix, parameters in members.items():
        if not parameters:
            raise RecipeError(
                f"no parameter of the network begins with '{prefix}' (group '{rates[prefix].name}'); correct the "
                "prefix, or remove it."
            )
    return [
        {"params": [p for prefix in group.prefixes for p in members[prefix]], "lr": group.lr, "name": group.name}
        for group in groups
    ]


def at_least_float32(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The values in single precision where autocast computed them in less."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
