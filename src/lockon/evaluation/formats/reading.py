"""Raw results of other programs as what protocols take: find the form, match names, read, and say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lockon.data.datasets.layout import subfolders
from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.formats.base import FromFile, Layout, ResultFile
from lockon.evaluation.formats.catalogue import FORMATS, layouts
from lockon.evaluation.formats.defects import defects
from lockon.evaluation.formats.names import SequenceNames
from lockon.evaluation.tracks import RegionTrack, Results, Said, Track

_Place = tuple[str, int, str, int | None]
"""Tracker, run, sequence, and frame that the run starts in."""
_TIGER1_OMITTED = 5
"""Frames at the start of OTB's Tiger1 that pytracking leaves out, and other programs have results for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Results that were read from a folder."""

    form: str
    """Name in `FORMATS`."""
    results: Results
    """By tracker."""
    exclusions: tuple[Exclusion, ...]
    """Sequences that a tracker has no result of."""
    unused: tuple[Path, ...]
    """Files that belong to no sequence: often those of another benchmark."""
    doubts: tuple[str, ...]
    """Wrong numbers of frames, NaN, negative sizes: protocols deal with them, each in its own way. Polygons that are
    read as boxes."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever takes the results should be told: the doubts, and that some files were left alone."""
        if not self.unused:
            return self.doubts
        others = f" and {len(self.unused) - 1} others are" if len(self.unused) > 1 else " is"
        return *self.doubts, f"'{self.unused[0]}'{others} not read: no sequence of the test set is called so."


def detect_format(root: Path, test_set: TestSet) -> str | None:
    """Name of the form in which most sequences of the test set have results; None where none has."""
    names = SequenceNames(sequence.name for sequence in test_set.sequences)
    fits = {
        form: len({name for file in layout.find(root) if (name := names.match(file.sequence))})
        for form, layout in layouts(test_set.protocol).items()
    }
    best = max(fits, key=fits.__getitem__, default=None)
    return best if best is not None and fits[best] else None


def read_results(root: Path, test_set: TestSet, form: str | None = None) -> Imported:
    """Read the results of all trackers in a folder.

    Args:
        root: the folder of one or more trackers.
        test_set: what they were made on.
        form: name in `FORMATS`; None: found out.

    Raises:
        DataError: there are no results of these sequences, a file is empty or damaged, or two files are for one
            sequence.
        UnknownNameError: there is no such form.
    """
    chosen = _chosen(root, test_set, form)
    layout = FORMATS[chosen][test_set.protocol]
    names = SequenceNames(sequence.name for sequence in test_set.sequences)
    placed: dict[_Place, ResultFile] = {}
    paths: dict[Path, bool] = {}
    for file in layout.find(root):
        name = names.match(file.sequence)
        if name is None or paths.get(file.path):
            paths.setdefault(file.path, False)
            continue
        place = (file.tracker, file.run, name, file.anchor)
        if place in placed:
            first = placed[place].path
            raise DataError(
                f"'{first}' and '{file.path}' are both results of '{file.tracker}' on '{name}'. Remove one."
            )
        placed[place], paths[file.path] = file, True
    if not placed:
        raise _nothing_found(root, test_set, {chosen: layout})
    runs, doubts = _read_all(layout, test_set, placed)
    return Imported(
        form=chosen,
        results={tracker: [by_run[run] for run in sorted(by_run)] for tracker, by_run in sorted(runs.items())},
        exclusions=tuple(_missing(runs, test_set)),
        unused=tuple(path for path, used in paths.items() if not used),
        doubts=tuple(doubts),
    )


def _chosen(root: Path, test_set: TestSet, form: str | None) -> str:
    if not root.is_dir():
        raise DataError(f"there is no folder '{root}'. Check the path; archives have to be extracted.")
    if form is None:
        found = detect_format(root, test_set)
        if found is None:
            raise _nothing_found(root, test_set, layouts(test_set.protocol))
        return found
    if form not in FORMATS:
        raise UnknownNameError("form of results", form, FORMATS)
    if test_set.protocol not in FORMATS[form]:
        known = ", ".join(layouts(test_set.protocol)) or "none"
        raise DataError(f"{test_set.title} has no results in the form '{form}'. Forms that it has: {known}.")
    return form


def _nothing_found(root: Path, test_set: TestSet, expected: Mapping[str, Layout]) -> DataError:
    places = "; ".join(f"{layout.where} ({form})" for form, layout in expected.items())
    better = next(
        (path for path in (root.resolve().parent, *subfolders(root)) if detect_format(path, test_set)), None
    )
    hint = f"Give '{better}', which has some." if better else f"Expected {places}."
    return DataError(f"there are no results of {test_set.title} in '{root}'. {hint}")


def _read_all(
    layout: Layout, test_set: TestSet, placed: Mapping[_Place, ResultFile]
) -> tuple[dict[str, dict[int, dict[str, Said]]], list[str]]:
    """What was said by tracker, run and sequence, and what is odd about it."""
    sequences = {sequence.name: sequence for sequence in test_set.sequences}
    runs: dict[str, dict[int, dict[str, Said]]] = {}
    doubts: list[str] = []
    polygons: list[Path] = []
    for (tracker, run, name, anchor), file in sorted(placed.items(), key=lambda item: str(item[1].path)):
        said = _aligned(layout.read(file, sequences[name]), sequences[name])
        doubts += defects(said, sequences[name], anchor)
        if isinstance(said, Track) and said.around_polygons:
            polygons.append(file.path)
        of_run = runs.setdefault(tracker, {}).setdefault(run, {})
        if anchor is None:
            of_run[name] = said
        else:
            of_anchor = of_run.setdefault(name, {})
            assert isinstance(of_anchor, dict)
            assert isinstance(said, RegionTrack)
            of_anchor[anchor] = said
    if polygons:
        more = f", as in {len(polygons) - 1} more," if len(polygons) > 1 else ""
        doubts.append(f"in '{polygons[0]}'{more} there are polygons; the smallest boxes around them are taken.")
    return runs, doubts


def _missing(runs: Mapping[str, Mapping[int, Mapping[str, object]]], test_set: TestSet) -> Iterator[Exclusion]:
    for tracker, by_run in sorted(runs.items()):
        for sequence in test_set.sequences:
            without = [run for run in sorted(by_run) if sequence.name not in by_run[run]]
            # VOT's toolkits stop repeating a deterministic tracker, sequence by sequence.
            if len(without) == len(by_run) or (without and test_set.protocol != "vot_supervised"):
                which = "" if len(by_run) == 1 else f" of run {', '.join(map(str, without))}"
                yield Exclusion(sequence=sequence.name, tracker=tracker, reason=f"there is no result{which}")


def _aligned(said: FromFile, sequence: TestSequence) -> FromFile:
    surplus = isinstance(said, Track) and len(said.boxes) == len(sequence) + _TIGER1_OMITTED
    if not (surplus and sequence.name == "Tiger1"):
        return said
    assert isinstance(said, Track)
    later = (None if rows is None else rows[_TIGER1_OMITTED:] for rows in (said.scores, said.present, said.seconds))
    scores, present, seconds = later
    boxes = said.boxes[_TIGER1_OMITTED:]
    return replace(said, boxes=boxes, scores=scores, present=present, seconds=seconds)
