"""Fold batch normalisation into the layer before it, for inference."""

from __future__ import annotations

import copy
import itertools
from typing import TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

M = TypeVar("M", bound=nn.Module)


def fold_batch_norms(module: M) -> M:
    """An inference copy of a network with its batch normalisations folded into the layers before them.

    Equal to `module.eval()` up to rounding. A normalisation is folded where it is registered directly after a
    convolution or linear layer of the same parent, which in this package means that it is applied to its output;
    `nn.Identity` takes its place. Parameters of the copy need no gradient.
    """
    folded = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        children = list(parent.named_children())
        for (name, layer), (norm_name, norm) in itertools.pairwise(children):
            if not isinstance(norm, _BatchNorm):
                continue
            if isinstance(layer, nn.Conv1d | nn.Conv2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, norm))
            elif isinstance(layer, nn.Linear):
                setattr(parent, name, fuse_linear_bn_eval(layer, norm))
            else:
                continue
            setattr(parent, norm_name, nn.Identity())
    return folded
