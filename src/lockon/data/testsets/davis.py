"""DAVIS 2016 (Perazzi et al., CVPR 2016) and 2017 (Pont-Tuset et al.).

Validation videos have masks in all frames; those of test-dev in the first alone, and are scored on a server.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lockon.data.datasets.label_masks import BACKGROUND, VOID
from lockon.data.datasets.layout import read_text, subfolders
from lockon.data.image_reading import image_names, read_labels
from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.data.testsets.benchmark import Benchmark, Found, gather
from lockon.errors import DataError

_IMAGES, _MASKS = "JPEGImages/480p", "Annotations/480p"


def find(lists: tuple[str, ...], merged: bool, secret: bool, root: Path) -> Found:
    """The videos of a list, or all that are annotated where there is no such list.

    Args:
        lists: where it may lie.
        merged: what is marked is one object, whatever its number.
        secret: only the masks of the first frames are public.
        root: folder of the data set.
    """
    listing = next((root / name for name in lists if (root / name).is_file()), None)
    names = _listed(listing) if listing else [folder.name for folder in subfolders(root / _MASKS)]
    return gather(names, str, partial(_read, root, merged, secret))


def _listed(path: Path) -> list[str]:
    """Videos in the order in which a list first names them."""
    firsts = (line.split()[0] for line in read_text(path).splitlines() if line.strip())
    return list(dict.fromkeys(Path(first).parent.name if "/" in first else first for first in firsts))


def _read(root: Path, merged: bool, secret: bool, name: str) -> TestSequence:
    given = {Path(file).stem: root / _MASKS / name / file for file in image_names(root / _MASKS / name)}
    if not given:
        raise DataError(f"'{root / _MASKS / name}' has no masks. Extract the annotation again.")
    folder = root / _IMAGES / name
    images = tuple(folder / file for file in image_names(folder)) if folder.is_dir() else ()
    if secret and not images:
        raise DataError(f"'{folder}' has no images, which alone say how long the sequence is. Extract them.")
    stems = [path.stem for path in images] or list(given)
    if stems[0] not in given or given.keys() - set(stems) or not (secret or len(stems) == len(given)):
        raise DataError(f"'{folder}' has {len(images)} images, which are not those of the {len(given)} masks.")
    highest = _highest(given[stems[0]])
    merged = merged or highest == VOID
    return TestSequence(
        name=name,
        frame_paths=images,
        truth=MaskTruth(
            labels=tuple(given.get(stem) for stem in stems),
            objects=dict.fromkeys(range(1, 2 if merged else highest + 1), 0),
            merged=merged,
        ),
        start=None,
        length=len(stems),
    )


def _highest(path: Path) -> int:
    """The highest object number in the first frame; `VOID` in a mask of one object that is drawn in white."""
    labels = read_labels(path)
    numbers = labels[(labels != BACKGROUND) & (labels != VOID)]
    if not numbers.size and not (labels == VOID).any():
        raise DataError(f"'{path}' marks no object, but the first mask has to.")
    return int(numbers.max()) if numbers.size else VOID


def _benchmark(
    year: int, split: str, lists: tuple[str, ...], sequences: int, *, merged: bool = False, secret: bool = False
) -> Benchmark:
    return Benchmark(
        name=f"davis{year}" if split == "val" else f"davis{year}_{split.replace('-', '_')}",
        title=f"DAVIS {year} {split}",
        protocol="davis",
        layout=f"{lists[0]}, {_MASKS}/VIDEO/00000.png and {_IMAGES}/VIDEO/00000.jpg",
        marks=lists if secret else (*lists, f"{_MASKS}/*"),
        find=partial(find, lists, merged, secret),
        sequences=sequences,
    )


DAVIS2016 = _benchmark(2016, "val", ("ImageSets/2016/val.txt", "ImageSets/480p/val.txt"), 20, merged=True)
"""Its list lies in either place, in the second with a pair of files a line instead of a video."""
DAVIS2017 = _benchmark(2017, "val", ("ImageSets/2017/val.txt",), 30)
DAVIS2017_TEST_DEV = _benchmark(2017, "test-dev", ("ImageSets/2017/test-dev.txt",), 30, secret=True)
