"""Whole networks: a backbone, a target classifier (all but ATOM's), a box regressor, and KeepTrack's association.

The constructors carry the names and arguments under which the official checkpoints record how they were built; what
they record beyond that either concerns training alone or names the one structure all released networks have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Generator, Tensor, nn

from lockon.errors import CheckpointError, UnknownNameError
from lockon.networks.association import AssociationNet
from lockon.networks.dimp import DimpClassifier, dimp_classifier
from lockon.networks.filter_optimizers import DimpOptimizer, FilterOptimizer, PrDimpOptimizer, SimpleOptimizer
from lockon.networks.iou_net import BoxScorer, IoUNet
from lockon.networks.iou_net_variants import IoUNetVariant, build_iou_net
from lockon.networks.resnet import BackboneFeatures, BasicBlock, ResNet, resnet18, resnet50

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

_TRAINING_ONLY = frozenset(
    {"backbone_pretrained", "detach_length", "frozen_backbone_layers", "optim_iter", "train_feature_extractor"}
)
_FIXED = MappingProxyType(
    {
        "act_param": None,
        "classification_layer": "layer3",
        "clf_feat_norm": True,
        "feat_stride": 16,
        "final_conv": True,
        "final_relu": False,
        "init_filter_norm": False,
        "init_pool_square": False,
        "iou_inter_dim": (256, 256),
        "iou_input_dim": (256, 256),
        "label_threshold": 0,
        "score_act": "relu",
        "target_mask_act": "sigmoid",
    }
)
"""Arguments that have one value in every released network."""


class TrackerNet(nn.Module):
    """What a tracker knows before it sees the target.

    Args:
        feature_extractor: backbone.
        classifier: makes the filter that finds the target; None where it is learned from nothing (ATOM).
        bb_regressor: scores boxes around it; None where the size is found without (ATOM, Table 2).
        association: matches what looks like the target from frame to frame; None for all but KeepTrack. It is
            trained and kept apart from the rest.
    """

    def __init__(
        self,
        feature_extractor: ResNet,
        classifier: DimpClassifier | None,
        bb_regressor: BoxScorer | None,
        association: AssociationNet | None = None,
    ) -> None:
        super().__init__()
        self.feature_extractor = feature_extractor
        self.classifier = classifier
        self.bb_regressor = bb_regressor
        self.association = association

    def backbone_features(
        self, images: Float[Tensor, "n 3 h w"], dtype: torch.dtype = torch.float32
    ) -> BackboneFeatures:
        """Backbone features of RGB images with values from 0 to 255, computed in `dtype` and channels-last memory."""
        features: BackboneFeatures = self.feature_extractor(normalise(images, dtype))
        return features


def normalise(images: Num[Tensor, "n 3 h w"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "n 3 h w"]:
    """Network input of RGB images with values from 0 to 255: ImageNet's mean and deviation, channels-last memory."""
    # One multiplication and addition per plane, written straight into channels-last memory. Numbers, not a
    # tensor of them: that would have to be moved to the device of every image.
    normalised = images.new_empty((len(images), *images.shape[2:], 3), dtype=dtype).permute(0, 3, 1, 2)
    for channel, (mean, std) in enumerate(zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)):
        normalised[:, channel] = images[:, channel] * (1 / (255 * std)) - mean / std
    return normalised


def build(constructor: str, arguments: Mapping[str, Any] = MappingProxyType({})) -> TrackerNet:
    """The network a checkpoint says it was built by.

    Args:
        constructor: name of a function of this module.
        arguments: its keyword arguments, as the checkpoint records them.

    Raises:
        UnknownNameError: There is no such constructor.
        CheckpointError: An argument is unknown, or asks for a structure that no released network has.
    """
    if constructor not in CONSTRUCTORS:
        raise UnknownNameError("network constructor", constructor, CONSTRUCTORS)
    return CONSTRUCTORS[constructor](**arguments)


def atom_resnet18(
    *, iou_net: str = IoUNetVariant.MODULATION, generator: Generator | None = None, **fixed: Any
) -> TrackerNet:
    """ATOM: ResNet-18 and IoU-Net; the target classifier is learned online from nothing.

    Args:
        iou_net: which `IoUNetVariant` scores boxes (ATOM, Table 1); released networks have the default.
        generator: source of the initial weights; the global one by default.
        fixed: see `_FIXED`.
    """
    _check_fixed("atom_resnet18", fixed)
    if iou_net not in list(IoUNetVariant):
        raise UnknownNameError("IoU network", iou_net, IoUNetVariant)
    backbone = resnet18(generator=generator)
    return TrackerNet(backbone, None, build_iou_net(IoUNetVariant(iou_net), backbone.channels, generator=generator))


def dimpnet18(*, clf_feat_blocks: int = 1, out_feature_dim: int = 256, **arguments: Any) -> TrackerNet:
    """DiMP-18; see `_dimp` for the other arguments."""
    return _dimp(resnet18, "dimpnet18", clf_feat_blocks, out_feature_dim, **arguments)


def dimpnet50(*, clf_feat_blocks: int = 0, out_feature_dim: int = 512, **arguments: Any) -> TrackerNet:
    """DiMP-50 and SuperDiMP; see `_dimp` for the other arguments."""
    return _dimp(resnet50, "dimpnet50", clf_feat_blocks, out_feature_dim, **arguments)


def klcedimpnet18(*, clf_feat_blocks: int = 1, out_feature_dim: int = 256, **arguments: Any) -> TrackerNet:
    """PrDiMP-18; see `_prdimp` for the other arguments."""
    return _prdimp(resnet18, "klcedimpnet18", clf_feat_blocks, out_feature_dim, **arguments)


def klcedimpnet50(*, clf_feat_blocks: int = 0, out_feature_dim: int = 512, **arguments: Any) -> TrackerNet:
    """PrDiMP-50; see `_prdimp` for the other arguments."""
    return _prdimp(resnet50, "klcedimpnet50", clf_feat_blocks, out_feature_dim, **arguments)


def dimpnet50_simple(
    *,
    clf_feat_blocks: int = 0,
    out_feature_dim: int = 512,
    filter_size: int = 4,
    optim_init_reg: float = 0.1,
    hinge_threshold: float = 0.05,
    activation_leak: float = 0.1,
    generator: Generator | None = None,
    **fixed: Any,
) -> TrackerNet:
    """SuperDiMP-simple: DiMP-50 whose optimiser learns nothing but its regularisation."""
    _check_fixed("dimpnet50_simple", fixed)
    optimizer = SimpleOptimizer(
        hinge_threshold=hinge_threshold, activation_leak=activation_leak, init_reg=optim_init_reg
    )
    return _assemble(resnet50, optimizer, clf_feat_blocks, out_feature_dim, filter_size, False, generator)


def lockon_s(generator: Generator | None = None, *, width: int = 32) -> TrackerNet:
    """Our own small tracker: PrDiMP on a narrow ResNet of 0.7 million parameters, 2.7 million in all.

    Args:
        width: channels of the first stage; the later stages, the filter and the box head scale with it.
        generator: source of the initial weights; the global one by default.
    """
    widths = (width, 2 * width, 4 * width)
    backbone = ResNet(BasicBlock, (2, 2, 2), widths, stem_width=width, generator=generator)
    # A quarter of the mean target size, as in PrDiMP: crops of 256 pixels are 5 times the target, 16 cells wide.
    optimizer = PrDimpOptimizer(gauss_sigma=0.8)
    classifier = dimp_classifier(
        optimizer, in_channels=widths[2], channels=widths[2], blocks=1, zero_initializer=True, generator=generator
    )
    return TrackerNet(backbone, classifier, IoUNet(backbone.channels, hidden=widths[2], generator=generator))


CONSTRUCTORS: Mapping[str, Callable[..., TrackerNet]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            atom_resnet18,
            dimpnet18,
            dimpnet50,
            klcedimpnet18,
            klcedimpnet50,
            dimpnet50_simple,
            lockon_s,
        )
    }
)
"""Every network by name."""


def _dimp(
    backbone: Callable[..., ResNet],
    constructor: str,
    clf_feat_blocks: int,
    out_feature_dim: int,
    *,
    filter_size: int = 4,
    optim_init_step: float = 0.9,
    optim_init_reg: float = 0.1,
    optim_min_reg: float = 1e-3,
    init_gauss_sigma: float = 0.9,
    num_dist_bins: int = 100,
    bin_displacement: float = 0.1,
    mask_init_factor: float = 3.0,
    generator: Generator | None = None,
    **fixed: Any,
) -> TrackerNet:
    _check_fixed(constructor, fixed)
    optimizer = DimpOptimizer(
        bins=num_dist_bins,
        spacing=bin_displacement,
        init_gauss_sigma=init_gauss_sigma,
        mask_init_factor=mask_init_factor,
        init_step=optim_init_step,
        init_reg=optim_init_reg,
        min_reg=optim_min_reg,
    )
    return _assemble(backbone, optimizer, clf_feat_blocks, out_feature_dim, filter_size, False, generator)


def _prdimp(
    backbone: Callable[..., ResNet],
    constructor: str,
    clf_feat_blocks: int,
    out_feature_dim: int,
    *,
    filter_size: int = 4,
    optim_init_step: float = 1.0,
    optim_init_reg: float = 0.05,
    optim_min_reg: float = 0.05,
    gauss_sigma: float = 0.9,
    alpha_eps: float = 0.05,
    normalize_label: bool = True,
    label_shrink: float = 0.0,
    init_uni_weight: float | None = None,
    softmax_reg: float | None = None,
    init_initializer: str = "zero",
    generator: Generator | None = None,
    **fixed: Any,
) -> TrackerNet:
    _check_fixed(constructor, fixed)
    optimizer = PrDimpOptimizer(
        gauss_sigma=gauss_sigma,
        normalize_label=normalize_label,
        label_shrink=label_shrink,
        uniform_weight=init_uni_weight or 0.0,
        softmax_reg=softmax_reg,
        alpha_eps=alpha_eps,
        init_step=optim_init_step,
        init_reg=optim_init_reg,
        min_reg=optim_min_reg,
    )
    zero = init_initializer == "zero"
    return _assemble(backbone, optimizer, clf_feat_blocks, out_feature_dim, filter_size, zero, generator)


def _assemble(
    backbone: Callable[..., ResNet],
    optimizer: FilterOptimizer,
    blocks: int,
    channels: int,
    filter_size: int,
    zero_initializer: bool,
    generator: Generator | None,
) -> TrackerNet:
    feature_extractor = backbone(generator=generator)
    classifier = dimp_classifier(
        optimizer,
        in_channels=feature_extractor.channels[1],
        channels=channels,
        blocks=blocks,
        filter_size=filter_size,
        zero_initializer=zero_initializer,
        generator=generator,
    )
    return TrackerNet(feature_extractor, classifier, IoUNet(feature_extractor.channels, generator=generator))


def _check_fixed(constructor: str, arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name in _TRAINING_ONLY:
            continue
        if name not in _FIXED:
            raise CheckpointError(f"'{constructor}' has no argument '{name}'; the checkpoint is of an unknown kind.")
        if (tuple(value) if isinstance(value, list) else value) != _FIXED[name]:
            raise CheckpointError(
                f"'{constructor}' with {name}={value!r} is not supported; released networks have {_FIXED[name]!r}."
            )
