"""Backbones and box regressors of all networks, against the official implementation."""

from collections.abc import Iterator

import pytest
import torch
from golden_data import DIMP_NETS, GoldenArrays, formula_weights, recipe
from torch import Tensor

from lockon.networks.resnet import BackboneFeatures
from lockon.networks.tracker_net import TrackerNet, build
from lockon.nn.folding import fold_batch_norms
from lockon.nn.layers import power_normalize
from lockon.tracking.estimators.refinement import RefinementConfig, ascend, from_relative, to_relative

BOX_TOLERANCE = 1e-2
"""Pixels."""


class Case:
    """A golden network, and its view of the reference crop and of the test crop."""

    def __init__(self, name: str) -> None:
        self.golden = GoldenArrays(name)
        entry = recipe()["networks"][name]
        with torch.device("meta"):
            self.net: TrackerNet = build(entry["constructor"].removesuffix("()"), entry["constructor_args"])
        self.net.load_state_dict(formula_weights(name), assign=True)
        self.net.eval().requires_grad_(False)
        self.images = self.golden.images()[[0, -1]]
        self.features: BackboneFeatures = self.net.feature_extractor(self.images)
        self.modulation, self.maps = self.observe(self.net)
        self.proposals = self.golden["proposals"][None]

    def observe(self, net: TrackerNet) -> tuple[tuple[Tensor, ...], tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        layer2, layer3 = self.features
        modulation = net.bb_regressor.modulation(layer2[:1], layer3[:1], self.golden["boxes"][:1])
        return modulation, net.bb_regressor.test_features(layer2[1:], layer3[1:])


@pytest.fixture(scope="module", params=["atom_resnet18", *DIMP_NETS])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    return Case(request.param)


def test_backbone_features(case: Case) -> None:
    layer2, layer3 = case.features
    case.golden.check("test_layer2", layer2[1:])
    case.golden.check("test_layer3", layer3[1:])
    if case.golden.name == "atom_resnet18":
        case.golden.check("input_normalized", case.images[1:])
        case.golden.check("ref_layer2", layer2[:1])
        case.golden.check("ref_layer3", layer3[:1])
        case.golden.check("test_layer3_powernorm", power_normalize(layer3[1:]))


def test_modulation_and_test_features(case: Case) -> None:
    for block, modulation, features in zip((3, 4), case.modulation, case.maps.maps, strict=True):
        case.golden.check(f"modulation_{block}", modulation)
        case.golden.check(f"iou_feat_{block}", features)


@pytest.mark.parametrize("folded", [False, True])
def test_scores_and_gradients(case: Case, folded: bool) -> None:
    net = fold_batch_norms(case.net) if folded else case.net
    modulation, maps = case.observe(net)
    scores, gradient = net.bb_regressor.predict_with_gradient(modulation, maps, case.proposals)
    case.golden.check("iou_pred", scores)
    case.golden.check("iou_grad_boxes", gradient)


def test_gradient_in_relative_space(case: Case) -> None:
    reference = case.proposals[:, :1, 2:]
    relative = to_relative(case.proposals, reference)
    case.golden.check("boxes_rel", relative)
    relative.requires_grad_()
    scores = case.net.bb_regressor.predict(case.modulation, case.maps, from_relative(relative, reference))
    case.golden.check("iou_pred", scores)
    case.golden.check("iou_grad_rel", torch.autograd.grad(scores.sum(), relative)[0])


@pytest.mark.parametrize(("space", "iterations", "step"), [("default", 5, 1.0), ("relative", 10, 2.5e-3)])
def test_refinement(case: Case, space: str, iterations: int, step: float) -> None:
    config = RefinementConfig(space=space, iterations=iterations, step=(step, step))
    boxes, scores = ascend(case.net.bb_regressor, case.modulation, case.maps, case.proposals, config)
    case.golden.check(f"refine_{space}_boxes", boxes, atol=BOX_TOLERANCE)
    case.golden.check(f"refine_{space}_iou", scores)
