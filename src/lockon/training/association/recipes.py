"""The recipes of association networks: KeepTrack (ICCV 2021), with the published settings, and our small one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lockon.training.association.recipe import AssociationModel, AssociationRecipe
from lockon.training.association.samples import AssociationSampleConfig
from lockon.training.loop import LoopConfig
from lockon.training.schedules import Cosine, StepDecay
from lockon.training.tasks.base import Group

_WHOLE = ("descriptor_extractor.", "matcher.")

KEEP_TRACK = AssociationRecipe(
    name="keep_track",
    summary="KeepTrack's association network, on frames mined with super_dimp_simple",
    tracker="keep_track",
    model=AssociationModel(),
    groups=(Group(name="association", prefixes=_WHOLE, lr=1e-4),),
    schedule=StepDecay(every_epochs=6, factor=0.2),
    loop=LoopConfig(epochs=15, samples_per_epoch=6400, batch=64, workers=8, validate_every=3),
)
KEEP_TRACK_GNN0 = replace(
    KEEP_TRACK,
    name="keep_track_gnn0",
    summary="the same without graph network, 50 Sinkhorn iterations (Table 11)",
    tracker="keep_track_gnn0",
    model=AssociationModel(gnn_layers=0, sinkhorn_iterations=50),
)
KEEP_TRACK_GNN9 = replace(
    KEEP_TRACK,
    name="keep_track_gnn9",
    summary="the same with 9 layers of self and cross attention, 50 Sinkhorn iterations (Table 11)",
    tracker="keep_track_gnn9",
    model=AssociationModel(gnn_layers=18, sinkhorn_iterations=50),
)
KEEP_TRACK_S = replace(
    KEEP_TRACK,
    name="keep_track_s",
    summary="the association network of the small tracker, on frames mined with lockon_s",
    tracker="keep_track_s",
    model=AssociationModel(base="lockon_s", in_channels=128, dim=128, encoder_widths=(32, 64, 128)),
    # Scores are densities, whose peak is about 0.2 for a target that is plain to see.
    samples=AssociationSampleConfig(score_scale=0.2),
    groups=(Group(name="association", prefixes=_WHOLE, lr=5e-4),),
    schedule=Cosine(warmup_steps=50, final=0.01),
    loop=LoopConfig(epochs=6, samples_per_epoch=3200, batch=32, workers=1, validate_every=2),
)

ASSOCIATION_RECIPES: Mapping[str, AssociationRecipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (KEEP_TRACK, KEEP_TRACK_GNN0, KEEP_TRACK_GNN9, KEEP_TRACK_S)}
)
"""Every recipe by name."""
