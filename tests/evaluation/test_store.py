"""Results come back as they were saved; whatever is damaged is said to be, and never counts."""

import json
from pathlib import Path

import numpy as np
import pytest

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, MaskTruth, RegionTruth, TestSequence, TestSet
from lockon.errors import DataError, OutputError
from lockon.evaluation.result_files import LabelImages
from lockon.evaluation.store import Making, ResultKey, ResultStore, check_name
from lockon.evaluation.tracks import Code, MaskTrack, RegionTrack, Track
from lockon.regions import Polygon

KEY = ResultKey("toys", "mine", 0, "car")
MAKING = Making(seed=3, provenance={"weights": "abc"}, environment={"cpu": "x"})


def box_sequence(frames: int = 3, name: str = "car") -> TestSequence:
    boxes = np.tile([1.0, 2.0, 3.0, 4.0], (frames, 1))
    return TestSequence(name=name, frame_paths=(), truth=BoxTruth(boxes=boxes), start=Box(1, 2, 3, 4), length=frames)


def track(frames: int = 3) -> Track:
    boxes = np.arange(frames * 4, dtype=np.float64).reshape(frames, 4) / 3
    boxes[1, 2] = np.nan
    return Track(
        boxes=boxes,
        scores=np.array([np.nan, 0.1, 0.7])[:frames],
        present=np.array([True, False, True])[:frames],
        seconds=np.array([0.5, 0.25, 1 / 3])[:frames],
    )


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def test_boxes_come_back_to_the_last_bit(store: ResultStore):
    store.save(KEY, box_sequence(), track(), MAKING)
    again = store.read(KEY, box_sequence())
    assert isinstance(again, Track)
    for name in ("boxes", "scores", "present", "seconds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(track(), name))
    assert again.path == store.root / "toys/mine/000/car.txt"


def test_scores_need_not_be_finite(store: ResultStore):
    scores = np.array([np.nan, -np.inf, np.inf])
    store.save(KEY, box_sequence(), Track(boxes=track().boxes, scores=scores), MAKING)
    again = store.read(KEY, box_sequence())
    assert isinstance(again, Track)
    np.testing.assert_array_equal(again.scores, scores)


def test_the_record_says_how_it_was_made(store: ResultStore):
    store.save(KEY, box_sequence(), track(), MAKING)
    record = store.record(KEY)
    assert record is not None
    assert record["provenance"] == {"weights": "abc"}
    assert record["environment"] == {"cpu": "x"}
    assert (record["seed"], record["frames"], record["tracker"]) == (3, 3, "mine")


def test_what_a_tracker_did_not_say_stays_unsaid(store: ResultStore):
    store.save(KEY, box_sequence(), Track(boxes=track().boxes), MAKING)
    again = store.read(KEY, box_sequence())
    assert isinstance(again, Track)
    assert again.scores is None
    assert again.present is None
    assert again.seconds is None


def region_sequence() -> TestSequence:
    truth = RegionTruth(regions=(Box(0, 0, 2, 2),) * 3, anchors=np.array([1, 0, -1]))
    return TestSequence(name="car", frame_paths=(), truth=truth, start=Box(0, 0, 2, 2), length=3)


def test_regions_and_codes_come_back(store: ResultStore):
    regions = (Code.START, Polygon(np.array([[0.1, 0], [2, 0], [2, 2 / 3]])), Code.FAILURE)
    store.save(KEY, region_sequence(), RegionTrack(regions=regions), MAKING)
    again = store.read(KEY, region_sequence())
    assert isinstance(again, RegionTrack)
    assert again.regions[0] is Code.START
    assert again.regions[2] is Code.FAILURE
    np.testing.assert_array_equal(again.regions[1].points, regions[1].points)


def test_anchors_come_back(store: ResultStore):
    forward = RegionTrack(regions=(Code.START, Box(1, 1, 2, 2), Box(2, 1, 2, 2)))
    backward = RegionTrack(regions=(Code.START, Box(1, 1, 2, 2), Box(0, 1, 2, 2)), seconds=np.ones(3))
    store.save(KEY, region_sequence(), {0: forward, 2: backward}, MAKING)
    again = store.read(KEY, region_sequence())
    assert isinstance(again, dict)
    assert again[0].regions == forward.regions
    assert again[2].regions == backward.regions
    assert again[2].seconds is not None


def test_anchors_of_another_annotation_are_refused(store: ResultStore):
    start = RegionTrack(regions=(Code.START, Box(1, 1, 2, 2), Box(2, 1, 2, 2)))
    store.save(KEY, region_sequence(), {0: start}, MAKING)
    with pytest.raises(DataError, match="anchors are"):
        store.read(KEY, region_sequence())


def test_label_images_come_back_by_frame(store: ResultStore):
    truth = MaskTruth(labels=(None,) * 3, objects={1: 0})
    paths = tuple(Path(f"/x/{10 * n:05d}.jpg") for n in range(3))
    sequence = TestSequence(name="car", frame_paths=paths, truth=truth, start=None, length=3)
    store.save(KEY, sequence, LabelImages(images={0: b"a", 2: b"b"}), MAKING)
    again = store.read(KEY, sequence)
    assert isinstance(again, MaskTrack)
    assert again.labels[1] is None
    assert again.labels[2] == store.root / "toys/mine/000/car/00020.png"
    assert again.labels[2].read_bytes() == b"b"


def test_nothing_is_there_at_first(store: ResultStore):
    assert store.read(KEY, box_sequence()) is None
    assert store.test_sets() == []
    assert store.trackers("toys") == []


def without(path: Path, key: str) -> None:
    record = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in record.items() if name != key}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "car.txt").write_text("1,2,3,4\n"), "not what its record says"),
        (lambda folder: (folder / "car.txt").unlink(), "cannot be read"),
        (lambda folder: (folder / "car.json").unlink(), "has no record car.json"),
        (lambda folder: (folder / "car.json").write_text('{"format": 1, "fi'), "is damaged"),
        (lambda folder: (folder / "car.json").write_text("[]"), "is no record"),
        (lambda folder: (folder / "car.json").write_text('{"format": 1}'), "lacks files"),
        (lambda folder: without(folder / "car.json", "frames"), "lacks files, kind, frames"),
        (lambda folder: (folder / "car.json").write_bytes(b"\xff\xfe"), "is damaged"),
    ],
)
def test_damage_is_named_with_file_and_remedy(store: ResultStore, damage, message: str):
    store.save(KEY, box_sequence(), track(), MAKING)
    damage(store.root / "toys/mine/000")
    with pytest.raises(DataError, match=message) as raised:
        store.read(KEY, box_sequence())
    assert "car." in str(raised.value)
    assert "lockon eval" in str(raised.value)


def test_a_record_with_too_few_scores_is_damaged(store: ResultStore):
    store.save(KEY, box_sequence(), track(), MAKING)
    path = store.root / "toys/mine/000/car.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "scores": record["scores"][:2]}))
    with pytest.raises(DataError, match="2 lines for 3 frames"):
        store.read(KEY, box_sequence())


def test_a_result_of_another_length_is_refused(store: ResultStore):
    store.save(KEY, box_sequence(), track(), MAKING)
    with pytest.raises(DataError, match="is of 3 frames, but sequence 'car' has 5"):
        store.read(KEY, box_sequence(5))


def test_saving_again_replaces_what_was_there(store: ResultStore):
    store.save(KEY, box_sequence(), track(), MAKING)
    (store.root / "toys/mine/000/car.txt").write_text("broken")
    store.save(KEY, box_sequence(), Track(boxes=track().boxes + 1), MAKING)
    again = store.read(KEY, box_sequence())
    assert isinstance(again, Track)
    np.testing.assert_array_equal(again.boxes, track().boxes + 1)


def test_load_lists_what_is_missing_or_damaged(store: ResultStore):
    sequences = tuple(box_sequence(name=name) for name in ("car", "dog", "cat"))
    test_set = TestSet(name="toys", title="Toys", sequences=sequences, protocol="one_pass")
    for name in ("car", "dog"):
        store.save(KEY._replace(sequence=name), box_sequence(name=name), track(), MAKING)
    store.save(KEY._replace(run=1), box_sequence(), track(), MAKING)
    (store.root / "toys/mine/000/dog.txt").write_text("")
    runs, problems = store.load(test_set, "mine")
    assert [sorted(run) for run in runs] == [["car"], ["car"]]
    assert [(problem.sequence, problem.tracker) for problem in problems] == [
        ("dog", "mine"),
        ("cat", "mine"),
        ("dog", "mine"),
        ("cat", "mine"),
    ]
    assert "half-written" in problems[0].reason
    assert "run 0 has no result" in problems[1].reason


def test_a_full_disk_leaves_no_result(store: ResultStore, full_disk):
    frames = 400
    full_disk()
    with pytest.raises(OutputError):
        store.save(KEY, box_sequence(frames), Track(boxes=np.random.default_rng(0).random((frames, 4))), MAKING)
    assert store.read(KEY, box_sequence(frames)) is None


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "a:b", "two\nlines"])
def test_names_that_no_file_can_have_are_refused(name: str):
    with pytest.raises(DataError, match="cannot be the name"):
        check_name("sequence", name)


def test_names_that_are_too_long_for_a_file_are_refused():
    check_name("tracker", "ä" * 100)
    with pytest.raises(DataError, match="too long"):
        check_name("tracker", "ä" * 100 + "b")
