"""Results written as other programs expect them: into folders, and into the archives that servers take."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lockon.data.testsets.base import MaskTruth, SparseTruth, TestSequence, TestSet
from lockon.errors import DataError, OutputError, UnknownNameError
from lockon.evaluation.formats.defects import defects
from lockon.evaluation.formats.exports import EXPORTS, Export
from lockon.evaluation.formats.vot import EXPERIMENTS
from lockon.evaluation.tracks import MaskTrack, Results, Runs, Said, Track
from lockon.files import cannot_write, replacing

_SUBMITTED = {
    "got10k": "got10k",
    "trackingnet": "trackingnet",
    "lasot": "lasot",
    "oxuva": "oxuva",
    "davis": "davis",
    "youtube_vos": "youtube_vos",
    "vot": "vot",
}
"""The form that a benchmark takes, by how the names of its test sets begin."""
_EXAMPLES = 3


def submission_form(test_set: TestSet) -> str:
    """The form in which results on a benchmark are submitted.

    Raises:
        DataError: it has no server or toolkit that takes files.
    """
    form = next((form for start, form in _SUBMITTED.items() if test_set.name.startswith(start)), None)
    if form is None:
        raise DataError(f"{test_set.title} has no form of submission. Write one of {', '.join(EXPORTS)} instead.")
    return form


def write_results(form: str, test_set: TestSet, results: Results, folder: Path) -> None:
    """Write what there is of several trackers, a folder each.

    Args:
        form: name in `EXPORTS`.
        test_set: what the results are of.
        results: of the trackers to write.
        folder: for the trackers' folders.

    Raises:
        DataError: the form cannot hold these results.
        OutputError: results of a tracker lie there already, or it cannot be written.
    """
    for tracker, runs in results.items():
        export = _export(form, test_set, tracker, runs)
        target = folder / _place(export.folder, test_set, tracker)
        if target.exists():
            raise OutputError(f"'{target}' exists already. Give another folder, or remove it.")
        for name, content in _contents(export, test_set, runs):
            path = target / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(path.parent, error) from error
            with replacing(path) as part:
                part.write_bytes(content)


def write_submission(form: str, test_set: TestSet, tracker: str, runs: Runs, archive: Path) -> int:
    """Write the zip file that a server takes, after making sure that nothing is missing in it or odd.

    Returns:
        The number of files in it.

    Raises:
        DataError: the form cannot hold these results, some are missing, or have NaN, negative sizes or other lengths.
        OutputError: the archive cannot be written.
    """
    export = _export(form, test_set, tracker, runs)
    problems = [*_gaps(test_set, runs), *_oddities(test_set, runs)]
    if problems:
        more = f" And {len(problems) - _EXAMPLES} more." if len(problems) > _EXAMPLES else ""
        raise DataError(f"results of '{tracker}' cannot be submitted. {' '.join(problems[:_EXAMPLES])}{more}")
    place = _place(export.archived, test_set, tracker)
    count = 0
    with replacing(archive) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in _contents(export, test_set, runs):
            # Without the time of writing, the same results give the same archive.
            entry = zipfile.ZipInfo((place / name).as_posix())
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
            count += 1
    return count


def _export(form: str, test_set: TestSet, tracker: str, runs: Runs) -> Export:
    if form not in EXPORTS:
        raise UnknownNameError("form of results", form, EXPORTS)
    export = EXPORTS[form]
    if test_set.protocol not in export.protocols:
        fit = ", ".join(name for name, other in EXPORTS.items() if test_set.protocol in other.protocols)
        raise DataError(f"results on {test_set.title} cannot be written in the form '{form}'. Choose one of: {fit}.")
    if len(runs) > 1 and not export.several_runs:
        raise DataError(
            f"the form '{form}' holds one run, and there are {len(runs)} of '{tracker}'. Choose one of them."
        )
    return export


def _place(folder: str, test_set: TestSet, tracker: str) -> Path:
    return Path(folder.format(tracker=tracker, experiment=EXPERIMENTS.get(test_set.protocol)))


def _contents(export: Export, test_set: TestSet, runs: Runs) -> Iterator[tuple[str, bytes]]:
    for sequence in test_set.sequences:
        yield from export.files(sequence, [run[sequence.name] for run in runs if sequence.name in run])


def _gaps(test_set: TestSet, runs: Runs) -> Iterator[str]:
    lacking = [name for name, _ in test_set.excluded]
    lacking += [one.name for one in test_set.sequences if not any(one.name in run for run in runs)]
    if lacking:
        names = ", ".join(lacking[:_EXAMPLES]) + (", …" if len(lacking) > _EXAMPLES else "")
        yield f"{len(lacking)} sequences have no result ({names}): run the tracker on them."
    for number, run in enumerate(runs):
        if test_set.protocol != "vot_supervised" and len(run) < max(map(len, runs)):
            yield f"Run {number} has results of {len(run)} sequences only: finish it, or leave it out."


def _oddities(test_set: TestSet, runs: Runs) -> Iterator[str]:
    for sequence in test_set.sequences:
        for run in runs:
            said = run.get(sequence.name)
            if isinstance(said, Mapping):
                for anchor, track in said.items():
                    yield from defects(track, sequence, anchor)
            elif said is not None:
                yield from defects(said, sequence)
                yield from _incomplete(said, sequence)


def _incomplete(said: Said, sequence: TestSequence) -> Iterator[str]:
    if isinstance(said, Track) and isinstance(sequence.truth, SparseTruth):
        lacking = np.flatnonzero(np.isnan(said.boxes[1:]).any(axis=1)) + 1
        if len(lacking):
            yield f"'{sequence.name}' has no prediction for frame {lacking[0]} and {len(lacking) - 1} others."
    if isinstance(said, MaskTrack) and isinstance(sequence.truth, MaskTruth):
        required = sequence.truth.required
        frames = range(len(sequence)) if required is None else required
        blank = [frame for frame in frames if said.labels[frame] is None]
        if blank:
            yield f"'{sequence.name}' has no label image of frame {blank[0]} and {len(blank) - 1} others."
