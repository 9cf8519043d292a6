"""What a tracker is trained with: every number of a training run, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from lockon.data.synthetic import SyntheticConfig
from lockon.training.processing import Jitter, ProposalConfig
from lockon.training.sampling import SampleConfig
from lockon.training.trainer import LoopConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillationRecipe:
    """Stage 1: the backbone learns the features of a teacher."""

    loop: LoopConfig
    size: int = 192
    """Side of the photograph crops in pixels."""
    lr: float = 3e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingRecipe:
    """Stage 2: everything learns to track (PrDiMP, Sec. 5, unless said otherwise)."""

    loop: LoopConfig
    samples: SampleConfig
    world: SyntheticConfig
    optimiser_iterations: int = 5
    """Steps of the target model's optimiser; each of its iterates is scored."""
    label_sigma: float = 0.8
    """Standard deviation of the label density in cells: a quarter of the mean target size."""
    classifier_weight: float = 0.25
    """Of the loss of each iterate but the intermediate ones, which share a weight of four times this."""
    box_weight: float = 0.0025
    teacher_weight: float = 0.0
    """Of the distance to the teacher's features."""
    teacher_images: int = 0
    """How many images of a batch the teacher looks at."""
    backbone_lr: float = 2e-4
    head_lr: float = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A whole training run."""

    seed: int = 1
    held_out: float = 0.04
    """Share of the photographs kept for validation."""
    distillation: DistillationRecipe
    tracking: TrackingRecipe


def lockon_s(minutes: float) -> Recipe:
    """The recipe of `lockon_s` for a wall-clock budget, a quarter of it for distillation."""
    return Recipe(
        distillation=DistillationRecipe(loop=LoopConfig(minutes=0.25 * minutes, batch=16)),
        tracking=TrackingRecipe(
            loop=LoopConfig(minutes=0.75 * minutes, batch=8),
            samples=SampleConfig(
                train_frames=2,
                test_frames=2,
                size=224,
                search_factor=4.375,
                train_jitter=Jitter(centre=3.0, scale=0.25),
                test_jitter=Jitter(centre=3.5, scale=0.4),
                proposals=ProposalConfig(count=64),
            ),
            world=SyntheticConfig(),
            box_weight=0.1,
            teacher_weight=0.25,
            teacher_images=6,
            backbone_lr=5e-4,
        ),
    )
