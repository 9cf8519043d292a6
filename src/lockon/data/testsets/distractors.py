"""A test set of look-alikes from the synthetic world: crossing the target, hiding it, staying when it goes.

Beside each sequence, `objects.txt` has the exact boxes of the target and of every look-alike in all frames.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lockon.data.datasets.index import Progress
from lockon.data.datasets.layout import read_text
from lockon.data.image_reading import image_size
from lockon.data.sequences import read_sequence
from lockon.data.synthetic import SCENARIOS, ImageBank, Scenario, SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.data.synthetic.writing import LEAST_VISIBILITY, write_sequence
from lockon.data.testsets.base import BoxTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.data.testsets.made import claim, read_recipe
from lockon.errors import DataError
from lockon.files import make_folder, replacing

ATTRIBUTES = {
    "crossing": "Look-alikes cross the target",
    "occlusion": "The target is hidden behind a look-alike, or beside one",
    "absence": "The target goes while look-alikes stay, and returns",
}
FIRST_SEED = 3 * 10**9
"""Nothing is trained on the numbers of the world from here on."""
_RECIPE, _OBJECTS = "distractors.json", "objects.txt"
_SEEDS_EACH = 1000
"""Numbers of the world that a sequence is chosen from: one that is made needs none of the others."""
_CLEAR = 0.9
"""Share of the target that is visible at the start; half of it is enough for those that have to be seen later."""
_END = 12
"""Frames at the end that show the target, so that it can be found again."""
_MET, _HIDDEN, _AWAY = 0.35, 6, 15
"""What a scenario is about: the nearest look-alike in target sizes; frames without the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistractorTestSet:
    """What is made; equal values make equal sequences."""

    count: int = 60
    """Sequences; they take turns in the three scenarios."""
    length: int = 120
    """Frames in each."""
    seed: int = FIRST_SEED
    """Number in the world from which on sequences are drawn."""
    frame_size: tuple[int, int] = (480, 360)
    """Width and height in pixels."""
    photos: str = ""
    """Fingerprint of the photographs that it is made of; empty: it is procedural."""


def world_of(recipe: DistractorTestSet, scenario: Scenario) -> SyntheticConfig:
    """The world that sequences of a scenario are drawn from."""
    return SyntheticConfig(
        frame_size=recipe.frame_size,
        length=recipe.length,
        target_size=(0.09 * recipe.frame_size[0], 0.16 * recipe.frame_size[0]),
        photo_share=0.95,
        distractors=3,
        clutter=3,
        degradation=0.5,
        scenarios=(scenario,),
    )


def write_distractors(
    root: Path, recipe: DistractorTestSet, images: ImageBank | None = None, progress: Progress | None = None
) -> None:
    """Make the test set; one that was made in part before is completed.

    Args:
        root: its folder, new or from before.
        recipe: what to make.
        images: the photographs that `recipe.photos` is of.
        progress: called with the number of sequences that are there, and of all.

    Raises:
        DataError: the photographs are others.
        OutputError: the folder cannot be written, or has a test set of another recipe.
    """
    if recipe.photos != ("" if images is None else images.fingerprint):
        raise DataError("the recipe is of other photographs; give the same ones in the same order.")
    claim(root, _RECIPE, recipe)
    for number in range(recipe.count):
        folder = root / _name(number)
        if not (folder / "groundtruth.txt").is_file():
            sequence, objects = _draw(recipe, images, number)
            make_folder(folder)
            with replacing(folder / _OBJECTS) as part:
                np.savetxt(part, objects.reshape(len(objects), -1), fmt="%.3f", delimiter=",")
            write_sequence(sequence, folder)
        if progress:
            progress(number + 1, recipe.count)


Objects = Float[np.ndarray, "frames objects 5"]
"""Full boxes `(x, y, w, h)` and visibility of the target, which comes first, and of the look-alikes."""


def _draw(recipe: DistractorTestSet, images: ImageBank | None, number: int) -> tuple[SyntheticSequence, Objects]:
    """The first sequence of those for this number in which what the scenario is about can be seen."""
    scenario = _scenario(number)
    world = SyntheticWorld(world_of(recipe, scenario), images)
    for seed in itertools.count(recipe.seed + number * _SEEDS_EACH):
        sequence = world.sequence(seed)
        objects = objects_of(sequence)
        if shows(scenario, objects):
            return sequence, objects
    raise AssertionError("the numbers have no end")


def objects_of(sequence: SyntheticSequence) -> Objects:
    """Measure everything that can be followed."""
    return np.array(
        [
            [
                (*box, seen)
                for box, seen in zip(
                    (sequence.box(index), *sequence.distractors(index)),
                    (sequence.visibility(index), *sequence.distractor_visibility(index)),
                    strict=True,
                )
            ]
            for index in range(len(sequence))
        ]
    )


def shows(scenario: Scenario, objects: Objects) -> bool:
    """Whether a sequence tests what it is for: the target can be seen at both ends and is in danger in between."""
    boxes, seen = objects[..., :4], objects[..., 4]
    target, others = seen[:, 0], seen[:, 1:].max(axis=1)
    if target[0] < _CLEAR or target[-_END:].min() < _CLEAR / 2:
        return False
    hidden = target < LEAST_VISIBILITY
    beside = bool((others[hidden] > _CLEAR / 2).all())
    if scenario == "crossing":
        return bool((_distance(boxes) < _MET).any())
    return beside and int(hidden.sum()) >= (_HIDDEN if scenario == "occlusion" else _AWAY)


def _distance(boxes: Float[np.ndarray, "frames objects 4"]) -> Float[np.ndarray, "frames"]:
    """Of the centres of target and nearest look-alike, in target sizes."""
    centres = boxes[..., :2] + boxes[..., 2:] / 2
    apart = np.linalg.norm(centres[:, 1:] - centres[:, :1], axis=-1).min(axis=1)
    nearest: Float[np.ndarray, "frames"] = apart / np.sqrt(boxes[:, 0, 2:].prod(axis=-1))
    return nearest


def _scenario(number: int) -> Scenario:
    return SCENARIOS[number % len(SCENARIOS)]


def _name(number: int) -> str:
    return f"{_scenario(number)}_{number // len(SCENARIOS):02d}"


def find(root: Path) -> Found:
    """All sequences of the folder's recipe."""
    recipe = read_recipe(root, _RECIPE, DistractorTestSet)
    return gather(map(_name, range(recipe.count)), str, partial(_read, root))


def _read(root: Path, name: str) -> TestSequence:
    sequence = read_sequence(root / name)
    objects = _read_objects(root / name / _OBJECTS, len(sequence))
    return TestSequence(
        name=name,
        frame_paths=sequence.frame_paths,
        truth=BoxTruth(
            boxes=objects[:, 0, :4],
            visible=objects[:, 0, 4] >= LEAST_VISIBILITY,
            look_alikes=objects[:, 1:, :4].swapaxes(0, 1),
        ),
        start=sequence.start_box,
        length=len(sequence),
        attributes=frozenset({name.rpartition("_")[0]}),
        image_size=image_size(sequence.frame_paths[0]),
    )


def _read_objects(path: Path, frames: int) -> Objects:
    try:
        rows = np.array([[float(value) for value in line.split(",")] for line in read_text(path).splitlines()])
        return rows.reshape(frames, -1, 5)
    except ValueError as error:
        raise DataError(f"'{path}' is not five numbers for each object in {frames} lines: make it again.") from error


DISTRACTORS = Benchmark(
    name="distractors",
    title="Distractors",
    protocol="identity",
    layout="what `lockon data distractors FOLDER` makes",
    marks=(_RECIPE,),
    find=find,
    attributes=ATTRIBUTES,
)
