"""Mining a data set into a dump: which shards are left to do, and doing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockon.data.datasets.index import Progress
from lockon.errors import OutputError, TrainingError
from lockon.files import claimed, make_folder, replacing, this_process
from lockon.training.mining.dump import MANIFEST, read_manifest
from lockon.training.mining.miner import Event, Miner, MiningConfig, Noted
from lockon.training.mining.processes import make_in_processes
from lockon.training.mining.shards import shard_path
from lockon.training.plain import differences
from lockon.training.sources import ProgressOf, unseen

_LOCK = ".lock"


@dataclass(slots=True, kw_only=True)
class MiningReport:
    """What was done."""

    shards: int
    """Of the whole dump."""
    kept: int
    """Of those, which earlier runs had finished."""
    notes: list[str] = field(default_factory=list)
    """What could not be used."""


def mine(
    config: MiningConfig,
    out: Path,
    *,
    device: str = "cpu",
    processes: int = 1,
    progress: ProgressOf = unseen,
) -> MiningReport:
    """Mine a data set into a dump, or go on with one.

    A shard appears under its name when it is whole. A run that was killed goes on with the sequence it was at, to
    the same dump.

    Args:
        config: what is mined.
        out: folder of the dump; made where it does not exist.
        device: where the trackers run.
        processes: how many shards are made at the same time.
        progress: of indexing the data set, and of the frames.

    Raises:
        LockonError: the tracker or the data set cannot be used.
        OutputError: the folder holds something else, was mined otherwise, is being mined, or the disk is full.
        TrainingError: a process died, or there is none.
    """
    if processes < 1:
        raise TrainingError(f"mining needs at least one process; got {processes}.")
    miner = Miner(config, device, progress)
    make_folder(out)
    with claimed(out / _LOCK, this_process("mines")):
        _claim(out, miner.about())
        left = [shard for shard in miner.shards if not shard_path(out, shard).is_file()]
        report = MiningReport(shards=len(miner.shards), kept=len(miner.shards) - len(left))
        with progress("mining") as told:
            watch = _Watch(report, sum(map(miner.frames_of, left)), told)
            try:
                if processes > 1:
                    make_in_processes(config, device, out, left, processes, watch)
                else:
                    for shard in left:
                        miner.make(shard, out, watch)
            except OutputError as error:
                raise OutputError(f"{error} {_what_is_left(out, miner.shards)}") from error
    return report


@dataclass(slots=True)
class _Watch:
    """Listens to what happens."""

    report: MiningReport
    total: int
    told: Progress | None
    done: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.report.notes.append(event.text)
            return
        self.done += event.frames
        if self.told is not None:
            self.told(self.done, self.total)


def _what_is_left(out: Path, shards: Sequence[int]) -> str:
    whole = sum(shard_path(out, shard).is_file() for shard in shards)
    return (
        f"Of the dump {whole} of {len(shards)} shards are whole and can be used; to go on, make room and give the "
        "same command again."
    )


def _claim(out: Path, about: Mapping[str, Any]) -> None:
    """Say in `out` what is mined there.

    Raises:
        OutputError: it holds something else already, or was mined otherwise.
    """
    path, about = out / MANIFEST, json.loads(json.dumps(about))
    if path.is_file():
        changes = differences(_settings(read_manifest(out)), _settings(about))
        if changes:
            raise OutputError(
                f"'{out}' was mined with other settings:\n  "
                + "\n  ".join(changes)
                + "\nGive those it was mined with, or another folder."
            )
        return
    if any(file.name != _LOCK for file in out.iterdir()):
        raise OutputError(f"'{out}' holds something else than mined frames. Give a folder that is new, or empty it.")
    with replacing(path) as part:
        part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _settings(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a dump depends on: not on how its folder is called; and the division into shards follows from the rest."""
    return {name: value for name, value in about.items() if name not in {"name", "shards"}}
