"""The network a recipe trains, with the weights that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from lockon.errors import CheckpointError, RecipeError
from lockon.networks.resnet import ResNet
from lockon.networks.tracker_net import TrackerNet, build
from lockon.zoo import load_network, read_checkpoint
from lockon.zoo.checkpoints import OPTIONAL_SUFFIX, compare, shapes_of

CLASSIFIER_END = ("layer4", "fc")
"""End of an ImageNet network, behind the last layer that trackers evaluate."""
TRUNK = "feature_extractor."
"""Prefix of the backbone in checkpoints of trackers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """What is trained, and what it starts from."""

    constructor: str
    """Of `lockon.networks.tracker_net`."""
    arguments: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """Of the constructor."""
    pretrained: Path | None = None
    """ImageNet classification weights of the backbone, with torchvision's names: safetensors, or a PyTorch file."""
    from_scratch: bool = False
    """Train without `pretrained` weights."""
    finetune: str | None = None
    """Catalogue name or file of a whole tracker to start from, instead of the above."""


def build_network(config: ModelConfig, generator: Generator | None = None) -> TrackerNet:
    """The network with its initial weights, without the layers behind layer3, which nothing evaluates.

    Args:
        config: what to build.
        generator: source of the random weights; the global one by default.

    Raises:
        RecipeError: There are no weights to start from, and the recipe does not say that it needs none.
        CheckpointError: The weights cannot be read, or are of another network.
        UnknownNameError: There is no such constructor, or no such tracker to start from.
    """
    if config.finetune is not None:
        return _trained_network(config, config.finetune)
    if config.pretrained is None and not config.from_scratch:
        raise RecipeError(
            f"'{config.constructor}' starts from ImageNet weights: pass --set model.pretrained=FILE (torchvision's "
            "resnet18-f37072fd.pth or resnet50-0676ba61.pth, or the same as safetensors), or train without them by "
            "--set model.from_scratch=true."
        )
    with torch.random.fork_rng(devices=[]):  # layers draw default weights from the global generator before ours
        net = build(config.constructor, {**config.arguments, "generator": generator})
    drop_classifier_end(net.feature_extractor)
    if config.pretrained is not None:
        load_backbone(net.feature_extractor, config.pretrained)
    return net


def _trained_network(config: ModelConfig, start: str) -> TrackerNet:
    net, entry = load_network(start)
    net.association = None  # trained by itself
    if entry.weights.constructor != config.constructor:
        raise RecipeError(
            f"'{start}' is a '{entry.weights.constructor}', and the recipe trains a '{config.constructor}'; "
            f"pass --set model.constructor={entry.weights.constructor}, or start from another model."
        )
    with torch.device("meta"):
        described = build(config.constructor, config.arguments)
    drop_classifier_end(described.feature_extractor)
    difference = compare(shapes_of(net.state_dict()), shapes_of(described.state_dict()))
    if difference:
        raise RecipeError(f"'{start}' is not the network that model.arguments describe:\n{difference}")
    return net.train()


def drop_classifier_end(backbone: ResNet) -> None:
    """Take `layer4` and `fc` off a backbone: trackers stop at layer3, and so do gradients."""
    for name in {name for name, _ in backbone.named_children()} & set(CLASSIFIER_END):
        delattr(backbone, name)


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Load ImageNet weights with torchvision's names, or the backbone of a tracker's checkpoint; executes nothing.

    Raises:
        CheckpointError: The file cannot be read, or does not fit the backbone key by key.
    """
    weights = _of_backbone(read_checkpoint(path).state_dict)
    expected = shapes_of(backbone.state_dict())
    difference = compare(shapes_of(weights), expected)
    if difference:
        raise CheckpointError(f"the backbone weights {path} do not fit:\n{difference}")
    counters = {key: value for key, value in backbone.state_dict().items() if key.endswith(OPTIONAL_SUFFIX)}
    backbone.load_state_dict(counters | {key: value.float() for key, value in weights.items() if key not in counters})


def _of_backbone(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a state dict that belongs to the layers in use, under the names of the backbone."""
    if any(key.startswith(TRUNK) for key in weights):
        weights = {key.removeprefix(TRUNK): value for key, value in weights.items() if key.startswith(TRUNK)}
    return {key: value for key, value in weights.items() if key.partition(".")[0] not in CLASSIFIER_END}
