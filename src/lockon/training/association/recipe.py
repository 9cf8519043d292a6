"""Every number of a training run of an association network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Generator

from lockon.errors import RecipeError
from lockon.networks.association import OWN_CONSTRUCTOR, AssociationNet
from lockon.networks.resnet import ResNet
from lockon.training.association.samples import AssociationSampleConfig
from lockon.training.association.validation import AssociationValidationConfig
from lockon.training.loop import LoopConfig
from lockon.training.schedules import Cosine, StepDecay
from lockon.training.tasks.association import AssociationObjective
from lockon.training.tasks.base import Group, check_groups
from lockon.zoo import find_entry


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationModel:
    """The association network, and the tracker whose candidates it associates; the defaults are KeepTrack's."""

    base: str = "super_dimp_simple"
    """Catalogue name or file of the base tracker: the one that the frames were mined with."""
    in_channels: int = 1024
    """Of layer3 of its backbone."""
    dim: int = 256
    encoder_widths: tuple[int, ...] = (32, 64, 128, 256)
    gnn_layers: int = 4
    heads: int = 4
    sinkhorn_iterations: int = 10

    @property
    def constructor(self) -> str:
        """Under which the zoo knows such networks."""
        return OWN_CONSTRUCTOR

    @property
    def arguments(self) -> dict[str, Any]:
        """Of `AssociationNet`."""
        return {
            "in_channels": self.in_channels,
            "dim": self.dim,
            "encoder_widths": self.encoder_widths,
            "gnn_layers": self.gnn_layers,
            "heads": self.heads,
            "sinkhorn_iterations": self.sinkhorn_iterations,
        }

    def build(self, backbone: ResNet, generator: Generator | None = None) -> AssociationNet:
        """The network with random weights.

        Raises:
            RecipeError: the base tracker has features of another width.
        """
        if backbone.channels[1] != self.in_channels:
            raise RecipeError(
                f"layer3 of '{self.base}' has {backbone.channels[1]} channels, and the association network is to "
                f"read {self.in_channels}; pass --set model.in_channels={backbone.channels[1]}, or another base."
            )
        return AssociationNet(**self.arguments, generator=generator)


@dataclass(frozen=True, kw_only=True, slots=True)
class MinedData:
    """Mined frames on disk (`lockon mine`)."""

    root: Path | None = None
    """Folder of the dump; the command line gives it."""
    part: Literal["all", "train", "held_out"] = "train"
    """Use all sequences, those to train on, or those that are held out."""
    held_out: float = 0.107
    """Share of the sequences that is held out; 120 of LaSOT's 1120."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationRecipe:
    """A whole training run."""

    name: str
    summary: str
    """What it trains, and whose numbers these are."""
    tracker: str
    """Entry of the catalogue that the trained network belongs to."""
    model: AssociationModel
    data: tuple[MinedData, ...] = (MinedData(),)
    validation_data: tuple[MinedData, ...] = (MinedData(part="held_out"),)
    samples: AssociationSampleConfig = field(default_factory=AssociationSampleConfig)
    objective: AssociationObjective = field(default_factory=AssociationObjective)
    groups: tuple[Group, ...]
    """What learns, and how fast."""
    schedule: StepDecay | Cosine
    loop: LoopConfig
    validation: AssociationValidationConfig = field(default_factory=AssociationValidationConfig)
    seed: int = 1
    """Of the initial weights and the order of samples."""

    def __post_init__(self) -> None:
        find_entry(self.tracker)
        check_groups(self.name, self.groups)
