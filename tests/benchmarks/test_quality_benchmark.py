import csv
import json

import numpy as np
import pytest
from PIL import Image

import quality_report
from lockon.boxes import Box
from lockon.data.sequences import find_sequences, read_sequence
from lockon.errors import DataError
from lockon.evaluation.trackers import Observation
from runs import Run, load_run, run_path, run_tracker, save_run, warm_up

BOX = Box(4.0, 6.0, 20.0, 10.0)
FRAMES = 5


class Still:
    """A tracker that never moves and always says that the target is there, unless its seed is odd."""

    label = "still"
    stochastic = True

    def prepare(self, image):
        return image

    def start(self, image, box, seed):
        self.box, self.present = box, seed % 2 == 0
        return Observation(box, present=True, score=None)

    def step(self, image):
        return Observation(self.box, present=self.present, score=0.5)


def write_sequence(folder, lines):
    (folder / "frames").mkdir(parents=True)
    for index in range(len(lines)):
        Image.fromarray(np.full((48, 64, 3), index, dtype=np.uint8)).save(folder / "frames" / f"{index:08d}.jpg")
    (folder / "groundtruth.txt").write_text("\n".join(lines))


@pytest.fixture
def sequences(tmp_path):
    text = ",".join(str(value) for value in BOX)
    write_sequence(tmp_path / "sequences" / "here", [text] * FRAMES)
    write_sequence(tmp_path / "sequences" / "leaves", [text, text, *["nan,nan,nan,nan"] * 2, "40,30,20,10"])
    return find_sequences(tmp_path / "sequences")


def track(sequence, seed=0):
    return run_tracker(Still(), sequence, seed, session="now", machine={"cpu": "x"}, on_frame=lambda: None)


def test_a_run_survives_storage_and_leaves_no_partial_file(sequences, tmp_path):
    run = track(sequences[1])
    save_run(run, tmp_path / "raw")
    stored = load_run(tmp_path / "raw", "still", sequences[1], 0)
    np.testing.assert_array_equal(stored.box_array, np.tile(BOX, (FRAMES, 1)))
    assert (stored.seconds, stored.scores, stored.machine) == (run.seconds, [None, *[0.5] * 4], {"cpu": "x"})
    assert [path.name for path in (tmp_path / "raw" / "still").iterdir()] == ["leaves_000.json"]
    assert load_run(tmp_path / "raw", "still", sequences[1], 1) is None


def test_a_stored_run_that_does_not_fit_is_refused(sequences, tmp_path):
    save_run(track(sequences[0]), tmp_path)
    path = run_path(tmp_path, "still", "here", 0)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"boxes": values["boxes"][:3]}))
    with pytest.raises(DataError, match=r"3 boxes.*--rerun"):
        load_run(tmp_path, "still", sequences[0], 0)
    path.write_text("{}")
    with pytest.raises(DataError, match="not a stored run"):
        load_run(tmp_path, "still", sequences[0], 0)


def test_report_averages_seeds_then_sequences(sequences):
    runs = [track(sequence, seed) for sequence in sequences for seed in (0, 1)]
    report = quality_report.report_tracker(runs, sequences)
    here, leaves = report.sequences
    assert here.success_auc == pytest.approx(20 / 21)
    assert leaves.success_auc == pytest.approx(20 / 21 * 2 / 3)
    assert report.total.success_auc == pytest.approx(20 / 21 * 5 / 6)
    assert report.total.success_auc_deviation == 0
    # Seed 0 calls both absent frames present, seed 1 none.
    assert (here.false_present, leaves.false_present, report.total.false_present) == (None, 0.5, 0.5)


def test_speed_counts_every_frame_and_the_start(sequences):
    run = track(sequences[0])
    slow = Run(**{name: getattr(run, name) for name in Run.__slots__} | {"seconds": [0.6, 0.1, 0.1, 0.1, 0.1]})
    report = quality_report.report_tracker([slow], sequences[:1])
    assert report.total.fps == pytest.approx(5.0)
    assert report.total.start_ms == pytest.approx(600)
    assert report.total.success_auc_deviation is None


def test_comparison_with_a_reference(sequences, tmp_path):
    reference = tmp_path / "reference.json"
    half = [BOX] + [[4.0, 6.0, 10.0, 10.0]] * (FRAMES - 1)
    reference.write_text(json.dumps({"sequences": {"here": {"boxes_xywh": half}}}))
    boxes = quality_report.read_reference(reference, sequences)
    (row,) = quality_report.compare_with_reference([track(sequences[0])], sequences, boxes)
    assert row.mean_iou == pytest.approx(0.5)
    assert row.auc_difference == pytest.approx((20 - (20 + 4 * 10) / 5) / 21)
    with pytest.raises(DataError, match="none of the sequences"):
        quality_report.read_reference(reference, sequences[1:])
    with pytest.raises(DataError, match="cannot read"):
        quality_report.read_reference(tmp_path / "missing.json", sequences)
    reference.write_text(json.dumps({"sequences": {"here": {"boxes_xywh": half[1:]}}}))
    with pytest.raises(DataError, match="number of frames"):
        quality_report.read_reference(reference, sequences)


def test_the_comparison_resumes_where_it_stopped(sequences, tmp_path):
    pytest.importorskip("cv2")
    import quality

    options = quality.Options(tmp_path / "sequences", trackers=("kcf",), out=tmp_path / "out")
    quality.main(options)
    kept, lost = (run_path(tmp_path / "out" / "raw", "opencv_kcf", name, 0) for name in ("here", "leaves"))
    marked = json.loads(kept.read_text()) | {"session": "marked"}
    kept.write_text(json.dumps(marked))
    lost.unlink()
    quality.main(options)
    assert json.loads(kept.read_text()) == marked
    assert lost.exists()
    assert "2 sessions" in (tmp_path / "out" / "quality.md").read_text()
    with (tmp_path / "out" / "per_sequence.csv").open() as file:
        assert [row["sequence"] for row in csv.DictReader(file)] == ["here", "leaves"]
    assert (tmp_path / "out" / "success_plot.svg").stat().st_size > 0
    assert (tmp_path / "out" / "per_sequence.png").stat().st_size > 0


def test_wrong_options_fail_before_any_work(sequences, tmp_path):
    pytest.importorskip("cv2")
    import quality

    with pytest.raises(DataError, match="--seeds"):
        quality.Options(tmp_path, seeds=0)
    for options, message in [
        (quality.Options(tmp_path, trackers=("nanotrack",)), "--nanotrack"),
        (quality.Options(tmp_path, trackers=("nanotrack",), nanotrack=tmp_path), "is missing"),
        (quality.Options(tmp_path, trackers=("kcf",), reference=tmp_path / "r.json"), "--trunk"),
    ]:
        with pytest.raises(DataError, match=message):
            quality.make_competitors(options)


def test_warm_up_needs_no_more_frames_than_there_are(tmp_path):
    write_sequence(tmp_path / "short", ["1,2,30,30"])
    warm_up(Still(), read_sequence(tmp_path / "short"))


def test_synthetic_video_is_repeatable_and_shows_the_target_in_its_box():
    from synthetic_video import SyntheticVideo

    video = SyntheticVideo(targets=1, seed=3)
    np.testing.assert_array_equal(video.frame(70), SyntheticVideo(targets=1, seed=3).frame(70))
    for index in (0, 70, 100_000):
        x, y, w, h = video.boxes(index)[0].astype(int)
        assert x >= 0
        assert y >= 0
        assert x + w <= 320
        assert y + h <= 240
    empty = SyntheticVideo(targets=0, seed=3)
    changed = (video.frame(70) != empty.frame(70)).any(axis=2)
    x, y, w, h = video.boxes(70)[0].astype(int)
    assert changed[y : y + h, x : x + w].mean() > 0.95
    changed[y : y + h, x : x + w] = False
    assert not changed.any()
