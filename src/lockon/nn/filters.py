"""Correlation of feature maps with one filter per target, and its two adjoints.

A target's score map is the correlation of its filter with its features (DiMP, Sec. 3; zero padding `k // 2`, so an
even kernel gives a map one cell larger than the features). Written as matrix products, every tap of the filter is a
row of a `taps × C` matrix that meets the features where they lie in memory, and the taps are then shifted and added
on single-channel maps. A library convolution with one output channel takes five to ten times as long on a CPU.

Precision: the matrix products run in the type of the features and accumulate in float32; each product is rounded once
to that type, and the sums over taps and images, the filters and the results have the type of the filters or
residuals. So features can be stored in bfloat16 beside float32 filters. Features are read in place in either memory
format (`contiguous` or channels-last) as long as targets and images merge into one axis (see `merge_once`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def score_size(feature_size: tuple[int, int], kernel_size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the score map of a filter of `kernel_size` on features of `feature_size`."""
    (rows, cols), (kernel_rows, kernel_cols) = feature_size, kernel_size
    return rows + (kernel_rows + 1) % 2, cols + (kernel_cols + 1) % 2


def merge_once(
    features: Float[Tensor, "targets images channels height width"],
) -> Float[Tensor, "targets images channels height width"]:
    """The same features, copied where their memory does not let targets and images merge into one axis.

    Every product with a slice `memory[:, :n]` of several targets would make that copy anew.
    """
    return features.flatten(0, 1).reshape(features.shape)


def apply_filter(
    features: Float[Tensor, "targets images channels height width"],
    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"],
) -> Float[Tensor, "targets images rows cols"]:
    """Scores of each target's filter on all of its images.

    `scores[y, x] = Σ_{c,a,b} filter[c, a, b] · features[c, y + a - k//2, x + b - k//2]`, zero outside the features.
    """
    targets, images, channels, height, width = features.shape
    kernel = _kernel(filters)
    taps = filters.flip(-2, -1).flatten(2).transpose(1, 2).to(features.dtype)
    taps = taps[:, None].expand(-1, images, -1, -1).reshape(targets * images, -1, channels)
    products = _bmm(taps, features.reshape(targets * images, channels, height * width)).to(filters.dtype)
    size = score_size((height, width), kernel)
    return F.fold(products, size, kernel, padding=_tap_padding(kernel)).reshape(targets, images, *size)


def filter_gradient(
    features: Float[Tensor, "targets images channels height width"],
    residuals: Float[Tensor, "targets images rows cols"],
    kernel_size: tuple[int, int],
) -> Float[Tensor, "targets channels kernel_rows kernel_cols"]:
    """Adjoint of `apply_filter` with respect to the filter, summed over the images of each target."""
    targets, images, channels, height, width = features.shape
    taps = _unfold(residuals, kernel_size).to(features.dtype)
    features = features.reshape(targets * images, channels, height * width)
    products = _bmm(taps, features.transpose(1, 2)).reshape(targets, images, -1, channels)
    gradient = products.sum(dim=1, dtype=residuals.dtype).transpose(1, 2)
    return gradient.reshape(targets, channels, *kernel_size).flip(-2, -1)


def feature_gradient(
    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"],
    residuals: Float[Tensor, "targets images rows cols"],
) -> Float[Tensor, "targets images channels height width"]:
    """Adjoint of `apply_filter` with respect to the features."""
    kernel = _kernel(filters)
    targets, images, rows, cols = residuals.shape
    height, width = rows - (kernel[0] + 1) % 2, cols - (kernel[1] + 1) % 2
    taps = _unfold(residuals, kernel).reshape(targets, images, -1, height * width)
    gradient = filters.flip(-2, -1).flatten(2)[:, None] @ taps
    return gradient.reshape(targets, images, -1, height, width)


def apply_filter_same(
    features: Float[Tensor, "targets images channels height width"],
    filters: Float[Tensor, "targets channels kernel_rows kernel_cols"],
) -> Float[Tensor, "targets images height width"]:
    """`apply_filter` without the last row and column that an even kernel adds (ATOM)."""
    height, width = features.shape[3:]
    return apply_filter(features, filters)[..., :height, :width]


def filter_gradient_same(
    features: Float[Tensor, "targets images channels height width"],
    residuals: Float[Tensor, "targets images height width"],
    kernel_size: tuple[int, int],
) -> Float[Tensor, "targets channels kernel_rows kernel_cols"]:
    """Adjoint of `apply_filter_same` with respect to the filter, summed over the images of each target."""
    rows, cols = ((side + 1) % 2 for side in kernel_size)
    return filter_gradient(features, F.pad(residuals, (0, cols, 0, rows)), kernel_size)


def project(
    features: Float[Tensor, "targets images channels height width"],
    projection: Float[Tensor, "targets outputs channels"],
) -> Float[Tensor, "targets images outputs height width"]:
    """Mix the channels of each target's features: a 1 × 1 convolution per target."""
    targets, images, channels, height, width = features.shape
    matrix = projection[:, None].expand(-1, images, -1, -1).reshape(targets * images, -1, channels)
    products = _bmm(matrix.to(features.dtype), features.reshape(targets * images, channels, height * width))
    return products.reshape(targets, images, -1, height, width)


def _bmm(a: Tensor, b: Tensor) -> Tensor:
    """Batched product in the type of its arguments: how features are stored decides the precision, not autocast."""
    with torch.autocast(a.device.type, enabled=False):
        return torch.bmm(a, b)


def _kernel(filters: Tensor) -> tuple[int, int]:
    return filters.shape[-2], filters.shape[-1]


def _tap_padding(kernel: tuple[int, int]) -> tuple[int, int]:
    """Padding with which taps, taken in reverse order, land on the score cells they add to."""
    return kernel[0] - 1 - kernel[0] // 2, kernel[1] - 1 - kernel[1] // 2


def _unfold(residuals: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Residuals that each (reversed) tap meets in each feature cell: `(targets · images, taps, height · width)`."""
    return F.unfold(residuals.flatten(0, 1)[:, None], kernel, padding=_tap_padding(kernel))
