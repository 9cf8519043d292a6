"""From raw runs to numbers, tables and plots."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from collections.abc import Sequence as Series
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.sequences import Sequence
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation import one_pass
from lockon.evaluation.assessment import Curve, TrackerAssessment
from lockon.evaluation.geometry import overlap
from lockon.evaluation.tracks import Track
from runs import Run
from text_tables import TextTable

Boxes = Float[np.ndarray, "frames 4"]


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One tracker on one sequence, averaged over its seeds."""

    tracker: str
    sequence: str
    runs: int
    success_auc: float
    precision_20: float
    normalised_precision: float
    fps: float
    start_ms: float
    """Time to learn the target from the first frame."""
    false_present: float | None
    """Share of absent frames called present; None where the target is never absent."""


@dataclass(frozen=True, slots=True)
class TrackerRow:
    """One tracker on all sequences: means over sequences of the means over seeds."""

    tracker: str
    runs: int
    success_auc: float
    success_auc_deviation: float | None
    """Standard deviation over seeds of the AUC over all sequences; None for one seed."""
    precision_20: float
    normalised_precision: float
    fps: float
    """Mean over sequences."""
    fps_pooled: float
    """All frames by all seconds: trackers that give up early on some sequences gain less by it."""
    start_ms: float
    false_present: float | None
    """Over the pooled absent frames of all sequences and seeds."""


@dataclass(frozen=True, slots=True)
class TrackerReport:
    """Everything about one tracker."""

    total: TrackerRow
    sequences: tuple[SequenceRow, ...]
    curves: Mapping[str, Curve]
    """As `lockon.evaluation.one_pass` names them, in percent of frames."""


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A tracker's track against the track of a reference implementation on one sequence."""

    sequence: str
    mean_iou: float
    """Mean overlap of the two trackers' boxes over frames and seeds, the start frame left out."""
    success_auc: float
    reference_auc: float

    @property
    def auc_difference(self) -> float:
        """Ours less the reference's."""
        return self.success_auc - self.reference_auc


def report_tracker(runs: Series[Run], sequences: Series[Sequence]) -> TrackerReport:
    """Score every run of one tracker: each seed on each sequence."""
    by_sequence = [[run for run in runs if run.sequence == sequence.name] for sequence in sequences]
    tracks = [{run.sequence: run.box_array for run in seed} for seed in zip(*by_sequence, strict=True)]
    scored = _assess({runs[0].tracker: tracks}, sequences)[runs[0].tracker]
    rows = tuple(
        _sequence_row(sequence, group, scored) for sequence, group in zip(sequences, by_sequence, strict=True)
    )
    called = [
        run.present_array[_absent(sequence)]
        for sequence, group in zip(sequences, by_sequence, strict=True)
        for run in group
    ]
    absent = np.concatenate(called)
    total = TrackerRow(
        tracker=runs[0].tracker,
        runs=scored.runs,
        success_auc=scored.values["AUC"] / 100,
        success_auc_deviation=scored.deviations["AUC"] / 100 if scored.runs > 1 else None,
        precision_20=scored.values["Precision"] / 100,
        normalised_precision=scored.values["Norm Precision"] / 100,
        fps=float(np.mean([row.fps for row in rows])),
        fps_pooled=sum(len(run.seconds) for run in runs) / sum(sum(run.seconds) for run in runs),
        start_ms=float(np.mean([row.start_ms for row in rows])),
        false_present=float(absent.mean()) if absent.size else None,
    )
    return TrackerReport(total, rows, scored.curves)


def _assess(
    tracks: Mapping[str, Series[Mapping[str, Boxes]]], sequences: Series[Sequence]
) -> dict[str, TrackerAssessment]:
    """One-pass evaluation in which absent frames do not count: `tracks` of a tracker's runs by sequence."""
    annotated = tuple(
        TestSequence(
            name=sequence.name,
            frame_paths=(),
            truth=BoxTruth(boxes=sequence.boxes),
            start=None,
            length=len(sequence.boxes),
        )
        for sequence in sequences
    )
    results = {
        tracker: [{name: Track(boxes=boxes) for name, boxes in run.items()} for run in runs]
        for tracker, runs in tracks.items()
    }
    test_set = TestSet(name="folder", title="the sequences", sequences=annotated, protocol="one_pass")
    return {each.tracker: each for each in one_pass.assess(test_set, results, rules="got10k").trackers}


def _absent(sequence: Sequence) -> Bool[np.ndarray, "frames"]:
    return np.isnan(sequence.boxes).any(axis=1)


def _sequence_row(sequence: Sequence, runs: Series[Run], scored: TrackerAssessment) -> SequenceRow:
    absent = _absent(sequence)
    values = {measure: by_sequence[sequence.name] / 100 for measure, by_sequence in scored.by_sequence.items()}
    return SequenceRow(
        tracker=runs[0].tracker,
        sequence=sequence.name,
        runs=len(runs),
        success_auc=values["AUC"],
        precision_20=values["Precision"],
        normalised_precision=values["Norm Precision"],
        fps=float(np.mean([run.frames_per_second for run in runs])),
        start_ms=float(np.mean([1000 * run.seconds[0] for run in runs])),
        false_present=float(np.mean([run.present_array[absent].mean() for run in runs])) if absent.any() else None,
    )


def read_reference(path: Path, sequences: Series[Sequence]) -> dict[str, Boxes]:
    """Boxes of a reference implementation by sequence, for those of the given sequences that it has.

    Raises:
        DataError: the file is not such a reference, has none of the sequences, or another number of frames.
    """
    try:
        tracks = json.loads(path.read_text())["sequences"]
        boxes = {name: np.array(track["boxes_xywh"], dtype=np.float64) for name, track in tracks.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot read reference boxes in '{path}': {error!r}.") from error
    shared = {sequence.name: boxes[sequence.name] for sequence in sequences if sequence.name in boxes}
    if not shared:
        raise DataError(f"'{path}' has none of the sequences {[sequence.name for sequence in sequences]}.")
    for sequence in sequences:
        if sequence.name in shared and shared[sequence.name].shape != sequence.boxes.shape:
            raise DataError(f"'{path}' and '{sequence.name}' differ in their number of frames.")
    return shared


def compare_with_reference(
    runs: Series[Run], sequences: Series[Sequence], reference: Mapping[str, Boxes]
) -> list[ReferenceRow]:
    """Compare runs with boxes of a reference implementation, on the sequences that both have."""
    return [
        _reference_row(sequence, [run for run in runs if run.sequence == sequence.name], reference[sequence.name])
        for sequence in sequences
        if sequence.name in reference
    ]


def _reference_row(sequence: Sequence, runs: Series[Run], boxes: Boxes) -> ReferenceRow:
    agreement = [overlap(boxes, run.box_array)[1:].mean() for run in runs]
    tracks = {"ours": [{sequence.name: run.box_array} for run in runs], "reference": [{sequence.name: boxes}]}
    scored = _assess(tracks, [sequence])
    return ReferenceRow(
        sequence=sequence.name,
        mean_iou=float(np.mean(agreement)),
        success_auc=scored["ours"].values["AUC"] / 100,
        reference_auc=scored["reference"].values["AUC"] / 100,
    )


def make_tables(reports: Series[TrackerReport], comparison: Series[ReferenceRow] | None) -> list[TextTable]:
    """All tables of a comparison, trackers in the order given."""
    trackers = tuple(report.total.tracker for report in reports)
    by_sequence = list(zip(*(report.sequences for report in reports), strict=True))
    tables = [
        TextTable(
            "Quality in percent, speed in frames per second",
            ("tracker", "AUC", "± seeds", "P@20", "NP@0.2", "FPS", "FPS pooled", "start ms", "false present"),
            tuple(_summary_line(report.total) for report in reports),
        ),
        TextTable(
            "Success AUC per sequence [%]",
            ("sequence", *trackers),
            tuple((rows[0].sequence, *(_percent(row.success_auc) for row in rows)) for rows in by_sequence),
        ),
        TextTable(
            "Frames per second per sequence",
            ("sequence", *trackers),
            tuple((rows[0].sequence, *(f"{row.fps:.1f}" for row in rows)) for rows in by_sequence),
        ),
    ]
    return tables if comparison is None else [*tables, _reference_table(comparison)]


def _summary_line(row: TrackerRow) -> tuple[str, ...]:
    deviation = row.success_auc_deviation
    return (
        row.tracker,
        _percent(row.success_auc),
        "–" if deviation is None else f"{_percent(deviation)} ({row.runs})",
        _percent(row.precision_20),
        _percent(row.normalised_precision),
        f"{row.fps:.1f}",
        f"{row.fps_pooled:.1f}",
        f"{row.start_ms:.0f}",
        _percent(row.false_present),
    )


def _reference_table(rows: Series[ReferenceRow]) -> TextTable:
    values = [(row.mean_iou, row.success_auc, row.reference_auc, row.auc_difference) for row in rows]
    names = [*(row.sequence for row in rows), "mean"]
    means = tuple(float(np.mean(column)) for column in zip(*values, strict=True))
    return TextTable(
        "Against the reference implementation [%]",
        ("sequence", "mean IoU of the two tracks", "AUC", "reference AUC", "difference"),
        tuple((name, *map(_percent, line)) for name, line in zip(names, [*values, means], strict=True)),
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def describe_runs(runs: Series[Run]) -> list[str]:
    """What the runs were made with, and whether their speeds compare."""
    machines = {", ".join(f"{key} {value}" for key, value in run.machine.items()) for run in runs}
    sessions = {run.session for run in runs}
    notes = [f"Measured with {machine}." for machine in sorted(machines)]
    notes.append("FPS counts start, steps and model updates, and no decoding; 'start ms' is learning the target.")
    if len(sessions) > 1:
        notes.append(f"The runs come from {len(sessions)} sessions: compare speeds only after --rerun.")
    return notes


def write_csv(path: Path, rows: Series[TrackerRow] | Series[SequenceRow]) -> None:
    """One line a row, one column a field, numbers in full precision."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def report_as_json(report: TrackerReport) -> dict[str, Any]:
    """Numbers and curves of one tracker as plain values."""
    curves = {name: curve.y.tolist() for name, curve in report.curves.items()}
    return asdict(report.total) | {"curves": curves, "sequences": [asdict(row) for row in report.sequences]}
