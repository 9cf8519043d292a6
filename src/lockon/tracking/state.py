"""The state of a track as a value: it can be saved, loaded, cloned, and continued anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lockon.errors import StateError
from lockon.files import replacing
from lockon.tracking.learners import Memory
from lockon.tracking.localisers.base import TargetModel
from lockon.tracking.precision import usable_device
from lockon.tracking.search_area import SearchHistory
from lockon.tracking.selectors import ObjectTable
from lockon.tracking.state_checks import OPTIONAL_PARTS, annotated, check_header, check_tensors, with_parts

FORMAT = 1


@dataclass(frozen=True)
class State:
    """Everything that changes while T targets are followed. Vectors are `(row, col)`, positions pixel indices."""

    tracker: str
    """Name of the tracker the state belongs to."""
    frame: int
    """Number of the latest frame, from 0."""
    single: bool
    """Whether the track was started with one plain box: results then have no target dimension."""
    lockstep: bool
    """Whether each target has its own video."""
    seeds: tuple[int, ...]
    """Seed of the random numbers of each target."""
    position: Float32[Tensor, "targets 2"]
    size: Float32[Tensor, "targets 2"]
    scale: Float32[Tensor, "targets"]
    """Image pixels per crop pixel."""
    base_size: Float32[Tensor, "targets 2"]
    """Target size in crop pixels at the start."""
    scale_limits: Float32[Tensor, "targets 2"]
    """Least and greatest scale a multi-scale search may choose."""
    refined_position: Float32[Tensor, "targets 2"]
    """Position after the latest box refinement; NaN before the first."""
    model: TargetModel
    modulation: tuple[Float32[Tensor, "targets gains"], ...]
    """What the box estimator knows of each target; empty without one."""
    memory: Memory
    pending: Int64[Tensor, "targets"]
    """Solver iterations due before the next frame."""
    objects: ObjectTable | None = None
    """All objects that the selector follows; None where it follows none."""
    searches: SearchHistory | None = None
    """Where search regions are widened for lost targets: how wide they were."""

    @property
    def targets(self) -> int:
        """Number of targets T."""
        return len(self.position)

    def require_tracker(self, name: str) -> None:
        """Make sure that the tracker of this name can go on with the state.

        Raises:
            StateError: it cannot.
        """
        if name != self.tracker:
            raise StateError(f"this state belongs to tracker '{self.tracker}', not to '{name}'.")

    def clone(self) -> State:
        """An independent copy, safe from later in-place steps."""
        tensors, meta = self._flatten()
        return self._restore({name: tensor.clone() for name, tensor in tensors.items()}, meta)

    def keep(self, targets: Sequence[int]) -> State:
        """The state of some of the targets, numbered from 0, in this order; the others are followed no further."""
        tensors, meta = self._flatten()
        chosen = {name: tensor[torch.tensor(targets, device=tensor.device)] for name, tensor in tensors.items()}
        return replace(self._restore(chosen, meta), seeds=tuple(self.seeds[target] for target in targets))

    def to(self, device: torch.device | str) -> State:
        """The same state with its learned tensors on another device.

        Raises:
            DeviceError: PyTorch cannot use it here.
        """
        device = usable_device(device)
        model = replace(
            self.model,
            filters=self.model.filters.to(device),
            projections=None if self.model.projections is None else self.model.projections.to(device),
        )
        objects = self.objects and replace(self.objects, descriptors=self.objects.descriptors.to(device))
        return replace(
            self,
            model=model,
            memory=replace(self.memory, samples=self.memory.samples.to(device)),
            modulation=tuple(gains.to(device) for gains in self.modulation),
            objects=objects,
        )

    def save(self, path: str | Path) -> Path:
        """Write the state to a safetensors file, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        path = Path(path)
        tensors, meta = self._flatten()
        with replacing(path) as part:
            part.touch()  # meets every obstacle but a full disk, and has the mode of new files, unlike `save_file`
            mode = part.stat().st_mode
            try:
                save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, {"lockon": meta})
            except SafetensorError as error:
                raise OSError("the disk is full or failing") from error
            part.chmod(mode)
        return path

    @classmethod
    def load(cls, path: str | Path, device: torch.device | str = "cpu") -> State:
        """Read a state written by `save`.

        Raises:
            StateError: missing, damaged, or not a state file of this version.
            DeviceError: PyTorch cannot use the device here.
        """
        if not Path(path).is_file():
            raise StateError(f"no saved state at {path}.")
        try:
            with safe_open(path, framework="pt") as file:
                meta = (file.metadata() or {}).get("lockon", "null")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            fields = json.loads(meta)
            check_header(fields, FORMAT)
            check_tensors(tensors, with_parts(_EXPECTED, fields), len(fields["seeds"]), fields["initial"])
            state = cls._restore(tensors, meta)
            if state.objects is not None:
                state.objects.check(state.frame)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise StateError(
                f"{path} is damaged or not a saved track of this version ({error}). Start the track again."
            ) from error
        return state.to(device)

    def _flatten(self) -> tuple[dict[str, Tensor], str]:
        tensors = {name: getattr(self, name) for name in annotated(State) if name != "modulation"}
        tensors |= {f"modulation.{index}": gains for index, gains in enumerate(self.modulation)}
        for name in _PARTS:
            part = getattr(self, name)
            values = {} if part is None else vars(part)
            tensors |= {f"{name}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
        meta = {name: getattr(self, name) for name in ("tracker", "frame", "single", "lockstep", "seeds")}
        meta |= {"format": FORMAT, "initial": self.memory.initial}
        if parts := [part for part in OPTIONAL_PARTS if any(name.startswith(part) for name in tensors)]:
            meta["parts"] = parts
        return tensors, json.dumps(meta)

    @classmethod
    def _restore(cls, tensors: dict[str, Tensor], meta: str) -> State:
        fields: dict[str, Any] = json.loads(meta)
        fields = {name: value for name, value in fields.items() if name not in ("format", "parts")}

        def part(name: str) -> dict[str, Any]:
            return {
                key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
            }

        memory = Memory(**part("memory"), initial=fields.pop("initial"))
        modulation = tuple(tensors[f"modulation.{index}"] for index in range(len(part("modulation"))))
        fields |= {name: tensor for name, tensor in tensors.items() if "." not in name}
        fields |= {"seeds": tuple(fields["seeds"]), "modulation": modulation, "memory": memory}
        objects, searches = part("objects"), part("searches")
        return cls(
            **fields,
            model=TargetModel(**part("model")),
            objects=ObjectTable(**objects) if objects else None,
            searches=SearchHistory(**searches) if searches else None,
        )


_PARTS = {"memory": Memory, "model": TargetModel, "objects": ObjectTable, "searches": SearchHistory}
_EXPECTED = annotated(State) | dict(
    item for name, part in _PARTS.items() for item in annotated(part, f"{name}.").items()
)
