"""Devices and numeric types of the networks, in one place; solvers and geometry always run in float32."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn

from lockon.errors import DeviceError, UnknownNameError
from lockon.networks.iou_net import LinearBlock

Precision = Literal["fp32", "bf16", "fp16", "auto"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def usable_device(name: torch.device | str) -> torch.device:
    """The device of this name.

    Raises:
        DeviceError: PyTorch cannot use it here.
    """
    try:
        probe = torch.zeros((), device=name)
        probe.item()  # "meta" has tensors, but nothing in them
        return probe.device
    except (RuntimeError, AssertionError) as error:  # the latter is what builds of PyTorch without CUDA raise
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise DeviceError(
            f"device '{name}' cannot be used: {reason}. Choose another; `lockon doctor` lists those of this machine."
        ) from error


def network_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type convolutions run in; `auto` is bfloat16 where that is the faster.

    Raises:
        UnknownNameError: no such precision.
    """
    if precision in _DTYPES:
        return _DTYPES[precision]
    if precision != "auto":
        raise UnknownNameError("precision", precision, get_args(Precision))
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _bf16_is_faster() else torch.float32


def _bf16_is_faster() -> bool:
    """Whether this processor convolves faster in bfloat16.

    With AMX it does. AVX-512 BF16 alone doubles the speed on AMD's Zen 4, but costs a third of it on Intel's
    Sapphire Rapids, which multiplies float32 twice as often per cycle.
    """
    capabilities = torch.cpu.get_capabilities()
    intel = str(capabilities.get("cpu_name", "")).startswith("Intel")
    return bool(capabilities.get("amx_tile") or (capabilities.get("avx512_bf16") and not intel))


def cast_layers(module: nn.Module, dtype: torch.dtype) -> None:
    """Give all convolutions and wide linear layers another type, and the memory format they are fast in."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(dtype)
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        elif isinstance(layer, LinearBlock):
            layer.linear.to(dtype)
