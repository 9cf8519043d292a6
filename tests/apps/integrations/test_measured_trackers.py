"""Trackers of Lockon, of OpenCV and of the user's own, as evaluation measures them."""

import textwrap
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import lockon
from lockon.apps.integrations.lockon_tracker import lockon_tracker
from lockon.apps.integrations.opencv import OpenCvTracker, opencv_tracker
from lockon.apps.integrations.own_tracker import own_tracker
from lockon.boxes import Box
from lockon.errors import DataError, TrackerError, UnknownNameError
from lockon.evaluation.trackers import Observation, Preparing
from lockon.regions import Polygon

BOX = Box(30, 20, 16, 12)


def video(frames: int = 5, seed: int = 0, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """A bright textured patch that moves two pixels a frame over noise."""
    random = np.random.default_rng(seed)
    background = random.integers(0, 90, (*size, 3), dtype=np.uint8)
    patch = random.integers(150, 256, (12, 16, 3), dtype=np.uint8)
    images = []
    for frame in range(frames):
        image = background.copy()
        image[20:32, 30 + 2 * frame : 46 + 2 * frame] = patch
        images.append(image)
    return images


def boxes(tracker, images) -> np.ndarray:
    prepare = tracker.prepare if isinstance(tracker, Preparing) else lambda image: image
    tracker.start(prepare(images[0]), BOX)
    return np.array([tracker.step(prepare(image)).region for image in images[1:]])


def test_a_lockon_tracker_gives_what_the_library_gives():
    images = video()
    tracker = lockon.load("lockon_s")
    state = tracker.start(images[0], BOX, seed=5)
    expected = []
    for image in images[1:]:
        state, result = tracker.step(state, image)
        state = tracker.learn(state)
        expected.append(result.box)
    np.testing.assert_array_equal(boxes(lockon_tracker("lockon_s").create(5), images), np.array(expected))


@pytest.mark.slow
def test_lockstep_agrees_with_one_by_one_when_videos_end_at_different_times():
    spec = lockon_tracker("lockon_s")
    videos = [video(3, seed=1), video(6, seed=2, size=(80, 72)), video(5, seed=3)]
    seeds = [11, 12, 13]
    assert spec.create_lockstep is not None
    together = spec.create_lockstep(seeds)
    together.start([images[0] for images in videos], [BOX] * 3)
    found: list[list[Box]] = [[], [], []]
    active = [0, 1, 2]
    for frame in range(1, 6):
        kept = [position for position, index in enumerate(active) if frame < len(videos[index])]
        if len(kept) < len(active):
            together.keep(kept)
            active = [active[position] for position in kept]
        for index, one in zip(active, together.step([videos[index][frame] for index in active]), strict=True):
            found[index].append(one.region)
    for seed, images, one in zip(seeds, videos, found, strict=True):
        np.testing.assert_allclose(np.array(one), boxes(spec.create(seed), images), atol=0.02)


def test_a_lockon_tracker_says_what_it_is_made_of():
    plain = lockon_tracker("lockon_s")
    changed = lockon_tracker("lockon_s", settings=["selector.lost=0.2", "presence.decision=0.4"])
    assert plain.name == "lockon_s"
    assert changed.name == "lockon_s~selector.lost=0.2~presence.decision=0.4"
    assert len(plain.provenance["weights_sha256"]) == 64
    assert plain.provenance["config"]["selector"]["lost"] != 0.2
    assert changed.provenance["config"]["selector"]["lost"] == 0.2
    assert lockon_tracker("lockon_s", precision="bf16").name == "lockon_s~cpu-bf16"
    with pytest.raises(UnknownNameError, match="lost"):
        lockon_tracker("lockon_s", settings=["selector.lots=0.2"])
    with pytest.raises(UnknownNameError):
        lockon_tracker("no_such_tracker")


def test_settings_change_what_a_tracker_does():
    never_there = lockon_tracker("lockon_s", settings=["selector.lost=1e9"]).create(0)
    found = boxes(never_there, video())
    np.testing.assert_allclose(found, np.tile(BOX, (4, 1)), atol=1e-4)


def test_polygons_are_started_with_a_box_of_the_same_area():
    corners = Polygon(np.array([[30.0, 26], [38, 20], [46, 26], [38, 32]]))
    tracker = lockon_tracker("lockon_s").create(0)
    assert tracker.start(video()[0], corners).region is corners
    around, start = corners.box, corners.area_preserving_box
    assert start.area < around.area
    first = tracker.step(video()[0]).region
    assert abs(first.area - start.area) < 0.5 * start.area


@pytest.mark.parametrize("name", ["kcf", "csrt"])
def test_trackers_of_opencv_follow(name: str):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    spec = opencv_tracker(name)
    assert spec.name == f"opencv_{name}"
    assert not spec.stochastic
    found = boxes(spec.create(0), video())
    np.testing.assert_allclose(found[:, :2], [[32, 20], [34, 20], [36, 20], [38, 20]], atol=3)


def test_frames_for_opencv_are_bgr():
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    tracker = opencv_tracker("kcf").create(0)
    assert isinstance(tracker, Preparing)
    np.testing.assert_array_equal(tracker.prepare(image)[0, 0], [2, 1, 0])


def test_nanotrack_needs_its_files(tmp_path: Path):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    with pytest.raises(DataError, match="--nanotrack FOLDER"):
        opencv_tracker("nanotrack")
    with pytest.raises(DataError, match=r"nanotrack_backbone_sim.onnx', which is missing"):
        opencv_tracker("nanotrack", tmp_path)


def test_a_target_too_small_for_its_tracker_gets_a_larger_window():
    pytest.importorskip("cv2", reason="OpenCV is not installed")

    class Follower:
        def init(self, image, window):
            self.window = window

        def update(self, image):
            x, y, w, h = self.window
            return True, (x + 3, y, w, h)

        def getTrackingScore(self):
            return -1.0

    follower = Follower()
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    tracker = OpenCvTracker(lambda: follower, least_side=6)
    tracker.start(image, Box(10, 10, 4, 8))
    assert follower.window == [9, 10, 6, 8]
    assert tracker.step(image) == Observation(Box(13, 10, 4, 8), None, True)


OWN = """
    from lockon.boxes import Box
    from lockon.evaluation.trackers import Observation

    class Still:
        def __init__(self, seed):
            self.seed = seed

        def start(self, image, region):
            self.region = region

        def step(self, image):
            return Observation(self.region, self.seed)

    def nothing(seed):
        return 3

    number = 4
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(textwrap.dedent(OWN))
    return path


def test_a_tracker_of_ones_own_is_a_file_and_a_name(own: Path):
    spec = own_tracker(f"{own}:Still")
    assert spec.name == "Still"
    assert len(spec.provenance["sha256"]) == 64
    assert isinstance(spec.create, partial)
    tracker = spec.create(9)
    tracker.start(video()[0], BOX)
    assert tracker.step(video()[1]) == (BOX, 9, None, None)
    assert own_tracker(f"{own}:Still", "mine").name == "mine"


def test_the_file_of_ones_own_tracker_is_recorded_however_it_was_named(own: Path, monkeypatch: pytest.MonkeyPatch):
    (own.parent / "link").symlink_to(own.parent)
    monkeypatch.chdir(own.parent)
    recorded = {
        own_tracker(f"{name}:Still").provenance["factory"] for name in ("own.py", "./own.py", "link/own.py", own)
    }
    assert recorded == {f"{own.resolve()}:Still"}


def test_two_files_of_the_same_name_are_two_trackers(own: Path, tmp_path: Path):
    other = tmp_path / "other" / "own.py"
    other.parent.mkdir()
    other.write_text("class Still:\n    def __init__(self, seed): self.region = 'other'\n    start = step = print\n")
    own_tracker(f"{own}:Still").create(0)
    assert own_tracker(f"{other}:Still").create(0).region == "other"
    assert not hasattr(own_tracker(f"{own}:Still").create(0), "region")


PARALLEL = """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from beside_it import double

    def add_one(number):
        return double(number) // 2 + 1

    class Parallel:
        def __init__(self, seed):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                self.number = pool.submit(add_one, seed).result()

        start = step = print
"""


@pytest.mark.slow
def test_ones_own_tracker_may_start_processes_and_import_what_lies_beside_it(tmp_path: Path):
    (tmp_path / "beside_it.py").write_text("def double(number):\n    return 2 * number\n")
    (tmp_path / "parallel_tracker.py").write_text(textwrap.dedent(PARALLEL))
    assert own_tracker(f"{tmp_path}/parallel_tracker.py:Parallel").create(4).number == 5


def test_what_is_no_tracker_is_refused(own: Path, tmp_path: Path):
    with pytest.raises(TrackerError, match="no function 'number'"):
        own_tracker(f"{own}:number")
    with pytest.raises(TrackerError, match="lacks the methods start and step"):
        own_tracker(f"{own}:nothing").create(0)
    with pytest.raises(TrackerError, match="cannot load"):
        own_tracker("no.such.module:create")
    with pytest.raises(TrackerError, match="cannot load"):
        own_tracker(f"{tmp_path / 'missing.py'}:create")
    broken = tmp_path / "broken.py"
    for text, message in (("def", "SyntaxError"), ("1 / 0", "ZeroDivisionError")):
        broken.write_text(text)
        with pytest.raises(TrackerError, match=f"cannot load .*{message}"):
            own_tracker(f"{broken}:create")
