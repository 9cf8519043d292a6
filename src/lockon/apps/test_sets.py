"""`lockon data` on test sets: which there are and where, whether one is whole, and making synthetic ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from lockon.apps.findings import counts, print_findings, print_summary, write_check
from lockon.apps.progress import progress_bar
from lockon.data.datasets.layout import subfolders
from lockon.data.datasets.registry import DATASETS, READERS, detect_dataset, find_reader
from lockon.data.synthetic import ImageBank
from lockon.data.testsets.base import TestSet
from lockon.data.testsets.benchmark import Benchmark
from lockon.data.testsets.check import TestSetReport, check_test_set
from lockon.data.testsets.distractors import DistractorTestSet, write_distractors
from lockon.data.testsets.pictures import PicturedTestSet
from lockon.data.testsets.registry import TEST_SETS, open_test_set
from lockon.data.testsets.synthetic import SyntheticTestSet, write_synthetic
from lockon.errors import DataError
from lockon.files import user_path

_TEST_SPLIT = "test"
_RECIPE = SyntheticTestSet()


def is_test_set(name: str | None, split: str | None) -> bool:
    """Whether a test set is meant, not a training set.

    Some are called alike: then it is with the split "test", but for the user's own folders, which are one thing.
    """
    return name in TEST_SETS and (name not in DATASETS or (split == _TEST_SPLIT and name != "folder"))


def check_one(name: str, root: Path, *, all_images: bool, out: Path) -> TestSetReport:
    """Check a test set, print what was found and write it to files."""
    with progress_bar(f"reading {name}") as progress:
        progress(0, 1)
        # A copy is whole if it has all frames, those that evaluation leaves out as well.
        test_set = open_test_set(name, root, **({"pytracking": False} if name == "otb100" else {}))
    with progress_bar("checking") as progress:
        report = check_test_set(test_set, TEST_SETS[name], all_images=all_images, progress=progress)
    print_summary(_summary(report))
    print_findings(report.findings)
    write_check(PicturedTestSet(test_set), report.as_plain(), out)
    return report


def _summary(report: TestSetReport) -> list[tuple[str, str]]:
    return [
        ("test set", report.title),
        ("sequences", f"{_of(report.sequences, report.expected_sequences)}; {report.with_images} with images"),
        ("frames", f"{_of(report.frames, report.expected_frames)}; no visible target in {report.absent:,}"),
        ("images read", f"{report.images_read}: {counts(report.image_sizes)}"),
    ]


def _of(count: int, expected: int | None) -> str:
    return f"{count:,}" if expected is None else f"{count:,} of {expected:,}"


@dataclass(frozen=True, kw_only=True)
class DataList:
    """List the data sets that can be read, and say which of them lie in folders.

    For example: `lockon data list` or `lockon data list /data`
    """

    folders: Annotated[Positional[tuple[Path, ...]], arg(metavar="FOLDER")] = ()
    """Where to look: these folders, and those in them."""

    def run(self) -> int:
        """Print tables."""
        for folder in self.folders:
            if not user_path(folder).is_dir():
                raise DataError(f"there is no folder '{folder}'. Check the path.")
        if not self.folders:
            _print_known()
        for folder in self.folders:
            _print_found(user_path(folder))
        return 0


def _print_known() -> None:
    tests = Table("test set", "is", "sequences", "frames", "protocol", box=None)
    for benchmark in TEST_SETS.values():
        sequences, frames = (f"{count:,}" if count else "" for count in (benchmark.sequences, benchmark.frames))
        tests.add_row(benchmark.name, benchmark.title, sequences, frames, benchmark.protocol)
    training = Table("training set", "parts", box=None)
    for name in READERS:
        training.add_row(name, ", ".join(find_reader(name).splits))
    console = Console(soft_wrap=True)
    console.print(tests)
    console.print()
    console.print(training)
    print("\nThe layouts are described in docs/test_sets.md, docs/datasets.md and, for a folder, docs/own_videos.md.")
    print("`lockon data list FOLDER` finds them, `lockon data check FOLDER --as NAME` compares one with its counts.")


def _print_found(root: Path) -> None:
    table = Table("folder", "test set", "sequences", "frames", "with images", box=None)
    for folder in (root, *subfolders(root)):
        for benchmark, test_set in _found_in(folder):
            table.add_row(
                str(folder),
                benchmark.name,
                _of(len(test_set), benchmark.sequences),
                _of(sum(map(len, test_set.sequences)), benchmark.frames),
                f"{sum(sequence.has_images for sequence in test_set.sequences):,}",
            )
        name = detect_dataset(folder)
        if name not in {None, "folder"}:
            table.add_row(str(folder), f"{name} (to train)", "", "", "")
    if not table.row_count:
        print(f"no data set of a known layout in '{root}' or the folders in it; any annotated videos are a `folder`")
    else:
        Console(soft_wrap=True).print(table)


def _found_in(folder: Path) -> Iterator[tuple[Benchmark, TestSet]]:
    """Test sets that a folder has, at least in part."""
    for benchmark in TEST_SETS.values():
        if benchmark.name == "folder" or not benchmark.fits(folder):
            continue
        try:
            test_set = benchmark.open(folder)
        except DataError:
            continue
        known = {entry.name for entry in benchmark.entries}
        names = {sequence.name for sequence in test_set.sequences}
        # Without a table the layout alone would take any folder of VOT's for each of its years.
        if known & names if known else benchmark.sequences in {None, len(names)}:
            yield benchmark, test_set


@dataclass(frozen=True)
class DataBenchmark:
    """Make a test set from the synthetic world: exact boxes, eight kinds of challenge, measured attributes.

    Stop it when you like; the same command completes it. For example: `lockon data benchmark made/`
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder for it."""
    count: int = _RECIPE.count
    """Sequences."""
    length: int = _RECIPE.length
    """Frames in each."""
    seed: int = _RECIPE.seed
    """Other seeds give other sequences."""

    def run(self) -> int:
        """Make it, and say where."""
        if self.count < 1 or self.length < 2 or self.seed < 0:
            raise DataError("give --count 1, --length 2 and --seed 0, or more.")
        recipe = SyntheticTestSet(count=self.count, length=self.length, seed=self.seed)
        with progress_bar("drawing") as progress:
            write_synthetic(user_path(self.out), recipe, progress)
        print(self.out)
        return 0


HELD_OUT = 0.04
"""Share of the photographs that training leaves out, of which test sets are made."""


@dataclass(frozen=True)
class DataDistractors:
    """Make a test set of look-alikes that cross the target, hide it, or stay when it goes, with exact boxes of all.

    Stop it when you like; the same command completes it. For example: `lockon data distractors made/ --photos photos`
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder for it."""
    photos: tuple[Path, ...] = ()
    """Folders of photographs, the same and in the same order as in training: of every 25 photographs, the one is used
    that training leaves out. Without them all is procedural."""
    count: int = DistractorTestSet().count
    """Sequences; a third of them of each kind."""

    def run(self) -> int:
        """Make it, and say where."""
        if self.count < 1:
            raise DataError("give --count 1 or more.")
        make_distractors(user_path(self.out), self.photos, self.count)
        print(self.out)
        return 0


def make_distractors(root: Path, photos: Sequence[Path], count: int) -> None:
    """Make or complete the test set in `root`, of the photographs in these folders that training leaves out.

    Raises:
        DataError: there are no photographs.
        OutputError: `root` cannot be written, or has another test set.
    """
    images = ImageBank.load([user_path(folder) for folder in photos], held_out=HELD_OUT) if photos else None
    recipe = DistractorTestSet(count=count, photos=images.fingerprint if images else "")
    with progress_bar("drawing") as progress:
        write_distractors(root, recipe, images, progress)
