"""A dump reads back as it was mined, tells its damages, and counts and exports what it holds."""

import json
import pickle
import tarfile

import numpy as np
import pytest

from lockon.errors import DataError
from lockon.training.mining import Category, MinedDump, Thresholds
from lockon.training.mining.exchange import export
from lockon.training.mining.shards import shard_path
from lockon.training.mining.statistics import statistics
from lockon.training.mining.writing import ShardWriter
from training.mining.toy_dumps import REGION, mined_frame, write_dump

RIGHT = ((8, 8, 0.9), (2, 2, 0.3))
WRONG = ((2, 2, 0.9), (8, 8, 0.3))
LOW = ((8, 8, 0.2), (2, 2, 0.1))
GONE = ((2, 2, 0.9), (14, 3, 0.3))
ALONE = ((8, 8, 0.9),)


def frames(name, *peaks, first=1, **options):
    return [mined_frame(name, first + place, one, **options) for place, one in enumerate(peaks)]


@pytest.fixture
def root(tmp_path):
    """H H K, then G; a gap in frames; in another shard sequences with J, D and a hidden target."""
    gap = [*frames("a", RIGHT, RIGHT, WRONG), *frames("a", RIGHT, LOW, first=7)]
    hidden = frames("c", RIGHT, target=None)
    known = frames("d", ALONE, RIGHT, identities=[(1, 2, 3, 4), (5, 6, 7, 8.5)])
    return write_dump(tmp_path / "dump", [gap], [frames("b", GONE, LOW, RIGHT), hidden, known])


def test_frames_read_back(root):
    dump = MinedDump(root)
    assert len(dump) == len(list(dump)) == 11
    assert [(s.name, s.number, s.rows) for s in dump.sequences] == [
        ("a", 0, range(5)),
        ("b", 1, range(5, 8)),
        ("c", 2, range(8, 9)),
        ("d", 3, range(9, 11)),
    ]
    frame, written = dump[4], mined_frame("a", 8, LOW)
    for name in ("sequence", "frame", "frame_size", "region", "image_area", "target_box", "target_cell", "visible"):
        assert getattr(frame, name) == getattr(written, name)
    assert (frame.target_cell, frame.visible) == ((8, 8), True)
    np.testing.assert_array_equal(frame.score_map, written.score_map)
    assert frame.score_map.dtype == np.float32
    assert frame.candidate_cells.tolist() == [[8, 8], [2, 2]]
    np.testing.assert_allclose(frame.candidate_scores, [0.2, 0.1])
    assert frame.identities.shape == (0, 4)
    assert frame.image.flags.writeable  # else PyTorch warns of it
    assert abs(frame.image.astype(int) - written.image).mean() < 4  # noise is the worst for JPEG
    assert (dump[8].target_box, dump[8].target_cell, dump[8].visible) == (None, None, False)
    np.testing.assert_array_equal(dump[-1].identities, [(1, 2, 3, 4), (5, 6, 7, 8.5)])
    with pytest.raises(IndexError):
        dump[11]


def test_what_is_known_without_reading_pictures(root):
    dump = MinedDump(root)
    assert "".join(code[0] for code in (list(Category)[c] for c in dump.codes)) == "HHKHGJGHoDH"
    assert dump.categories[Category.H].tolist() == [0, 1, 3, 7, 10]
    assert {name: rows.tolist() for name, rows in dump.pairs.items()} == {"HH": [0], "HK": [1], "HG": [3]}
    assert dump.successive.tolist() == [0, 1, 3, 5, 6, 9]
    assert dump.candidate_counts.tolist() == [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2]
    assert (dump.tracker, dump.sample_size, dump.missing) == ("toy", 256, 0)


def test_other_thresholds(root):
    higher = MinedDump(root, Thresholds(candidate=0.15, found=0.95))
    assert higher.candidate_counts.tolist() == [2, 2, 2, 2, 1, 2, 1, 2, 2, 1, 2]
    assert higher[4].candidate_cells.tolist() == [[8, 8]]
    assert len(higher.categories[Category.G]) == 5
    assert not len(higher.categories[Category.H])
    assert higher.fingerprint != MinedDump(root).fingerprint == MinedDump(root).fingerprint
    with pytest.raises(DataError, match="Mine again"):
        MinedDump(root, Thresholds(candidate=0.01, found=0.25))


def test_it_travels_as_a_path(root):
    dump = MinedDump(root, Thresholds(candidate=0.15, found=0.3))
    again = pickle.loads(pickle.dumps(dump))
    assert again.fingerprint == dump.fingerprint
    assert len(pickle.dumps(dump)) < 1000


def test_counts(root):
    counted = statistics(MinedDump(root))
    assert (counted.sequences, counted.frames, counted.visible) == (4, 11, 10)
    assert {name: count.number for name, count in counted.categories.items()} == {
        "D": 1,
        "H": 5,
        "G": 2,
        "J": 1,
        "K": 1,
        "other": 1,
    }
    assert sum(count.share for count in counted.categories.values()) == pytest.approx(1)
    assert counted.pairs["HK"] == (1, pytest.approx(1 / 6))
    assert counted.candidates == (pytest.approx(21 / 11), 2)


def test_the_file_of_the_reference(root, tmp_path):
    assert export(MinedDump(root), tmp_path / "official.json") == 9
    content = json.loads((tmp_path / "official.json").read_text())
    assert list(content) == ["a", "b", "c", "d"]
    a = content["a"]
    assert a["index"] == [1, 2, 3, 7, 8]
    assert a["search_area_box"] == [list(REGION)] * 5
    assert a["target_anno_coord"] == [[8, 8]] * 5
    assert a["target_candidate_coords"][2] == [[2, 2], [8, 8]]
    np.testing.assert_allclose(a["target_candidate_scores"][2], [0.9, 0.3], atol=1e-6)
    assert a["frame_states"] == {"G": [8], "H": [1, 2, 7], "J": [], "K": [3]}
    assert a["subseq_states"] == {"HH": [1], "HK": [2], "HG": [7]}
    assert content["b"]["frame_states"] == {"G": [2], "H": [3], "J": [1], "K": []}
    assert content["c"]["index"] == []
    assert content["d"]["index"] == [2]


def test_the_index_is_a_function_of_the_shard(root):
    index = shard_path(root, 1).with_suffix(".index")
    before, fingerprint = index.read_bytes(), MinedDump(root).fingerprint
    index.unlink()
    assert MinedDump(root).fingerprint == fingerprint
    assert index.read_bytes() == before
    index.write_bytes(before[: len(before) // 2])
    assert MinedDump(root).fingerprint == fingerprint
    assert index.read_bytes() == before


@pytest.mark.parametrize("size", [0, 100, 700, 20_000, -600, -1])
def test_a_shard_that_was_cut_off_is_told(root, size):
    path = shard_path(root, 1)
    data = path.read_bytes()
    path.write_bytes(data[:size])
    with pytest.raises(DataError, match=r"mined-000001\.tar.*Delete it and give the same `lockon mine`"):
        MinedDump(root)


def test_a_hole_that_looks_like_the_end_is_told(root):
    path = shard_path(root, 1)
    with tarfile.open(path) as archive:
        hole = archive.getmember("00000002_000001.jpg").offset  # where the second sequence begins
    with path.open("r+b") as file:
        file.seek(hole)
        file.write(bytes(1024))
    path.with_suffix(".index").unlink()
    with pytest.raises(DataError, match=r"mined-000001\.tar' is damaged.*Delete it"):
        MinedDump(root)


@pytest.mark.parametrize("suffix", ["jpg", "npy"])
def test_damaged_bytes_are_told(root, suffix):
    path = shard_path(root, 0)
    MinedDump(root).verify()
    with tarfile.open(path) as archive:
        member = archive.getmember(f"00000000_000002.{suffix}")
    with path.open("r+b") as file:
        file.seek(member.offset_data + member.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    dump = MinedDump(root)
    assert dump[0].frame == 1
    for read in (lambda: dump[1], dump.verify):
        with pytest.raises(DataError, match=r"mined-000000\.tar' is damaged around byte \d+\. Delete it"):
            read()


def test_a_dump_that_is_not_finished_can_be_used(root):
    shard_path(root, 0).unlink()
    dump = MinedDump(root)
    assert (len(dump), dump.missing, dump.sequences[0].name) == (6, 1, "b")
    shard_path(root, 1).unlink()
    with pytest.raises(DataError, match="no finished shard yet"):
        MinedDump(root)


def test_what_is_no_dump_is_told(tmp_path):
    with pytest.raises(DataError, match="`lockon mine` makes them"):
        MinedDump(tmp_path)
    (tmp_path / "mining.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        MinedDump(tmp_path)
    (tmp_path / "mining.json").write_text("[]")
    with pytest.raises(DataError, match="not the description of frames mined by this version"):
        MinedDump(tmp_path)
    write_dump(tmp_path, [[]])
    with pytest.raises(DataError, match="holds no frame"):
        MinedDump(tmp_path)


def last_bytes(path):
    """Number of each sequence, and where its last file ends."""
    with tarfile.open(path) as archive:
        files = [(m, json.load(archive.extractfile(m))) for m in archive if m.name.endswith(".json")]
    return [(a["sequence"], m.offset_data + -(-m.size // 512) * 512) for m, a in files if a["last"]]


@pytest.mark.parametrize("cut", [0, 1, 512, 1500, 6000, 20_000, 40_000])
@pytest.mark.parametrize("rest", [b"", bytes(100_000), b"x" * 100_000])  # as a power cut may leave it
def test_a_shard_goes_on_after_its_last_whole_sequence(tmp_path, cut, rest):
    sequences = [frames("a", RIGHT, WRONG), [], frames("b", LOW, GONE, ALONE), frames("c", RIGHT)]

    def write(path):
        with ShardWriter(path, 0.05) as writer:
            done = writer.done
            for number, sequence in enumerate(sequences):
                if number not in done:
                    writer.add(number, sequence)
            writer.finish()
        return done, path.read_bytes(), path.with_suffix(".index").read_bytes()

    nothing, *whole = write(tmp_path / "one.tar")
    assert cut < len(whole[0])
    (tmp_path / "two.tar.part").write_bytes(whole[0][:cut] + rest)
    done, *again = write(tmp_path / "two.tar")
    assert not nothing
    assert done == {number for number, end in last_bytes(tmp_path / "one.tar") if end <= cut}
    assert again == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.index", "one.tar", "two.index", "two.tar"]
