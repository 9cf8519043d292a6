import numpy as np
import pytest
from PIL import Image

from lockon.data.sequences import find_sequences, read_boxes, read_sequence
from lockon.errors import DataError

BOXES = "10,20,30,40\n11\t20 30,40\nNaN,NaN,NaN,NaN\n"


def write_image(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((48, 64), value, dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "walk"
    for index in range(3):
        write_image(root / "frames" / f"{index + 9}.png", 10 * index)
        write_image(root / "masks" / f"{index + 9}.png", 100 * index)
    (root / "frames" / "notes.md").write_text("not a frame")
    (root / "groundtruth.txt").write_text(BOXES)
    return root


def test_reads_boxes_frames_and_masks_in_time_order(folder):
    sequence = read_sequence(folder)
    assert sequence.name == "walk"
    assert sequence.start_box == (10, 20, 30, 40)
    np.testing.assert_array_equal(sequence.boxes[1], [11, 20, 30, 40])
    assert np.isnan(sequence.boxes[2]).all()
    # 9.png, 10.png, 11.png: by number, not by letter.
    assert [int(frame[0, 0, 0]) for frame in sequence] == [0, 10, 20]
    assert sequence.frame(1).shape == (48, 64, 3)
    assert not sequence.mask(0).any()
    assert sequence.mask(1).all()


def test_frames_are_read_when_asked_for(folder):
    sequence = read_sequence(folder)
    (folder / "frames" / "10.png").write_bytes(b"broken")
    assert sequence.frame(0).shape == (48, 64, 3)
    with pytest.raises(DataError, match=r"10\.png"):
        sequence.frame(1)


def test_finds_every_sequence_below_a_folder_or_the_folder_itself(folder):
    folder.rename(folder.with_name("b"))
    (folder.parent / "a" / "frames").mkdir(parents=True)
    write_image(folder.parent / "a" / "frames" / "1.jpg", 3)
    (folder.parent / "a" / "groundtruth.txt").write_text("1,2,3,4")
    (folder.parent / "not_a_sequence").mkdir()
    assert [sequence.name for sequence in find_sequences(folder.parent)] == ["a", "b"]
    assert [len(sequence) for sequence in find_sequences(folder.parent / "b")] == [3]
    with pytest.raises(DataError, match="no sequence found"):
        find_sequences(folder.parent / "not_a_sequence")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("1,2,3,4\n1,2,3\n", "line 2.*got 3"),
        ("1,2,3,4,5,6,7,8", "got 8"),
        ("1,2,3,four", "got '1,2,3,four'"),
        ("1,2,0,4", "no area"),
        ("1,2,inf,4", "no area"),
    ],
)
def test_malformed_boxes_are_refused(tmp_path, text, message):
    path = tmp_path / "groundtruth.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_boxes(path)


def test_broken_folders_are_refused(folder):
    with pytest.raises(DataError, match="not a sequence"):
        read_sequence(folder / "frames")
    (folder / "masks" / "9.png").unlink()
    with pytest.raises(DataError, match="2 images for 3 frames"):
        read_sequence(folder)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match=r"1 boxes.*3 images"):
        read_sequence(folder)
    (folder / "groundtruth.txt").write_text("nan,2,3,4\n1,2,3,4\n1,2,3,4")
    with pytest.raises(DataError, match="no target in frame 0"):
        read_sequence(folder)
    (folder / "frames").rename(folder / "img")
    with pytest.raises(DataError, match="is missing"):
        read_sequence(folder)


def test_a_sequence_without_masks_says_so(folder):
    for path in (folder / "masks").iterdir():
        path.unlink()
    (folder / "masks").rmdir()
    with pytest.raises(DataError, match="no masks"):
        read_sequence(folder).mask(0)
