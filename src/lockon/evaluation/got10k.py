"""The protocol of GOT-10k (Huang, Zhao and Huang, PAMI 2019): frames of all sequences and runs in one pool.

Frame 0 counts not, nor do frames in which nothing of the target is visible; both boxes are clipped to the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from lockon.data.testsets.base import TestSet
from lockon.errors import UnknownNameError
from lockon.evaluation.aggregation import Aggregation, Scores
from lockon.evaluation.assessment import Assessment, Curve, Measure, Plot
from lockon.evaluation.geometry import Boxes, overlap_up_to_one, unknown
from lockon.evaluation.one_pass.cases import Case, box_case, box_truth
from lockon.evaluation.selection import select_sequences
from lockon.evaluation.tracks import Results

MEASURES = (
    Measure(name="AO", meaning="mean overlap over all frames"),
    Measure(name="SR50", meaning="share of frames with overlap > 0.5"),
    Measure(name="SR75", meaning="share of frames with overlap > 0.75"),
)
BALANCED_MEASURES = (
    Measure(name="mAO", meaning="mean over object classes of the mean AO of their sequences"),
    Measure(name="mSR50", meaning="mean over object classes of the mean SR50 of their sequences"),
    Measure(name="mSR75", meaning="mean over object classes of the mean SR75 of their sequences"),
)
PLOT = Plot(
    name="success_plot",
    title="Success",
    x_label="Overlap threshold",
    y_label="Success rate [%]",
    x_range=(0, 1),
    y_range=(0, 100),
)
THRESHOLDS = np.linspace(0, 1, 101)
EPSILON = float(np.finfo(np.float64).eps)


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """AO and SR of every tracker, and their class-balanced means where all classes are known.

    Raises:
        UnknownNameError: rules other than "got10k".
        DataError: the annotation is secret, a track is incomplete, or the size of an image is not known.
    """
    if rules not in (None, "got10k"):
        raise UnknownNameError("rule set of GOT-10k", str(rules), ["got10k"])
    sequences, exclusions = select_sequences(test_set, results)
    images = [sequence.size_of_images() for sequence in sequences]
    covers = [box_truth(test_set, sequence).cover for sequence in sequences]
    categories = [sequence.category for sequence in sequences]
    balanced = None not in categories
    measures = MEASURES + BALANCED_MEASURES if balanced else MEASURES
    aggregation = Aggregation(test_set, sequences, measures)
    scores = []
    for tracker, runs in results.items():
        cases = [[box_case(test_set, sequence, tracker, run) for sequence in sequences] for run in runs]
        overlaps = [
            [counted_overlaps(case, cover, image) for case, cover, image in zip(run, covers, images, strict=True)]
            for run in cases
        ]
        scores.append(_scores(tracker, overlaps, categories if balanced else None, _speed(cases)))
    return Assessment(
        test_set=test_set.name,
        protocol="got10k",
        rules="got10k",
        measures=measures,
        trackers=tuple(aggregation.tracker(each) for each in scores),
        sequences={sequence.name: len(box_truth(test_set, sequence).boxes) for sequence in sequences},
        plots=(PLOT,),
        exclusions=tuple(exclusions),
        comparisons=aggregation.comparisons(scores),
        notes=("Rules 'got10k': frames of all sequences count equally; frame 0 and hidden targets do not count.",),
    )


def counted_overlaps(
    case: Case, cover: Int[np.ndarray, "frames"] | None, image_size: tuple[int, int]
) -> Float[np.ndarray, "counted"]:
    """Overlaps of the frames that count, both boxes clipped to the image.

    Raises:
        DataError: the track is longer or shorter than the annotation, or has NaN.
    """
    boxes = case.track.boxes
    if len(boxes) != len(case.truth):
        raise case.error(f"has {len(boxes)} boxes for {len(case.truth)} frames. Delete it and repeat the run.")
    bad = unknown(boxes)
    if bad.any():
        raise case.error(f"has NaN in line {int(bad.argmax()) + 1}, which GOT-10k rejects. Repeat the run.")
    overlaps = overlap_up_to_one(_clip(boxes, image_size), _clip(case.truth, image_size))
    counted = np.ones(len(boxes), dtype=bool) if cover is None else cover > 0
    counted[0] = False
    return overlaps[counted]


def _clip(boxes: Boxes, image_size: tuple[int, int]) -> Boxes:
    # The toolkit's way: a box that begins left of the image is moved into it and keeps its width.
    corners = np.clip(boxes[:, :2], 0, image_size)
    return np.concatenate([corners, np.clip(boxes[:, 2:], 0, image_size - corners)], axis=1)


def _scores(
    tracker: str,
    overlaps: Sequence[Sequence[Float[np.ndarray, "counted"]]],
    categories: Sequence[str | None] | None,
    speed: float | None,
) -> Scores:
    values = {
        "AO": np.array([[100 * _mean(each) for each in run] for run in overlaps]),
        "SR50": np.array([[100 * _mean(each > 0.5) for each in run] for run in overlaps]),
        "SR75": np.array([[100 * _mean(each > 0.75) for each in run] for run in overlaps]),
    }
    weights = dict.fromkeys(values, np.array([float(len(each)) for each in overlaps[0]]))
    pool = np.concatenate([each for run in overlaps for each in run])
    reached = np.searchsorted(np.sort(-pool), -THRESHOLDS, side="left")
    if categories is not None:
        sizes = Counter(categories)
        shares = np.array([1 / sizes[category] for category in categories])
        for name in tuple(values):
            values[f"m{name}"], weights[f"m{name}"] = values[name], shares
    return Scores(
        tracker=tracker,
        values=values,
        weights=weights,
        curves={PLOT.name: Curve(x=THRESHOLDS, y=100 * reached / len(pool), score=100 * float(pool.mean()))},
        frames_per_second=speed,
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _speed(cases: Sequence[Sequence[Case]]) -> float | None:
    """Mean over frames of 1 / time, as the toolkit has it."""
    seconds = [case.track.seconds for run in cases for case in run if case.track.seconds is not None]
    times = np.concatenate(seconds) if seconds else np.zeros(0)
    return float((1 / times[times > 0]).mean()) if (times > 0).any() else None
