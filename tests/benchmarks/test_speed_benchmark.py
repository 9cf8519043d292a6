import numpy as np
import pytest
import torch

import speed
from lockon.errors import UnknownNameError
from lockon.tracking.profiling import NoTimer
from lockon.tracking.search_region import centre_to_box
from synthetic_video import SyntheticVideo
from work import WorkCounter, measure_peak

OPTIONS = speed.Options(trackers=("lockon_s",), frames=1)


def count(targets):
    counter = WorkCounter()
    drive = speed.drive(
        speed.build("lockon_s", "fp32", OPTIONS, counter), targets, OPTIONS.frames, counter.operations.clear
    )
    assert drive.found == 1
    return counter.operations


@pytest.mark.slow
def test_work_is_proportional_to_targets_and_each_stage_has_some():
    one, two = count(1), count(2)
    assert {"backbone", "localise", "estimate"} <= one.keys()
    assert two == {stage: 2 * operations for stage, operations in one.items()}


def test_work_counter_knows_products_and_convolutions():
    counter = WorkCounter()
    with counter.stage("backbone"), torch.no_grad():
        torch.randn(3, 4, 5) @ torch.randn(3, 5, 6)
        torch.nn.functional.conv2d(torch.randn(1, 2, 5, 5), torch.randn(7, 2, 3, 3))
    assert counter.operations == {"backbone": 2 * 3 * 4 * 5 * 6 + 2 * 7 * 2 * 9 * 3 * 3}


def test_the_true_boxes_are_put_back_as_the_search_region_expects():
    tracker = speed.build("lockon_s", "fp32", OPTIONS, NoTimer())
    video = SyntheticVideo(targets=2)
    state = tracker.start(video.frame(0), video.boxes(0))
    moved = speed.put_back(state, video.boxes(9))
    np.testing.assert_allclose(centre_to_box(moved.position, moved.size).numpy(), video.boxes(9), atol=1e-4)
    unmoved = speed.put_back(state, video.boxes(0))
    torch.testing.assert_close(unmoved.scale, state.scale)
    torch.testing.assert_close(unmoved.position, state.position)


def test_report_holds_every_measurement(tmp_path):
    cost = speed.StageCost("backbone", 20.0, 0.5, 2.0, 100.0, 0.8)
    measurements = [
        speed.Measurement("dimp18", "fp32", targets, 300.0, fps, 1.0, (cost,))
        for targets, fps in ((1, 30.0), (4, 10.0))
    ]
    machine = {"cpu": "x", "threads": "2"}
    summary = speed.make_summary(measurements, machine)
    assert summary.lines[0][3:7] == ("30.0", "30.0", "1.00", "2.00")
    assert summary.lines[1][3:7] == ("10.0", "40.0", "1.33", "–")
    assert speed.make_summary(measurements, machine | {"gpu": "y"}).lines[0][6] == "–"
    speed.write_report(measurements, {"fp32": measure_peak("cpu", torch.float32)}, machine, tmp_path)
    assert "dimp18, fp32, T = 4 | backbone | 20.0 | 50 | 2.00 | 100 | 80" in (tmp_path / "speed.md").read_text()


def test_an_unknown_preset_fails_at_once():
    with pytest.raises(UnknownNameError, match="dimp18"):
        speed.Options(trackers=("dimp81",))
