"""How well are candidates associated? Association networks beside simple rules, against the exact correspondences.

    lockon mine held_out --data synthetic=PHOTOS --count 40 --set data.part=held_out data.first_seed=1000000000
    python benchmarks/association.py held_out --model both=runs/a/model.safetensors self=runs/b/model.safetensors

Judged are pairs of frames that have candidates, one of them several. In consecutive frames little moves, and the
nearest place is nearly always right; frames further apart (--gap) tell appearance from place. A candidate is the
object whose centre is nearest within two cells of the score map; candidates that are no known object do not count,
nor do objects of which it is unclear whether they have a candidate, two to four cells away. These are the ablations
of the KeepTrack paper's Table 2, by what the paper could not measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import tyro
from jaxtyping import Int
from rich.console import Console
from rich.progress import track
from torch import Tensor
from tyro.conf import Positional

from lockon.errors import DataError, RecipeError
from lockon.networks.association import AssociationNet
from lockon.networks.resnet import ResNet
from lockon.nn.folding import fold_batch_norms
from lockon.training.association.drawing import MinedSource, split
from lockon.training.association.samples import AssociationSample
from lockon.training.association.supervision import ALONE
from lockon.training.association.validation import (
    PairCounts,
    compare,
    instructive_pairs,
    real_batches,
    said_by,
)
from lockon.training.mining import CATEGORIES, PAIRS, MinedDump, Thresholds
from lockon.training.tasks.association import associate, features_of
from lockon.zoo import load_network
from machine import limit_threads
from text_tables import TextTable

Said = Int[Tensor, "batch n"]
Rule = AssociationNet | Callable[[AssociationSample], Said]
BATCH = 32
OTHER = "other"


@dataclass(frozen=True)
class Options:
    """What to judge, on what."""

    dump: Annotated[Positional[Path], tyro.conf.arg(metavar="DUMP")]
    """Folder of mined frames of sequences that nothing was trained on."""
    model: tuple[str, ...] = ()
    """Association networks, as NAME=FILE or NAME=TRACKER."""
    candidate: float | None = None
    """Height that candidates exceed; by default as they were mined."""
    gap: tuple[int, ...] = (1, 8)
    """How many frames apart; each gives its own tables."""
    pairs: int = 4000
    """Pairs of frames, at most, evenly spread."""
    out: Path = Path("outputs/association")
    """Where the tables go."""
    threads: int = 2


class Line(NamedTuple):
    """What one way to associate says."""

    name: str
    all: PairCounts
    by_kind: Mapping[str, PairCounts]
    """Of the pairs of categories that are mined, and of the others."""


def main(options: Options) -> None:
    limit_threads(options.threads)
    dump = _open(options)
    rules: dict[str, Rule] = {
        "the same rank of score": by_rank,
        "the nearest place": by_place,
    }
    for text in options.model:
        name, equals, file = text.partition("=")
        rules[name] = _network(file if equals else name)
    source = split(dump, "all", 0.0)
    tables = [table for gap in options.gap for table in describe(judge(source, rules, gap, options.pairs), gap)]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "association.md").write_text("\n".join(table.as_markdown() for table in tables))
    for table in tables:
        Console().print(table.for_terminal())


def _open(options: Options) -> MinedDump:
    if options.candidate is None:
        return MinedDump(options.dump)
    found = MinedDump(options.dump).thresholds.found
    return MinedDump(options.dump, Thresholds(candidate=options.candidate, found=max(found, options.candidate)))


def _network(name_or_path: str) -> AssociationNet:
    association = load_network(name_or_path)[0].association
    if association is None:
        raise RecipeError(f"'{name_or_path}' associates nothing; name a model of `lockon train keep_track_s`.")
    return association


def judge(source: MinedSource, rules: Mapping[str, Rule], gap: int, most: int) -> list[Line]:
    """Let every rule associate the same pairs of frames, `most` at most.

    Raises:
        DataError: there are none.
    """
    rows = instructive_pairs(source, gap)
    if not len(rows):
        raise DataError(f"'{source.dump.root}' has no frames {gap} apart with several candidates; mine more.")
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]
    backbone = fold_batch_norms(load_network(source.dump.tracker)[0].feature_extractor)
    kinds = [_kind(source.dump, int(row), gap) for row in rows]
    names = [*PAIRS, OTHER]
    sums = {rule: dict.fromkeys(names, PairCounts()) for rule in rules}
    for kind in names:
        chosen = [(source, int(row)) for row, own in zip(rows, kinds, strict=True) if own == kind]
        batches = real_batches(chosen, BATCH, torch.device("cpu"), gap)
        for batch in track(batches, description=f"pairs {kind}", total=-(-len(chosen) // BATCH)):
            for rule, said in _answers(rules, backbone, batch):
                sums[rule][kind] = sums[rule][kind].plus(compare(said, batch))
    return [Line(rule, sum_of(kinds), kinds) for rule, kinds in sums.items()]


def _kind(dump: MinedDump, row: int, gap: int) -> str:
    name = "".join(CATEGORIES[dump.codes[place]] for place in (row, row + gap))
    return name if name in PAIRS else OTHER


def sum_of(parts: Mapping[str, PairCounts]) -> PairCounts:
    """All of them together."""
    total = PairCounts()
    for part in parts.values():
        total = total.plus(part)
    return total


def _answers(rules: Mapping[str, Rule], backbone: ResNet, batch: AssociationSample) -> Iterator[tuple[str, Said]]:
    layer3 = features_of(backbone, batch)
    with torch.no_grad():
        for name, rule in rules.items():
            network = isinstance(rule, AssociationNet)
            yield name, said_by(associate(rule, layer3, batch), batch) if network else rule(batch)


def by_rank(batch: AssociationSample) -> Said:
    """The highest is the highest again, as a tracker without association has it; the second the second, and so on."""
    ranks = torch.arange(batch.cells.shape[2]).expand(len(batch.cells), -1)
    return torch.where(batch.valid.all(dim=1), ranks, ALONE)


def by_place(batch: AssociationSample) -> Said:
    """Candidates that are each other's nearest in the image."""
    previous, current = batch.places.unbind(dim=1)
    away = torch.cdist(previous, current)
    away[~(batch.valid[:, 0, :, None] & batch.valid[:, 1, None, :])] = torch.inf
    nearest = away.argmin(dim=1)
    mutual = away.argmin(dim=2).gather(1, nearest) == torch.arange(nearest.shape[1])
    return torch.where(mutual & (away.amin(dim=1) < torch.inf), nearest, ALONE)


def describe(lines: list[Line], gap: int) -> tuple[TextTable, TextTable]:
    """All candidates and the target; the target by the category of the pair."""
    columns = (
        "associated by",
        "precision",
        "recall",
        "F1",
        "matches",
        "target precision",
        "target recall",
        "targets",
    )
    rows = []
    for name, (everything, target), _ in lines:
        numbers = (everything.precision, everything.recall, everything.f1, everything.true)
        rows.append((name, *map(_text, (*numbers, target.precision, target.recall, target.true))))
    kinds = list(lines[0].by_kind)
    by_kind = []
    for line in lines:
        counts = [line.by_kind[kind].target for kind in kinds]
        by_kind.append((line.name, *(f"{_text(one.recall)} of {one.true}" for one in counts)))
    apart = "consecutive frames" if gap == 1 else f"frames {gap} apart"
    return (
        TextTable(f"Matches of candidates in {apart}", columns, tuple(rows)),
        TextTable(f"Recall of the target in {apart}, by their categories", ("associated by", *kinds), tuple(by_kind)),
    )


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{100 * value:.1f}"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
