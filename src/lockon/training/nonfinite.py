"""What is kept of a step whose loss or gradient is not finite, so that its cause can be found."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from lockon.files import cannot_write, replacing
from lockon.training import peers


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """One batch of a step."""

    batch: Any
    first_sample: int
    samples: int
    figures: Mapping[str, Tensor]
    """Loss and its parts, of this process."""


class NonFiniteError(Exception):
    """Raised in all processes together, after the step was computed and before any weight changed."""

    def __init__(self, step: int, figures: Mapping[str, float]) -> None:
        bad = ", ".join(f"{name} {value}" for name, value in figures.items() if not math.isfinite(value))
        super().__init__(f"step {step} is not finite ({bad})")


def keep_batches(seen: Sequence[SeenBatch], step: int, folder: Path) -> None:
    """Write the batches of a step: tensors as safetensors; numbers of the samples and losses as JSON.

    Raises:
        OutputError: they cannot be written.
    """
    path = folder / f"step-{step:08d}-process-{peers.rank()}.safetensors"
    tensors = {f"{i}.{name}": value for i, one in enumerate(seen) for name, value in _tensors(one.batch, "batch")}
    batches = [
        {
            "samples": list(range(one.first_sample, one.first_sample + one.samples)),
            "figures": {name: repr(value.item()) for name, value in one.figures.items()},
        }
        for one in seen
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with replacing(path) as part, replacing(path.with_suffix(".json")) as notes:
        part.write_bytes(safetensors.torch.save(tensors))
        notes.write_text(json.dumps({"step": step, "batches": batches}, indent=1) + "\n", encoding="utf-8")


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested named tuples, with dotted names."""
    if isinstance(value, Tensor):
        yield name, value.detach().cpu().contiguous()
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, part in zip(value._fields, value, strict=True):
            yield from _tensors(part, f"{name}.{field}")
