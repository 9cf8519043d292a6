import csv
import math

import numpy as np
import pytest

from distractor_plots import KINDS, draw_strips, draw_summary, kinds
from distractor_reference import follow_by_motion
from distractor_report import Entry, Report, contrast, make_tables, write_csv
from distractors import Options, main
from lockon.data.testsets.base import BoxTruth
from lockon.evaluation.identity import NOBODY, UNDECIDED, Following, Recovery


def following(followed, switches=0, losses=(), auc=50.0):
    share = 100 * float((np.array(followed) > 0).mean())
    return Following(np.array(followed), switches, share, tuple(losses), auc, math.nan)


def report(tracker, switches, losses=(), auc=50.0):
    names = ["crossing", "occlusion", "absence"]
    visible = np.array([True, True, False, True])
    entries = [
        Entry(f"{names[i % 3]}_{i // 3:02d}", names[i % 3], visible, following([0, 1, -1, -2], count, losses, auc))
        for i, count in enumerate(switches)
    ]
    return Report(tracker, tuple(entries), 25.0)


def test_a_strip_has_a_colour_for_each_kind_of_frame():
    entry = Entry("a", "crossing", np.array([1, 1, 1, 1, 1, 1, 0, 1], dtype=bool), None)
    followed = [0, UNDECIDED, 1, 2, 3, NOBODY, NOBODY, 7]
    told = kinds(Entry(entry.sequence, entry.scenario, entry.visible, following(followed)))
    assert told.tolist() == [0, 1, 2, 3, 4, 5, 6, 4]
    assert KINDS[told[6]][0] == "on nobody, target away or hidden"


def test_a_contrast_by_hand():
    half, whole = report("half", [1, 1, 1, 0, 0, 0], auc=52.0), report("whole", [2, 2, 2, 0, 0, 0])
    found = contrast(half, whole)
    assert found.ratio == pytest.approx(0.5)
    assert found.ratio_interval == pytest.approx((0.5, 0.5))  # in every draw: sequences are paired
    assert found.fewer > 0.98
    assert (found.auc_gain, *found.auc_interval) == pytest.approx((2, 2, 2))
    none = contrast(half, report("none", [0] * 6))
    assert math.isnan(none.ratio)
    assert none.fewer < 0.02


def test_tables_count_switches_by_scenario(tmp_path):
    losses = (Recovery(4, True), Recovery(9, False))
    reports = [report("good", [0, 1, 0, 0, 0, 0]), report("bad", [1, 2, 3, 1, 0, 4], losses)]
    summary, comparison = make_tables(reports)
    assert summary.lines[1][:5] == ("bad", "11", "2", "2", "7")
    assert summary.lines[1][-5:] == ("12", "4", "50", "–", "25.0")
    assert summary.lines[0][-5:] == ("0", "–", "–", "–", "25.0")
    assert comparison.lines[0][0] == "good"
    assert comparison.lines[0][1].startswith("0.09 (")
    assert len(make_tables(reports[:1])) == 1
    write_csv(tmp_path / "numbers.csv", reports)
    rows = list(csv.DictReader((tmp_path / "numbers.csv").open()))
    assert len(rows) == 12
    assert (rows[6]["tracker"], rows[6]["sequence"], rows[6]["frames_lost"]) == ("bad", "crossing_00", "13")


def test_plots_are_drawn_alike_every_time(tmp_path):
    reports = [report("good", [0, 1, 0]), report("bad", [1, 2, 3], [Recovery(4, True)])]
    for name in ("first", "second"):
        draw_summary(reports, tmp_path / f"{name}_summary")
        draw_strips(reports, tmp_path / f"{name}_strips")
    for kind in ("summary", "strips"):
        first, second = (tmp_path / f"{name}_{kind}.svg" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert first.with_suffix(".png").exists()


def test_motion_alone_follows_through_a_crossing_but_not_round_a_corner():
    frames = np.arange(21.0)
    target, other = np.full((21, 4), 20.0), np.full((21, 4), 20.0)
    target[:, 0], target[:, 1] = 3 * frames, 0
    other[:, 0], other[:, 1] = 3 * (20 - frames), 0  # they meet in frame 10
    visible = abs(frames - 10) > 2
    track = follow_by_motion(BoxTruth(boxes=target, visible=visible, look_alikes=other[None]))
    np.testing.assert_allclose(track.boxes[-1], target[-1])
    turned = target.copy()
    turned[11:, 0] = turned[9::-1, 0]  # it turns back while it is hidden, and the other one as well
    away = np.concatenate([other[:11], other[9::-1]])
    track = follow_by_motion(BoxTruth(boxes=turned, visible=visible, look_alikes=away[None]))
    np.testing.assert_allclose(track.boxes[-1], away[-1])


STILL = """
from lockon.evaluation.trackers import Observation

class Still:
    def start(self, frame, region):
        self.region = region

    def step(self, frame):
        return Observation(region=self.region)

def create(seed):
    return Still()
"""


@pytest.mark.slow
def test_the_whole_program_makes_the_set_and_goes_on_with_what_is_there(tmp_path, capsys):
    (tmp_path / "still.py").write_text(STILL)
    options = Options(
        trackers=(f"still={tmp_path}/still.py:create",),
        data=tmp_path / "set",
        out=tmp_path / "out",
        count=1,
        processes=1,
    )
    main(options)
    record = tmp_path / "out/results/distractors/still/000/crossing_00.json"
    made = record.stat().st_mtime_ns
    main(options)
    assert record.stat().st_mtime_ns == made
    table = (tmp_path / "out/distractors.md").read_text()
    assert "| still |" in table
    assert "| motion, exact boxes |" in table
    assert (tmp_path / "out/identities.svg").exists()
    assert (tmp_path / "out/distractors.png").exists()
