"""Mining from data set to dump: what is kept of a track, resuming, full disks, changed settings, processes."""

import errno
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lockon.boxes import Box
from lockon.data.synthetic import SyntheticConfig
from lockon.errors import DataError, LockonError, OutputError, RecipeError, TrainingError
from lockon.files import claimed
from lockon.tracking import PRESETS
from lockon.training.mining import MinedDump, Thresholds, miner, writing
from lockon.training.mining.miner import Advanced, MiningConfig, divide
from lockon.training.mining.processes import make_in_processes
from lockon.training.mining.run import mine
from lockon.training.mining.sequences import open_sequences
from lockon.training.mining.shards import shard_path
from lockon.training.mining.tracks import TrackMiner, thresholds_for
from lockon.training.recipe import DataConfig, SyntheticData
from lockon.types import Result, Status

SIZE = (90, 120)
LENGTH = 5


def square(index, clip):
    """A noisy frame with a bright square that moves, as box and image."""
    rng = np.random.default_rng([clip, index])
    image = rng.integers(0, 60, (*SIZE, 3), dtype=np.uint8)
    x, y = 30 + 4 * index, 25 + 3 * clip
    image[y : y + 24, x : x + 24] += 180
    return Box(x, y, 24, 24), image


@pytest.fixture
def data(tmp_path):
    """Four clips of five frames; the target of the third one is hidden at first, the last cannot be begun."""
    root = tmp_path / "clips"
    for clip in range(4):
        folder = root / f"clip{clip}"
        folder.mkdir(parents=True)
        lines = []
        for index in range(LENGTH):
            box, image = square(index, clip)
            Image.fromarray(image).save(folder / f"{index}.png")
            hidden = clip == 2 and index < 2
            lines.append("nan,nan,nan,nan" if hidden else ",".join(f"{value}" for value in box))
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    (folder / "0.png").write_bytes(b"broken")
    return DataConfig(dataset="folder", root=root)


class ToyTracker:
    """Searches where the target was, and scores by brightness; sees a second thing in odd frames."""

    name = "toy"
    config = PRESETS["lockon_s"]

    def start(self, image, box, *, seed):
        assert image.shape == (*SIZE, 3)
        return Box(*box), 0

    def step(self, state, image, *, inplace, score_map):
        box, count = state
        scores = np.full((17, 17), 0.001, np.float32)
        scores[8, 8] = image.max() / 255
        if count % 2:
            scores[2, 3] = 0.03
        region = Box(box.x + 12 - 60, box.y + 12 - 60, 120.0, 120.0)
        result = Result(count, box, 1.0, True, Status.FOUND, score_map=scores, search_region=region)
        return (box, count + 1), result


@pytest.fixture
def toy(monkeypatch, tmp_path):
    weights = tmp_path / "weights"
    weights.write_text("some")
    monkeypatch.setattr(miner, "load", lambda *_, **__: ToyTracker())
    monkeypatch.setattr(miner, "model_file", lambda _: weights)
    return weights


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_what_is_kept_of_a_track(data):
    dataset = open_sequences(data, None).dataset
    notes = []
    mined = TrackMiner(tracker=ToyTracker(), threshold=0.008)
    first, *_, last = list(mined.mine(dataset[0], notes.append))
    assert (first.sequence, first.frame, last.frame, first.frame_size) == ("clip0", 1, 4, SIZE)
    assert first.region == Box(-18, -23, 119, 119)
    assert first.image_area == Box(-24, -29, 132, 132)
    assert first.image.shape == (132, 132, 3)
    np.testing.assert_array_equal(first.image[29 : 29 + 90, 24 : 24 + 108], square(1, 0)[1][:, :108])
    assert first.candidate_cells.tolist() == [[8, 8]]
    assert last.candidate_cells.tolist() == [[8, 8], [2, 3]]
    assert first.target_box == square(1, 0)[0]
    assert first.visible
    # The centre of the target is at (46, 37) and (58, 37), a cell has 7.5 pixels, the search began at (-18, -23).
    assert (first.target_cell, last.target_cell) == ((8, 9), (8, 10))
    late = list(mined.mine(dataset[2], notes.append))
    assert [frame.frame for frame in late] == [3, 4]
    assert notes == []


def test_what_cannot_be_followed_is_told_and_left_out(data):
    notes = []
    mined = TrackMiner(tracker=ToyTracker(), threshold=0.008)
    dataset = open_sequences(data, None).dataset
    (data.root / "clip1" / "2.png").write_bytes(b"broken")
    assert [frame.frame for frame in mined.mine(dataset[1], notes.append)] == [1, 3, 4]
    assert not list(mined.mine(dataset[3], notes.append))
    hidden = SimpleNamespace(name="dark", visible=np.zeros(3, bool))
    assert not list(mined.mine(hidden, notes.append))
    assert "2.png" in notes[0]
    assert notes[1].startswith("'clip3' is left out: ")
    assert notes[2:] == ["'dark' is left out: its target is visible in no frame."]


def test_the_truth_of_the_synthetic_world_is_kept():
    world = SyntheticConfig(length=4, frame_size=SIZE[::-1], target_size=(20, 25), distractors=4, clutter=0)
    dataset = open_sequences(SyntheticData(length=6, world=world), None).dataset
    sequence = next(one for one in (dataset[number] for number in range(6)) if len(one.distractors(0)) > 1)
    assert np.isfinite(sequence.boxes).all()
    for frame in TrackMiner(tracker=ToyTracker(), threshold=0.008).mine(sequence, pytest.fail):
        np.testing.assert_allclose(frame.identities, sequence.distractors(frame.frame), rtol=1e-6)


def test_thresholds_follow_the_tracker():
    assert thresholds_for(PRESETS["super_dimp_simple"], None, None) == Thresholds(candidate=0.05, found=0.25)
    density = thresholds_for(PRESETS["lockon_s"], None, None)
    assert (density.candidate, density.found) == (pytest.approx(0.008), 0.04)
    assert thresholds_for(PRESETS["lockon_s"], 0.01, 0.1) == Thresholds(candidate=0.01, found=0.1)
    with pytest.raises(LockonError, match="as the DiMP family has them"):
        thresholds_for(PRESETS["atom"], None, None)
    with pytest.raises(LockonError, match="--found"):
        thresholds_for(PRESETS["dimp18_vot18"], None, None)


def test_shards_end_with_the_sequence_that_fills_them():
    assert divide(np.array([3, 3, 3, 9, 1, 1]), 5) == [0, 2, 4]
    assert divide(np.array([3, 3]), 100) == [0]
    assert divide(np.array([7, 7, 7]), 1) == [0, 1, 2]


def test_what_cannot_be_mined_is_refused(data, tmp_path):
    image = Image.new("RGB", (32, 32))
    (tmp_path / "coco").mkdir()
    image.save(tmp_path / "coco" / "a.jpg")
    about = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 32, "height": 32}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 20, 20], "iscrowd": 0, "area": 400}
        ],
        "categories": [{"id": 1, "name": "x"}],
    }
    (tmp_path / "coco" / "a.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="single images"):
        open_sequences(DataConfig(dataset="coco_json", root=tmp_path / "coco"), None)
    with pytest.raises(RecipeError, match="at least one"):
        MiningConfig(data=data, count=0)
    with pytest.raises(RecipeError, match="at least one"):
        MiningConfig(data=data, shard_frames=0)


@pytest.mark.usefixtures("toy")
def test_the_whole_and_its_parts(data, tmp_path):
    config = MiningConfig(data=data, shard_frames=10)
    seen = []

    class Watched:
        def __init__(self, title):
            self.title = title

        def __enter__(self):
            return lambda done, total: seen.append((done, total)) if self.title == "mining" else None

        def __exit__(self, *_):
            pass

    report = mine(config, tmp_path / "out", progress=Watched)
    assert (report.shards, report.kept) == (2, 0)
    assert len(report.notes) == 1
    assert "clip3" in report.notes[0]
    assert seen[-1] == (20, 20)
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(seen))
    dump = MinedDump(tmp_path / "out")
    assert [len(sequence.rows) for sequence in dump.sequences] == [4, 4, 2]
    assert dump.tracker == "toy"
    assert dump.sample_size == 256
    assert dump.thresholds == thresholds_for(ToyTracker.config, None, None)
    before = contents(tmp_path / "out")
    again = mine(config, tmp_path / "out")
    assert (again.shards, again.kept, again.notes) == (2, 2, [])
    assert contents(tmp_path / "out") == before
    mine(replace(config, count=2), tmp_path / "fewer")
    assert [sequence.name for sequence in MinedDump(tmp_path / "fewer").sequences] == ["clip0", "clip1"]


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("written", [0, 1, 5, 9])
def test_a_full_disk_leaves_what_is_whole(data, tmp_path, monkeypatch, written):
    config = MiningConfig(data=data, shard_frames=1)
    mine(config, tmp_path / "undisturbed")
    left = iter(range(written))

    def until_full(*arguments):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_frame(*arguments)

    write_frame = writing.write_frame
    with monkeypatch.context() as patched:
        patched.setattr(writing, "write_frame", until_full)
        with pytest.raises(OutputError, match="No space left") as error:
            mine(config, tmp_path / "out")
    whole = written // 4
    assert f"{whole} of 4 shards are whole and can be used" in str(error.value)
    assert "same command again" in str(error.value)
    if whole:
        dump = MinedDump(tmp_path / "out")
        assert (len(dump), dump.missing) == (4 * whole, 4 - whole)
        dump.verify()
    assert mine(config, tmp_path / "out").kept == whole
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 3}, "tracker.seed: 0 -> 3"),
        ({"found": 0.1, "candidate": 0.008}, "thresholds.found: 0.04 -> 0.1"),
        ({"count": 2}, "data.sequences: 4 -> 2"),
        ({"shard_frames": 7}, "shard_frames: 10 -> 7"),
        ({"precision": "bf16"}, "tracker.precision: fp32 -> bf16"),
    ],
)
def test_other_settings_are_refused_with_the_difference(toy, data, tmp_path, change, line):
    config = MiningConfig(data=data, shard_frames=10)
    mine(config, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(OutputError, match="was mined with other settings") as error:
        mine(replace(config, **change), tmp_path / "out")
    assert line in str(error.value)
    assert contents(tmp_path / "out") == before
    toy.write_text("other weights")
    with pytest.raises(OutputError, match=r"tracker\.weights"):
        mine(config, tmp_path / "out")


@pytest.mark.usefixtures("toy")
def test_other_annotations_and_other_folders_are_refused(data, tmp_path):
    config = MiningConfig(data=data, shard_frames=10)
    mine(config, tmp_path / "out")
    moved = tmp_path / "moved"
    data.root.rename(moved)
    mine(MiningConfig(data=replace(data, root=moved), shard_frames=10, count=None), tmp_path / "out")
    (moved / "clip0" / "groundtruth.txt").write_text("1,2,30,40\n" * LENGTH)
    with pytest.raises(OutputError, match=r"data\.fingerprint"):
        mine(MiningConfig(data=replace(data, root=moved), shard_frames=10), tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        mine(MiningConfig(data=replace(data, root=moved)), tmp_path / "full")
    assert contents(tmp_path / "full").keys() == {"letter.txt"}


def test_only_one_run_at_a_time_mines_into_a_folder(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with claimed(out / ".lock", "process 7"), pytest.raises(OutputError, match=r"'.*out' is in use by process 7"):
        mine(MiningConfig(data=data), out)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_processes_make_the_same_dump_and_one_that_dies_is_told(data, tmp_path):
    config = MiningConfig(data=data, shard_frames=1)
    mine(config, tmp_path / "one")
    alone = contents(tmp_path / "one")
    assert len(MinedDump(tmp_path / "one")) == 10
    (tmp_path / "two").mkdir()
    heard = []

    def kill_the_first(event):
        heard.append(event)
        if len(heard) == 1:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match=r"died \(exit status -9.*same command again"):
        make_in_processes(config, "cpu", tmp_path / "two", range(4), 2, kill_the_first)
    assert isinstance(heard[0], Advanced)
    assert not multiprocessing.active_children()
    (tmp_path / "two" / "mining.json").write_bytes(alone["mining.json"])
    report = mine(config, tmp_path / "two", processes=2)
    assert len(report.notes) == 1
    assert contents(tmp_path / "two") == alone


KILLED = """
import os, signal, sys
from lockon.apps.cli import main
from lockon.training.mining import writing
write_frame, left = writing.write_frame, iter(range(int(sys.argv[1])))
def until_killed(*arguments):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    write_frame(*arguments)
writing.write_frame = until_killed
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_dump(data, tmp_path):
    def command(frames, out):
        words = ["mine", str(out), "--data", f"folder={data.root}", "--set", "shard_frames=10"]
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(frames), *words], capture_output=True, text=True, check=False
        )

    undisturbed = command(99, tmp_path / "one")
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert "2 shards: " in undisturbed.stdout
    assert "clip3" in undisturbed.stdout
    assert command(6, tmp_path / "two").returncode == -signal.SIGKILL
    assert not shard_path(tmp_path / "two", 0).exists()
    assert command(5, tmp_path / "two").returncode == -signal.SIGKILL  # the first sequence is not mined again
    assert shard_path(tmp_path / "two", 0).exists()
    last = command(99, tmp_path / "two")
    assert last.returncode == 0
    assert "2 shards (1 from before)" in last.stdout
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
