"""What GOT-10k's server says of submitted results: a report in JSON, as the annotation of the test part is secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lockon.data.datasets.annotations.base import read_text
from lockon.data.testsets.base import TestSet
from lockon.errors import DataError
from lockon.evaluation.assessment import Assessment, Curve, TrackerAssessment
from lockon.evaluation.got10k import MEASURES, PLOT, THRESHOLDS

GOT10K_SERVER = "got10k_server"
"""What `lockon report` calls the form."""
TEST_SET = "got10k_test"
"""What the server knows the annotation of."""
_SR75 = 75
"""Place of the threshold 0.75."""


def read_server_report(path: Path) -> dict[str, TrackerAssessment]:
    """The numbers of every tracker: AO, SR50 and SR75 in percent, the success curve, and the speed where it is known.

    The server gives no SR75; it is the point of the curve at 0.75.

    Raises:
        DataError: the file cannot be read, is no report of the server, or has numbers that are no shares.
    """
    try:
        report = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"'{path}', line {error.lineno}: {error.msg}. Fetch the report from the server again."
        ) from None
    if not isinstance(report, dict) or not report:
        raise _no_report(path, "there is no tracker in it")
    return {str(tracker): _tracker(path, str(tracker), said) for tracker, said in report.items()}


def assess_by_server(test_set: TestSet, trackers: Mapping[str, TrackerAssessment]) -> Assessment:
    """The server's numbers as what reports take.

    Raises:
        DataError: it is another test set than the server's.
    """
    if test_set.name != TEST_SET:
        raise DataError(f"reports of GOT-10k's server are about {TEST_SET}; give --on {TEST_SET}=FOLDER alone.")
    return Assessment(
        test_set=test_set.name,
        protocol="got10k",
        rules="got10k",
        measures=MEASURES,
        trackers=tuple(trackers.values()),
        sequences={sequence.name: len(sequence) for sequence in test_set.sequences},
        plots=(PLOT,),
        notes=("Numbers are those of GOT-10k's server; SR75 is the point of its success curve at 0.75.",),
    )


def _tracker(path: Path, tracker: str, said: object) -> TrackerAssessment:
    overall = said.get("overall", said) if isinstance(said, dict) else None
    if not isinstance(overall, dict):
        raise _no_report(path, f"'{tracker}' has no numbers")
    (overlap,), (half,) = (_shares(path, tracker, name, [overall.get(name)]) for name in ("ao", "sr"))
    curve = _shares(path, tracker, "succ_curve", overall.get("succ_curve"))
    if len(curve) != len(THRESHOLDS):
        raise _no_report(path, f"'succ_curve' of '{tracker}' has {len(curve)} points, not {len(THRESHOLDS)}")
    speed = overall.get("speed_fps")
    return TrackerAssessment(
        tracker=tracker,
        values={"AO": overlap, "SR50": half, "SR75": curve[_SR75]},
        curves={PLOT.name: Curve(x=THRESHOLDS, y=np.array(curve), score=overlap)},
        frames_per_second=float(speed) if isinstance(speed, int | float) and speed > 0 else None,
    )


def _shares(path: Path, tracker: str, name: str, numbers: object) -> list[float]:
    """In percent."""
    if not isinstance(numbers, list) or not all(isinstance(one, int | float) and 0 <= one <= 1 for one in numbers):
        raise _no_report(path, f"'{name}' of '{tracker}' is missing or not between 0 and 1")
    return [100 * float(one) for one in numbers]


def _no_report(path: Path, why: str) -> DataError:
    return DataError(f"'{path}' is no report of GOT-10k's server: {why}. Fetch it from the server again.")
