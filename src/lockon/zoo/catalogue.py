"""Which trackers there are: a preset, a trained network, where its weights come from, and what the papers report.

An entry is a way to track (the preset of the same name) with a trained network, which several entries can share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockon.errors import UnknownNameError

PYTRACKING = "the model zoo of pytracking, https://github.com/visionml/pytracking/blob/master/MODEL_ZOO.md"
TORCHVISION = "https://download.pytorch.org/models"
GPL = "published by the authors of pytracking, whose code is GPL-3.0; no separate terms for the weights"

ATOM_PAPER = "Danelljan et al., ATOM: Accurate Tracking by Overlap Maximization, CVPR 2019"
DIMP_PAPER = "Bhat et al., Learning Discriminative Model Prediction for Tracking, ICCV 2019"
PRDIMP_PAPER = "Danelljan et al., Probabilistic Regression for Visual Tracking, CVPR 2020"
KEEP_TRACK_PAPER = "Mayer et al., Learning Target Candidate Association to Keep Track of What Not to Track, ICCV 2021"
SUPER_DIMP_PAPER = f"{DIMP_PAPER}; {PRDIMP_PAPER} (their combination; published with pytracking)"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A file that its publisher distributes."""

    name: str
    sha256: str | None = None
    """Of the publisher's file, or its first digits; None where neither is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A trained network: how it is built, and the files that hold its weights."""

    name: str
    """Base name in the folder of imported models."""
    constructor: str
    """Of the network in `lockon.networks.tracker_net` or, of an association, in `lockon.networks.association`; and
    name of the list of its entries in `manifests/`, where there are files to import."""
    files: tuple[WeightFile, ...]
    """The files to import, each sufficient; none where the package contains the weights, or nobody publishes them."""
    origin: str
    licence: str
    recipe: str | None = None
    """That trains them, where nobody publishes them."""
    trunk_only: bool = False
    """The backbone is all that is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A tracker that `lockon.load` knows by name."""

    name: str
    """Also of its preset in `lockon.tracking.PRESETS`."""
    summary: str
    weights: Weights
    paper: str
    association: Weights | None = None
    """Of the network that associates candidates, which has files of its own (KeepTrack)."""
    reported: Mapping[str, float] = field(default_factory=dict)
    """Published results, in percent where the measure is a percentage; empty where none is known to us."""

    @property
    def parts(self) -> tuple[Weights, ...]:
        """All that has to be on a machine for the tracker to run there."""
        return (self.weights,) if self.association is None else (self.weights, self.association)


def entries() -> tuple[Entry, ...]:
    """All trackers, the default one first."""
    return _ENTRIES


def find_entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UnknownNameError: There is none; the message suggests the nearest one.
    """
    known = {entry.name: entry for entry in _ENTRIES}
    if name not in known:
        raise UnknownNameError("tracker", name, known)
    return known[name]


def describe(entry: Entry) -> str:
    """What is known about a tracker, as lines of text."""
    lines = [
        f"{entry.name}: {entry.summary}",
        *(line for part in entry.parts for line in _lines_of(part)),
        f"  paper    {entry.paper}",
        *(f"  reported {measure} {value:g}" for measure, value in entry.reported.items()),
    ]
    return "\n".join(lines)


def _lines_of(weights: Weights) -> list[str]:
    return [
        f"  network  {weights.constructor}",
        *(f"  file     {file.name}" for file in weights.files),
        f"  origin   {weights.origin}",
        f"  licence  {weights.licence}",
    ]


def _official(name: str, constructor: str, file: str) -> Weights:
    return Weights(name=name, constructor=constructor, files=(WeightFile(name=file),), origin=PYTRACKING, licence=GPL)


_ATOM = _official("atom", "atom_resnet18", "atom_default.pth")
_DIMP18 = _official("dimp18", "dimpnet18", "dimp18.pth")
_DIMP50 = _official("dimp50", "dimpnet50", "dimp50.pth")
_PRDIMP18 = _official("prdimp18", "klcedimpnet18", "prdimp18.pth.tar")
_PRDIMP50 = _official("prdimp50", "klcedimpnet50", "prdimp50.pth.tar")
_SUPER_DIMP = _official("super_dimp", "dimpnet50", "super_dimp.pth.tar")
_SUPER_DIMP_SIMPLE = _official("super_dimp_simple", "dimpnet50_simple", "super_dimp_simple.pth.tar")
_KEEP_TRACK = _official("keep_track", "target_candidate_matching_net_resnet50", "keep_track.pth.tar")
_ATOM_TRUNK = Weights(
    name="atom_trunk",
    constructor="atom_resnet18",
    files=(
        WeightFile(name="atom_default.pth"),
        WeightFile(name="resnet18-f37072fd.pth", sha256="f37072fd"),
    ),
    origin=f"{PYTRACKING}; or the ImageNet classification weights of torchvision, {TORCHVISION}",
    licence=f"{GPL}; torchvision's weights: BSD-3-Clause",
    trunk_only=True,
)


def _unpublished(recipe: str, constructor: str) -> Weights:
    return Weights(
        name=recipe,
        constructor=constructor,
        files=(),
        origin="nobody publishes them, as far as we know",
        licence="of weights of one's own: see the terms of the training data",
        recipe=recipe,
    )


_ATOM_GMM_SAMPL = _unpublished("atom_gmm_sampl", "atom_resnet18")
_ATOM_PROB_ML = _unpublished("atom_prob_ml", "atom_resnet18")
_KEEP_TRACK_GNN0 = _unpublished("keep_track_gnn0", "association")
_KEEP_TRACK_GNN9 = _unpublished("keep_track_gnn9", "association")
_LOCKON_S = Weights(
    name="lockon_s",
    constructor="lockon_s",
    files=(),
    origin="trained by the Lockon authors; the package contains it",
    licence="Apache-2.0; trained on photographs some of which are for research only (docs/model_card.md)",
)
_KEEP_TRACK_S = Weights(
    name="keep_track_s",
    constructor="association",
    files=(),
    origin="trained by the Lockon authors in the synthetic world; the package contains it",
    licence="Apache-2.0",
)


def _ablation(name: str, summary: str, weights: Weights, op50: float, op75: float, auc: float) -> Entry:
    """A column of the ATOM paper's Table 2."""
    reported = {"NFS+UAV123 OP50": op50, "NFS+UAV123 OP75": op75, "NFS+UAV123 AUC": auc}
    return Entry(name=name, summary=summary, weights=weights, paper=f"{ATOM_PAPER}, Table 2", reported=reported)


def _keep_track(
    name: str,
    summary: str,
    where: str,
    association: Weights | None = None,
    **auc: float,
) -> Entry:
    """A row of the tables of the KeepTrack paper that take its parts away."""
    reported = {f"{data.replace('_', '-')} AUC": value for data, value in auc.items()}
    return Entry(
        name=name,
        summary=summary,
        weights=_SUPER_DIMP_SIMPLE,
        association=association,
        paper=f"{KEEP_TRACK_PAPER}, {where}",
        reported=reported,
    )


_ENTRIES = (
    Entry(
        name="lockon_s",
        summary="small and fast, comes with the package",
        weights=_LOCKON_S,
        paper=PRDIMP_PAPER,
    ),
    Entry(
        name="atom",
        summary="ATOM, ResNet-18",
        weights=_ATOM,
        paper=ATOM_PAPER,
        reported={
            "NFS+UAV123 AUC": 62.3,
            "NFS AUC": 58.4,
            "UAV123 AUC": 65.0,
            "LaSOT AUC": 51.5,
            "LaSOT normalised precision": 57.6,
            "TrackingNet AUC": 70.3,
            "TrackingNet normalised precision": 77.1,
            "TrackingNet precision": 64.8,
        },
    ),
    Entry(
        name="atom_vot",
        summary="ATOM with the settings for the VOT challenges",
        weights=_ATOM,
        paper=ATOM_PAPER,
        reported={"VOT2018 EAO": 0.401, "VOT2018 accuracy": 0.590, "VOT2018 robustness": 0.204},
    ),
    _ablation("atom_multiscale", "ATOM's classifier at five scales, without IoU-Net", _ATOM_TRUNK, 66.2, 26.0, 53.7),
    _ablation("atom_no_classifier", "ATOM's box estimation alone", _ATOM, 52.3, 35.1, 43.0),
    _ablation("atom_gd", "ATOM with gradient descent", _ATOM, 74.5, 47.4, 60.9),
    _ablation("atom_gdpp", "ATOM with five times as many iterations of gradient descent", _ATOM, 74.8, 47.3, 61.1),
    _ablation("atom_no_hn", "ATOM without hard negatives", _ATOM, 75.9, 48.1, 61.9),
    Entry(
        name="atom_gmm_sampl",
        summary="ATOM trained on the proposals of PrDiMP",
        weights=_ATOM_GMM_SAMPL,
        paper=f"{ATOM_PAPER}; proposals of {PRDIMP_PAPER}",
    ),
    Entry(
        name="atom_prob_ml",
        summary="ATOM with box energies, trained by maximum likelihood",
        weights=_ATOM_PROB_ML,
        paper=f"{ATOM_PAPER}; energies of {PRDIMP_PAPER}",
    ),
    Entry(name="dimp18", summary="DiMP, ResNet-18", weights=_DIMP18, paper=DIMP_PAPER),
    Entry(
        name="dimp50",
        summary="DiMP, ResNet-50",
        weights=_DIMP50,
        paper=DIMP_PAPER,
        reported={
            "LaSOT AUC": 56.9,
            "UAV123 AUC": 65.3,
            "OTB-100 AUC": 68.4,
            "NFS AUC": 62.0,
            "TrackingNet AUC": 74.0,
            "GOT-10k AO": 61.1,
        },
    ),
    Entry(
        name="dimp18_vot18",
        summary="DiMP, ResNet-18, with the settings for VOT2018",
        weights=_DIMP18,
        paper=DIMP_PAPER,
    ),
    Entry(
        name="dimp50_vot18",
        summary="DiMP, ResNet-50, with the settings for VOT2018",
        weights=_DIMP50,
        paper=DIMP_PAPER,
        reported={"VOT2018 EAO": 0.440, "VOT2018 accuracy": 0.597, "VOT2018 robustness": 0.153},
    ),
    Entry(
        name="dimp50_vot19",
        summary="DiMP, ResNet-50, with the settings for VOT2019",
        weights=_DIMP50,
        paper=DIMP_PAPER,
        reported={"VOT2019 EAO": 0.379, "VOT2019 accuracy": 0.594, "VOT2019 robustness": 0.278},
    ),
    Entry(name="prdimp18", summary="PrDiMP, ResNet-18", weights=_PRDIMP18, paper=PRDIMP_PAPER),
    Entry(
        name="prdimp50",
        summary="PrDiMP, ResNet-50",
        weights=_PRDIMP50,
        paper=PRDIMP_PAPER,
        reported={"LaSOT AUC": 59.8, "UAV123 AUC": 68.0, "OTB-100 AUC": 69.6, "NFS AUC": 63.5},
    ),
    Entry(
        name="prdimp50_vot18",
        summary="PrDiMP, ResNet-50, with the settings for VOT2018",
        weights=_PRDIMP50,
        paper=PRDIMP_PAPER,
    ),
    Entry(
        name="super_dimp",
        summary="DiMP's classifier with PrDiMP's box estimation, ResNet-50",
        weights=_SUPER_DIMP,
        paper=SUPER_DIMP_PAPER,
        reported={"LaSOT AUC": 63.1, "UAV123 AUC": 67.7, "OTB-100 AUC": 70.1, "NFS AUC": 64.8},
    ),
    Entry(
        name="super_dimp_simple",
        summary="SuperDiMP with fixed labels in the classifier, base of KeepTrack",
        weights=_SUPER_DIMP_SIMPLE,
        paper=SUPER_DIMP_PAPER,
        reported={"LaSOT AUC": 63.5, "UAV123 AUC": 68.2, "OTB-100 AUC": 70.5, "NFS AUC": 64.4},
    ),
    Entry(
        name="keep_track_s",
        summary="lockon_s that keeps track of distractors, comes with the package",
        weights=_LOCKON_S,
        association=_KEEP_TRACK_S,
        paper=KEEP_TRACK_PAPER,
    ),
    Entry(
        name="keep_track",
        summary="SuperDiMP-simple that keeps track of distractors",
        weights=_SUPER_DIMP_SIMPLE,
        association=_KEEP_TRACK,
        paper=KEEP_TRACK_PAPER,
        reported={
            "LaSOT AUC": 67.1,
            "LaSOT precision": 70.2,
            "LaSOT normalised precision": 77.2,
            "LaSOT extension AUC": 48.2,
            "UAV123 AUC": 69.7,
            "OTB-100 AUC": 70.9,
            "NFS AUC": 66.4,
            "OxUvA TPR": 80.6,
            "OxUvA TNR": 81.2,
            "OxUvA MaxGM": 80.9,
            "VOT2018-LT F-score": 72.0,
            "VOT2019-LT F-score": 70.9,
            "VOT2019-LT precision": 72.3,
            "VOT2019-LT recall": 69.7,
            "FPS (RTX 2080 Ti)": 18.3,
        },
    ),
    Entry(
        name="keep_track_fast",
        summary="KeepTrack with a smaller search area and fewer refinement steps",
        weights=_SUPER_DIMP_SIMPLE,
        association=_KEEP_TRACK,
        paper=KEEP_TRACK_PAPER,
        reported={
            "LaSOT AUC": 66.8,
            "LaSOT precision": 70.0,
            "LaSOT normalised precision": 77.0,
            "UAV123 AUC": 69.5,
            "OTB-100 AUC": 71.2,
            "NFS AUC": 65.3,
            "OxUvA TPR": 82.7,
            "OxUvA TNR": 77.2,
            "OxUvA MaxGM": 79.9,
            "VOT2018-LT F-score": 68.8,
            "VOT2019-LT F-score": 69.3,
            "VOT2019-LT precision": 70.6,
            "VOT2019-LT recall": 68.0,
            "FPS (RTX 2080 Ti)": 29.6,
        },
    ),
    Entry(
        name="keep_track_paper",
        summary="KeepTrack with the rules of the paper where the published code has others",
        weights=_SUPER_DIMP_SIMPLE,
        association=_KEEP_TRACK,
        paper=KEEP_TRACK_PAPER,
    ),
    _keep_track(
        "keep_track_replacement",
        "SuperDiMP-simple that forgets the samples it is least sure of",
        "Table 3",
        LaSOT=64.1,
    ),
    _keep_track(
        "keep_track_weighting", "the same, with samples weighted by confidence in the loss", "Table 3", LaSOT=64.6
    ),
    _keep_track(
        "keep_track_confidence",
        "the same, without samples of low confidence: all of KeepTrack's memory",
        "Tables 1, 3 and 10",
        NFS=64.7,
        UAV123=68.0,
        LaSOT=65.0,
    ),
    _keep_track(
        "keep_track_area", "KeepTrack's memory and larger search area", "Table 10", NFS=65.3, UAV123=68.4, LaSOT=65.5
    ),
    _keep_track(
        "keep_track_rescaling",
        "KeepTrack's memory, and a search area that grows at occlusion",
        "Table 10",
        NFS=64.7,
        UAV123=68.4,
        LaSOT=65.8,
    ),
    _keep_track(
        "keep_track_search", "KeepTrack without association", "Tables 1, 10 and 11", NFS=65.2, UAV123=69.1, LaSOT=65.8
    ),
    _keep_track(
        "keep_track_gnn0",
        "KeepTrack without graph network, 50 Sinkhorn iterations",
        "Table 11",
        _KEEP_TRACK_GNN0,
        NFS=65.9,
        UAV123=69.2,
        LaSOT=66.6,
    ),
    _keep_track(
        "keep_track_gnn9",
        "KeepTrack with 9 layers of the graph network, 50 Sinkhorn iterations",
        "Table 11",
        _KEEP_TRACK_GNN9,
        NFS=66.4,
        UAV123=69.8,
        LaSOT=67.2,
    ),
)
