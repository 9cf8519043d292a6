"""What a saved state must hold: a damaged file is told when it is loaded, not by a step that fails."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from jaxtyping import AbstractArray
from torch import Tensor

from lockon.tracking.randomness import SEEDS

Shapes = Mapping[str, type[AbstractArray]]
"""Types and shapes of tensors, as the fields of dataclasses are annotated."""

_HEADER = {
    "format": int,
    "tracker": str,
    "frame": int,
    "single": bool,
    "lockstep": bool,
    "seeds": list,
    "initial": int,
}

OPTIONAL_PARTS = ("memory.confidences", "objects.", "searches.")
"""Beginnings of the names of tensors that not every tracker has; a header lists those that its state has."""


def annotated(owner: type, prefix: str = "") -> dict[str, type[AbstractArray]]:
    """The tensors among the fields of a dataclass, and of the tuples and options among them."""
    hints = get_type_hints(owner).items()
    parts = [(prefix + name, part) for name, hint in hints for part in (hint, *get_args(hint))]
    return {name: part for name, part in parts if isinstance(part, type) and issubclass(part, AbstractArray)}


def check_header(fields: Any, version: int) -> None:
    """Check what a state holds beside tensors.

    Raises:
        ValueError: says what is wrong.
    """
    if not isinstance(fields, dict) or fields.get("format") != version:
        raise ValueError(f"its header is not of format {version}")
    parts = fields.get("parts", [])
    if not isinstance(parts, list) or not all(part in OPTIONAL_PARTS for part in parts):
        raise ValueError(f"its header says that it has the parts {parts}")
    names = _HEADER.keys() | fields.keys() - {"parts"}
    wrong = [name for name in names if type(fields.get(name)) is not _HEADER.get(name)]
    if wrong:
        raise ValueError(f"missing or wrong in its header: {', '.join(sorted(wrong))}")
    seeds, frame = fields["seeds"], fields["frame"]
    if not all(type(seed) is int and 0 <= seed < SEEDS for seed in seeds):
        raise ValueError(f"its seeds are {seeds}")
    if not seeds or (fields["single"] and len(seeds) > 1) or frame < 0:
        raise ValueError(f"its header says {len(seeds)} targets in frame {frame}")


def with_parts(expected: Shapes, fields: Mapping[str, Any]) -> Shapes:
    """The tensors that a state with this header has, of all that states may have."""
    parts = tuple(fields.get("parts", []))
    return {
        name: hint for name, hint in expected.items() if not name.startswith(OPTIONAL_PARTS) or name.startswith(parts)
    }


def check_tensors(tensors: Mapping[str, Tensor], expected: Shapes, targets: int, initial: int) -> None:
    """Check types, shapes and, of all that is not learned, values.

    Args:
        tensors: what the file holds.
        expected: what it must hold; `modulation` stands for any number of them, `model.projections` may be absent.
        targets: number of targets T.
        initial: first-frame samples per target.

    Raises:
        ValueError: names the tensor, and says what was expected.
    """
    if missing := expected.keys() - tensors.keys() - {"modulation", "model.projections"}:
        raise ValueError(f"there is no tensor '{min(missing)}'")
    sizes = {"targets": targets}
    for name, tensor in tensors.items():
        hint = expected.get("modulation" if name.startswith("modulation.") else name)
        if hint is None:
            raise ValueError(f"tensor '{name}' is no part of a state")
        dims = hint.dim_str.split()
        for dim, size in zip(dims, tensor.shape, strict=False):
            sizes.setdefault(dim, int(dim) if dim.isdecimal() else size)
        shape = tuple(sizes.get(dim) for dim in dims)
        dtype = str(tensor.dtype).removeprefix("torch.")
        if tuple(tensor.shape) != shape or dtype not in _dtypes(name, hint):
            given = f"{dtype} {tuple(tensor.shape)}"
            allowed = " or ".join(_dtypes(name, hint))
            raise ValueError(f"tensor '{name}' is {given}; expected {allowed} ({hint.dim_str}) = {shape}")
    slots = sizes["slots"]
    if not 0 < initial <= slots:
        raise ValueError(f"it has {initial} first-frame samples in {slots} slots")
    for name, (low, high) in _ranges(slots).items():
        if name in tensors and not ((tensors[name] > low) & (tensors[name] < high)).all():
            raise ValueError(f"tensor '{name}' has values that do not lie between {low} and {high}")


def _dtypes(name: str, hint: type[AbstractArray]) -> tuple[str, ...]:
    """Solvers compute in other types too, but a tracker learns in float32; only samples are kept in smaller ones."""
    if name == "memory.samples":
        return ("float32", "bfloat16", "float16")
    return ("float32",) if "float32" in hint.dtypes else tuple(hint.dtypes)


def _ranges(slots: int) -> dict[str, tuple[float, float]]:
    """Bounds that the values do not reach."""
    return {
        "position": (-math.inf, math.inf),
        "size": (0, math.inf),
        "scale": (0, math.inf),
        "base_size": (0, math.inf),
        "pending": (-1, math.inf),
        "memory.boxes": (-math.inf, math.inf),
        "memory.weights": (-math.inf, math.inf),
        "memory.stored": (0, slots + 1),
        "memory.latest": (-2, slots),
        "memory.confidences": (-1e-9, math.inf),
        "searches.scales": (-1e-9, math.inf),
        "searches.lost": (-1, math.inf),
        "objects.places": (-math.inf, math.inf),
        "objects.motion": (-math.inf, math.inf),
        "objects.covariance": (-math.inf, math.inf),
        "objects.scores": (-math.inf, math.inf),
        "objects.best": (-math.inf, math.inf),
        "objects.recent": (-math.inf, math.inf),
        "objects.probabilities": (-1e-9, math.inf),
        "objects.lengths": (-1, math.inf),
        "objects.missed": (-1, math.inf),
        "objects.together": (-1, math.inf),
        "objects.ids": (-2, math.inf),
        "objects.partners": (-2, math.inf),
        "objects.selected": (-2, math.inf),
        "objects.selected_id": (-1, math.inf),
        "objects.next_id": (-1, math.inf),
        "objects.seen": (-2, math.inf),
        "objects.associations": (-1, math.inf),
        "objects.skipped": (-1, math.inf),
    }
