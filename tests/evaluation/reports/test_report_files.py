import csv
import json
import math

import numpy as np
import pytest
from made_assessments import assessment, tracker

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.errors import OutputError
from lockon.evaluation.assessment import Assessment, Measure, TrackerAssessment
from lockon.evaluation.reports import Assessed, stored_origin, write_report
from lockon.evaluation.reports.exports import plain, write_exports
from lockon.evaluation.store import Making, ResultKey, ResultStore
from lockon.evaluation.tracks import Track

BOXES = np.tile([1.0, 2, 3, 4], (5, 1))


def otb():
    sequences = tuple(
        TestSequence(name=name, frame_paths=(), truth=BoxTruth(boxes=BOXES), start=Box(1, 2, 3, 4), length=5)
        for name in ("Bolt", "Car")
    )
    return TestSet(name="otb100", title="OTB-100", sequences=sequences, protocol="one_pass")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_number_is_written_in_full_precision(tmp_path):
    shown = assessment()
    write_exports([shown], {"Made": "today"}, tmp_path)
    values = {(row["tracker"], row["measure"]): row for row in rows(tmp_path / "values.csv")}
    assert float(values["kcf", "AUC"]["value"]) == 23.346
    assert values["lockon_s", "AUC"] | {"value": ""} == {
        "test_set": "otb100",
        "protocol": "one_pass",
        "rules": "pytracking",
        "tracker": "lockon_s",
        "measure": "AUC",
        "unit": "percent",
        "value": "",
        "deviation": "0.5",
        "low": "51.25",
        "high": "64.0",
        "runs": "3",
    }
    assert float(values["lockon_s", "FPS"]["value"]) == 57.93
    sequences = {(row["tracker"], row["sequence"]): float(row["value"]) for row in rows(tmp_path / "sequences.csv")}
    assert sequences["csrt", "Car"] == 28.0
    assert len(sequences) == 6
    attributes = {row["attribute"]: float(row["value"]) for row in rows(tmp_path / "attributes.csv")}
    assert attributes == {"OCC": 50.0, "IV": 61.0, "MB": 55.5}
    curve = [float(row["y"]) for row in rows(tmp_path / "curves.csv") if row["tracker"] == "csrt"]
    assert curve == shown.trackers[2].curves["success_plot"].y.tolist()
    (pair, _) = rows(tmp_path / "comparisons.csv")
    assert (pair["tracker"], pair["other"], float(pair["probability"])) == ("lockon_s", "csrt", 0.975)
    (exclusion,) = rows(tmp_path / "exclusions.csv")
    assert (exclusion["sequence"], exclusion["tracker"]) == ("Dog", "kcf")


def segmented(name):
    objects = {
        "J": {"dogs": {1: 0.75, 2: 0.12345}, "cat": {1: 1.0}},
        "F": {"dogs": {1: 0.5, 2: 0.25}, "cat": {1: 0.9996}},
    }
    values = {
        "J&F": 0.6,
        "J": 0.62449,
        "J recall": 2 / 3,
        "J decay": math.nan,
        "F": 0.5832,
        "F recall": 0.5,
        "F decay": -0.01,
    }
    return TrackerAssessment(tracker=name, values=values, by_object=objects)


def masks(rules, *names):
    measures = (Measure(name="J&F", unit="share"),)
    sequences = {"dogs": 50, "cat": 40}
    return Assessment(
        test_set="davis2017", protocol="davis", rules=rules, measures=measures, sequences=sequences,
        trackers=tuple(segmented(name) for name in names),
    )  # fmt: skip


def test_objects_are_written_as_the_toolkit_of_davis_does(tmp_path):
    paths = write_exports([masks("davis", "mine", "a/b")], {}, tmp_path)
    place = tmp_path / "official" / "davis2017" / "mine"
    assert {place / "global_results-val.csv", place / "per-sequence_results-val.csv"} < set(paths)
    assert (place / "global_results-val.csv").read_text() == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n0.600,0.624,0.667,,0.583,0.500,-0.010\n"
    )
    assert (place / "per-sequence_results-val.csv").read_text() == (
        "Sequence,J-Mean,F-Mean\ndogs_1,0.750,0.500\ndogs_2,0.123,0.250\ncat_1,1.000,1.000\n"
    )
    assert (tmp_path / "official" / "davis2017" / "a%2Fb" / "global_results-val.csv").is_file()
    objects = {
        (row["tracker"], row["sequence"], row["object"], row["measure"]): row
        for row in rows(tmp_path / "objects.csv")
    }
    assert len(objects) == 12
    assert objects["mine", "dogs", "2", "J"]["value"] == "0.12345"


def test_objects_of_held_out_videos_are_written_as_pytracking_does(tmp_path):
    write_exports([masks("jjval", "mine")], {}, tmp_path)
    place = tmp_path / "official" / "davis2017" / "mine"
    assert (place / "jjval_global_results.csv").read_text() == "J-Mean,J-Recall,J-Decay\n0.624,0.667,\n"
    assert (place / "jjval_per-sequence_results.csv").read_text().splitlines()[:2] == [
        "Sequence,J-Mean",
        "dogs_1,0.750",
    ]


def test_nothing_official_is_made_up(tmp_path):
    write_exports([masks("youtube_vos", "mine")], {}, tmp_path)
    assert not (tmp_path / "official").exists()
    assert len(rows(tmp_path / "objects.csv")) == 6


def test_json_holds_everything_and_is_json(tmp_path):
    write_exports([assessment(tracker("kcf", math.nan))], {"Made": "today"}, tmp_path)
    text = (tmp_path / "report.json").read_text()
    assert "NaN" not in text
    record = json.loads(text)
    assert record["report"] == {"Made": "today"}
    (one,) = record["assessments"][0]["trackers"]
    assert one["values"]["AUC"] is None
    assert len(one["curves"]["success_plot"]["x"]) == 21


def test_plain_values_of_arrays_and_numpy_numbers():
    thing = {"a": np.array([1.0, np.inf]), "b": np.int64(3), "c": (np.float64(0.5), None, True)}
    assert plain(thing) == {"a": [1.0, None], "b": 3, "c": [0.5, None, True]}


def test_report_on_disk_is_complete(tmp_path):
    results = {name: [{"Bolt": Track(boxes=BOXES), "Car": Track(boxes=BOXES + 50)}] for name in ("kcf", "csrt")}
    shown = assessment(tracker("kcf", 20.0), tracker("csrt", 40.0), comparisons=())
    one = Assessed(test_set=otb(), results=results, assessments=(shown,))
    paths = write_report([one], tmp_path / "out", command="lockon report x")
    assert sorted(paths) == sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert paths[0].name == "index.html"
    assert "lockon report x" in paths[0].read_text()
    assert "| csrt | **40.00** |" in (tmp_path / "out" / "tables.md").read_text()
    assert r"csrt & \textbf{40.00}" in (tmp_path / "out" / "tables.tex").read_text()
    assert (tmp_path / "out" / "plots" / "otb100" / "pytracking" / "success_plot.png").exists()
    assert "lost from frame 0 on, 5 frames" in paths[0].read_text()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out"):
        write_report([], tmp_path / "out")


def test_origin_says_what_results_were_made_from_and_where_they_differ(tmp_path):
    store, shown = ResultStore(tmp_path), otb()
    for sequence, version in zip(shown.sequences, ("2.13", "2.14"), strict=True):
        making = Making(seed=0, provenance={"weights": {"sha256": "abc"}}, environment={"torch": version})
        store.save(ResultKey("otb100", "kcf", 0, sequence.name), sequence, Track(boxes=BOXES), making)
    origin = stored_origin(store, shown, "kcf")
    assert origin.facts == ("weights.sha256: abc", "torch: 2.13 / 2.14")
    assert len(origin.made) == len("2026-01-01")
    assert stored_origin(store, shown, "unknown").made == ""
