"""What is packed reads back as it was, also after kills and copies that went wrong."""

import io
import json
import pickle
import tarfile
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from data.datasets.layouts import make_davis
from lockon.data.datasets import packing, shards
from lockon.data.datasets.fingerprints import annotation_digest
from lockon.data.datasets.folders import open_folder
from lockon.data.datasets.packing import PackConfig, pack
from lockon.data.datasets.registry import detect_dataset, open_dataset
from lockon.data.datasets.shards import ShardDataset, is_packed, open_shards
from lockon.data.datasets.tar_parts import add_part
from lockon.errors import DataError, OutputError
from video.video_clips import number_in, numbered_image, write_clip

SMALL = PackConfig(shard_bytes=1)
"""Every clip has a shard of its own."""


def save_images(folder, count=4, suffix=".jpg"):
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(numbered_image(number)).save(folder / f"{number}{suffix}")


@pytest.fixture
def source(tmp_path):
    """Three clips: images with masks, images with two objects, a video."""
    root = tmp_path / "mine"
    save_images(root / "a" / "frames")
    (root / "a" / "groundtruth.txt").write_text("1.1,2,30,40\n1.2,2,30,40\nnan,nan,nan,nan\n1,2,30,40.7\n")
    (root / "a" / "masks").mkdir()
    for number in range(4):
        Image.fromarray(np.eye(96, 192, number, np.uint8) * 255).save(root / "a" / "masks" / f"{number}.png")
    save_images(root / "b", suffix=".png")
    (root / "b.csv").write_text("frame,x,y,w,h,id,class,visible\n0,1,2,3,4,x,dog,1\n0,5,6,7,8,y,,1\n3,5,6,7,8,y,,0\n")
    write_clip(root / "c.mp4", 6)
    (root / "c.csv").write_text("frame,x,y,w,h\n5,1,2,3,4\n")
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "packed"


def same(packed, dataset):
    assert [s.name for s in packed] == [s.name for s in dataset]
    assert [s.category for s in packed] == [s.category for s in dataset]
    for one, other in zip(packed, dataset, strict=True):
        assert len(one) == len(other)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.visible, other.visible)
    return True


@pytest.mark.parametrize("config", [SMALL, PackConfig()])
def test_packed_data_are_the_data(source, out, config):
    dataset = open_folder(source)
    report = pack(dataset, out, config)
    packed = open_shards(out)
    assert (report.shards, report.kept, report.frames, report.unreadable) == (3 if config == SMALL else 1, 0, 14, [])
    assert same(packed, dataset)
    assert (packed.name, packed.is_video, packed.issues) == ("mine", True, ())
    assert packed.fingerprint == dataset.fingerprint == annotation_digest(packed)
    a, x, y, c = packed
    np.testing.assert_array_equal(a.frame(2), dataset[0].frame(2))
    np.testing.assert_array_equal(a.mask(3), np.eye(96, 192, 3, bool))
    assert x.mask(0) is None
    assert [number_in(s.frame(3)) for s in (x, y, c)] == [3, 3, 3]
    assert abs(c.frame(5).astype(float) - dataset[3].frame(5)).mean() < 2
    with pytest.raises(IndexError):
        a.frame(4)


def members(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_jpeg_files_are_copied_and_shared_frames_packed_once(source, out):
    pack(open_folder(source), out)
    found = members(out / "shard-000000.tar")
    assert len(found) == 14 * 2 + 4
    assert found["00000000_000002.jpg"] == (source / "a" / "frames" / "2.jpg").read_bytes()
    assert list(found)[:3] == ["00000000_000000.jpg", "00000000_000000.json", "00000000_000000.png"]
    both = {"frame": 0, "frames": 4, "visible": True}
    assert json.loads(found["00000001_000000.json"]) == {
        "targets": [
            {**both, "sequence": 1, "name": "b#x", "category": "dog", "box": [1, 2, 3, 4]},
            {**both, "sequence": 2, "name": "b#y", "category": None, "box": [5, 6, 7, 8]},
        ]
    }
    assert json.loads(found["00000000_000000.json"])["targets"][0]["box"] == [1.1, 2, 30, 40]  # not 1.10000002


def test_the_library_of_the_convention_reads_them(source, out):
    webdataset = pytest.importorskip("webdataset")
    dataset = open_folder(source)
    pack(dataset, out, SMALL)
    urls = [str(path) for path in sorted(out.glob("*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert len(samples) == 14
    assert [number_in(sample["jpg"]) for sample in samples] == [*range(4), *range(4), *range(6)]
    assert [sample["json"]["targets"][0]["name"] for sample in samples[::4]] == ["a", "b#x", "c", "c"]
    np.testing.assert_array_equal(samples[1]["png"][..., 0] > 0, np.eye(96, 192, 1, bool))


def test_masks_of_several_targets_of_a_training_set(tmp_path, out):
    dataset = open_dataset("davis", make_davis(tmp_path / "davis"))
    pack(dataset, out)
    packed = open_shards(out)
    assert packed.fingerprint == dataset.fingerprint  # its own, not ours
    assert same(packed, dataset)
    for one, other in zip(packed, dataset, strict=True):
        for index in range(len(one)):
            np.testing.assert_array_equal(one.frame(index), other.frame(index))
            np.testing.assert_array_equal(one.mask(index), other.mask(index))
    files = [name for path in out.glob("*.tar") for name in members(path)]
    frames = {dataset[n].frame_path(i) for n in range(len(dataset)) for i in range(len(dataset[n]))}
    assert sum(name.endswith(".jpg") for name in files) == len(frames) < sum(map(len, dataset))
    assert any(name.endswith(".1.png") for name in files)


@given(arrays(np.float32, 4, elements=st.floats(-1e6, 1e6, width=32)))
def test_boxes_are_written_in_the_shortest_text_that_reads_back_the_same(box):
    text = json.dumps(packing._plain(box, packing._Picture(b"", 1.0, 1.0)))
    np.testing.assert_array_equal(np.array(json.loads(text), np.float32), box)
    assert all(len(number) <= 14 for number in text.strip("[]").split(", "))


@dataclass
class Plain:
    """A sequence that has nothing but what it must."""

    name: str
    images: list
    category: str | None = None
    boxes: np.ndarray = field(init=False)
    visible: np.ndarray = field(init=False)

    def __post_init__(self):
        self.boxes = np.tile(np.array([10, 20, 30, 41.0]), (len(self.images), 1))
        self.visible = np.ones(len(self.images), bool)

    def __len__(self):
        return len(self.images)

    def frame(self, index):
        if self.images[index] is None:
            raise DataError(f"cannot read frame {index}.")
        return self.images[index]

    def mask(self, index):
        return np.ones((60, 100), bool)


class Sequences(list):
    name, is_video, fingerprint = "plain", True, "of another kind"


def plain(count=4):
    """Every frame is as bright as nine times the number of the clip, and its own."""
    return Sequences(
        Plain(f"clip {number}", [np.full((60, 100, 3), 9 * number + index, np.uint8) for index in range(3)])
        for number in range(count)
    )


def test_frames_and_boxes_are_shrunk_together(out):
    pack(plain(), out, PackConfig(max_side=33))
    packed = open_shards(out)
    assert packed[0].frame(0).shape == (20, 33, 3)
    assert packed[0].mask(0).shape == (20, 33)
    np.testing.assert_allclose(packed[0].boxes[0], [3.3, 20 / 3, 9.9, 41 / 3], rtol=1e-6)
    assert packed.fingerprint == annotation_digest(packed) != Sequences.fingerprint
    with pytest.raises(OutputError, match="something else than 'plain' packed in this way"):
        pack(plain(), out)


def test_turned_and_disguised_images_are_encoded_anew(tmp_path, out):
    root = tmp_path / "turned"
    save_images(root, 3)
    image, exif = Image.open(root / "1.jpg"), Image.Exif()
    exif[0x0112] = 6
    image.save(root / "1.jpg", exif=exif)
    Image.fromarray(numbered_image(2)).save(root / "2.jpg", "PNG")
    (root / "groundtruth.txt").write_text("1,2,3,4\n" * 3)
    dataset = open_folder(root)
    pack(dataset, out)
    packed = open_shards(out)[0]
    assert packed.frame(1).shape == dataset[0].frame(1).shape == (192, 96, 3)
    assert number_in(packed.frame(2)) == 2
    assert members(out / "shard-000000.tar")["00000000_000002.jpg"][:2] == b"\xff\xd8"


def test_frames_that_cannot_be_read_keep_their_place(out):
    dataset = plain(2)
    dataset[1].images[1] = None
    report = pack(dataset, out)
    assert report.unreadable == ["cannot read frame 1."]
    packed = open_shards(out)
    assert same(packed, dataset)
    with pytest.raises(DataError, match="frame 1 of 'clip 1' could not be read when"):
        packed[1].frame(1)
    assert packed[1].frame(2)[0, 0, 0] == 11


def test_a_killed_run_goes_on_after_its_last_whole_shard(out):
    dataset = plain(5)

    def kill(done, total):
        assert total == 5
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(dataset, out, SMALL, progress=kill)
    assert sorted(path.name for path in out.glob("*.tar*")) == ["shard-000000.tar", "shard-000001.tar"]
    with pytest.raises(DataError, match="was not finished"):
        open_shards(out)
    (out / "shard-000001.index").unlink()
    (out / "shard-000002.tar.part").write_bytes(b"left by a kill -9")
    before = (out / "shard-000000.tar").stat().st_mtime_ns
    report = pack(dataset, out, SMALL)
    assert (report.shards, report.kept, report.frames) == (5, 2, 9)
    assert (out / "shard-000000.tar").stat().st_mtime_ns == before
    assert not list(out.glob("*.part"))
    assert same(open_shards(out), dataset)
    assert open_shards(out).fingerprint == Sequences.fingerprint


def test_another_data_set_is_not_packed_on_top(out, tmp_path):
    pack(plain(), out)
    other = plain()
    other.fingerprint = "changed"
    with pytest.raises(OutputError, match="holds something else"):
        pack(other, out)
    with pytest.raises(OutputError, match="holds something else"):
        pack(plain(), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        pack(plain(), tmp_path / "file" / "x")


def test_a_full_disk_leaves_whole_shards(out, full_disk):
    noise = np.random.default_rng(0).integers(0, 255, (3, 60, 100, 3), np.uint8)
    dataset = Sequences([*plain(1), Plain("noise", list(noise))])
    full_disk()
    with pytest.raises(OutputError, match="cannot write"):
        pack(dataset, out, SMALL)
    assert not list(out.glob("*.part"))


def test_indices_are_made_again_where_they_are_missing_or_wrong(out):
    dataset = plain()
    pack(dataset, out, SMALL)
    (out / "shard-000000.index").unlink()
    (out / "shard-000001.index").write_bytes(b"not an index")
    other = out / "shard-000002.index"
    other.write_bytes(other.read_bytes().replace(b'\\"bytes\\": ', b'\\"bytes\\":1'))  # of a larger file
    assert same(open_shards(out), dataset)
    assert (out / "shard-000000.index").is_file()
    told = []
    assert same(open_shards(out, rebuild=True, progress=lambda done, total: told.append((done, total))), dataset)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_shards_without_a_description(out):
    pack(plain(), out, SMALL)
    (out / "dataset.json").unlink()
    packed = open_shards(out)
    assert (packed.name, packed.is_video) == ("packed", True)
    assert packed.fingerprint == annotation_digest(plain())
    (out / "dataset.json").write_text("{")
    with pytest.raises(DataError, match=r"dataset\.json' is damaged"):
        open_shards(out)


@pytest.mark.parametrize("size", ["a byte is missing", "the end is missing", 700, 0])
@pytest.mark.parametrize("indexed", [True, False])
def test_shards_that_were_cut_off_are_left_out_and_told(out, size, indexed):
    pack(plain(3), out, SMALL)
    path = out / "shard-000001.tar"
    data = path.read_bytes()
    end_of_files = -(-len(data.rstrip(b"\0")) // 512) * 512
    path.write_bytes(data[: {"a byte is missing": -1, "the end is missing": end_of_files}.get(size, size)])
    if not indexed:
        path.with_suffix(".index").unlink()
    packed = open_shards(out)
    assert [sequence.name for sequence in packed] == ["clip 0", "clip 2"]
    (issue,) = packed.issues
    assert "shard-000001.tar'" in issue.text
    assert packed.fingerprint != Sequences.fingerprint


def test_shards_that_were_not_copied_are_told(out):
    pack(plain(3), out, SMALL)
    (out / "shard-000002.tar").unlink()
    packed = open_shards(out)
    assert len(packed) == 2
    assert "has 2 of 3 shards" in packed.issues[0].text
    for path in out.glob("*.tar"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no shard in .* can be used.*empty file"):
        open_shards(out)
    for path in out.glob("*.tar"):
        path.unlink()
    with pytest.raises(DataError, match="there are no shards"):
        open_shards(out)


def test_a_shard_that_shrinks_while_it_is_read(out):
    pack(plain(1), out)
    (sequence,) = open_shards(out)
    path = out / "shard-000000.tar"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 8])
    with pytest.raises(DataError, match="cut off"):
        sequence.frame(2)
    path.write_bytes(data.replace(b"\xff\xd8", b"\0\0"))
    with pytest.raises(
        DataError, match=r"^cannot read frame 2 of 'clip 0' in '.*\.tar': it is no image, or damaged\.$"
    ):
        sequence.frame(2)
    path.unlink()
    with pytest.raises(DataError, match="No such file"):
        sequence.frame(2)


def test_tar_files_of_others_are_refused(out):
    out.mkdir()
    with tarfile.open(out / "shard-000000.tar", "w") as archive:
        member = tarfile.TarInfo("0001.jpg")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    assert is_packed(out)
    with pytest.raises(DataError, match=r"no 0001\.json: it was not packed by Lockon"):
        open_shards(out)


def test_frames_that_are_missing_in_a_shard_are_noticed(out):
    pack(plain(1), out)
    path = out / "shard-000000.tar"
    kept = {name: data for name, data in members(path).items() if not name.startswith("00000000_000001")}
    with tarfile.open(path, "w") as archive:
        for name, data in kept.items():
            add_part(archive, name, data)
    with pytest.raises(DataError, match="2 of the 3 frames of 'clip 0'"):
        open_shards(out)


def test_a_pickled_data_set_is_its_path(out):
    pack(plain(2), out)
    packed = open_shards(out)
    assert len(pickle.dumps(packed)) < 300
    assert same(pickle.loads(pickle.dumps(packed)), packed)
    assert isinstance(packed, ShardDataset)
    assert shards.is_packed(out)
    assert detect_dataset(out) == "shards"
    assert same(open_dataset("shards", out.parent, out.name), packed)
    assert not shards.is_packed(out.parent)


def test_what_cannot_be_asked_for():
    with pytest.raises(DataError, match="at least one"):
        PackConfig(max_side=0)
