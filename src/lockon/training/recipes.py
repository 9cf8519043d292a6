"""Every recipe by name: the training settings of the papers' reference implementations, and our own.

ATOM (CVPR 2019), DiMP (ICCV 2019), PrDiMP (CVPR 2020), SuperDiMP. Variants are changes of one base. Where a paper and
its published settings disagree, the settings count (ATOM: 50 epochs instead of 40).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lockon.data.synthetic import SyntheticConfig
from lockon.errors import UnknownNameError
from lockon.networks.iou_net_variants import IoUNetVariant
from lockon.training.association.recipes import ASSOCIATION_RECIPES
from lockon.training.augmentation import AugmentationConfig
from lockon.training.crops import CropConfig, Jitter
from lockon.training.loop import LoopConfig
from lockon.training.models import ModelConfig
from lockon.training.proposals import DensityProposalConfig, MixtureOverlapConfig, OverlapProposalConfig
from lockon.training.recipe import AnyRecipe, DataConfig, Recipe, SyntheticData
from lockon.training.samples import SampleConfig
from lockon.training.sampling import FrameConfig
from lockon.training.schedules import Cosine, StepDecay
from lockon.training.tasks.atom import AtomObjective
from lockon.training.tasks.base import Group
from lockon.training.tasks.dimp import DimpObjective
from lockon.training.tasks.distillation import DistillationObjective
from lockon.training.validation import ValidationConfig

LASOT = DataConfig(dataset="lasot", split="train")
GOT10K = DataConfig(dataset="got10k", split="vot-train")
GOT10K_HELD_OUT = DataConfig(dataset="got10k", split="vot-val")
TRACKINGNET = DataConfig(dataset="trackingnet", split="train_0-3")
COCO = DataConfig(dataset="coco", split="train2014")
LITTLE_LASOT = replace(LASOT, weight=0.25)

EVERY_15_EPOCHS = StepDecay(every_epochs=15, factor=0.2)
TRACKED = {"sequences": 50, "frames": 100}
"""Held-out sequences that validation really tracks; the references look at the loss alone."""

ATOM = Recipe(
    name="atom",
    summary="ATOM's box estimation with the published settings (ResNet-18)",
    tracker="atom",
    model=ModelConfig(constructor="atom_resnet18"),
    data=(LASOT, GOT10K, TRACKINGNET, COCO),
    validation_data=(GOT10K_HELD_OUT,),
    samples=SampleConfig(
        frames=FrameConfig(mode="interval", train_frames=1, test_frames=1, max_gap=50),
        crop=CropConfig(size=288, search_factor=5.0, routine="atom"),
        train_jitter=Jitter(centre=0.0, scale=0.0),
        test_jitter=Jitter(centre=4.5, scale=0.5),
        augmentation=AugmentationConfig(grey_probability=0.05, brightness=0.2),
        proposals=OverlapProposalConfig(count=16),
    ),
    objective=AtomObjective(),
    groups=(Group(name="box_head", prefixes=("bb_regressor.",), lr=1e-3),),
    schedule=EVERY_15_EPOCHS,
    loop=LoopConfig(epochs=50, samples_per_epoch=64000, batch=64, workers=8, validate_every=5),
    validation=ValidationConfig(samples=32000, **TRACKED),
)
ATOM_PAPER = replace(
    ATOM,
    name="atom_paper",
    summary="ATOM with the data of the paper: LaSOT, TrackingNet and COCO",
    data=(LASOT, replace(TRACKINGNET, split="train_0-10"), COCO),
    validation_data=(DataConfig(dataset="trackingnet", split="train_11"),),
)
ATOM_VID = replace(
    ATOM,
    name="atom_vid",
    summary="ATOM trained on ImageNet-VID alone (ATOM supplement, Sec. S5)",
    data=(DataConfig(dataset="imagenet_vid", split="train"),),
    validation_data=(DataConfig(dataset="imagenet_vid", split="val"),),
)
ATOM_GMM_SAMPL = replace(
    ATOM,
    name="atom_gmm_sampl",
    summary="ATOM with proposals from PrDiMP's mixture of Gaussians",
    tracker="atom_gmm_sampl",
    samples=replace(
        ATOM.samples, frames=replace(ATOM.samples.frames, max_gap=200), proposals=MixtureOverlapConfig(count=128)
    ),
)
ATOM_PROB_ML = replace(
    ATOM_GMM_SAMPL,
    name="atom_prob_ml",
    summary="ATOM with box energies trained by maximum likelihood",
    tracker="atom_prob_ml",
    samples=replace(ATOM_GMM_SAMPL.samples, proposals=DensityProposalConfig(count=128, truth_first=True)),
    objective=AtomObjective(box="likelihood"),
)


def _architecture(variant: IoUNetVariant) -> Recipe:
    return replace(
        ATOM_PAPER,
        name=f"atom_{variant}",
        summary=f"ATOM with the IoU network '{variant}' of Table 1 (supplement, Sec. S1)",
        model=replace(ATOM_PAPER.model, arguments={"iou_net": variant.value}),
    )


ATOM_ARCHITECTURES = tuple(
    _architecture(variant) for variant in IoUNetVariant if variant is not IoUNetVariant.MODULATION
)


def _dimp_groups(*, classifier: float, optimiser: float, boxes: float, backbone: float) -> tuple[Group, ...]:
    """Learning rates of initialiser and head, filter optimiser, box head and backbone."""
    return (
        Group(name="initialiser", prefixes=("classifier.filter_initializer.",), lr=classifier),
        Group(name="filter_optimiser", prefixes=("classifier.filter_optimizer.",), lr=optimiser),
        Group(name="classification_head", prefixes=("classifier.feature_extractor.",), lr=classifier),
        Group(name="box_head", prefixes=("bb_regressor.",), lr=boxes),
        Group(name="backbone", prefixes=("feature_extractor.",), lr=backbone),
    )


DIMP18 = Recipe(
    name="dimp18",
    summary="DiMP, ResNet-18",
    tracker="dimp18",
    model=ModelConfig(constructor="dimpnet18"),
    data=(LITTLE_LASOT, GOT10K, TRACKINGNET, COCO),
    validation_data=(GOT10K_HELD_OUT,),
    samples=SampleConfig(
        frames=FrameConfig(mode="causal", train_frames=3, test_frames=3, max_gap=30),
        crop=CropConfig(size=288, search_factor=5.0, routine="replicate"),
        train_jitter=Jitter(centre=3.0, scale=0.25),
        test_jitter=Jitter(centre=4.5, scale=0.5),
        augmentation=AugmentationConfig(grey_probability=0.05, brightness=0.2),
        proposals=OverlapProposalConfig(count=8),
    ),
    objective=DimpObjective(label_sigma=0.25 / 5 * 18),
    groups=_dimp_groups(classifier=5e-5, optimiser=5e-4, boxes=1e-3, backbone=2e-4),
    schedule=EVERY_15_EPOCHS,
    loop=LoopConfig(epochs=50, samples_per_epoch=26000, batch=26, workers=8, validate_every=5),
    validation=ValidationConfig(samples=5000, **TRACKED),
)
DIMP50 = replace(
    DIMP18,
    name="dimp50",
    summary="DiMP, ResNet-50",
    tracker="dimp50",
    model=ModelConfig(constructor="dimpnet50"),
    groups=_dimp_groups(classifier=5e-5, optimiser=5e-4, boxes=2e-4, backbone=2e-5),
    loop=replace(DIMP18.loop, batch=10),
)
_PRDIMP_LOSSES = DimpObjective(
    classifier="divergence",
    label_sigma=0.25 / 5 * 18,
    initial_weight=0.25,
    intermediate_weight=1.0,
    final_weight=0.25,
    box="divergence",
    box_weight=0.0025,
)
PRDIMP18 = replace(
    DIMP18,
    name="prdimp18",
    summary="PrDiMP, ResNet-18",
    tracker="prdimp18",
    model=ModelConfig(constructor="klcedimpnet18"),
    samples=replace(
        DIMP18.samples,
        frames=replace(DIMP18.samples.frames, max_gap=200),
        proposals=DensityProposalConfig(count=128),
    ),
    objective=_PRDIMP_LOSSES,
    groups=_dimp_groups(classifier=1e-3, optimiser=1e-3, boxes=1e-3, backbone=2e-4),
)
PRDIMP50 = replace(
    PRDIMP18,
    name="prdimp50",
    summary="PrDiMP, ResNet-50",
    tracker="prdimp50",
    model=ModelConfig(constructor="klcedimpnet50"),
    groups=_dimp_groups(classifier=1e-3, optimiser=1e-3, boxes=1e-3, backbone=2e-5),
    loop=replace(PRDIMP18.loop, batch=10),
)
_SUPER_DIMP_LOSSES = DimpObjective(
    label_sigma=0.25 / 6 * 22, box="divergence", box_weight=0.01, frozen_norms=("bn1", "layer1", "layer2")
)
SUPER_DIMP = replace(
    DIMP50,
    name="super_dimp",
    summary="SuperDiMP: DiMP's classifier with PrDiMP's box estimation, ResNet-50",
    tracker="super_dimp",
    model=ModelConfig(constructor="dimpnet50", arguments={"init_gauss_sigma": 0.25 / 6 * 22}),
    data=(LASOT, GOT10K, TRACKINGNET, COCO),
    samples=SampleConfig(
        frames=FrameConfig(mode="causal", train_frames=3, test_frames=3, max_gap=200),
        crop=CropConfig(size=352, search_factor=6.0, routine="inside_major", max_scale_change=1.5),
        train_jitter=Jitter(centre=3.0, scale=0.25),
        test_jitter=Jitter(centre=5.5, scale=0.5),
        augmentation=AugmentationConfig(
            grey_probability=0.05, flip_probability=0.5, frame_flip_probability=0.5, brightness=0.2
        ),
        proposals=DensityProposalConfig(count=128),
    ),
    objective=_SUPER_DIMP_LOSSES,
    groups=(
        *_dimp_groups(classifier=5e-5, optimiser=5e-4, boxes=1e-3, backbone=2e-5)[:-1],
        Group(name="backbone", prefixes=("feature_extractor.layer3.",), lr=2e-5),
    ),
    loop=replace(DIMP50.loop, samples_per_epoch=40000, batch=20),
    validation=ValidationConfig(samples=10000, **TRACKED),
)
SUPER_DIMP_SIMPLE = replace(
    SUPER_DIMP,
    name="super_dimp_simple",
    summary="SuperDiMP with fixed labels in the classifier, base of KeepTrack",
    tracker="super_dimp_simple",
    model=ModelConfig(constructor="dimpnet50_simple"),
    objective=replace(_SUPER_DIMP_LOSSES, given_labels=True),
)

_VARIED_WORLD = SyntheticConfig(
    target_size=(16.0, 130.0),
    motion_spread=0.7,
    change=1.5,
    photo_share=0.93,
    distractors=3,
    occluder_probability=0.5,
    compression_probability=0.6,
)
_VARIED_VIDEOS = SyntheticData(world=_VARIED_WORLD, length=1_000_000, needs_photos=True, part="train")
# The target has the size it has when tracking, 51 pixels: crops of 256 pixels are 5 times as wide as it is.
_LOCKON_LOSSES = replace(_PRDIMP_LOSSES, label_sigma=0.8, box_weight=0.1, frozen_norms=("bn1", "layer1"))
LOCKON_S = replace(
    PRDIMP18,
    name="lockon_s",
    summary="the small tracker of this package, on synthetic videos of photographs, own clips and stills",
    tracker="lockon_s",
    model=ModelConfig(constructor="lockon_s", from_scratch=True),
    data=(
        replace(_VARIED_VIDEOS, weight=0.58),
        DataConfig(dataset="folder", weight=0.30),
        DataConfig(dataset="coco_json", weight=0.12),
    ),
    validation_data=(
        SyntheticData(world=_VARIED_WORLD, length=64, first_seed=10**9, needs_photos=True, part="held_out"),
    ),
    samples=SampleConfig(
        frames=FrameConfig(mode="causal", train_frames=2, test_frames=2, max_gap=200),
        crop=CropConfig(size=224, search_factor=4.375, routine="centred"),
        train_jitter=Jitter(centre=3.0, scale=0.25),
        test_jitter=Jitter(centre=3.5, scale=0.4),
        augmentation=AugmentationConfig(grey_probability=0.05, flip_probability=0.5, flip_offset=0.0, brightness=0.0),
        proposals=DensityProposalConfig(count=64),
        proposal_frames="all_but_first",
    ),
    objective=_LOCKON_LOSSES,
    groups=(
        Group(name="heads", prefixes=("classifier.", "bb_regressor."), lr=6e-4),
        Group(name="backbone", prefixes=("feature_extractor.layer2.", "feature_extractor.layer3."), lr=3e-4),
    ),
    schedule=Cosine(warmup_steps=300, final=0.01),
    loop=LoopConfig(
        epochs=12,
        samples_per_epoch=2400,
        batch=6,
        optimizer="adamw",
        weight_decay=1e-4,
        clip_norm=5.0,
        ema_decay=0.998,
        validate_every=4,
    ),
    validation=ValidationConfig(samples=128, sequences=16, frames=60),
)
LOCKON_S_BACKBONE = replace(
    LOCKON_S,
    name="lockon_s_backbone",
    summary="first stage of lockon_s: its backbone learns the features of an ImageNet ResNet-18",
    data=(_VARIED_VIDEOS,),
    samples=replace(
        LOCKON_S.samples,
        frames=FrameConfig(mode="pair", train_frames=1, test_frames=1, max_gap=200),
        crop=CropConfig(size=192, search_factor=3.75, routine="centred"),
        proposals=None,
    ),
    objective=DistillationObjective(),
    groups=(Group(name="backbone", prefixes=("feature_extractor.", "regression."), lr=3e-3),),
    loop=replace(LOCKON_S.loop, epochs=10, batch=16),
    validation=ValidationConfig(samples=256),
)
_SMALL_WORLD = SyntheticConfig(
    frame_size=(320, 240),
    length=40,
    target_size=(30.0, 70.0),
    distractors=0,
    clutter=2,
    occluder_probability=0.0,
    degradation=0.5,
)
_FEW = SyntheticData(world=_SMALL_WORLD, length=100, keep=True)
SMOKE = replace(
    LOCKON_S,
    name="smoke",
    summary="a few minutes of training on a procedural world, to see that everything works",
    model=ModelConfig(constructor="lockon_s", arguments={"width": 12}, from_scratch=True),
    data=(_FEW,),
    validation_data=(replace(_FEW, length=8, first_seed=10**9, part="held_out"),),
    samples=replace(
        LOCKON_S.samples,
        frames=replace(LOCKON_S.samples.frames, train_frames=1, test_frames=1),
        crop=CropConfig(size=128, search_factor=2.5, routine="centred"),
        train_jitter=Jitter(centre=1.0, scale=0.2),
        test_jitter=Jitter(centre=1.0, scale=0.25),
        proposals=DensityProposalConfig(count=32),
    ),
    objective=replace(_LOCKON_LOSSES, frozen_norms=()),
    groups=(
        Group(name="heads", prefixes=("classifier.", "bb_regressor."), lr=3e-3),
        Group(name="backbone", prefixes=("feature_extractor.",), lr=3e-3),
    ),
    schedule=Cosine(warmup_steps=20, final=0.02),
    loop=replace(
        LOCKON_S.loop, epochs=7, samples_per_epoch=800, batch=8, ema_decay=0.97, workers=1, validate_every=1
    ),
    validation=ValidationConfig(samples=32, sequences=8, frames=30),
)
FINETUNE = replace(
    LOCKON_S,
    name="finetune",
    summary="adapt a trained tracker to videos of one's own",
    model=ModelConfig(constructor="lockon_s", finetune="lockon_s"),
    data=(DataConfig(dataset="folder", part="train"),),
    validation_data=(DataConfig(dataset="folder", part="held_out"),),
    groups=(
        Group(name="heads", prefixes=("classifier.", "bb_regressor."), lr=1e-4),
        Group(name="backbone", prefixes=("feature_extractor.layer2.", "feature_extractor.layer3."), lr=2e-5),
    ),
    schedule=Cosine(warmup_steps=50, final=0.01),
    loop=replace(LOCKON_S.loop, epochs=10, samples_per_epoch=800, ema_decay=0.99, validate_every=1),
    validation=ValidationConfig(samples=64, sequences=20, frames=100),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            SMOKE,
            LOCKON_S,
            LOCKON_S_BACKBONE,
            FINETUNE,
            ATOM,
            ATOM_PAPER,
            ATOM_VID,
            ATOM_GMM_SAMPL,
            ATOM_PROB_ML,
            *ATOM_ARCHITECTURES,
            DIMP18,
            DIMP50,
            PRDIMP18,
            PRDIMP50,
            SUPER_DIMP,
            SUPER_DIMP_SIMPLE,
        )
    }
)
"""Every recipe of a tracker by name."""


EVERY_RECIPE: Mapping[str, AnyRecipe] = MappingProxyType({**RECIPES, **ASSOCIATION_RECIPES})
"""Those of trackers and those of association networks by name."""


def find_recipe(name: str) -> AnyRecipe:
    """The recipe of that name.

    Raises:
        UnknownNameError: There is none; the message suggests the nearest one.
    """
    if name not in EVERY_RECIPE:
        raise UnknownNameError("recipe", name, EVERY_RECIPE)
    return EVERY_RECIPE[name]
