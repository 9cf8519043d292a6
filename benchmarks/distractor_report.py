"""Numbers and tables of the distractor benchmark."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import TestSet
from lockon.evaluation.aggregation import SEED, frames_per_second
from lockon.evaluation.identity import Following, Recovery, follow, median_recovery, never_share
from lockon.evaluation.one_pass.cases import box_truth
from lockon.evaluation.statistics import confidence_interval, draw_sequences, resampled_means, resampled_ratios
from lockon.evaluation.tracks import Track
from text_tables import TextTable


@dataclass(frozen=True, slots=True)
class Entry:
    """One tracker on one sequence."""

    sequence: str
    scenario: str
    visible: Bool[np.ndarray, "frames"]
    """Frames that show the target."""
    following: Following


@dataclass(frozen=True, slots=True)
class Report:
    """One tracker on all sequences, in the order of the test set."""

    tracker: str
    entries: tuple[Entry, ...]
    fps: float | None

    def column(self, measure: str) -> Float[np.ndarray, "sequences"]:
        """One of the numbers of `Following` for all sequences."""
        return np.array([float(getattr(entry.following, measure)) for entry in self.entries])

    def of(self, scenario: str) -> Bool[np.ndarray, "sequences"]:
        """Which sequences are of a scenario."""
        return np.array([entry.scenario == scenario for entry in self.entries])

    @property
    def losses(self) -> tuple[Recovery, ...]:
        """Of all sequences."""
        return tuple(chain.from_iterable(entry.following.losses for entry in self.entries))


def report_tracker(test_set: TestSet, tracker: str, tracks: Mapping[str, Track]) -> Report:
    """Judge the tracks of one tracker, one for each sequence."""
    entries = []
    for sequence in test_set.sequences:
        truth = box_truth(test_set, sequence)
        following = follow(truth, tracks[sequence.name])
        assert truth.visible is not None, "or it would not have been judged"
        (scenario,) = sequence.attributes
        entries.append(Entry(sequence.name, scenario, truth.visible, following))
    return Report(tracker, tuple(entries), frames_per_second(list(tracks.values())))


def scenarios(report: Report) -> tuple[str, ...]:
    """In the order in which they come."""
    return tuple(dict.fromkeys(entry.scenario for entry in report.entries))


def make_tables(reports: Sequence[Report], reference: Report | None = None) -> list[TextTable]:
    """What each tracker reached, and how the others compare with the last one; `reference` is for orientation."""
    groups = scenarios(reports[0])
    summary = TextTable(
        f"Identities over {len(reports[0].entries)} sequences",
        (
            "tracker",
            "switches",
            *groups,
            "AUC",
            "on look-alike %",
            "losses",
            "recovery",
            "never %",
            "false present %",
            "FPS",
        ),
        tuple(_summary_line(report, groups) for report in (*reports, *([reference] if reference else []))),
    )
    return [summary, _comparison_table(reports)] if len(reports) > 1 else [summary]


def _summary_line(report: Report, groups: Sequence[str]) -> tuple[str, ...]:
    switches = report.column("switches")
    absent = report.column("false_presence")
    false_present = f"{np.nanmean(absent):.1f}" if not np.isnan(absent).all() else "–"
    return (
        report.tracker,
        f"{switches.sum():.0f}",
        *(f"{switches[report.of(group)].sum():.0f}" for group in groups),
        f"{report.column('auc').mean():.1f}",
        f"{report.column('on_look_alike').mean():.1f}",
        str(len(report.losses)),
        f"{median_recovery(report.losses):.0f}".replace("inf", "∞") if report.losses else "–",
        f"{never_share(report.losses):.0f}" if report.losses else "–",
        false_present,
        "–" if report.fps is None else f"{report.fps:.1f}",
    )


@dataclass(frozen=True, slots=True)
class Contrast:
    """A tracker against another, paired by sequences, with 95 % bootstrap intervals."""

    ratio: float
    """Of the totals of identity switches; NaN where the other one makes none."""
    ratio_interval: tuple[float, float]
    fewer: float
    """Share of the resampled test sets in which it makes fewer switches; half of a draw counts."""
    auc_gain: float
    """Difference of the mean AUC in points."""
    auc_interval: tuple[float, float]


def contrast(report: Report, other: Report) -> Contrast:
    """Compare two trackers on the same two or more sequences.

    Raises:
        DataError: there are fewer than two.
    """
    draws = draw_sequences(len(report.entries), np.random.default_rng(SEED))
    switches, others = report.column("switches"), other.column("switches")
    ratios = resampled_ratios(switches, others, draws)
    gains = draws @ (others - switches)
    auc = report.column("auc") - other.column("auc")
    known = not np.isnan(ratios).all()
    return Contrast(
        ratio=float(switches.sum() / others.sum()) if others.sum() else float("nan"),
        ratio_interval=confidence_interval(ratios) if known else (float("nan"),) * 2,
        fewer=float((gains > 0).mean() + (gains == 0).mean() / 2),
        auc_gain=float(auc.mean()),
        auc_interval=confidence_interval(resampled_means(auc, draws)),
    )


def _comparison_table(reports: Sequence[Report]) -> TextTable:
    *compared, baseline = reports
    return TextTable(
        f"Against {baseline.tracker}, with 95 % intervals over sequences",
        ("tracker", "ratio of switches", "fewer switches", "AUC"),
        tuple(_comparison_line(report, baseline) for report in compared),
    )


def _comparison_line(report: Report, baseline: Report) -> tuple[str, ...]:
    found = contrast(report, baseline)
    return (
        report.tracker,
        "{:.2f} ({:.2f} to {:.2f})".format(found.ratio, *found.ratio_interval),
        f"{100 * found.fewer:.1f} %",
        "{:+.1f} ({:+.1f} to {:+.1f})".format(found.auc_gain, *found.auc_interval),
    )


def write_csv(path: Path, reports: Sequence[Report]) -> None:
    """One line for each tracker and sequence, numbers in full precision."""
    measures = ("switches", "auc", "on_look_alike", "false_presence")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("tracker", "sequence", "scenario", *measures, "losses", "frames_lost", "never_recovered"))
        for report in reports:
            for entry in report.entries:
                losses = entry.following.losses
                writer.writerow(
                    (
                        report.tracker,
                        entry.sequence,
                        entry.scenario,
                        *(getattr(entry.following, measure) for measure in measures),
                        len(losses),
                        sum(loss.frames for loss in losses),
                        sum(not loss.recovered for loss in losses),
                    )
                )
