"""The supervised protocol of VOT2015 to VOT2019: a tracker that lost the target is started anew five frames later.

Accuracy is the overlap while tracking, robustness how often the target is lost, and the expected average overlap
(EAO, `lockon.evaluation.vot.expected_overlap`) puts both into one number. Kristan et al., "A Novel Performance
Evaluation Methodology for Single-Target Trackers", PAMI 2016.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.testsets.base import RegionTruth, TestSequence, TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.aggregation import frames_per_second
from lockon.evaluation.assessment import Assessment, Curve, Plot
from lockon.evaluation.pooling import PooledScores, Summed, Values, assess_pooled
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Code, RegionTrack, Results
from lockon.evaluation.vot import expected_overlap as eao
from lockon.evaluation.vot.raster import Bounds
from lockon.evaluation.vot.runs import UNBOUNDED, check_run, name_of, overlaps_of_run, region_truth, size_of_images
from lockon.evaluation.vot.supervised_rules import NUMBERS, RULES, TAG_ACCURACY, Repetition, Rules, tag_accuracy
from lockon.regions import Region

BURN_IN = 10
"""Frames from a start on that do not count for accuracy: the target was just given."""
UNASSIGNED = "empty"
"""Name of the frames that carry none of the tags."""
EXPECTED_OVERLAP = Plot(
    name="expected_overlap_plot",
    title="Expected average overlap",
    x_label="Sequence length [frames]",
    y_label="Expected overlap",
    y_range=(0, 1),
    unit="share",
)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Accuracy, robustness and EAO of every tracker, of all frames and by tag.

    Args:
        test_set: sequences annotated with regions.
        results: repetitions as runs, with a `RegionTrack` per sequence. A sequence may have fewer repetitions than
            others: a tracker that repeats itself is run three times only.
        rules: name in `RULES`; "pysot" unless given.

    Raises:
        UnknownNameError: there are no such rules.
        DataError: annotation or a run is not fit for the protocol.
    """
    if (rules or "pysot") not in RULES:
        raise UnknownNameError("rules of VOT with resets", rules or "", RULES)
    chosen = RULES[rules or "pysot"]
    any_repetition = {tracker: [ChainMap(*(dict(run) for run in runs))] for tracker, runs in results.items()}
    sequences, exclusions = select_sequences(test_set, any_repetition)
    sizes = [size_of_images(sequence) for sequence in sequences]
    interval = eao.INTERVALS.get(test_set.name) or eao.interval_of_lengths([len(each) for each in test_set.sequences])
    scores = []
    for tracker, runs in results.items():
        tracks = [_tracks(tracker, sequence, runs) for sequence in sequences]
        truths = [region_truth(sequence, test_set) for sequence in sequences]
        repetitions = [
            [repetition(truth.regions, track, chosen, size, name_of(tracker, sequence, track)) for track in each]
            for sequence, truth, size, each in zip(sequences, truths, sizes, tracks, strict=True)
        ]
        speed = frames_per_second([track for each in tracks for track in each])
        scores.append(_scores(tracker, chosen, interval, truths, repetitions, speed))
    return assess_pooled(
        test_set,
        sequences,
        scores,
        protocol="vot_supervised",
        rules=chosen.name,
        measures=chosen.measures,
        plots=(replace(EXPECTED_OVERLAP, band=(interval.low, interval.high)),),
        exclusions=exclusions,
        notes=(
            f"Rules '{chosen.name}': {chosen.summary}.",
            f"EAO is the mean over lengths {interval.low} to {interval.high}"
            + ("." if test_set.name in eao.INTERVALS else ", estimated from the lengths of the sequences."),
            *([UNBOUNDED] if None in sizes else []),
        ),
    )


def repetition(
    truth: Sequence[Region], track: RegionTrack, rules: Rules, size: Bounds | None, label: str
) -> Repetition:
    """Overlaps and failures of one run.

    Args:
        truth: annotation of the sequence.
        track: the run.
        rules: how regions overlap.
        size: of the images; None where it is not known.
        label: name of the run, for messages.

    Raises:
        DataError: the run is incomplete, or has a region that does not fit the rules.
    """
    check_run(track, len(truth), label)

    def overlaps_inside(border: int) -> Float[np.ndarray, "frames"]:
        bounds = None if size is None else (size[0] + border, size[1] + border)
        return overlaps_of_run(truth, track.regions, rules.overlap, bounds, label)

    overlaps = overlaps_inside(rules.border)
    same = size is None or rules.accuracy_border == rules.border
    accuracy_overlaps = overlaps.copy() if same else overlaps_inside(rules.accuracy_border)
    starts, failures = (
        np.array([index for index, region in enumerate(track.regions) if region is code], dtype=np.int64)
        for code in (Code.START, Code.FAILURE)
    )
    for start in starts:
        accuracy_overlaps[start : start + BURN_IN] = np.nan
    return Repetition(overlaps=overlaps, accuracy_overlaps=accuracy_overlaps, starts=starts, failures=failures)


def _tracks(tracker: str, sequence: TestSequence, runs: Sequence[Mapping[str, object]]) -> list[RegionTrack]:
    found = [run[sequence.name] for run in runs if sequence.name in run]
    tracks = [track for track in found if isinstance(track, RegionTrack)]
    if len(tracks) < len(found):
        raise DataError(
            f"the result of '{tracker}' on '{sequence.name}' was not made with resets. "
            "Run the supervised protocol, or assess it by the protocol it was made for."
        )
    return tracks


def _tags(truth: RegionTruth) -> dict[str, Bool[np.ndarray, "frames"]]:
    """The tags of all frames, and which frames have none."""
    return {**truth.tags, UNASSIGNED: ~np.any([*truth.tags.values()], axis=0)} if truth.tags else {}


def _scores(
    tracker: str,
    rules: Rules,
    interval: eao.Interval,
    truths: Sequence[RegionTruth],
    repetitions: Sequence[Sequence[Repetition]],
    speed: float | None,
) -> PooledScores:
    length = rules.curve_length(repetitions)
    width = NUMBERS + 2 * length

    def measure(sums: Summed) -> Values:
        by_tag = sums[..., width:].reshape(*sums.shape[:-1], -1, NUMBERS)
        return {**rules.measure(sums[..., :width], interval), TAG_ACCURACY.name: tag_accuracy(by_tag)}

    def parts(
        runs: Sequence[Sequence[Repetition]], frames: Sequence[Bool[np.ndarray, "frames"]]
    ) -> Float[np.ndarray, "sequences parts"]:
        return np.array([rules.parts(each, chosen, length) for each, chosen in zip(runs, frames, strict=True)])

    all_frames = [np.ones(len(truth.regions), dtype=np.bool_) for truth in truths]
    tags = [_tags(truth) for truth in truths]
    tagged = {
        tag: [each.get(tag, ~every) for each, every in zip(tags, all_frames, strict=True)]
        for tag in dict.fromkeys(tag for each in tags for tag in each)
    }

    def with_tags(runs: Sequence[Sequence[Repetition]]) -> Float[np.ndarray, "sequences parts"]:
        by_tag = [parts(runs, frames)[:, :NUMBERS] for frames in tagged.values() if rules.weighs_tags]
        return np.concatenate([parts(runs, all_frames), *by_tag], axis=1)

    whole = with_tags(repetitions)
    total = whole.sum(axis=0)
    lengths = np.arange(length, dtype=np.float64) + rules.first_length
    alone = [measure(with_tags(run).sum(axis=0)) for run in _single(repetitions)]
    return PooledScores(
        tracker=tracker,
        parts=whole[None],
        measure=measure,
        attribute_parts={tag: parts(repetitions, frames)[None] for tag, frames in tagged.items()},
        runs=max(len(each) for each in repetitions),
        deviations={m.name: float(np.std([run[m.name] for run in alone], ddof=1)) for m in rules.measures}
        if alone
        else {},
        curves={
            EXPECTED_OVERLAP.name: Curve(x=lengths, y=rules.curve(total[:width]), score=float(measure(total)["EAO"]))
        },
        frames_per_second=speed,
    )


def _single(repetitions: Sequence[Sequence[Repetition]]) -> list[list[list[Repetition]]]:
    """Every repetition on its own, where there are several and all sequences have them."""
    counts = {len(each) for each in repetitions}
    (count, *others) = counts
    return [] if others or count == 1 else [[[each[number]] for each in repetitions] for number in range(count)]
