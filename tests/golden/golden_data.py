"""Read the golden vectors: formula-generated weights, inputs, and comparison at the recommended tolerances.

The folder is found through LOCKON_GOLDEN, else beside the repository (`../shared/golden`), else `data/` here; a test
whose file is absent is skipped. The rules followed are those of the folder's own `networks/README.md`.
"""

from __future__ import annotations

import functools
import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

DIMP_NETS = ("dimp18", "dimp50", "prdimp18", "prdimp50", "super_dimp", "super_dimp_simple")
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def golden_path(*parts: str) -> Path:
    """Path below the golden folder; skips the calling test where it does not exist."""
    here = Path(__file__).resolve().parent
    beside = here.parents[2] / "shared" / "golden"
    root = Path(os.environ.get("LOCKON_GOLDEN") or (beside if beside.is_dir() else here / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"golden data not found: {path} (set LOCKON_GOLDEN to the folder)")
    return path


@functools.cache
def _read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def recipe() -> dict[str, Any]:
    """Weight rules, network constructors and calibration of all golden networks."""
    content: dict[str, Any] = _read_json(golden_path("networks", "recipe.json"))
    return content


def trace(tracker: str, variant: str) -> tuple[dict[str, Any], Mapping[str, NDArray[Any]]]:
    """One recorded run of an official tracker, and the random numbers it drew."""
    stem = f"trace_{tracker}_{variant}"
    return _read_json(golden_path("networks", f"{stem}.json")), np.load(golden_path("networks", f"{stem}_draws.npz"))


def _values(key: str, shape: Sequence[int], net: Mapping[str, Any], rules: Mapping[str, Any]) -> NDArray[Any]:
    gain = next((value for pattern, value in net["gains"].items() if fnmatchcase(key, pattern)), 1.0)
    gain = next((value for suffix, value in rules.get("gains", {}).items() if key.endswith(suffix)), gain)
    rng = np.random.Generator(np.random.PCG64(zlib.crc32((recipe()["weight_salt"] + key).encode())))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    if key in net["leftover_keys"]:
        return np.asarray(net["leftover_keys"][key]["values"], dtype=np.float64).reshape(shape)
    if key.endswith("running_var"):
        return 0.5 + rng.random(shape)
    if key.endswith(("running_mean", ".bias")):
        return 0.1 * rng.standard_normal(shape)
    if len(shape) >= 2:
        return rng.standard_normal(shape) * (math.sqrt(2 / math.prod(shape[1:])) * gain)
    return (1 + 0.1 * rng.standard_normal(shape)) * gain


def formula_weights(net: str, rules: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
    """The state dict of a golden network.

    Args:
        net: name in `recipe.json`.
        rules: `weight_rules` of a trace, applied on top of those of the network.
    """
    entry, rules = recipe()["networks"][net], rules or {}
    weights = {}
    for key, (shape, *_) in entry["state_dict"].items():
        values = _values(key, shape, entry, rules)
        if any(key.endswith(suffix) for suffix in rules.get("zero_spatial_mean", ())):
            values = values - values.mean(axis=(2, 3), keepdims=True)
        for suffix, constant in rules.get("added_constant", {}).items():
            values = values + constant if key.endswith(suffix) else values
        weights[key] = torch.from_numpy(values if values.dtype == np.int64 else values.astype(np.float32))
    return weights


class GoldenArrays:
    """The arrays of one golden file, e.g. `GoldenArrays("dimp18")`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: Mapping[str, NDArray[Any]] = np.load(golden_path("networks", f"{name}.npz"))
        self.calibration: Mapping[str, Sequence[float]] = recipe()["calibration"].get(name, {})

    def __contains__(self, name: str) -> bool:
        return name in self.arrays or f"{name}__sample" in self.arrays

    def __getitem__(self, name: str) -> Tensor:
        """An array that is stored complete (all inputs are)."""
        return torch.from_numpy(self.arrays[name])

    def images(self) -> Tensor:
        """The crops as network input: RGB, normalised by ImageNet's mean and deviation, (crops, 3, H, W)."""
        canvas = self["canvas"]
        size = self.arrays["crop_hw"] if "crop_hw" in self.arrays else np.broadcast_to(self.arrays["crop_size"], 2)
        crops = torch.stack([canvas[y : y + size[0], x : x + size[1]] for y, x in self.arrays["crop_offsets_yx"]])
        return (crops.permute(0, 3, 1, 2).float() / 255 - IMAGENET_MEAN) / IMAGENET_STD

    def check(self, name: str, actual: Tensor, atol: float = 0.0) -> None:
        """Compare with the recorded array at the README's tolerance, or `atol` where that is larger (boxes)."""
        relative = max(2e-5, 30 * self.calibration.get(name, (0, 0))[1])
        flat = actual.detach().double().flatten()
        if name in self.arrays:
            expected = self[name]
        else:
            expected = self[f"{name}__sample"]
            assert tuple(actual.shape) == tuple(self.arrays[f"{name}__shape"]), f"shape of {self.name}/{name}"
            self._check_stats(name, flat)
            flat = flat[:: int(self.arrays[f"{name}__stride"])]
        assert flat.numel() == expected.numel(), f"{self.name}/{name}: {tuple(actual.shape)}, {tuple(expected.shape)}"
        bound = max(atol, relative * float(expected.abs().max()))
        error = float((flat - expected.double().flatten()).abs().max())
        assert error <= bound, f"{self.name}/{name}: off by {error:.3g}, allowed {bound:.3g}"

    def _check_stats(self, name: str, flat: Tensor) -> None:
        total, total_abs, norm, low, high = (float(value) for value in self.arrays[f"{name}__stats"])
        assert float(flat.sum()) == pytest.approx(total, abs=1e-4 * total_abs)
        assert float(flat.abs().sum()) == pytest.approx(total_abs, rel=1e-4)
        assert float(flat.norm()) == pytest.approx(norm, rel=1e-4)
        assert float(flat.min()) == pytest.approx(low, abs=1e-4 * max(abs(low), abs(high)))
        assert float(flat.max()) == pytest.approx(high, abs=1e-4 * max(abs(low), abs(high)))
