"""The index: made once, found again, made anew where the data set has changed, and shared."""

import multiprocessing
import os
import pickle
import shutil
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data.datasets.layouts import BOXES, lines, picture, pictures, write
from lockon import files
from lockon.data.datasets import index
from lockon.data.datasets.index import Reader, open_indexed
from lockon.data.datasets.indexed import IndexedDataset
from lockon.data.datasets.layout import line_record, list_frames, read_table
from lockon.data.datasets.records import Clip, FrameFiles, Issue, Record, Scan
from lockon.errors import DataError, OutputError


def read_clip(root, name):
    frames = list_frames(root, name)
    boxes = read_table(root / f"{name}.txt", 4)
    return [line_record(name=name, category=name[0], frames=frames, first=1, boxes=boxes)]


class Reading:
    """A reader of `<name>.txt` beside folders of images that counts how often it looks through a data set."""

    def __init__(self):
        self.times = 0
        self.reader = Reader(name="plain", splits=("all", "some"), scan=self.scan, recognises=lambda root: True)

    def scan(self, root, split):
        self.times += 1
        names = sorted(path.stem for path in root.glob("*.txt"))
        clips = [Clip(name, partial(read_clip, root, name), (root / name,)) for name in names]
        return Scan(clips, (root, *(root / f"{name}.txt" for name in names)))

    def __call__(self, root, **options):
        return open_indexed(self.reader, root, **options)


@pytest.fixture
def reading():
    return Reading()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for name in ("b", "a%s d"):
        write(root / f"{name}.txt", lines(BOXES))
        pictures(root / name, "%04d.png", range(1, 5))
    return root


def later(path):
    """Change the time of a file as if it had been written now, on file systems with coarse clocks, too."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def test_a_data_set_is_looked_through_once(root, reading, home):
    first, again = reading(root), reading(str(root) + "/../data")
    assert reading.times == 1
    assert [sequence.name for sequence in again] == ["a%s d", "b"]
    assert first.fingerprint == again.fingerprint
    assert [path.suffix for path in (home / "indices").iterdir()].count(".safetensors") == 1
    assert reading(root, split="some").name == "plain/some"
    assert reading(root, rebuild=True).fingerprint == first.fingerprint
    assert reading.times == 3


def test_names_with_percent_signs_are_no_patterns(root, reading):
    assert reading(root)[0].frame_path(3) == root / "a%s d" / "0004.png"
    assert reading(root)[0].frame(3).mean() == 40


@pytest.mark.parametrize("change", ["annotation", "new sequence", "sequence gone"])
def test_a_change_of_what_is_watched_is_noticed(root, reading, change):
    before = reading(root)
    if change == "annotation":
        write(root / "b.txt", lines([(9, 9, 9, 9), *BOXES[1:]]))
    elif change == "new sequence":
        write(root / "c.txt", lines(BOXES))
        pictures(root / "c", "%04d.png", range(1, 5))
    else:
        (root / "b.txt").unlink()
    later(root / "b.txt" if change == "annotation" else root)
    after = reading(root)
    assert reading.times == 2
    assert len(after) == {"annotation": 2, "new sequence": 3, "sequence gone": 1}[change]
    assert after.fingerprint != before.fingerprint


def test_what_was_wrong_is_looked_at_again_when_it_is_put_right(root, reading):
    shutil.move(root / "b", root.parent / "b")
    (root / "b").mkdir()
    first = reading(root)
    assert [(issue.sequence, issue.kind) for issue in first.issues] == [("b", "left out")]
    assert "has no images" in first.issues[0].text
    stamp = root.stat()
    shutil.copytree(root.parent / "b", root / "b", dirs_exist_ok=True)
    os.utime(root, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    later(root / "b")
    second = reading(root)
    assert (len(second), second.issues) == (2, ())


def test_the_fingerprint_is_of_the_annotation_not_of_the_place(root, reading, tmp_path):
    shutil.copytree(root, tmp_path / "elsewhere")
    first = reading(root).fingerprint
    assert reading(tmp_path / "elsewhere").fingerprint == first
    for change, rows in enumerate([[(1, 2, 20, 11), *BOXES[1:]], BOXES[:3], [*BOXES[:3], ("nan",) * 4]]):
        write(root / "b.txt", lines(rows))
        later(root / "b.txt")
        assert reading(root, rebuild=True).fingerprint != first, change


def test_pickled_it_is_no_more_than_its_path(root, reading):
    dataset = reading(root)
    pickled = pickle.dumps(dataset[1])
    assert len(pickled) < 600
    sequence = pickle.loads(pickled)
    assert (sequence.name, sequence.category, len(sequence)) == ("b", "b", 4)
    np.testing.assert_array_equal(sequence.boxes, BOXES)


def test_a_worker_does_not_go_on_with_another_data_set(root, reading):
    pickled = pickle.dumps(reading(root))
    write(root / "b.txt", lines([(9, 9, 9, 9), *BOXES[1:]]))
    reading(root, rebuild=True)
    with pytest.raises(DataError, match="was changed and indexed anew"):
        pickle.loads(pickled)


def frame_in_worker(dataset, number, index):
    return int(dataset[number].frame(index)[0, 0, 0])


def test_another_process_reads_the_same(root, reading):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(frame_in_worker, (reading(root), 1, 2)) == 30


def test_arrays_are_mapped_and_cannot_be_written(root, reading):
    dataset = reading(root)
    for array in (dataset[0].boxes, dataset[0].visible):
        base = array
        while base.base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert dataset[0].boxes.dtype == np.float32
    assert dataset[0].visible.dtype == np.bool_


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "half a header"])
def test_a_damaged_index_is_made_anew(root, reading, damage):
    path = reading(root).path
    content = path.read_bytes()
    bad = {"cut": content[:-5], "empty": b"", "other": b"not an index" * 9, "half a header": content[:30]}[damage]
    path.write_bytes(bad)
    with pytest.raises(DataError, match="or damaged"):
        IndexedDataset.read(path)
    assert len(reading(root)) == 2
    assert reading.times == 2


def test_progress_goes_to_the_end(root, reading):
    calls = []
    reading(root, progress=lambda done, total: calls.append((done, total)))
    reading(root, progress=lambda done, total: calls.append("not called for an index that is there"))
    assert calls == [(1, 2), (2, 2)]


def open_slowly(root, queue):
    reading = Reading()
    queue.put((reading(root).fingerprint, reading.times))


@pytest.mark.parametrize("locks", [True, False])
def test_processes_that_want_it_at_the_same_time_get_the_same(root, reading, locks, monkeypatch, home):
    def refuse(*_):
        raise OSError("no locks here")

    if not locks:
        monkeypatch.setattr(files.fcntl, "flock", refuse)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=open_slowly, args=(root, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    answers = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    assert {fingerprint for fingerprint, _ in answers} == {reading(root).fingerprint}
    if locks:
        assert sum(times for _, times in answers) == 1
    assert len(list((home / "indices").iterdir())) == 2, "the index and its lock, no leftovers"


def test_without_locks_nobody_writes_into_the_file_of_another(root, reading, monkeypatch):
    def halfway(path, columns, about):
        """Another process makes the same index while this one is writing."""
        monkeypatch.setattr(index, "write_columns", write)
        write(path, columns, about)
        content = path.read_bytes()
        with path.open("wb", buffering=0) as file:
            file.write(content[:100])
            other.append(Reading()(root).fingerprint)
            file.write(content[100:])

    write, other = index.write_columns, []
    monkeypatch.setattr(index, "one_at_a_time", lambda path: nullcontext())
    monkeypatch.setattr(index, "write_columns", halfway)
    assert [reading(root).fingerprint] == other
    assert len(reading(root)) == 2


def test_a_thread_waits_for_the_lock(tmp_path):
    order = []
    with files.one_at_a_time(tmp_path / "lock"):
        other = threading.Thread(target=lambda: wait_for(tmp_path / "lock", order))
        other.start()
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def wait_for(path, order):
    with files.one_at_a_time(path):
        order.append("second")


def test_boxes_without_area_are_not_visible_and_counted(root, reading):
    rows = [(1, 2, 20, 10), (1, 2, 0, 10), (1, 2, 20, -1), ("inf", 2, 20, 10), ("nan",) * 4]
    write(root / "b.txt", lines(rows))
    picture(root / "b" / "0005.png", 5)
    sequence = reading(root)[1]
    assert sequence.visible.tolist() == [True, False, False, False, False]
    np.testing.assert_array_equal(np.isnan(sequence.boxes).all(axis=1), [False, True, True, True, True])
    assert [(issue.kind, issue.count) for issue in reading(root).issues] == [("boxes", 3)]
    assert "first in frame 1" in reading(root).issues[0].text


def test_a_sequence_that_never_shows_its_target_is_left_out(root, reading):
    write(root / "b.txt", lines([(0, 0, 0, 0)] * 4))
    dataset = reading(root)
    assert [sequence.name for sequence in dataset] == ["a%s d"]
    assert [(issue.sequence, issue.kind) for issue in dataset.issues] == [("b", "boxes"), ("b", "hidden")]


@pytest.mark.parametrize(
    ("numbers", "rows", "used", "frames"),
    [
        ((1, 2, 3, 4), 3, (0, 1, 2), (1, 2, 3)),  # more images than lines
        ((1, 2, 3), 4, (0, 1, 2), (1, 2, 3)),  # fewer
        ((1, 3, 4), 4, (0, 2, 3), (1, 3, 4)),  # one in the middle is missing: the others keep their boxes
        ((2, 3, 4), 4, (1, 2, 3), (2, 3, 4)),  # the first is
        ((0, 1, 2, 3), 4, (0, 1, 2, 3), (0, 1, 2, 3)),  # counted from 0 instead of 1: nothing is missing
        ((7, 8, 9, 10), 4, (0, 1, 2, 3), (7, 8, 9, 10)),
    ],
)
def test_lines_and_images_that_differ_in_number(root, reading, numbers, rows, used, frames):
    shutil.rmtree(root / "b")
    pictures(root / "b", "%04d.png", numbers)
    write(root / "b.txt", lines(BOXES[:rows]))
    dataset = reading(root)
    np.testing.assert_array_equal(dataset[1].boxes, [BOXES[line] for line in used])
    assert [int(dataset[1].frame_path(index).stem) for index in range(len(used))] == list(frames)
    kinds = [(issue.kind, issue.count) for issue in dataset.issues]
    lost = max(rows, len(numbers)) - len(used)
    assert kinds == ([("frames", lost)] if lost else [])


def test_images_without_numbers_are_taken_in_order(root, reading):
    shutil.rmtree(root / "b")
    for number, name in enumerate(("a.png", "b.jpg", "7c.png", "%08d.png")):
        picture(root / "b" / name, number)
    sequence = reading(root)[1]
    # Short names first: a, b, 7c, %08d.
    assert [sequence.frame_path(index).name for index in range(4)] == ["a.png", "b.jpg", "7c.png", "%08d.png"]
    assert [sequence.frame(index)[0, 0, 0] for index in range(4)] == [0, 10, 20, 30]


def test_an_unreadable_image_is_an_error_of_that_frame_alone(root, reading):
    (root / "b" / "0002.png").write_bytes(b"damaged")
    sequence = reading(root)[1]
    assert sequence.frame(2)[0, 0, 0] == 30
    with pytest.raises(DataError, match=r"0002\.png"):
        sequence.frame(1)
    with pytest.raises(IndexError):
        sequence.frame(4)


def test_what_packing_asks_of_a_sequence(root, reading):
    picture(root / "c" / "1.jpg", 3)
    write(root / "c.txt", lines(BOXES[:1]))
    dataset = reading(root)
    assert [sequence.clip for sequence in dataset][1:] == ["b/0001.png..b/0004.png", "c/1.jpg..c/1.jpg"]
    assert dataset[1].frame_bytes(0) is None
    assert dataset[2].frame_bytes(0) == (root / "c" / "1.jpg").read_bytes()
    (root / "c" / "1.jpg").unlink()
    with pytest.raises(DataError, match="cannot read the image"):
        dataset[2].frame_bytes(0)


def test_nothing_usable_is_an_error_that_names_the_first_reason(root, reading):
    for path in root.glob("*.txt"):
        path.write_text("1,2,3\n")
    message = r"no sequence of plain/all.*2 reasons.*a%s d\.txt', line 1: expected 4 numbers"
    with pytest.raises(DataError, match=message):
        reading(root)
    for path in root.glob("*.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"no sequence of plain/all in '.*data' can be used\.$"):
        reading(root)


def test_missing_folders_and_unknown_options_fail_before_any_work(root, reading):
    with pytest.raises(DataError, match="there is no folder '/no/where'"):
        reading("/no/where")
    with pytest.raises(DataError, match="plain has no option 'sets'; its options: none"):
        reading(root, options={"sets": "1"})
    assert reading.times == 0


def test_an_index_that_cannot_be_written_is_said(root, reading, home, full_disk):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot write"):
        reading(root)
    home.unlink()
    dataset = reading(root)
    content = dataset.path.read_bytes()
    write(root / "b.txt", lines([(index, 1, 2, 3) for index in range(2000)]))
    pictures(root / "b", "%04d.png", [1])
    for number in range(2, 1200):
        (root / "b" / f"{number:04d}.png").touch()
    full_disk()
    with pytest.raises(OutputError, match="cannot write"):
        reading(root, rebuild=True)
    assert dataset.path.read_bytes() == content
    assert {path.suffix for path in dataset.path.parent.iterdir()} == {".safetensors", ".lock"}


def test_an_index_moves_with_the_home_of_lockon(root, reading, monkeypatch, tmp_path):
    reading(root)
    monkeypatch.setenv("LOCKON_HOME", str(tmp_path / "another"))
    assert reading(root).path.is_relative_to(tmp_path / "another")
    monkeypatch.delenv("LOCKON_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert files.lockon_home() == Path("/home/me/.cache/lockon")


def test_many_sequences_keep_their_order_and_their_texts(tmp_path):
    """More clips than threads, categories and patterns that repeat, and segmentations in some records only."""
    clips = [Clip(str(number), partial(invented, number)) for number in range(300)]
    reader = Reader(name="r", splits=("all",), scan=lambda *_: Scan(clips, ()), recognises=lambda root: False)
    dataset = open_indexed(reader, tmp_path)
    assert [sequence.name for sequence in dataset] == [f"n{number}" for number in range(300) if number % 7]
    assert [sequence.category for sequence in dataset][:6] == ["c1", None, "c3", "c4", None, "c6"]
    for sequence in dataset:
        number = int(sequence.name[1:])
        assert len(sequence) == number % 3 + 1
        assert sequence.boxes[-1, 0] == number
        assert sequence.frame_path(0) == tmp_path / "f" / f"{number:02d}.jpg"
        mask = sequence.mask(len(sequence) - 1)
        assert (mask is None) == bool(number % 2)
        assert mask is None or mask.sum() == len(sequence)
    assert [issue.sequence for issue in dataset.issues][:2] == ["broken", "broken"]


def invented(number):
    count = number % 3 + 1
    if number % 7 == 0:
        yield Issue("broken", "left out", 1, "on purpose")
        return
    runs = [f'{{"size":[2,2],"counts":[0,{index + 1},{3 - index}]}}' for index in range(count)]
    yield Record(
        name=f"n{number}",
        category=None if number % 3 == 2 else f"c{number % 10}",
        frames=FrameFiles("f/%02d.jpg", np.arange(number, number + count)),
        boxes=np.tile([number, 1, 2, 3], (count, 1)),
        visible=np.ones(count, bool),
        masks=None if number % 2 else tuple(runs),
    )
