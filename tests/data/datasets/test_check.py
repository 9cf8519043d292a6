"""What the check says of data sets with known faults."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from lockon.data.datasets import check
from lockon.data.datasets.check import check_dataset, grouped
from lockon.data.datasets.contact_sheet import COLUMNS, ROWS, TILE, contact_sheet
from lockon.data.datasets.folders import open_folder
from lockon.errors import DataError


@dataclass
class Walk:
    """A white target of 20 × 10 pixels that walks one pixel a frame, with its mask."""

    name: str
    length: int = 20
    category: str | None = "dog"
    clip: str | None = None
    boxes: np.ndarray = field(init=False)
    visible: np.ndarray = field(init=False)
    broken: set = field(default_factory=set)
    read: list = field(default_factory=list)
    mask_size: tuple = (48, 64)

    def __post_init__(self):
        self.boxes = np.array([[n, n + 0.5, 20, 10] for n in range(self.length)], np.float32)
        self.visible = np.ones(self.length, bool)
        self.clip = self.clip or self.name

    def __len__(self):
        return self.length

    def frame(self, index):
        self.read.append(index)
        if index in self.broken:
            raise DataError(f"cannot read image {index}.")
        return np.full((48, 64, 3), 90, np.uint8)

    def mask(self, index):
        mask = np.zeros(self.mask_size, bool)
        mask[index + 1 : index + 10, index : index + 20] = True
        return mask


class Sequences(list):
    name, is_video, fingerprint = "walks", True, "0123"


def kinds(report):
    return [(finding.severity, finding.kind, finding.sequence, finding.frames) for finding in report.findings]


def test_what_is_there_is_counted():
    dataset = Sequences([Walk("a"), Walk("b", 10, category="cat"), Walk("c", 40)])
    dataset[0].boxes[5:] = np.nan
    dataset[0].visible[3:] = False
    told = []
    report = check_dataset(dataset, progress=lambda done, total: told.append((done, total)))
    assert (report.sequences, report.frames, report.annotated, report.visible) == (3, 70, 55, 53)
    assert report.categories == {"dog": 2, "cat": 1}
    assert (report.lengths.least, report.lengths.median, report.lengths.most) == (10, 20, 40)
    assert report.sides.median == pytest.approx(200**0.5)
    assert report.aspects.low == report.aspects.high == 2
    assert (report.images_read, report.masks_read, report.image_sizes) == (70, 70, {"64×48": 70})
    assert report.findings == []
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert json.loads(json.dumps(report.as_plain()))["categories"] == {"dog": 2, "cat": 1}


def test_images_are_sampled_evenly(monkeypatch):
    monkeypatch.setattr(check, "SAMPLED_IMAGES", 6)
    dataset = Sequences([Walk(f"{n}") for n in range(3)])
    assert check_dataset(dataset).images_read == 6
    assert [sequence.read for sequence in dataset] == [[0, 19]] * 3
    many = Sequences([Walk(f"{n}") for n in range(12)])
    check_dataset(many)
    assert [len(sequence.read) for sequence in many] == [0, 1] * 6


def test_every_image_is_read_once_even_if_shared():
    dataset = Sequences([Walk("a#1", clip="a"), Walk("a#2", clip="a"), Walk("b")])
    report = check_dataset(dataset, all_images=True)
    assert [len(sequence.read) for sequence in dataset] == [20, 0, 20]
    assert (report.images_read, report.masks_read) == (40, 60)


def test_images_that_cannot_be_read_are_errors():
    dataset = Sequences([Walk("a", broken={3}), Walk("b")])
    report = check_dataset(dataset, all_images=True)
    assert kinds(report) == [("error", "unreadable", "a", (3,))]
    assert report.errors[0].text == "cannot read image 3."
    assert not report.warnings


def test_masks_are_held_against_images_and_boxes(monkeypatch):
    dataset = Sequences([Walk("a", mask_size=(24, 32)), Walk("b", 3), Walk("c", 3)])
    dataset[1].boxes[2] += [30, 20, 0, 0]
    monkeypatch.setattr(dataset[2], "mask", lambda index: np.zeros((48, 64), bool), raising=False)
    report = check_dataset(dataset)
    assert {(f.severity, f.kind, f.sequence) for f in report.findings if f.kind == "mask"} == {
        ("error", "mask", "a"), ("warning", "mask", "b"), ("warning", "mask", "c"),
    }  # fmt: skip
    assert [f.frames for f in report.findings if f.sequence == "b" and f.kind == "mask"] == [(2,)]


def test_names_lengths_and_boxes():
    dataset = Sequences([Walk("a"), Walk("a"), Walk("b"), Walk("c")])
    dataset[2].visible[1:] = False
    dataset[3].boxes[7] = [60, 47, 1, 1]
    assert kinds(check_dataset(dataset)) == [
        ("error", "name", "a", ()),
        ("warning", "short", "b", ()),
        ("warning", "mask", "c", (7,)),
        ("warning", "tiny", "c", (7,)),
        ("warning", "jump", "c", (7, 8)),
    ]


def test_single_images_need_no_second_frame():
    dataset = Sequences([Walk("a", 1)])
    dataset.is_video = False
    assert check_dataset(dataset).findings == []


def test_issues_of_the_reader_and_images_of_many_sizes(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (64 + 2 * number, 48)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "a.csv").write_text("frame,x,y,w,h\n0,1,1,9,9\n1,1,1,9,9\n")
    (tmp_path / "c.csv").write_text("frame,x,y,w,h,visible\n0,1,1,9,9,0\n")
    report = check_dataset(open_folder(tmp_path))
    assert [(f.severity, f.kind, f.sequence) for f in report.findings] == [
        ("error", "left out", "b"),
        ("warning", "hidden", "c"),
        ("warning", "size", "a"),
    ]
    assert "64×48, 66×48" in report.warnings[1].text


def test_errors_come_first_and_by_kind():
    dataset = Sequences([Walk("a", broken={0, 5}), Walk("b")])
    dataset[0].visible[1:] = False
    report = check_dataset(dataset)
    assert [(s, k, len(members)) for s, k, members in grouped(report.findings)] == [
        ("error", "unreadable", 2), ("warning", "short", 1),
    ]  # fmt: skip


def test_counting_from_one_is_said_of_the_whole():
    dataset = Sequences([Walk("a", 2)])
    dataset[0].boxes[:] = [[1, 1, 20, 10], [45, 1, 20, 10]]
    (finding,) = [f for f in check_dataset(dataset).findings if f.kind == "counted from 1"]
    assert finding.sequence == ""


def test_the_contact_sheet_shows_frames_with_boxes():
    dataset = Sequences([Walk("a", broken=set(range(20))), Walk("b"), Walk("c")])
    dataset[2].visible[:] = False
    sheet = contact_sheet(dataset)
    assert sheet.shape == (3 * TILE[1], COLUMNS * TILE[0], 3)  # eight tiles each, none of c
    tiles = sheet.reshape(3, TILE[1], COLUMNS, TILE[0], 3).swapaxes(1, 2).reshape(-1, TILE[1], TILE[0], 3)
    green = [(tile[..., 1] > tile[..., 0] + 60).sum() > 100 for tile in tiles]
    assert green == [False] * 8 + [True] * 8 + [False] * 2


def test_the_contact_sheet_of_few_frames_and_of_none():
    assert contact_sheet(Sequences([Walk("a", 2)])).shape == (TILE[1], COLUMNS * TILE[0], 3)
    assert contact_sheet(Sequences([Walk(str(n), 1) for n in range(100)])).shape[0] == ROWS * TILE[1]
