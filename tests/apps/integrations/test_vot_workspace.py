"""The official toolkit runs our tracker, we read its files, it reads ours, and all numbers agree."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.integrations.bright_tracker import square_at
from apps.integrations.vot_workspace import HIDDEN, LENGTHS, SPEEDS, Toolkit, make_workspace
from lockon.apps.cli import main
from lockon.apps.integrations.vot_toolkit import register
from lockon.data.testsets.base import TestSet, box_of
from lockon.data.testsets.registry import open_test_set
from lockon.evaluation.formats import read_results, write_results
from lockon.evaluation.protocols import assess
from lockon.evaluation.tracks import Code, RegionTrack
from lockon.evaluation.vot.expected_overlap import interval_of_lengths

PROGRAM = Path(__file__).with_name("bright_tracker.py")
TEST_SETS = {"vot_supervised": "vot2018", "vot_multistart": "vot2020", "vot_longterm": "vot2018_lt"}
FORMS = {"vot_supervised": "polygon", "vot_multistart": "mask", "vot_longterm": "rectangle"}
JITTER = {"vot_supervised": 3.0, "vot_multistart": 0.0, "vot_longterm": 8.0}
"""How far from the square the tracker may be; it is `lockon_s` in the long-term workspace."""


@pytest.mark.slow
@pytest.mark.parametrize("protocol", TEST_SETS)
def test_the_toolkit_evaluates_our_tracker(tmp_path: Path, protocol: str) -> None:
    pytest.importorskip("trax", reason="the package vot-trax is not installed (extra vot)")
    toolkit = Toolkit()
    interval = interval_of_lengths(LENGTHS)
    make_workspace(tmp_path, protocol, (interval.low, interval.high))
    if protocol == "vot_longterm":
        assert main(["vot", "register", str(tmp_path), "tracker=lockon_s"]) == 0
    else:
        register(tmp_path, {"tracker": [sys.executable, str(PROGRAM), FORMS[protocol], str(JITTER[protocol])]})
    register(tmp_path, {"copy": ["none"]})
    toolkit.evaluate(tmp_path, protocol, "tracker")

    # A name of our own: the toolkit's intervals are not those of a challenge here.
    test_set = replace(open_test_set(TEST_SETS[protocol], tmp_path / "sequences"), name="made")
    read = read_results(tmp_path / "results", test_set)
    assert (list(read.results), read.exclusions, read.unused, read.doubts) == (["tracker"], (), (), ())
    for run in read.results["tracker"]:
        for sequence in test_set.sequences:
            said = run[sequence.name]
            for anchor, track in (said if isinstance(said, Mapping) else {0: said}).items():
                assert isinstance(track, RegionTrack)
                check_track(track, test_set, sequence.name, anchor, protocol)

    write_results("vot", test_set, {"copy": read.results["tracker"]}, tmp_path / "results")
    tables = toolkit.analysis(tmp_path, ["tracker", "copy"])
    for of_tracker, of_copy in tables:
        assert of_tracker == of_copy
    ours = assess(test_set, read.results, rules="vot_toolkit").trackers[0].values
    if protocol == "vot_longterm":
        precision, recall, f = tables[0][0]
        expected = {"Precision": precision, "Recall": recall, "F": f}
    else:
        accuracy, robustness, *_ = tables[0][0]
        (expected_overlap,) = tables[1][0]
        expected = {"Accuracy": accuracy, "Robustness": robustness}
        # The interval of multi-start challenges is longer than these videos, and the same for all test sets of ours.
        if protocol == "vot_supervised":
            assert robustness > 0, "a run without failures shows little"
            expected["EAO"] = expected_overlap
    for measure, value in expected.items():
        assert ours[measure] == pytest.approx(value, abs=1e-9), measure


def check_track(track: RegionTrack, test_set: TestSet, name: str, anchor: int, protocol: str) -> None:
    """The regions are where the tracker saw the square, in the order of the run."""
    # The real tracker need not find the square again far from where it went out of sight.
    unseen = range(HIDDEN.start, LENGTHS[1]) if protocol == "vot_longterm" else HIDDEN
    number = [sequence.name for sequence in test_set.sequences].index(name)
    backward = anchor == LENGTHS[number] - 1
    frames = range(anchor, -1, -1) if backward else range(anchor, LENGTHS[number])
    assert len(track.regions) == len(frames)
    assert track.regions[0] == Code.START
    assert track.seconds is not None
    assert (track.seconds[1:][~np.isnan(track.seconds[1:])] > 0).all()
    seen = 0
    for frame, region in zip(frames, track.regions, strict=True):
        if isinstance(region, Code) or (number == 1 and frame in unseen):
            continue
        expected = square_at(frame, SPEEDS[number], (10.0 * number, 5.0))
        # JPEG blurs the border of the square by less than a pixel.
        np.testing.assert_allclose(box_of(region), expected, rtol=0, atol=JITTER[protocol] + 1.01)
        seen += 1
    assert seen > len(frames) / 4
