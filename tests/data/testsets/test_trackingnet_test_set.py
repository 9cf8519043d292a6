from data.datasets.layouts import number_of, write
from data.testsets.whole_sets import images
from lockon.boxes import Box
from lockon.data.testsets.registry import open_test_set


def make(root):
    for name in ("0-a_1", "b", "no frames"):
        write(root / "TEST" / "anno" / f"{name}.txt", "1.5,2.5,20.25,10\n")
    images(root / "TEST" / "frames" / "0-a_1", range(12), 1)
    images(root / "TEST" / "frames" / "b", [0, 1, 3], 1)
    return root


def test_only_the_first_box_is_known_and_frames_are_in_numeric_order(tmp_path):
    trackingnet = open_test_set("trackingnet", make(tmp_path))
    (sequence,) = trackingnet.sequences
    assert (sequence.name, len(sequence), sequence.start) == ("0-a_1", 12, Box(1.5, 2.5, 20.25, 10))
    assert sequence.truth.boxes.tolist() == [[1.5, 2.5, 20.25, 10]]
    assert [number_of(sequence.frame(index)) for index in (0, 2, 9, 10, 11)] == [1, 3, 10, 11, 12]


def test_what_was_not_extracted_is_excluded(tmp_path):
    excluded = dict(open_test_set("trackingnet", make(tmp_path)).excluded)
    assert "has 3 images, but no '2.jpg' among them" in excluded["b"]
    assert "Extract 'zips/no frames.zip' into it" in excluded["no frames"]
