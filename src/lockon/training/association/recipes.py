"""The recipes of association networks: KeepTrack (ICCV 2021), with the published settings, and our small one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lockon.training.association.recipe import AssociationModel, AssociationRecipe
from lockon.training.loop import LoopConfig
from lockon.training.schedules import Cosine, StepDecay
from lockon.training.tasks.base import Group

_WHOLE = ("descriptor_extractor.", "matcher.")

KEEP_TRACK = AssociationRecipe(
    name="keep_track",
    summary="KeepTrack's association network, on frames mined with super_dimp_simple",
    tracker="super_dimp_simple",
    model=AssociationModel(),
    groups=(Group(name="association", prefixes=_WHOLE, lr=1e-4),),
    schedule=StepDecay(every_epochs=6, factor=0.2),
    loop=LoopConfig(epochs=15, samples_per_epoch=6400, batch=64, workers=8, validate_every=3),
)
KEEP_TRACK_S = replace(
    KEEP_TRACK,
    name="keep_track_s",
    summary="the association network of the small tracker, on frames mined with lockon_s",
    tracker="lockon_s",
    model=AssociationModel(base="lockon_s", in_channels=128, dim=128, encoder_widths=(32, 64, 128)),
    groups=(Group(name="association", prefixes=_WHOLE, lr=5e-4),),
    schedule=Cosine(warmup_steps=50, final=0.01),
    loop=LoopConfig(epochs=6, samples_per_epoch=3200, batch=32, workers=1, validate_every=2),
)

ASSOCIATION_RECIPES: Mapping[str, AssociationRecipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (KEEP_TRACK, KEEP_TRACK_S)}
)
"""Every recipe by name."""
