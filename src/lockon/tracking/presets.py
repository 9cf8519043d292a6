"""The trackers of the DiMP family by name, with the parameters of the reference implementations.

ATOM (CVPR 2019), DiMP (ICCV 2019), PrDiMP (CVPR 2020), SuperDiMP, KeepTrack (ICCV 2021). Variants are changes of one
base.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from lockon.nn.gauss_newton import GradientDescentSettings
from lockon.tracking.augmentation import AugmentationConfig
from lockon.tracking.config import PresenceConfig, TrackerConfig
from lockon.tracking.estimators import RefinementConfig
from lockon.tracking.learners import ConfidenceConfig, MemoryConfig
from lockon.tracking.localisers import OnlineConfig, TargetModelConfig
from lockon.tracking.search_area import RescalingConfig
from lockon.tracking.search_region import SearchConfig
from lockon.tracking.selectors import AssociationConfig, IdentityConfig, MotionConfig, PeakConfig

TWELVE_ANGLES = (5, -5, 10, -10, 20, -20, 30, -30, 45, -45, -60, 60)
FIVE_BLURS = ((2, 0.2), (0.2, 2), (3, 1), (1, 3), (2, 2))
MANY_AUGMENTATIONS = AugmentationConfig(blurs=FIVE_BLURS, rotations=TWELVE_ANGLES, dropout_copies=7)
NEVER_LOST = PeakConfig(lost=0.0, distractor=100.0, hard_negative=0.45, displacement=0.7)
DENSITY_ASCENT = RefinementConfig(space="relative", iterations=10, step=(2.5e-3, 2.5e-3))

ATOM = TrackerConfig(
    network="atom_resnet18",
    search=SearchConfig(position="rounded"),
    augmentation=MANY_AUGMENTATIONS,
    localiser=OnlineConfig(),
    expect="centre",
    memory=MemoryConfig(
        capacity=250,
        interval=10,
        initial_iterations=60,
        iterations=5,
        hard_negative_iterations=5,
        update_when_lost=True,
    ),
)
ATOM_VOT = replace(
    ATOM,
    search=SearchConfig(sample_size=224, area_factor=4, position="rounded"),
    selector=PeakConfig(lost=-1.0, distractor=100.0, hard_negative=0.3, displacement=0.7),
    window="all",
    memory=replace(ATOM.memory, learning_rate=0.0075, initial_share=0.0),
)
# One back-propagation an iteration; as many as Gauss-Newton with conjugate gradient makes (ATOM, Sec. 4.2).
ATOM_GD = replace(
    ATOM,
    localiser=OnlineConfig(descent=GradientDescentSettings(iterations=0)),
    memory=replace(ATOM.memory, initial_iterations=126, iterations=11, hard_negative_iterations=11),
)
ATOM_GDPP = replace(
    ATOM_GD,
    memory=replace(ATOM_GD.memory, initial_iterations=630, iterations=55, hard_negative_iterations=55),
)
# Boxes refined in relative coordinates, for networks trained on PrDiMP's proposals.
ATOM_GMM_SAMPL = replace(ATOM, estimator=RefinementConfig(space="relative", iterations=10, step=(1e-2, 5e-2)))
ATOM_PROB_ML = replace(ATOM, estimator=RefinementConfig(space="relative", iterations=10, step=(2e-4, 1e-3)))

DIMP = TrackerConfig(network="dimpnet18")
DIMP50 = replace(DIMP, network="dimpnet50")
DIMP_VOT18 = replace(
    DIMP,
    search=SearchConfig(sample_size=224, area_factor=4),
    augmentation=MANY_AUGMENTATIONS,
    selector=NEVER_LOST,
    window="first_peak",
    memory=MemoryConfig(
        capacity=250,
        learning_rate=0.0075,
        initial_share=0.0,
        interval=10,
        initial_iterations=25,
        iterations=3,
        hard_negative_iterations=3,
    ),
)
DIMP50_VOT19 = replace(
    DIMP50,
    search=SearchConfig(sample_size=256, area_factor=4.5),
    augmentation=AugmentationConfig(
        shifts=((0.6, 0.6), (-0.6, -0.6)),
        blurs=((2, 0.2), (1, 3)),
        rotations=(-5, 10, -30, 60),
        dropout_copies=3,
        expansion=1.4,
    ),
    selector=NEVER_LOST,
    window="first_peak",
    estimator=RefinementConfig(iterations=3),
    memory=replace(DIMP_VOT18.memory, capacity=100, initial_iterations=15, iterations=2, hard_negative_iterations=2),
)

PRDIMP18 = replace(
    DIMP,
    network="klcedimpnet18",
    localiser=TargetModelConfig(softmax=True),
    selector=PeakConfig(lost=0.04),
    estimator=DENSITY_ASCENT,
    presence=PresenceConfig(threshold=0.04, temperature=0.02),
)
WIDE_SEARCH = SearchConfig(sample_size=352, area_factor=6, border_mode="inside_major", max_scale_change=1.5)
PRDIMP50 = replace(PRDIMP18, network="klcedimpnet50", search=WIDE_SEARCH)
PRDIMP50_VOT18 = replace(
    PRDIMP50,
    search=SearchConfig(sample_size=224, area_factor=4),
    augmentation=MANY_AUGMENTATIONS,
    localiser=TargetModelConfig(softmax=False),
    selector=PeakConfig(lost=0.0, distractor=99999.0, hard_negative=999999.0, displacement=0.7),
    window="first_peak",
    memory=MemoryConfig(
        capacity=250,
        initial_share=0.0,
        interval=1,
        initial_iterations=25,
        iterations=1,
        hard_negative_iterations=1,
    ),
    presence=PresenceConfig(threshold=0.25),
)
SUPER_DIMP = replace(DIMP50, search=WIDE_SEARCH, estimator=DENSITY_ASCENT)
SUPER_DIMP_SIMPLE = replace(SUPER_DIMP, network="dimpnet50_simple")


def _confident(base: TrackerConfig, confidence: ConfidenceConfig) -> TrackerConfig:
    return replace(base, memory=replace(base.memory, confidence=confidence))


# KeepTrack adds one part after another to SuperDiMP-simple (Tables 1, 3 and 10).
KEEP_TRACK_CONFIDENCE = _confident(SUPER_DIMP_SIMPLE, ConfidenceConfig())
KEEP_TRACK_AREA = replace(KEEP_TRACK_CONFIDENCE, search=replace(WIDE_SEARCH, sample_size=480, area_factor=8))
KEEP_TRACK_SEARCH = replace(KEEP_TRACK_AREA, rescaling=RescalingConfig())
KEEP_TRACK = replace(
    KEEP_TRACK_SEARCH,
    selector=AssociationConfig(),
    presence=PresenceConfig(temperature=None, decision=0.55),
)

LOCKON_S = replace(
    PRDIMP18,
    network="lockon_s",
    search=SearchConfig(sample_size=256, area_factor=5),
    # Fewer proposals and steps than PrDiMP's, for speed: chosen on held-out synthetic images (docs/model_card.md).
    estimator=replace(DENSITY_ASCENT, iterations=5, step=(2e-3, 2e-3), proposals=5),
    # The score reads as the probability that the box overlaps the target by more than half (docs/experiments.md).
    presence=PresenceConfig(threshold=0.127, temperature=0.051, decision=0.25),
)
# The scores are densities, whose peak is about 0.2 for a clear target and about 0.04 for one that is nearly lost
# where SuperDiMP's is 0.8 and 0.25; all heights are in this proportion. The network is trained on the right centre.
# Memory confidence and rescaling make the small tracker no better (docs/experiments.md).
KEEP_TRACK_S = replace(
    LOCKON_S,
    selector=AssociationConfig(
        candidate=0.008,
        sure=0.1,
        swapped_centre=False,
        # Motion says who is who where looks do not: no match is doubtful, nothing high is the target for that alone.
        identity=IdentityConfig(keep=0.0, keep_low=0.0, low_score=0.04, redetect=0.08, switch="never"),
        motion=MotionConfig(),
        peaks=PeakConfig(lost=0.04),
    ),
)

PRESETS = MappingProxyType(
    {
        "atom": ATOM,
        "atom_vot": ATOM_VOT,
        "atom_multiscale": replace(
            ATOM,
            search=replace(ATOM.search, scale_factors=tuple(1.02**k for k in range(-2, 3))),
            estimator=None,
        ),
        # The paper only says "a larger search region" (Table 2); 6 is the next larger one the family uses.
        "atom_no_classifier": replace(
            ATOM, search=SearchConfig(sample_size=352, area_factor=6, position="rounded"), localiser=None
        ),
        "atom_gd": ATOM_GD,
        "atom_gdpp": ATOM_GDPP,
        "atom_no_hn": replace(ATOM, memory=replace(ATOM.memory, learn_hard_negatives=False)),
        "atom_gmm_sampl": ATOM_GMM_SAMPL,
        "atom_prob_ml": ATOM_PROB_ML,
        "dimp18": DIMP,
        "dimp18_vot18": DIMP_VOT18,
        "dimp50": DIMP50,
        "dimp50_vot18": replace(DIMP_VOT18, network="dimpnet50"),
        "dimp50_vot19": DIMP50_VOT19,
        "prdimp18": PRDIMP18,
        "prdimp50": PRDIMP50,
        "prdimp50_vot18": PRDIMP50_VOT18,
        "super_dimp": SUPER_DIMP,
        "super_dimp_simple": SUPER_DIMP_SIMPLE,
        "keep_track_replacement": _confident(SUPER_DIMP_SIMPLE, ConfidenceConfig(weighting=False, threshold=0.0)),
        "keep_track_weighting": _confident(SUPER_DIMP_SIMPLE, ConfidenceConfig(threshold=0.0)),
        "keep_track_confidence": KEEP_TRACK_CONFIDENCE,
        "keep_track_area": KEEP_TRACK_AREA,
        "keep_track_rescaling": replace(KEEP_TRACK_CONFIDENCE, rescaling=RescalingConfig()),
        "keep_track_search": KEEP_TRACK_SEARCH,
        "keep_track": KEEP_TRACK,
        "keep_track_fast": replace(
            KEEP_TRACK,
            search=WIDE_SEARCH,
            selector=AssociationConfig(candidate=0.1),
            estimator=replace(DENSITY_ASCENT, iterations=3),
        ),
        # Where paper and reference differ (Sec. 3.7, Algorithm 1): a doubtful match makes a new object of any
        # candidate, and the target changes for one that is higher now than it ever was.
        "keep_track_paper": replace(
            KEEP_TRACK,
            selector=AssociationConfig(
                identity=IdentityConfig(keep=0.75, keep_low=0.75, target_only=False, switch="current")
            ),
        ),
        # With other association networks (Table 11).
        "keep_track_gnn0": KEEP_TRACK,
        "keep_track_gnn9": KEEP_TRACK,
        "lockon_s": LOCKON_S,
        "keep_track_s": KEEP_TRACK_S,
    }
)
"""Every tracker by name."""
