"""`lockon mine`: run a base tracker over training data, keep what it sees, and say how hard that is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from rich.table import Table
from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from lockon.apps.findings import EXAMPLES, print_summary
from lockon.apps.progress import progress_bar
from lockon.apps.table_console import table_console
from lockon.data.datasets.registry import DATASETS
from lockon.errors import DataError, UnknownNameError
from lockon.files import user_path
from lockon.training.mining import PAIRS, Category, MinedDump, Thresholds
from lockon.training.mining.dump import read_manifest
from lockon.training.mining.exchange import export
from lockon.training.mining.miner import MiningConfig
from lockon.training.mining.run import mine
from lockon.training.mining.statistics import Count, MiningStatistics, statistics
from lockon.training.overrides import override
from lockon.training.recipe import DataConfig, SyntheticData

TABLE_9 = {
    Category.D: ("1", "yes", "yes", "yes"),
    Category.H: ("> 1", "yes", "yes", "yes"),
    Category.G: ("> 1", "no", "yes", "yes"),
    Category.J: ("> 1", "yes", "no", "no"),
    Category.K: ("> 1", "yes", "no", "yes"),
    Category.OTHER: ("", "", "", ""),
}
"""Number of candidates; is the highest found; is it the target; is any of them the target?"""
_ENDLESS = 200
"""Sequences of the synthetic world, if nobody says how many."""


@dataclass(frozen=True)
class Mine:
    """Run a base tracker over training data and keep what it sees, to learn association from.

    Of every frame after the first of a track: the search region, the score map with its candidates, and where the
    target is. Stop it when you like: the same command goes on with the sequence it was at. Without --data nothing is
    mined, and what lies in the folder is counted.

    For example:

    * `lockon mine /fast/mined --data lasot=/data/lasot --tracker super_dimp_simple --device cuda --processes 4`
    * `lockon mine mined --data synthetic=photos --count 200 --set data.world.distractors=5`
    * `lockon mine /fast/mined --export target_candidates.json`
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder of the dump."""
    data: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="NAME=FOLDER")] = ()
    """What to mine, such as lasot=/data/lasot or folder=my_videos; `synthetic` is the synthetic world, which may have
    photographs: synthetic=FOLDER, any number of times."""
    split: Annotated[str | None, arg(metavar="NAME")] = None
    """Part of the data set; the training part if none is given."""
    count: Annotated[int | None, arg(metavar="N")] = None
    """Mine the first so many sequences; all of them by default."""
    tracker: str = "lockon_s"
    """The base tracker: name (see `lockon models list`) or path of a model."""
    candidate: Annotated[float | None, arg(metavar="HEIGHT")] = None
    """What a candidate exceeds on the score map; a fifth of the next by default."""
    found: Annotated[float | None, arg(metavar="HEIGHT")] = None
    """From where a target counts as found; by default from where the tracker does not call it lost."""
    set: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="PATH=VALUE")] = ()
    """Other settings, such as seed=1, shard_frames=5000, precision=bf16, data.world.length=60."""
    processes: Annotated[int, arg(metavar="N")] = 1
    """Trackers that work at the same time and share the cores."""
    device: str = "cpu"
    """Where they run: cpu, cuda, cuda:1, …"""
    verify: FlagCreatePairsOff[bool] = False
    """Read every byte of the dump."""
    export: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the JSON file in which the reference implementation of KeepTrack keeps what it mined."""

    def run(self) -> int:
        """Mine, verify, count, export: whatever is asked for."""
        out = user_path(self.out)
        names = list(chain(*self.data))
        if names:
            self._mine(out, names)
        mined = Thresholds(**read_manifest(out)["thresholds"])
        thresholds = Thresholds(
            candidate=mined.candidate if self.candidate is None else self.candidate,
            found=mined.found if self.found is None else self.found,
        )
        with progress_bar("opening") as progress:
            dump = MinedDump(out, thresholds, progress=progress)
        if self.verify:
            with progress_bar("verifying") as progress:
                dump.verify(progress)
            print("every byte is as it was written")
        print_statistics(dump, statistics(dump))
        if self.export is not None:
            path = user_path(self.export)
            print(f"{export(dump, path)} frames exported: {path}")
        return 0

    def _mine(self, out: Path, names: list[str]) -> None:
        config = self._config(names)
        try:
            report = mine(config, out, device=self.device, processes=self.processes, progress=progress_bar)
        except KeyboardInterrupt:
            print("what is whole is kept; to go on, give the same command again")
            raise
        for text in report.notes[:EXAMPLES]:
            print(text)
        if len(report.notes) > EXAMPLES:
            print(f"… and {len(report.notes) - EXAMPLES} more frames or sequences that could not be used")
        kept = f" ({report.kept} from before)" if report.kept else ""
        print(f"{report.shards} shards{kept}: {out}")

    def _config(self, names: list[str]) -> MiningConfig:
        synthetic = all(name.partition("=")[0] == "synthetic" for name in names)
        config = MiningConfig(
            data=self._synthetic(names) if synthetic else self._on_disk(names),
            count=None if synthetic else self.count,
            tracker=self.tracker,
            candidate=self.candidate,
            found=self.found,
        )
        return override(config, chain(*self.set))

    def _synthetic(self, names: list[str]) -> SyntheticData:
        if self.split is not None:
            raise DataError("the synthetic world has no splits; --set data.first_seed=N gives other sequences.")
        photos = tuple(_folder(name.partition("=")[2]) for name in names if "=" in name)
        return SyntheticData(length=_ENDLESS if self.count is None else self.count, photos=photos)

    def _on_disk(self, names: list[str]) -> DataConfig:
        name, _, folder = names[0].partition("=")
        if name not in DATASETS:
            raise UnknownNameError("data set", name, DATASETS)
        if len(names) > 1 or not folder:
            raise DataError("a dump holds one data set: write --data NAME=FOLDER, as in --data lasot=/data/lasot.")
        return DataConfig(dataset=name, root=_folder(folder), split=self.split)


def print_statistics(dump: MinedDump, counted: MiningStatistics) -> None:
    """Print what a dump holds, as in Table 9 of the paper."""
    mean, most = counted.candidates
    rows = [
        ("base tracker", dump.tracker),
        ("sequences", f"{counted.sequences:,}"),
        ("frames", f"{counted.frames:,}; target visible in {counted.visible:,}"),
        ("candidates", f"{mean:.2f} in a frame, at most {most}; higher than {dump.thresholds.candidate:g}"),
        ("found", f"from {dump.thresholds.found:g} on"),
    ]
    if dump.missing:
        rows.append(("not finished", f"{dump.missing} shards; what is whole is counted"))
    print_summary(rows)
    table = Table("category", "candidates", "highest found", "it is the target", "any is", box=None)
    pairs = Table("pair", box=None)
    for each, unit in ((table, "frames"), (pairs, "pairs")):
        each.add_column(unit, justify="right")
        each.add_column("share", justify="right")
    for category, count in counted.categories.items():
        table.add_row(category, *TABLE_9[category], *_cells(count))
    for name in PAIRS:
        pairs.add_row(name, *_cells(counted.pairs[name]))
    console = table_console()
    console.print(table)
    console.print(pairs)


def _cells(count: Count) -> tuple[str, str]:
    return f"{count.number:,}", f"{count.share:.1%}"


def _folder(name: str) -> Path:
    path = user_path(name).resolve()
    if not path.is_dir():
        raise DataError(f"there is no folder {path}. Check the path.")
    return path
