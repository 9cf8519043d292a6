import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.formats.result_folders import sequence_of, set_of
from lockon.errors import DataError
from lockon.evaluation.formats.got10k_server import assess_by_server, read_server_report

CURVE = [1 - place / 100 for place in range(101)]
NUMBERS: dict[str, Any] = {"ao": 0.5, "sr": 0.49, "speed_fps": 30.5, "succ_curve": CURVE}


def written(folder: Path, report: object) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    return path


@pytest.mark.parametrize("said", [NUMBERS, {"overall": NUMBERS, "seq_wise": {}}])
def test_numbers_and_curve_are_those_of_the_server_in_percent(tmp_path: Path, said: object) -> None:
    (tracker,) = read_server_report(written(tmp_path, {"ATOM": said})).values()
    assert tracker.tracker == "ATOM"
    assert tracker.values == pytest.approx({"AO": 50, "SR50": 49, "SR75": 25})
    assert tracker.frames_per_second == 30.5
    curve = tracker.curves["success_plot"]
    assert curve.score == 50
    np.testing.assert_allclose(curve.x[[0, 30, 100]], [0, 0.3, 1])
    np.testing.assert_allclose(curve.y[[0, 30, 100]], [100, 70, 0])


def test_speed_may_be_unknown(tmp_path: Path) -> None:
    for speed in (None, -1, 0):
        report = read_server_report(written(tmp_path, {"ATOM": NUMBERS | {"speed_fps": speed}}))
        assert report["ATOM"].frames_per_second is None


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ([], "no tracker"),
        ({}, "no tracker"),
        ({"A": 3}, "'A' has no numbers"),
        ({"A": {"overall": [1]}}, "'A' has no numbers"),
        ({"A": NUMBERS | {"ao": 50}}, "'ao' of 'A' is missing or not between 0 and 1"),
        ({"A": NUMBERS | {"ao": float("nan")}}, "'ao' of 'A'"),
        ({"A": {"ao": 0.5, "succ_curve": CURVE}}, "'sr' of 'A' is missing"),
        ({"A": NUMBERS | {"succ_curve": CURVE[:21]}}, "has 21 points, not 101"),
        ({"A": NUMBERS | {"succ_curve": None}}, "'succ_curve' of 'A' is missing"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, report: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_server_report(written(tmp_path, report))


def test_a_page_of_the_server_instead_of_its_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("<html>")
    with pytest.raises(DataError, match=r"report\.json', line 1: .*again"):
        read_server_report(tmp_path / "report.json")


def test_the_server_knows_one_test_set(tmp_path: Path) -> None:
    report = read_server_report(written(tmp_path, {"ATOM": NUMBERS}))
    with pytest.raises(DataError, match="about got10k_test"):
        assess_by_server(set_of("got10k", sequence_of("s", 2)), report)
