"""How much arithmetic a machine can do, and how much a stage of a tracker asks for."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from lockon.tracking.profiling import Stage

Shape: TypeAlias = tuple[int, ...]

SECONDS_PER_PEAK = 1.0
"""How long each operation is repeated in search of its best time."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Best measured rates in 10⁹ floating-point operations per second; a multiply-add counts as two."""

    matrix_product: float
    convolution: float

    @property
    def best(self) -> float:
        """The greater of the two."""
        return max(self.matrix_product, self.convolution)


@torch.inference_mode()
def measure_peak(device: str, dtype: torch.dtype) -> Peak:
    """Measure what torch reaches with a large matrix product and with a large 3×3 convolution (channels last)."""
    on_gpu = torch.device(device).type == "cuda"
    side, batch = (8192, 512) if on_gpu else (2048, 8)
    matrix = torch.randn(side, side, device=device, dtype=dtype)
    channels, edge = 256, 18
    images = torch.randn(batch, channels, edge, edge, device=device, dtype=dtype)
    images = images.to(memory_format=torch.channels_last)
    kernels = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
    kernels = kernels.to(memory_format=torch.channels_last)
    return Peak(
        matrix_product=2 * side**3 / _best_seconds(lambda: matrix @ matrix, on_gpu) / 1e9,
        convolution=2
        * batch
        * edge**2
        * 9
        * channels**2
        / _best_seconds(lambda: F.conv2d(images, kernels, padding=1), on_gpu)
        / 1e9,
    )


def _best_seconds(operation: Callable[[], torch.Tensor], on_gpu: bool) -> float:
    best = float("inf")
    deadline = time.perf_counter() + SECONDS_PER_PEAK
    while time.perf_counter() < deadline:
        begin = time.perf_counter()
        operation()
        if on_gpu:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return best


def _count_convolution(x: Shape, weight: Shape, *_: Any, out_shape: Shape, **__: Any) -> int:
    return conv_flop_count(list(x), list(weight), list(out_shape))


def _count_linear(x: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return 2 * math.prod(x) * weight[0]


_PACKED = {
    torch.ops.mkldnn._convolution_pointwise: _count_convolution,
    torch.ops.mkldnn._linear_pointwise: _count_linear,
}
"""What `lockon.nn.packed` calls and torch's counter does not know."""


class WorkCounter:
    """Counts floating-point operations per stage, in the place of a timer.

    Matrix products and convolutions are counted, which is nearly all; element-wise work is not.
    """

    def __init__(self) -> None:
        self.operations: dict[Stage, int] = defaultdict(int)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Context in which operations count for the stage."""
        with FlopCounterMode(display=False, custom_mapping=_PACKED) as counter:
            yield
        self.operations[name] += counter.get_total_flops()
