"""`lockon data`: which data sets there are, what one holds and what is wrong with it, packing and making some."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, arg, subcommand

from lockon.apps.findings import EXAMPLES, counts, print_findings, print_summary, write_check
from lockon.apps.outputs import DEFAULT_FOLDER
from lockon.apps.progress import progress_bar
from lockon.apps.test_sets import DataBenchmark, DataDistractors, DataList, check_one, is_test_set
from lockon.data.datasets.base import SequenceDataset
from lockon.data.datasets.check import CheckReport, Range, check_dataset
from lockon.data.datasets.packing import PackConfig, pack
from lockon.data.datasets.registry import dataset_around, detect_dataset, open_dataset
from lockon.data.synthetic import SyntheticConfig, SyntheticWorld
from lockon.data.synthetic.writing import is_seen, write_sequence
from lockon.errors import DataError, OutputError
from lockon.files import user_path

FOUND_ERRORS = 1
"""Exit status of a check that found errors."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A data set on disk."""

    path: Annotated[Positional[Path], arg(metavar="PATH")]
    """Folder of the data set."""
    as_name: Annotated[str | None, arg(name="as", metavar="NAME")] = None
    """What it is, such as lasot, got10k, coco, folder (any videos with boxes), shards, or a test set such as otb100
    (`lockon data list` names them); found out if not given."""
    split: Annotated[str | None, arg(metavar="NAME")] = None
    """Part of the data set; the training part if none is given. Of lasot and trackingnet, "test" is the test set."""
    first_frame: int = 0
    """Of folders: number of the first frame in CSV files whose header does not say."""
    annotations: Annotated[str | None, arg(metavar="FILE")] = None
    """Of coco_json: the JSON file, where there are several."""
    images: Annotated[str | None, arg(metavar="DIR")] = None
    """Of coco_json: the folder of the images, where several could be meant."""

    def _open(self) -> SequenceDataset:
        root = user_path(self.path)
        if not root.is_dir():
            raise DataError(f"there is no folder '{root}'. Check the path.")
        if self.as_name == "synthetic":
            raise DataError(
                "the synthetic world is endless. Write some of it first: `lockon data synthetic OUT`. "
                "A test set that `lockon data benchmark OUT` made is checked with --split test."
            )
        name = self.as_name or detect_dataset(root)
        if name is None:
            raise DataError(f"there are no videos and no images in '{root}' or below.")
        given = {"first_frame": self.first_frame, "annotations": self.annotations, "images": self.images}
        options: dict[str, Any] = {option: value for option, value in given.items() if value}
        try:
            with progress_bar(f"reading {name}") as progress:
                dataset = open_dataset(name, root, self.split, progress=progress, **options)
        except DataError as error:
            around = None if self.as_name else dataset_around(root)
            if around is None:
                raise
            raise DataError(f"{error} It is a part of {around[0]}: give '{around[1]}'.") from error
        print(f"{root} is read as {name}{'' if self.as_name else ' (--as NAME for something else)'}")
        return dataset


@dataclass(frozen=True, kw_only=True)
class DataCheck(_Source):
    """Say what a data set holds, what is missing in it and what looks wrong, and draw some frames with their boxes.

    For example: `lockon data check ~/videos` or `lockon data check /data/LaSOT --as lasot --split train-val`.
    A test set is compared with the counts of the whole: `lockon data check /data/OTB --as otb100`
    """

    all_images: FlagCreatePairsOff[bool] = False
    """Read every image, not only a sample."""
    out: Annotated[Path, arg(metavar="DIR")] = DEFAULT_FOLDER
    """Folder for the picture and the JSON report."""

    def run(self) -> int:
        """Check, print, and write the report; 1 where there are errors."""
        out = user_path(self.out)
        if self.as_name is not None and is_test_set(self.as_name, self.split):
            test_report = check_one(self.as_name, user_path(self.path), all_images=self.all_images, out=out)
            return FOUND_ERRORS if test_report.errors else 0
        dataset = self._open()
        with progress_bar("checking") as progress:
            report = check_dataset(dataset, all_images=self.all_images, progress=progress)
        print_summary(_summary(report))
        for note in getattr(dataset, "notes", ()):
            print(f"note: {note}")
        print_findings(report.findings)
        write_check(dataset, report.as_plain(), out)
        return FOUND_ERRORS if report.errors else 0


@dataclass(frozen=True, kw_only=True)
class DataPack(_Source):
    """Pack a data set into tar files (WebDataset) that are faster to read; stop it when you like, it goes on later.

    For example: `lockon data pack ~/videos /fast/videos --max-side 960`
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder for the shards: a new one, or that of the run to go on with."""
    max_side: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Shrink frames whose longer side has more pixels. Without it JPEG files are copied as they are."""
    shard_mb: int = 1000
    """Size in MB at which a shard ends; a clip is never divided."""

    def run(self) -> int:
        """Pack, and say how much that was."""
        config = PackConfig(shard_bytes=self.shard_mb * 1_000_000, max_side=self.max_side)
        dataset, out = self._open(), user_path(self.out)
        issues = getattr(dataset, "issues", ())
        if issues:
            print(f"not all of it can be used ({len(issues)} issues; see `lockon data check`): {issues[0].text}")
        try:
            with progress_bar("packing") as progress:
                report = pack(dataset, out, config, progress=progress)
        except KeyboardInterrupt:
            print(f"what is whole is kept; to go on: {shlex.join(self._words())}")
            raise
        for text in report.unreadable[:EXAMPLES]:
            print(f"packed without picture: {text}")
        if len(report.unreadable) > EXAMPLES:
            print(f"… and {len(report.unreadable) - EXAMPLES} more")
        kept = f" ({report.kept} from before)" if report.kept else ""
        print(f"{len(dataset)} sequences, {report.frames} frames packed now, {report.shards} shards{kept}")
        print(f"shards: {out}")
        return 0

    def _words(self) -> list[str]:
        words = ["lockon", "data", "pack", str(self.path), str(self.out), "--shard-mb", str(self.shard_mb)]
        optional = {
            "--as": self.as_name,
            "--split": self.split,
            "--first-frame": self.first_frame or None,
            "--annotations": self.annotations,
            "--images": self.images,
            "--max-side": self.max_side,
        }
        return words + [word for flag, value in optional.items() if value is not None for word in (flag, str(value))]


@dataclass(frozen=True)
class DataSynthetic:
    """Write sequences of the synthetic world, with exact boxes and masks, as folders of images.

    For example: `lockon data synthetic made/ --count 10`
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder for them; one folder each, with `frames/`, `groundtruth.txt` and `masks/`."""
    count: int = 10
    """How many."""
    length: int = 60
    """Frames in each."""
    seed: int = 0
    """Number in the world from which on sequences are taken; those that start with a hidden target are left out."""

    def run(self) -> int:
        """Write, and say where."""
        if self.count < 1 or self.length < 2 or self.seed < 0:
            raise DataError("give --count 1, --length 2 and --seed 0, or more.")
        world = SyntheticWorld(SyntheticConfig(length=self.length))
        numbered = ((number, world.sequence(number)) for number in itertools.count(self.seed))
        fit = ((number, sequence) for number, sequence in numbered if is_seen(sequence, 0))
        with progress_bar("drawing") as progress:
            for done, (number, sequence) in enumerate(itertools.islice(fit, self.count), start=1):
                folder = user_path(self.out) / f"synthetic_{number:06d}"
                if folder.exists():
                    raise OutputError(f"'{folder}' exists already. Give another folder, or another --seed.")
                write_sequence(sequence, folder)
                progress(done, self.count)
        print(self.out)
        return 0


Data = Annotated[
    Annotated[DataList, subcommand("list")]
    | Annotated[DataCheck, subcommand("check")]
    | Annotated[DataPack, subcommand("pack")]
    | Annotated[DataSynthetic, subcommand("synthetic")]
    | Annotated[DataBenchmark, subcommand("benchmark")]
    | Annotated[DataDistractors, subcommand("distractors")],
    subcommand("data", description="List, check, pack and make data to train and to test on."),
]


def _summary(report: CheckReport) -> list[tuple[str, str]]:
    annotated, visible = (count / max(report.frames, 1) for count in (report.annotated, report.visible))
    kind = "videos" if report.is_video else "single images"
    rows = [
        ("sequences", f"{report.sequences} ({kind}), {_range(report.lengths, 0)} frames"),
        ("frames", f"{report.frames}; annotated {annotated:.1%}, visible {visible:.1%}"),
        ("box side", f"{_range(report.sides, 1)} pixels"),
        ("width / height", _range(report.aspects, 2)),
        ("categories", counts(report.categories)),
        ("images read", f"{report.images_read}: {counts(report.image_sizes)}"),
        ("masks read", str(report.masks_read)),
    ]
    return [*rows, ("fingerprint", report.fingerprint[:16])]


def _range(values: Range | None, digits: int) -> str:
    if values is None:
        return "none"
    return f"{values.median:.{digits}f} (median; {values.least:.{digits}f} to {values.most:.{digits}f})"
