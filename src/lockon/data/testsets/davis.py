"""DAVIS 2016 (Perazzi et al., CVPR 2016) and 2017 (Pont-Tuset et al.): validation videos with masks in all frames."""

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
_LISTS = {2016: ("ImageSets/2016/val.txt", "ImageSets/480p/val.txt"), 2017: ("ImageSets/2017/val.txt",)}
"""Those of 2016 lie in either place, the second with a pair of files a line instead of a video."""


def find(year: int, root: Path) -> Found:
    """The videos of the validation list, or all that are annotated where there is no such list."""
    listing = next((root / name for name in _LISTS[year] if (root / name).is_file()), None)
    names = _listed(listing) if listing else [folder.name for folder in subfolders(root / _MASKS)]
    return gather(names, str, partial(_read, root, year == 2016))


def _listed(path: Path) -> list[str]:
    """Videos in the order in which a list first names them."""
    firsts = (line.split()[0] for line in read_text(path).splitlines() if line.strip())
    return list(dict.fromkeys(Path(first).parent.name if "/" in first else first for first in firsts))


def _read(root: Path, merged: bool, name: str) -> TestSequence:
    masks = tuple(root / _MASKS / name / file for file in image_names(root / _MASKS / name))
    if not masks:
        raise DataError(f"'{root / _MASKS / name}' has no masks. Extract the annotation again.")
    folder = root / _IMAGES / name
    images = tuple(folder / file for file in image_names(folder)) if folder.is_dir() else ()
    if images and [path.stem for path in images] != [path.stem for path in masks]:
        raise DataError(f"'{folder}' has {len(images)} images, which are not those of the {len(masks)} masks.")
    highest = _highest(masks[0])
    merged = merged or highest == VOID
    return TestSequence(
        name=name,
        frame_paths=images,
        truth=MaskTruth(
            labels=masks, objects=dict.fromkeys(range(1, 2 if merged else highest + 1), 0), merged=merged
        ),
        start=None,
        length=len(masks),
    )


def _highest(path: Path) -> int:
    """The highest object number in the first frame; `VOID` in a mask of one object that is drawn in white."""
    labels = read_labels(path)
    numbers = labels[(labels != BACKGROUND) & (labels != VOID)]
    if not numbers.size and not (labels == VOID).any():
        raise DataError(f"'{path}' marks no object, but the first mask has to.")
    return int(numbers.max()) if numbers.size else VOID


def _benchmark(year: int, sequences: int) -> Benchmark:
    return Benchmark(
        name=f"davis{year}",
        title=f"DAVIS {year} val",
        protocol="davis",
        layout=f"{_LISTS[year][0]}, {_MASKS}/VIDEO/00000.png and {_IMAGES}/VIDEO/00000.jpg",
        marks=(*_LISTS[year], f"{_MASKS}/*"),
        find=partial(find, year),
        sequences=sequences,
    )


DAVIS2016 = _benchmark(2016, 20)
DAVIS2017 = _benchmark(2017, 30)
