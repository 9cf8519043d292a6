"""`lockon data`: what a training set holds and what is wrong with it, packing it, and making synthetic ones."""

from __future__ import annotations

import itertools
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image as PillowImage
from rich.console import Console
from rich.table import Table
from tyro.conf import FlagCreatePairsOff, Positional, arg, subcommand

from lockon.apps.outputs import DEFAULT_FOLDER
from lockon.apps.progress import progress_bar
from lockon.data.datasets.base import SequenceDataset
from lockon.data.datasets.check import CheckReport, Finding, Range, check_dataset, grouped
from lockon.data.datasets.contact_sheet import contact_sheet
from lockon.data.datasets.folder_layout import CHECK_PICTURE
from lockon.data.datasets.packing import PackConfig, pack
from lockon.data.datasets.registry import dataset_around, detect_dataset, open_dataset
from lockon.data.synthetic import SyntheticConfig, SyntheticSequence, SyntheticWorld
from lockon.errors import DataError, OutputError
from lockon.files import cannot_write, replacing, user_path

FOUND_ERRORS = 1
"""Exit status of a check that found errors."""
_EXAMPLES = 3
"""Findings of a kind that are printed; the JSON report holds all."""
_LEAST_VISIBILITY = 0.25
"""Share of a synthetic target below which a frame counts as one without it."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A data set on disk."""

    path: Annotated[Positional[Path], arg(metavar="PATH")]
    """Folder of the data set."""
    as_name: Annotated[str | None, arg(name="as", metavar="NAME")] = None
    """What it is, such as lasot, got10k, coco, folder (any videos with boxes) or shards; found out if not given."""
    split: Annotated[str | None, arg(metavar="NAME")] = None
    """Part of the data set; the training part if none is given."""
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
            raise DataError("the synthetic world is endless. Write some of it first: `lockon data synthetic OUT`.")
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

    For example: `lockon data check ~/videos` or `lockon data check /data/LaSOT --as lasot --split train-val`
    """

    all_images: FlagCreatePairsOff[bool] = False
    """Read every image, not only a sample."""
    out: Annotated[Path, arg(metavar="DIR")] = DEFAULT_FOLDER
    """Folder for the picture and the JSON report."""

    def run(self) -> int:
        """Check, print, and write the report; 1 where there are errors."""
        dataset = self._open()
        with progress_bar("checking") as progress:
            report = check_dataset(dataset, all_images=self.all_images, progress=progress)
        name = dataset.name.replace("/", "_")
        picture = user_path(self.out) / f"{name}{CHECK_PICTURE}"
        record = picture.with_suffix(".json")
        _make_folder(picture.parent)
        with replacing(picture) as part:
            PillowImage.fromarray(contact_sheet(dataset)).save(part, "PNG")
        with replacing(record) as part:
            part.write_text(json.dumps(report.as_plain(), indent=1) + "\n", encoding="utf-8")
        _print_report(report, getattr(dataset, "notes", ()))
        print(f"frames with boxes: {picture}")
        print(f"report: {record}")
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
        for text in report.unreadable[:_EXAMPLES]:
            print(f"packed without picture: {text}")
        if len(report.unreadable) > _EXAMPLES:
            print(f"… and {len(report.unreadable) - _EXAMPLES} more")
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
        fit = ((number, sequence) for number, sequence in numbered if _is_seen(sequence, 0))
        with progress_bar("drawing") as progress:
            for done, (number, sequence) in enumerate(itertools.islice(fit, self.count), start=1):
                _write_sequence(sequence, user_path(self.out) / f"synthetic_{number:06d}")
                progress(done, self.count)
        print(self.out)
        return 0


Data = Annotated[
    Annotated[DataCheck, subcommand("check")]
    | Annotated[DataPack, subcommand("pack")]
    | Annotated[DataSynthetic, subcommand("synthetic")],
    subcommand("data", description="Check, pack and make data to train on."),
]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _write_sequence(sequence: SyntheticSequence, folder: Path) -> None:
    if folder.exists():
        raise OutputError(f"'{folder}' exists already. Give another folder, or another --seed.")
    for name in ("frames", "masks"):
        _make_folder(folder / name)
    lines = []
    for index in range(len(sequence)):
        try:
            PillowImage.fromarray(sequence.frame(index)).save(folder / "frames" / f"{index:08d}.jpg", quality=95)
            mask = np.asarray(sequence.mask(index))
            PillowImage.fromarray(mask).save(folder / "masks" / f"{index:08d}.png")
        except OSError as error:
            raise cannot_write(folder, error) from error
        box = sequence.box(index) if _is_seen(sequence, index) else [math.nan] * 4
        lines.append(",".join(f"{value:.2f}" for value in box))
    with replacing(folder / "groundtruth.txt") as part:
        part.write_text("\n".join(lines) + "\n")


def _is_seen(sequence: SyntheticSequence, index: int) -> bool:
    return sequence.visibility(index) >= _LEAST_VISIBILITY


def _print_report(report: CheckReport, notes: Sequence[str]) -> None:
    console = Console(soft_wrap=True)
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for name, text in _summary(report):
        table.add_row(name, text)
    console.print(table)
    for note in notes:
        print(f"note: {note}")
    for severity, kind, findings in grouped(report.findings):
        print(f"{severity}: {kind}, {len(findings)}×")
        for finding in findings[:_EXAMPLES]:
            print(f"  {_line(finding)}")
        if len(findings) > _EXAMPLES:
            print("  …")
    print(f"errors: {len(report.errors)}, warnings: {len(report.warnings)}")


def _line(finding: Finding) -> str:
    frames = ""
    if finding.frames:
        numbers = ", ".join(map(str, finding.frames[:_EXAMPLES]))
        frames = f" (frame {numbers}{', …' if len(finding.frames) > _EXAMPLES else ''})"
    named = "" if not finding.sequence or finding.sequence in finding.text else f"{finding.sequence}: "
    return f"{named}{finding.text}{frames}"


def _summary(report: CheckReport) -> list[tuple[str, str]]:
    annotated, visible = (count / max(report.frames, 1) for count in (report.annotated, report.visible))
    kind = "videos" if report.is_video else "single images"
    rows = [
        ("sequences", f"{report.sequences} ({kind}), {_range(report.lengths, 0)} frames"),
        ("frames", f"{report.frames}; annotated {annotated:.1%}, visible {visible:.1%}"),
        ("box side", f"{_range(report.sides, 1)} pixels"),
        ("width / height", _range(report.aspects, 2)),
        ("categories", _counts(report.categories)),
        ("images read", f"{report.images_read}: {_counts(report.image_sizes)}"),
        ("masks read", str(report.masks_read)),
    ]
    return [*rows, ("fingerprint", report.fingerprint[:16])]


def _range(values: Range | None, digits: int) -> str:
    if values is None:
        return "none"
    return f"{values.median:.{digits}f} (median; {values.least:.{digits}f} to {values.most:.{digits}f})"


def _counts(counts: dict[str, int], most: int = 6) -> str:
    if not counts:
        return "none"
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:most])
    return shown if len(counts) <= most else f"{shown}, … ({len(counts)} in all)"
