import numpy as np
import pytest

from lockon.data.datasets.box_checks import LONGEST_CONSTANT, CountingFromOne, suspicious_boxes

SIZE = (200, 100)


def walk(frames=10):
    """A target that walks to the right."""
    return np.array([[10.0 + n, 20, 30, 40] for n in range(frames)]).reshape(-1, 4)


def kinds(boxes, visible=None, size=SIZE):
    visible = np.ones(len(boxes), bool) if visible is None else np.array(visible)
    return {kind: frames for kind, _, frames in suspicious_boxes(np.array(boxes, np.float32), visible, size)}


def changed(row, box):
    boxes = walk()
    boxes[row] = box
    return boxes


def test_what_targets_do_is_not_suspicious():
    assert kinds(walk()) == {}
    assert kinds(walk(0)) == {}
    assert kinds(changed(9, [-20, -30, 30, 40])) == {}  # partly outside
    assert kinds(np.repeat(walk(1), LONGEST_CONSTANT - 1, axis=0)) == {}


@pytest.mark.parametrize(
    ("boxes", "kind", "frames"),
    [
        (changed(4, [14, 20, 1, 40]), "tiny", (4,)),
        (changed(9, [200, 20, 30, 40]), "outside", (9,)),
        (changed(9, [10, -40, 30, 40]), "outside", (9,)),
        (changed(9, [190, 90, 6, 6]), "jump", (9,)),
        (changed(9, [10, 20, 80, 90]), "jump", (9,)),
        (changed(9, [10, 20, 10, 20]), "jump", (9,)),
        (np.concatenate([walk(5), np.repeat([[50.0, 20, 30, 40]], LONGEST_CONSTANT, axis=0)]), "constant", (5,)),
        (walk() + np.array([50, 30, 50, 30]), "corners", ()),
    ],
)  # fmt: skip
def test_odd_boxes_are_found(boxes, kind, frames):
    assert kinds(boxes)[kind] == frames


def test_only_visible_boxes_and_neighbouring_frames_count():
    visible = np.ones(10, bool)
    visible[9] = False
    assert kinds(changed(9, [500, 20, 1, 1]), visible) == {}
    visible[9], visible[8] = True, False
    assert "jump" not in kinds(changed(9, [190, 90, 6, 6]), visible)
    assert "outside" not in kinds(changed(9, [500, 20, 30, 40]), size=None)


def test_the_number_of_boxes_is_told():
    (one,) = suspicious_boxes(np.float32([[0, 0, 1, 1]]), np.array([True]), None)
    assert one.text == "1 box of one pixel or less"


@pytest.mark.parametrize(
    ("boxes", "found"),
    [
        ([[1, 1, 10, 10], [191, 50, 10, 10]], True),
        ([[1, 1, 10, 10], [150, 50, 10, 10]], False),  # none ends late
        ([[2, 2, 10, 10], [191, 50, 10, 10]], False),  # none starts at 1
        ([[0, 1, 10, 10], [191, 50, 10, 10]], False),  # one starts at 0
        ([[1, 1, 10, 10], [191.5, 50, 9.5, 10]], False),  # not whole
        ([[1, 1, 10, 10], [192, 50, 10, 10]], False),  # too late
    ],
)
def test_counting_from_one(boxes, found):
    evidence = CountingFromOne()
    for box in boxes:
        evidence.add(np.float32([box]), SIZE)
    evidence.add(np.zeros((0, 4), np.float32), SIZE)
    assert (evidence.suspicion() is not None) == found
