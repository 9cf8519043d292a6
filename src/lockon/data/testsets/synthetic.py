"""A test set from the synthetic world: exact boxes, no download, and attributes that are measured, not judged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.index import Progress
from lockon.data.datasets.layout import read_text
from lockon.data.image_reading import image_size
from lockon.data.sequences import read_sequence
from lockon.data.synthetic import SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.data.synthetic.writing import LEAST_VISIBILITY, is_seen, write_sequence
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.made import claim, read_recipe
from lockon.files import make_folder, replacing

ATTRIBUTES = {
    "FM": "Fast Motion",
    "SV": "Scale Variation",
    "ARC": "Aspect Ratio Change",
    "POC": "Partial Occlusion",
    "ABS": "Absent for some time",
    "OV": "Leaving View",
    "SOB": "Similar Object",
    "LR": "Low Resolution",
}
_RECIPE, _ATTRIBUTES = "recipe.json", "attributes.txt"
_FAST = 0.25
"""Motion of the centre from one frame to the next, in target sizes."""
_CHANGE = 1.5
"""Factor on the size, or the aspect ratio, of the first frame."""
_OCCLUDED = 0.75
"""Share of the target's part in the picture that can be seen."""
_LEFT = 0.9
"""Share of the target's box that lies in the picture."""
_NEAR = 2.0
"""Distance of a look-alike in target sizes."""
_SMALL = 24.0
"""Square root of the area of a box in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticTestSet:
    """What is made; equal values make equal sequences."""

    count: int = 40
    length: int = 100
    """Frames in each."""
    seed: int = 0
    """Number in the world from which on sequences are drawn; those that start with a hidden target are left out."""
    frame_size: tuple[int, int] = (480, 360)
    """Width and height in pixels."""


def challenges(recipe: SyntheticTestSet) -> tuple[SyntheticConfig, ...]:
    """Worlds that are hard in one way each; the sequences take turns in them."""
    plain = SyntheticConfig(
        frame_size=recipe.frame_size, length=recipe.length, distractors=0, occluder_probability=0.0, degradation=0.5
    )
    return (
        plain,
        replace(plain, motion=3.0),
        replace(plain, change=2.5),
        replace(plain, occluder_probability=1.0),
        replace(plain, distractors=4, motion=1.5),
        replace(plain, excursion_probability=1.0),
        replace(plain, target_size=(14.0, 24.0)),
        replace(
            plain, distractors=2, motion=2.0, change=1.5, occluder_probability=1.0, degradation=1.0, motion_spread=0.5
        ),
    )


def write_synthetic(root: Path, recipe: SyntheticTestSet, progress: Progress | None = None) -> None:
    """Make the test set; one that was made in part before is completed.

    Args:
        root: its folder, new or from before.
        recipe: what to make.
        progress: called with the number of sequences that are there, and of all.

    Raises:
        OutputError: the folder cannot be written, or has a test set of another recipe.
    """
    claim(root, _RECIPE, recipe)
    worlds = [SyntheticWorld(config) for config in challenges(recipe)]
    seeds = itertools.count(recipe.seed)
    for number in range(recipe.count):
        sequence = next(_starting_visible(worlds[number % len(worlds)], seeds))
        folder = root / _name(number)
        if not (folder / "groundtruth.txt").is_file():
            make_folder(folder)
            with replacing(folder / _ATTRIBUTES) as part:
                part.write_text(" ".join(sorted(measured_attributes(sequence))) + "\n")
            write_sequence(sequence, folder)
        if progress:
            progress(number + 1, recipe.count)


def _starting_visible(world: SyntheticWorld, seeds: Iterator[int]) -> Iterator[SyntheticSequence]:
    return (sequence for sequence in map(world.sequence, seeds) if is_seen(sequence, 0))


def _name(number: int) -> str:
    return f"synthetic_{number:03d}"


def measured_attributes(sequence: SyntheticSequence) -> frozenset[str]:
    """Attributes by the exact truth of all frames."""
    boxes = np.array([sequence.box(index) for index in range(len(sequence))])
    visibility = np.array([sequence.visibility(index) for index in range(len(sequence))])
    seen = visibility >= LEAST_VISIBILITY
    centres, sizes = boxes[:, :2] + boxes[:, 2:] / 2, np.sqrt(boxes[:, 2] * boxes[:, 3])
    aspects = boxes[:, 2] / boxes[:, 3]
    inside = _share_inside(boxes, sequence.frame_size)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1) / sizes[1:]
    nearest = [
        np.hypot(other.center[0] - centres[index, 0], other.center[1] - centres[index, 1]) / sizes[index]
        for index in np.flatnonzero(seen).tolist()
        for other in sequence.distractors(index)
    ]
    holds = {
        "FM": bool((seen[1:] & seen[:-1] & (steps > _FAST)).any()),
        "SV": _changes(sizes[seen]),
        "ARC": _changes(aspects[seen]),
        "POC": bool((seen & (visibility < _OCCLUDED * inside)).any()),
        "ABS": not bool(seen.all()),
        "OV": bool((inside < _LEFT).any()),
        "SOB": bool(nearest) and min(nearest) < _NEAR,
        "LR": bool((sizes[seen] < _SMALL).any()),
    }
    return frozenset(name for name, is_so in holds.items() if is_so)


def _changes(values: Float[np.ndarray, "frames"]) -> bool:
    return bool(np.abs(np.log(values / values[0])).max() > np.log(_CHANGE))


def _share_inside(boxes: Float[np.ndarray, "frames 4"], frame_size: tuple[int, int]) -> Float[np.ndarray, "frames"]:
    start = np.clip(boxes[:, :2], 0, frame_size)
    end = np.clip(boxes[:, :2] + boxes[:, 2:], 0, frame_size)
    share: Float[np.ndarray, "frames"] = (end - start).prod(axis=1) / boxes[:, 2:].prod(axis=1)
    return share


def find(root: Path) -> Found:
    """All sequences of the folder's recipe."""
    return gather(map(_name, range(read_recipe(root, _RECIPE, SyntheticTestSet).count)), str, partial(_read, root))


def _read(root: Path, name: str) -> TestSequence:
    sequence = read_sequence(root / name)
    return TestSequence(
        name=name,
        frame_paths=sequence.frame_paths,
        truth=BoxTruth(boxes=sequence.boxes),
        start=sequence.start_box,
        length=len(sequence),
        attributes=frozenset(read_text(root / name / _ATTRIBUTES).split()),
        image_size=image_size(sequence.frame_paths[0]),
    )


SYNTHETIC = Benchmark(
    name="synthetic",
    title="Synthetic",
    protocol="one_pass",
    layout="what `lockon data benchmark FOLDER` makes",
    marks=(_RECIPE,),
    find=find,
    attributes=ATTRIBUTES,
)
