"""The experiments of the got10k toolkit run our tracker, and its numbers for the same raw results are ours."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float
from PIL import Image as PillowImage

from apps.integrations.bright_tracker import BrightTracker, save_frame, square_at
from lockon.apps.integrations.got10k_toolkit import Got10kTracker
from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.data.testsets.registry import open_test_set
from lockon.errors import TrackerError
from lockon.evaluation import got10k as got10k_protocol
from lockon.evaluation import one_pass
from lockon.evaluation.formats import read_results, write_results
from lockon.evaluation.trackers import TrackerSpec
from lockon.evaluation.tracks import Code, RegionTrack, Results, Track
from lockon.evaluation.vot import supervised
from lockon.regions import Polygon

FRAMES = 12
OTB_NAMES = {"Basketball": ("groundtruth_rect",), "Jogging": ("groundtruth_rect.1", "groundtruth_rect.2")}


def bright_spec(stochastic: bool = False) -> TrackerSpec:
    jitter = 2.0 if stochastic else 0.0
    return TrackerSpec(name="bright", create=lambda seed: BrightTracker(seed, jitter), stochastic=stochastic)


@pytest.fixture
def toolkit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The toolkit as it was made for older versions of NumPy, without its downloads."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr(np, "NaN", np.nan, raising=False)
    experiments = pytest.importorskip("got10k.experiments", reason="the package got10k is not installed")
    datasets = sys.modules["got10k.datasets"]
    vot = sys.modules["got10k.experiments.vot"]
    overlaps = vot.poly_iou
    # Newer versions make no array of numbers and arrays of one number.
    monkeypatch.setattr(vot, "poly_iou", lambda *regions, **bound: float(overlaps(*regions, **bound)[0]))
    monkeypatch.setattr(datasets.OTB, "_download", lambda *_: None)
    monkeypatch.setattr(datasets.OTB, "_OTB__version_dict", {2015: list(OTB_NAMES)})
    monkeypatch.setattr(datasets.VOT, "_download", lambda *_: None)
    return experiments


def square(frame: int) -> Box:
    return square_at(frame, (3, 2), (10, 5))


def make_otb(root: Path) -> None:
    for name, annotations in OTB_NAMES.items():
        for frame in range(FRAMES):
            save_frame(root / name / "img" / f"{frame + 1:04d}.jpg", square(frame))
        for annotation in annotations:
            np.savetxt(root / name / f"{annotation}.txt", [square(frame) for frame in range(FRAMES)], "%d", ",")


def otb_test_set() -> TestSet:
    boxes = np.array([square(frame) for frame in range(FRAMES)])
    names = [
        name if len(files) == 1 else f"{name}-{number}"
        for name, files in OTB_NAMES.items()
        for number in range(1, len(files) + 1)
    ]
    sequences = tuple(
        TestSequence(name=name, frame_paths=(), truth=BoxTruth(boxes=boxes), start=Box(*boxes[0]), length=FRAMES)
        for name in names
    )
    return TestSet(name="otb100", title="OTB-100", sequences=sequences, protocol="one_pass")


def test_the_one_pass_experiment_runs_our_tracker_and_agrees(tmp_path: Path, toolkit: Any) -> None:
    make_otb(tmp_path / "data")
    experiment = toolkit.ExperimentOTB(
        str(tmp_path / "data"), 2015, str(tmp_path / "results"), str(tmp_path / "reports")
    )
    experiment.run(Got10kTracker(bright_spec()))
    test_set = otb_test_set()
    read = read_results(tmp_path / "results" / "OTB2015", test_set)
    assert (list(read.results), read.exclusions, read.unused, read.doubts) == (["bright"], (), (), ())
    for track in read.results["bright"][0].values():
        assert isinstance(track, Track)
        np.testing.assert_allclose(track.boxes, [square(frame) for frame in range(FRAMES)], atol=1.01)
        assert track.seconds is not None
        assert (track.seconds > 0).all()

    results = {**read.results, "noisy": [{name: noisy_track(test_set[name]) for name in names_of(test_set)}]}
    renamed = {"noisy": [{name.replace("-", "."): said for name, said in results["noisy"][0].items()}]}
    write_results("text", dotted(test_set), renamed, tmp_path / "results" / "OTB2015")
    theirs = experiment.report(["bright", "noisy"])
    ours = one_pass.assess(test_set, results, rules="got10k")
    for tracker in ours.trackers:
        overall = theirs[tracker.tracker]["overall"]
        assert tracker.values["AUC"] == pytest.approx(100 * overall["success_score"], abs=0.01)
        assert tracker.values["OP50"] == pytest.approx(100 * overall["success_rate"], abs=0.01)
        assert tracker.values["Precision"] == pytest.approx(100 * overall["precision_score"], abs=0.01)
        success = 100 * np.array(overall["success_curve"])
        np.testing.assert_allclose(tracker.curves["success_plot"].y, success, atol=0.01)
    assert ours.trackers[0].values["AUC"] != pytest.approx(ours.trackers[1].values["AUC"], abs=5)


def names_of(test_set: TestSet) -> list[str]:
    return [sequence.name for sequence in test_set.sequences]


def dotted(test_set: TestSet) -> TestSet:
    """With the names of the toolkit: `Jogging.1` for Jogging-1."""
    return replace(
        test_set, sequences=tuple(replace(one, name=one.name.replace("-", ".")) for one in test_set.sequences)
    )


def noisy_track(sequence: TestSequence, seed: int = 0) -> Track:
    assert isinstance(sequence.truth, BoxTruth)
    return Track(boxes=noisy(sequence.truth.boxes, np.random.default_rng([seed, len(sequence.name)])))


def noisy(boxes: Float[np.ndarray, "frames 4"], rng: np.random.Generator) -> Float[np.ndarray, "frames 4"]:
    sizes = np.tile(boxes[:, 2:], 2)
    moved = boxes + sizes * rng.uniform(-0.4, 0.4, boxes.shape)
    moved[0] = boxes[0]
    return moved.round(3)


def make_got10k(root: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"GOT-10k_Val_{number:06d}" for number in range(1, 4)]
    for name in names:
        folder = root / "val" / name
        for frame in range(FRAMES):
            save_frame(folder / f"{frame + 1:08d}.jpg", square(frame))
        np.savetxt(folder / "groundtruth.txt", [square(frame) for frame in range(FRAMES)], "%.4f", ",")
        np.savetxt(folder / "cover.label", rng.integers(0, 9, FRAMES), "%d")
        for label in ("absence", "cut_by_image"):
            np.savetxt(folder / f"{label}.label", np.zeros(FRAMES), "%d")
        (folder / "meta_info.ini").write_text("[METAINFO]\nobject_class: square\nresolution: (96, 72)")
    (root / "val" / "list.txt").write_text("\n".join(names))


def test_the_got10k_experiment_runs_our_tracker_and_agrees(tmp_path: Path, toolkit: Any) -> None:
    make_got10k(tmp_path / "data")
    experiment = toolkit.ExperimentGOT10k(
        str(tmp_path / "data"), "val", str(tmp_path / "results"), str(tmp_path / "reports")
    )
    experiment.run(Got10kTracker(bright_spec(stochastic=True)))
    test_set = open_test_set("got10k_val", tmp_path / "data")
    runs = [{one.name: noisy_track(one, seed) for one in test_set.sequences} for seed in range(3)]
    write_results("got10k", test_set, {"noisy": runs}, tmp_path / "results" / "GOT-10k")
    read = read_results(tmp_path / "results" / "GOT-10k", test_set)
    assert (list(read.results), read.exclusions, read.unused, read.doubts) == (["bright", "noisy"], (), (), ())
    first, second, _ = read.results["bright"]
    one, other = (run["GOT-10k_Val_000001"] for run in (first, second))
    assert isinstance(one, Track)
    assert isinstance(other, Track)
    assert (one.boxes[1:] != other.boxes[1:]).any(), "repetitions have seeds of their own"

    theirs = experiment.report(["bright", "noisy"])
    ours = got10k_protocol.assess(test_set, read.results)
    for tracker in ours.trackers:
        overall = theirs[tracker.tracker]["overall"]
        assert tracker.values["AO"] == pytest.approx(100 * overall["ao"], abs=0.01)
        assert tracker.values["SR50"] == pytest.approx(100 * overall["sr"], abs=0.01)
        assert tracker.values["SR75"] == pytest.approx(100 * overall["succ_curve"][75], abs=0.01)


VOT_LENGTHS, VOT_SIZE = (60, 66), (640, 480)


def make_vot(root: Path) -> None:
    names = ["one", "two"]
    for number, (name, length) in enumerate(zip(names, VOT_LENGTHS, strict=True)):
        folder = root / name
        folder.mkdir(parents=True)
        for frame in range(length):
            PillowImage.new("L", VOT_SIZE).save(folder / f"{frame + 1:08d}.jpg")
        corners = [vot_polygon(frame, number).points.ravel() for frame in range(length)]
        np.savetxt(folder / "groundtruth.txt", corners, "%.4f", ",")
        np.savetxt(folder / "occlusion.tag", [int(10 * number < frame < 30) for frame in range(length)], "%d")
    (root / "list.txt").write_text("\n".join(names))


def vot_polygon(frame: int, number: int) -> Polygon:
    """A turned rectangle of 160 by 120 pixels on its way."""
    angle = 0.01 * frame * (number + 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-80.0, -60], [80, -60], [80, 60], [-80, 60]])
    return Polygon(corners @ turn + [200 + 3 * frame, 240 - 2 * frame])


def failing_run(number: int, rng: np.random.Generator) -> RegionTrack:
    """Boxes near the target, and one or two failures with the frames that are skipped after them."""
    regions: list[Box | Polygon | Code] = []
    for frame in range(VOT_LENGTHS[number]):
        x, y, w, h = vot_polygon(frame, number).box
        dx, dy = rng.uniform(-25, 25, 2)
        regions.append(Box(round(x + dx, 4), round(y + dy, 4), w, h))
    regions[0] = Code.START
    for failed in rng.choice([15, 33, 44], size=rng.integers(1, 3), replace=False):
        regions[failed : failed + 6] = [Code.FAILURE, *[Code.SKIPPED] * 4, Code.START]
    return RegionTrack(regions=tuple(regions))


def test_the_vot_experiment_agrees(tmp_path: Path, toolkit: Any) -> None:
    make_vot(tmp_path / "data")
    rng = np.random.default_rng(3)
    test_set = replace(open_test_set("vot2018", tmp_path / "data"), name="made")
    runs = [{one.name: failing_run(number, rng) for number, one in enumerate(test_set.sequences)} for _ in range(4)]
    write_results("vot", test_set, {"A": runs}, tmp_path / "results" / "VOT2018")
    experiment = toolkit.ExperimentVOT(
        str(tmp_path / "data"),
        2018,
        experiments="supervised",
        result_dir=str(tmp_path / "results"),
        report_dir=str(tmp_path / "reports"),
    )
    theirs = experiment.report(["A"])["A"]
    results: Results = read_results(tmp_path / "results" / "VOT2018", test_set).results
    ours = supervised.assess(test_set, results, rules="pysot").trackers[0]
    # The toolkit's numbers are means over tags, weighted by their frames.
    occluded = sum(max(0, 29 - 10 * number) for number in range(2))
    frames = {"occlusion": occluded, "empty": sum(VOT_LENGTHS) - occluded}
    total = sum(frames.values())
    accuracy = sum(ours.by_attribute["Accuracy"][tag] * frames[tag] / total for tag in frames)
    lost = sum(ours.by_attribute["Lost"][tag] * frames[tag] / total for tag in frames)
    # It intersects polygons exactly, we count pixels.
    assert accuracy == pytest.approx(theirs["accuracy"], abs=0.01)
    assert lost == pytest.approx(theirs["robustness"], abs=1e-9)
    assert lost > 0


def test_the_supervised_experiment_runs_our_tracker(tmp_path: Path, toolkit: Any) -> None:
    folder = tmp_path / "data" / "square"
    for frame in range(FRAMES):
        save_frame(folder / f"{frame + 1:08d}.jpg", square(frame))
    np.savetxt(folder / "groundtruth.txt", [square(frame) for frame in range(FRAMES)], "%.4f", ",")
    (tmp_path / "data" / "list.txt").write_text("square")
    results = tmp_path / "results"
    experiment = toolkit.ExperimentVOT(
        str(tmp_path / "data"), 2018, experiments="supervised", result_dir=str(results), report_dir=str(tmp_path)
    )
    experiment.run(Got10kTracker(bright_spec()))
    read = read_results(results / "VOT2018", open_test_set("vot2018", tmp_path / "data"))
    said = read.results["bright"][0]["square"]
    assert isinstance(said, RegionTrack)
    assert said.regions[0] == Code.START
    np.testing.assert_allclose(said.regions[1:], [square(frame) for frame in range(1, FRAMES)], atol=1.01)
    assert said.seconds is not None
    assert not read.doubts


def test_starts_come_before_steps_and_nothing_is_drawn() -> None:
    tracker = Got10kTracker(bright_spec())
    with pytest.raises(TrackerError, match="init comes before update"):
        tracker.update(PillowImage.new("RGB", (8, 8)))
    with pytest.raises(TrackerError, match="do not draw"):
        tracker.track([], [1, 2, 3, 4], visualize=True)
    assert tracker.is_deterministic
    assert not Got10kTracker(bright_spec(stochastic=True)).is_deterministic
