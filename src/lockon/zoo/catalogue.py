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
    """Of the network in `lockon.networks.tracker_net`, and name of the list of its entries in `manifests/`."""
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
    reported: Mapping[str, float] = field(default_factory=dict)
    """Published results, in percent where the measure is a percentage; empty where none is known to us."""


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
    weights = entry.weights
    lines = [
        f"{entry.name}: {entry.summary}",
        f"  network  {weights.constructor}",
        *(f"  file     {file.name}" for file in weights.files),
        f"  origin   {weights.origin}",
        f"  licence  {weights.licence}",
        f"  paper    {entry.paper}",
        *(f"  reported {measure} {value:g}" for measure, value in entry.reported.items()),
    ]
    return "\n".join(lines)


def _official(name: str, constructor: str, file: str) -> Weights:
    return Weights(name=name, constructor=constructor, files=(WeightFile(name=file),), origin=PYTRACKING, licence=GPL)


_ATOM = _official("atom", "atom_resnet18", "atom_default.pth")
_DIMP18 = _official("dimp18", "dimpnet18", "dimp18.pth")
_DIMP50 = _official("dimp50", "dimpnet50", "dimp50.pth")
_PRDIMP18 = _official("prdimp18", "klcedimpnet18", "prdimp18.pth.tar")
_PRDIMP50 = _official("prdimp50", "klcedimpnet50", "prdimp50.pth.tar")
_SUPER_DIMP = _official("super_dimp", "dimpnet50", "super_dimp.pth.tar")
_SUPER_DIMP_SIMPLE = _official("super_dimp_simple", "dimpnet50_simple", "super_dimp_simple.pth.tar")
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
_LOCKON_S = Weights(
    name="lockon_s",
    constructor="lockon_s",
    files=(),
    origin="trained by the Lockon authors; the package contains it",
    licence="Apache-2.0; trained on photographs some of which are for research only (docs/model_card.md)",
)


def _ablation(name: str, summary: str, weights: Weights, op50: float, op75: float, auc: float) -> Entry:
    """A column of the ATOM paper's Table 2."""
    reported = {"NFS+UAV123 OP50": op50, "NFS+UAV123 OP75": op75, "NFS+UAV123 AUC": auc}
    return Entry(name=name, summary=summary, weights=weights, paper=f"{ATOM_PAPER}, Table 2", reported=reported)


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
)
