import pytest

from data.datasets.layouts import lines, number_of, write
from data.testsets.whole_sets import counting_boxes, images
from lockon.data.testsets.registry import open_test_set

INI = "[METAINFO]\nobject_class: lesser panda\nresolution: (64, 48)\nurl: 100%\n"


def make_val(root, *numbers, frames=3):
    for number in numbers:
        folder = root / "val" / f"GOT-10k_Val_{number:06d}"
        write(folder / "groundtruth.txt", lines(counting_boxes(frames)))
        write(folder / "absence.label", "0\n0\n1\n")
        write(folder / "cover.label", "8\n3\n0\n")
        write(folder / "meta_info.ini", INI)
        images(folder, range(1, frames + 1), 8)
    return root


def test_validation_has_cover_and_absence(tmp_path):
    write(make_val(tmp_path, 1, 2) / "val" / "list.txt", "GOT-10k_Val_000002\nGOT-10k_Val_000001\n")
    val = open_test_set("got10k_val", tmp_path)
    assert [sequence.name for sequence in val.sequences] == ["GOT-10k_Val_000002", "GOT-10k_Val_000001"]
    assert (val.protocol, val.excluded) == ("got10k", ())
    first = val.sequences[0]
    assert first.truth.cover.tolist() == [8, 3, 0]
    assert first.truth.visible.tolist() == [True, True, False]
    assert (first.category, first.image_size) == ("lesser panda", (64, 48))
    assert number_of(first.frame(2)) == 3


def test_without_a_list_all_are_expected(tmp_path):
    val = open_test_set("got10k_val", make_val(tmp_path, 4))
    assert [sequence.name for sequence in val.sequences] == ["GOT-10k_Val_000004"]
    assert len(val.excluded) == 179


@pytest.mark.parametrize("text", ["", "no ini at all", "[METAINFO]\nresolution: unknown\n"])
def test_the_size_is_read_from_an_image_where_the_file_does_not_say(tmp_path, text):
    write(make_val(tmp_path, 1) / "val" / "GOT-10k_Val_000001" / "meta_info.ini", text)
    sequence = open_test_set("got10k_val", tmp_path).sequences[0]
    assert (sequence.image_size, sequence.category) == ((64, 48), None)


def test_annotation_alone_is_enough_to_score(tmp_path):
    make_val(tmp_path, 1)
    for path in (tmp_path / "val" / "GOT-10k_Val_000001").glob("*.jpg"):
        path.unlink()
    sequence = open_test_set("got10k_val", tmp_path).sequences[0]
    assert (len(sequence), sequence.has_images, sequence.image_size) == (3, False, (64, 48))


def test_labels_are_as_many_as_boxes(tmp_path):
    write(make_val(tmp_path, 1, 2) / "val" / "GOT-10k_Val_000001" / "cover.label", "8\n8\n")
    assert "has 2 labels for 3 boxes" in dict(open_test_set("got10k_val", tmp_path).excluded)["GOT-10k_Val_000001"]


def test_the_test_set_has_one_box_and_all_images(tmp_path):
    folder = tmp_path / "test" / "GOT-10k_Test_000001"
    write(folder / "groundtruth.txt", "1,2,3,4\n")
    write(tmp_path / "test" / "list.txt", "GOT-10k_Test_000001\nGOT-10k_Test_000002\n")
    images(folder, range(1, 6), 8)
    test = open_test_set("got10k_test", tmp_path)
    (sequence,) = test.sequences
    assert (len(sequence), sequence.truth.cover, sequence.image_size) == (5, None, (64, 48))
    assert sequence.truth.boxes.tolist() == [[1, 2, 3, 4]]
    assert [name for name, _ in test.excluded] == ["GOT-10k_Test_000002"]


def test_a_sequence_listed_twice_is_used_once(tmp_path):
    write(make_val(tmp_path, 1) / "val" / "list.txt", "GOT-10k_Val_000001\nGOT-10k_Val_000001\n")
    val = open_test_set("got10k_val", tmp_path)
    assert len(val) == 1
    assert val.excluded == (
        ("GOT-10k_Val_000001", "the name is given twice; the first sequence of this name is used."),
    )
