"""Every number of a training run, as frozen dataclasses that print, compare and travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lockon.data.synthetic import SyntheticConfig
from lockon.errors import RecipeError, UnknownNameError
from lockon.training import plain
from lockon.training.association.recipe import AssociationRecipe
from lockon.training.loop import LoopConfig
from lockon.training.models import ModelConfig
from lockon.training.samples import SampleConfig
from lockon.training.schedules import Cosine, StepDecay
from lockon.training.tasks.atom import AtomObjective
from lockon.training.tasks.base import Group, check_groups
from lockon.training.tasks.dimp import DimpObjective
from lockon.training.tasks.distillation import DistillationObjective
from lockon.training.validation import ValidationConfig
from lockon.zoo import find_entry

Part = Literal["all", "train", "held_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """A training set on disk."""

    dataset: str
    """Name in `lockon.data.datasets.registry`."""
    split: str | None = None
    """One of the splits of the data set, its first by default."""
    weight: float = 1.0
    """How often samples are drawn from it, relative to the others."""
    root: Path | None = None
    """Its folder; the command line gives it."""
    part: Part = "all"
    """Use all clips, those to train on, or those that are held out."""
    held_out: float = 0.1
    """Share of the clips that is held out where there is no split for it; at least one clip of two or more."""

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticData:
    """Sequences of a synthetic world."""

    world: SyntheticConfig = field(default_factory=SyntheticConfig)
    length: int
    """Number of sequences."""
    first_seed: int = 0
    """Number of the first sequence; each has its own."""
    photos: tuple[Path, ...] = ()
    """Folders of photographs; without them the world is procedural."""
    needs_photos: bool = False
    """Do not train without photographs."""
    keep: bool = False
    """Keep the sequences in memory once they are made: for worlds of few."""
    weight: float = 1.0
    """As in `DataConfig`."""
    part: Part = "all"
    """Use all photographs, those to train on, or those that are held out."""
    held_out: float = 0.04
    """Share of the photographs that is held out."""

    @property
    def name(self) -> str:
        """Of the data set."""
        return "synthetic"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A whole training run."""

    name: str
    summary: str
    """What it trains, and whose numbers these are."""
    tracker: str
    """Entry of the catalogue whose preset validates the network, and that the trained model belongs to."""
    model: ModelConfig
    data: tuple[DataConfig | SyntheticData, ...]
    validation_data: tuple[DataConfig | SyntheticData, ...] = ()
    samples: SampleConfig
    objective: AtomObjective | DimpObjective | DistillationObjective
    groups: tuple[Group, ...]
    """What learns, and how fast."""
    schedule: StepDecay | Cosine
    loop: LoopConfig
    validation: ValidationConfig
    seed: int = 1
    """Of the initial weights and the order of samples."""

    def __post_init__(self) -> None:
        find_entry(self.tracker)
        if not any(source.weight > 0 for source in self.data):
            raise RecipeError(f"recipe '{self.name}' draws from no data set; give one of them a positive weight.")
        if any(source.weight < 0 for source in (*self.data, *self.validation_data)):
            raise RecipeError(f"recipe '{self.name}' has a data set with a negative weight; weights are shares.")
        check_groups(self.name, self.groups)


AnyRecipe = Recipe | AssociationRecipe
"""Of a tracker, or of an association network beside one."""


def as_plain(recipe: AnyRecipe) -> dict[str, Any]:
    """A recipe as JSON can hold it; that of a tracker does not say what it is."""
    values: dict[str, Any] = plain.to_plain(recipe)
    return values if isinstance(recipe, Recipe) else {plain.TYPE: type(recipe).__name__, **values}


def from_plain(values: Mapping[str, Any]) -> AnyRecipe:
    """The recipe that `as_plain` made this of; what it does not say takes its default.

    Raises:
        RecipeError, UnknownNameError: It is not that of a recipe.
    """
    kinds: dict[str, type[AnyRecipe]] = {kind.__name__: kind for kind in (Recipe, AssociationRecipe)}
    name = values.get(plain.TYPE, Recipe.__name__)
    if name not in kinds:
        raise UnknownNameError("kind of recipe", str(name), kinds)
    return plain.from_plain(kinds[name], values)


def describe(recipe: AnyRecipe) -> str:
    """A recipe as lines `path = value`; the paths are those that `--set` takes."""
    lines = [f"{path} = {_as_text(value)}" for path, value in plain.flatten(plain.to_plain(recipe))]
    return "\n".join(lines)


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_as_text, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
