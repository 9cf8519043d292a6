import pytest

from data.datasets.layouts import number_of, write
from data.testsets.whole_sets import images, make_nfs
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set

LINE = '0 {} {} {} {} {} 0 0 1 "person on foot"\n'


def original(frames):
    """Corners of boxes `(n, 2 n, 20, 10)`."""
    return "".join(LINE.format(n, 2 * n, n + 20, 2 * n + 10, n) for n in range(frames))


def test_the_layout_of_pytracking(tmp_path):
    make_nfs(tmp_path, "Skiing_red", "zebra_fish")
    images(tmp_path / "sequences" / "Skiing_red", [1, 2], 5)
    nfs = open_test_set("nfs30", tmp_path)
    assert [(sequence.name, len(sequence)) for sequence in nfs.sequences] == [("Skiing_red", 69), ("zebra_fish", 671)]
    assert number_of(nfs["Skiing_red"].frame(1)) == 2
    assert nfs["Skiing_red"].start == Box(1, 2, 20, 10)
    assert len(nfs.excluded) == 98


def test_the_layout_of_the_authors(tmp_path):
    write(tmp_path / "Skiing_red" / "30" / "Skiing_red.txt", original(70))
    images(tmp_path / "Skiing_red" / "30" / "Skiing_red", [1, 2], 5)
    sequence = open_test_set("nfs30", tmp_path)["Skiing_red"]
    assert len(sequence) == 69
    assert sequence.truth.boxes[68].tolist() == [68, 136, 20, 10]
    assert number_of(sequence.frame(1)) == 2


def test_every_eighth_line_of_the_full_rate_where_there_is_nothing_else(tmp_path):
    write(tmp_path / "Skiing_red" / "240" / "Skiing_red.txt", original(69 * 8 - 3))
    boxes = open_test_set("nfs30", tmp_path)["Skiing_red"].truth.boxes
    assert boxes[:3, 0].tolist() == [0, 8, 16]
    assert len(boxes) == 69


def test_the_full_rate_ends_with_the_images(tmp_path):
    write(tmp_path / "Gymnastics" / "240" / "Gymnastics.txt", original(12))
    write(tmp_path / "zebra_fish" / "240" / "zebra_fish.txt", original(12))
    images(tmp_path / "Gymnastics" / "240" / "Gymnastics", range(1, 11), 5)
    nfs = open_test_set("nfs240", tmp_path)
    assert [(sequence.name, len(sequence)) for sequence in nfs.sequences] == [("Gymnastics", 10), ("zebra_fish", 12)]
    assert number_of(nfs["Gymnastics"].frame(9)) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (original(68), "has 68 boxes at this rate; the benchmark has 69"),
        (original(3) + "0 1 2 3\n", "line 4: expected a track number and four corners, got '0 1 2 3'"),
        (original(3) + '0 1 2 x 4 3 0 0 1 "a"\n', "line 4: expected a track number"),
        ("", "is empty"),
    ],
)
def test_bad_annotation_is_excluded(tmp_path, text, message):
    write(tmp_path / "zebra_fish" / "30" / "zebra_fish.txt", original(671))
    write(tmp_path / "Skiing_red" / "30" / "Skiing_red.txt", text)
    assert message in dict(open_test_set("nfs30", tmp_path).excluded)["Skiing_red"]
