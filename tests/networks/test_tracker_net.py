import importlib.resources
import json

import pytest
import torch

from lockon.errors import CheckpointError, UnknownNameError
from lockon.networks.tracker_net import CONSTRUCTORS, build, lockon_s

MANIFESTS = importlib.resources.files("lockon.zoo").joinpath("manifests")

DIMP18 = {
    "filter_size": 4,
    "optim_iter": 5,
    "clf_feat_norm": True,
    "final_conv": True,
    "optim_init_step": 0.9,
    "optim_init_reg": 0.1,
    "init_gauss_sigma": 0.9,
    "num_dist_bins": 100,
    "bin_displacement": 0.2,
    "mask_init_factor": 3.0,
    "target_mask_act": "sigmoid",
    "score_act": "relu",
    "backbone_pretrained": False,
}
SUPER_DIMP = {
    "clf_feat_blocks": 0,
    "out_feature_dim": 512,
    "optim_min_reg": 0.002,
    "frozen_backbone_layers": ["conv1", "bn1", "layer1", "layer2"],
    "iou_input_dim": [256, 256],
}
PRDIMP50 = {
    "gauss_sigma": 0.7,
    "normalize_label": True,
    "init_initializer": "zero",
    "init_uni_weight": None,
    "label_shrink": 0,
    "softmax_reg": None,
    "label_threshold": 0,
}


@pytest.mark.parametrize("constructor", [name for name in CONSTRUCTORS if name != "lockon_s"])
def test_entries_are_those_of_the_official_checkpoints_in_order(constructor: str) -> None:
    expected = json.loads(MANIFESTS.joinpath(f"{constructor}.json").read_text())
    with torch.device("meta"):
        state = build(constructor).state_dict()
    assert [(key, list(tensor.shape)) for key, tensor in state.items()] == list(expected.items())


@pytest.mark.parametrize(
    ("constructor", "arguments", "attribute", "value"),
    [
        ("dimpnet18", DIMP18, "spacing", 0.2),
        ("dimpnet50", SUPER_DIMP, "min_reg", 0.002),
        ("klcedimpnet50", PRDIMP50, "gauss_sigma", 0.7),
        ("dimpnet50_simple", {"hinge_threshold": 0.05, "activation_leak": 0.2}, "activation_leak", 0.2),
    ],
)
def test_what_checkpoints_record_reaches_the_optimiser(constructor, arguments, attribute, value) -> None:
    with torch.device("meta"):
        network = build(constructor, arguments)
    assert getattr(network.classifier.filter_optimizer, attribute) == value


@pytest.mark.parametrize(
    ("constructor", "arguments", "message"),
    [
        ("dimpnet50", {"score_act": "bentpar"}, "score_act='bentpar'"),
        ("dimpnet50", {"iou_input_dim": [128, 256]}, "iou_input_dim"),
        ("dimpnet18", {"warp": 1}, "no argument 'warp'"),
        ("atom_resnet18", {"backbone_pretrained": False, "filter_size": 4}, "no argument 'filter_size'"),
    ],
)
def test_unsupported_structures_are_refused_by_name(constructor: str, arguments: dict, message: str) -> None:
    with torch.device("meta"), pytest.raises(CheckpointError, match=message):
        build(constructor, arguments)


def test_unknown_constructor_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dimpnet50'"):
        build("dimpnet51")


def test_lockon_s_is_small_and_reproducible() -> None:
    network, same = (lockon_s(torch.Generator().manual_seed(5)) for _ in range(2))
    assert 2e6 < sum(p.numel() for p in network.parameters()) < 3e6
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), same.parameters(), strict=True))


def test_backbone_features_normalise_images_and_keep_channels_last() -> None:
    network = lockon_s(torch.Generator().manual_seed(0)).eval()
    images = torch.randint(0, 256, (2, 3, 64, 80)).float()
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    with torch.no_grad():
        features = network.backbone_features(images)
        expected = network.feature_extractor((images / 255 - mean) / std)
    for actual, wanted in zip(features, expected, strict=True):
        assert actual.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(actual, wanted, atol=1e-4, rtol=1e-4)
    assert features.layer2.shape == (2, 64, 8, 10)
