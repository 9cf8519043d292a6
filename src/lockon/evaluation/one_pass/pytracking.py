"""The rules of pytracking's analysis, which the papers on ATOM, DiMP, PrDiMP, KeepTrack and RTS report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool

from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Measure
from lockon.evaluation.geometry import (
    Boxes,
    all_columns,
    any_column,
    centre_error,
    normalised_centre_error,
    overlap,
    unknown,
)
from lockon.evaluation.one_pass.base import MEASURES, Frames, RuleSet, repeat_last_good, start_as_annotated
from lockon.evaluation.one_pass.cases import Case

AVERAGE_OVERLAP = Measure(name="AO", meaning="mean overlap over the frames with a valid annotation")
WITHOUT_NAN = ("otb100", "nfs30", "nfs240", "lasot", "lasot_ext", "trackingnet")
"""Its data sets of which it takes no NaN annotation."""


def judge(case: Case) -> Frames:
    """Invalid frames never count as success; what they are in precision depends on the data set.

    A frame is valid where all four annotated numbers are positive and no flag says absent: boxes that begin at a
    border are not. Shares are of all frames.

    Raises:
        DataError: NaN or a negative size in the track; on LaSOT also a track that is too short; NaN in an annotation
            other than that of UAV123 or of the user.
    """
    predicted, remark = _repaired(case)
    truth = case.truth
    visible = np.ones(len(truth), dtype=bool) if case.visible is None else case.visible
    valid = all_columns(truth > 0) & visible
    overlaps = np.where(valid, overlap(truth, predicted), -1.0)
    # Errors of invalid frames are -1, within every threshold: of UAV123 in pixels, of all sets in target sizes.
    errors = np.where(valid, centre_error(truth, predicted), -1.0 if case.benchmark == "uav123" else np.inf)
    normalised = np.where(valid, normalised_centre_error(truth, predicted), -1.0)
    if case.benchmark == "lasot":
        normalised[~visible] = np.inf
    average = 100 * float(overlaps[valid].mean()) if valid.any() else float("nan")
    return Frames(
        overlaps=overlaps,
        errors=errors,
        normalised_errors=normalised,
        count=len(truth),
        extra={"AO": average},
        remark=remark,
    )


def judge_valid_frames(case: Case) -> Frames:
    """As `judge`, with shares of the valid frames: the option `exclude_invalid_frames`.

    Precision may exceed 100 % by it, as invalid frames that count as hits are not among them.
    """
    frames = judge(case)
    return Frames(
        overlaps=frames.overlaps,
        errors=frames.errors,
        normalised_errors=frames.normalised_errors,
        count=int((frames.overlaps >= 0).sum()),
        extra=frames.extra,
        remark=frames.remark,
    )


def _repaired(case: Case) -> tuple[Boxes, str | None]:
    predicted, truth = case.track.boxes, case.truth
    bad = unknown(predicted) | any_column(predicted[:, 2:] < 0)
    if bad.any():
        raise case.error(
            f"has NaN or a negative size in {_place(bad)}, which the rules 'pytracking' reject. "
            "Repeat the run, or use other rules."
        )
    nowhere = unknown(truth)
    if nowhere.any() and case.benchmark in WITHOUT_NAN:
        raise case.error(
            f"cannot be scored: the annotation has NaN in {_place(nowhere)}, which the rules 'pytracking' reject "
            f"on {case.benchmark}. Check the annotation, or use other rules."
        )
    if case.benchmark == "lasot":
        case.require_length("pytracking")
    frames = len(truth)
    predicted = predicted[:frames]
    empty = any_column(predicted[:, 2:] == 0) & ~nowhere[: len(predicted)]
    predicted = repeat_last_good(predicted, empty)
    missing = frames - len(predicted)
    predicted = np.concatenate([predicted, np.zeros((missing, 4))])
    remark = f"{missing} of {frames} frames have no box; they count as lost" if missing else None
    return start_as_annotated(truth, predicted), remark


def _place(frames: Bool[np.ndarray, "frames"]) -> str:
    first = int(frames.argmax())
    return f"frame {first} (line {first + 1})"


def with_options(rules: RuleSet, options: str) -> RuleSet:
    """The rules, changed by pytracking's options.

    Args:
        rules: as they are by default.
        options: `NAME=VALUE,…`: plot_bin_gap is the step from one overlap threshold to the next, of which 1/4 has to
            be a multiple; anno_period says of every how many frames one counts for the F-score.

    Raises:
        UnknownNameError: there is no such option.
        DataError: a value is no good.
    """
    changed = rules
    for option in options.split(","):
        name, _, text = option.partition("=")
        if name not in _OPTIONS:
            raise UnknownNameError("option of the rules 'pytracking'", name, _OPTIONS)
        try:
            changed = _OPTIONS[name](changed, text)
        except (ValueError, ZeroDivisionError, OverflowError):
            raise DataError(f"'{option}' is no good; for example: plot_bin_gap=0.01, anno_period=30.") from None
    return replace(changed, name=f"{rules.name}:{options}", summary=f"{rules.summary}; with {options}")


def _with_bin_gap(rules: RuleSet, text: str) -> RuleSet:
    gap = float(text)
    quarter = round(0.25 / gap)
    if quarter < 1 or abs(4 * quarter * gap - 1) > 1e-9:
        raise ValueError
    average, *others = rules.measures
    meaning = average.meaning.replace("over 21 thresholds", f"over {4 * quarter + 1} thresholds")
    return replace(
        rules,
        overlap_thresholds=np.arange(4 * quarter + 1) * gap,
        measures=(replace(average, meaning=meaning), *others),
    )


def _with_period(rules: RuleSet, text: str) -> RuleSet:
    if int(text) < 1:
        raise ValueError
    return replace(rules, pool_every=int(text))


_OPTIONS: Mapping[str, Callable[[RuleSet, str], RuleSet]] = MappingProxyType(
    {"plot_bin_gap": _with_bin_gap, "anno_period": _with_period}
)
PYTRACKING = RuleSet(
    name="pytracking",
    summary="absent frames are misses in success; empty boxes repeat the last one; short tracks are lost at the end",
    judge=judge,
    pools_confidence=True,
    measures=(*MEASURES, AVERAGE_OVERLAP),
)
PYTRACKING_VALID = RuleSet(
    name="pytracking_valid",
    summary="as pytracking, with shares of the frames with a valid annotation (exclude_invalid_frames)",
    judge=judge_valid_frames,
    measures=(*MEASURES, AVERAGE_OVERLAP),
)
