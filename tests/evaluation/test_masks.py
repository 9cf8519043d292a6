import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from lockon.data.testsets.base import MaskTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation import davis, youtube_vos
from lockon.evaluation.masks import contour, contour_accuracy, dilated, region_similarity, statistics
from lockon.evaluation.tracks import MaskTrack

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


@given(MASKS, st.integers(0, 4))
def test_dilation_reaches_as_far_as_the_radius(mask, radius):
    rows, columns = np.indices(mask.shape)
    expected = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    np.testing.assert_array_equal(dilated(mask, radius), expected)


def test_contour_by_hand():
    mask = np.zeros((4, 5), dtype=bool)
    mask[1:3, 1:3] = True
    marked = ["###..", "#.#..", "###..", "....."]
    assert ["".join(".#"[int(value)] for value in row) for row in contour(mask)] == marked


@settings(max_examples=40)
@given(arrays(np.bool_, (12, 14)), arrays(np.bool_, (12, 14)))
def test_window_around_contours_changes_nothing(truth, found):
    edges, near = [contour(mask) for mask in (truth, found)], [dilated(contour(mask), 1) for mask in (truth, found)]
    assert contour_accuracy(truth, truth) == region_similarity(truth, truth) == 1.0
    if edges[0].any() and edges[1].any():
        precision = (edges[1] & near[0]).sum() / edges[1].sum()
        recall = (edges[0] & near[1]).sum() / edges[0].sum()
        expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert contour_accuracy(truth, found) == pytest.approx(expected)


def test_empty_masks():
    nothing, something = np.zeros((5, 5), dtype=bool), np.eye(5, dtype=bool)
    assert (region_similarity(nothing, nothing), contour_accuracy(nothing, nothing)) == (1.0, 1.0)
    for pair in ((nothing, something), (something, nothing)):
        assert (region_similarity(*pair), contour_accuracy(*pair)) == (0.0, 0.0)


def test_statistics_by_hand():
    numbers = statistics([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    assert numbers.mean == pytest.approx(0.65)
    assert numbers.recall == 5 / 8
    # Quarters of eight frames: 1 to 3 and 6 to 8, since ends belong to both.
    assert numbers.decay == pytest.approx(0.9 - 0.4)
    assert np.isnan(statistics([])).all()


def save(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(labels, dtype=np.uint8)).save(path)
    return path


def scene(*rectangles):
    """Objects 1, 2 … at (left, width), ten pixels high; None where one is not there."""
    image = np.zeros((20, 40), dtype=np.uint8)
    for number, rectangle in enumerate(rectangles, start=1):
        if rectangle:
            image[5:15, rectangle[0] : rectangle[0] + rectangle[1]] = number
    return image


def files(folder, frames):
    return tuple(
        None if frame is None else save(folder / f"{index * 5:05d}.png", frame) for index, frame in enumerate(frames)
    )


def set_of(folder, frames, protocol="davis", **truth):
    labels = files(folder, frames)
    sequence = TestSequence(
        name=folder.name, frame_paths=(), truth=MaskTruth(labels=labels, **truth), start=None, length=len(labels)
    )
    return TestSet(name="few", title="Few", sequences=(sequence,), protocol=protocol)


def test_davis_counts_neither_first_nor_last_frame(tmp_path):
    truth, half = scene((4, 10), (20, 10)), scene((4, 5), (20, 10))
    test_set = set_of(tmp_path / "gt" / "a", [truth] * 4, objects={1: 0, 2: 0})
    found = MaskTrack(labels=(None, *files(tmp_path / "T" / "a", [half, truth]), None))
    (scores,) = davis.assess(test_set, {"T": [{"a": found}]}).trackers
    assert scores.values["J"] == pytest.approx((0.75 + 1) / 2)
    assert scores.values["J recall"] == pytest.approx(0.75)
    assert scores.values["J&F"] == pytest.approx((scores.values["J"] + scores.values["F"]) / 2)


def test_numbers_of_objects_are_means_over_runs(tmp_path):
    truth, half = scene((4, 10), (20, 10)), scene((4, 5), (20, 10))
    test_set = set_of(tmp_path / "gt" / "a", [truth] * 4, objects={1: 0, 2: 0})
    runs = [
        {"a": MaskTrack(labels=files(tmp_path / name / "a", [None, *found, None]))}
        for name, found in (("0", [half, truth]), ("1", [half, half]))
    ]
    (scores,) = davis.assess(test_set, {"T": runs}).trackers
    assert scores.by_object["J"] == {"a": {1: pytest.approx((0.75 + 0.5) / 2), 2: 1.0}}
    assert scores.by_object["J recall"] == {"a": {1: pytest.approx(0.25), 2: 1.0}}
    assert scores.by_object["J decay"] == {"a": {1: pytest.approx(-0.25), 2: 0.0}}
    assert scores.values["J"] == pytest.approx(np.mean(list(scores.by_object["J"]["a"].values())))


def test_davis_leaves_out_sequences_without_a_frame_that_counts(tmp_path):
    truth, half = scene((4, 10)), scene((4, 5))
    long = set_of(tmp_path / "gt" / "long", [truth] * 3, objects={1: 0})
    short = set_of(tmp_path / "gt" / "short", [truth] * 2, objects={1: 0})
    both = TestSet(name="few", title="Few", sequences=(*long.sequences, *short.sequences), protocol="davis")
    run = {
        "long": MaskTrack(labels=files(tmp_path / "T" / "long", [half] * 3)),
        "short": MaskTrack(labels=files(tmp_path / "T" / "short", [half] * 2)),
    }
    assessment = davis.assess(both, {"T": [run]})
    assert assessment.trackers[0].values["J"] == 0.5
    assert list(assessment.sequences) == ["long"]
    assert [(each.sequence, each.tracker, each.reason) for each in assessment.exclusions] == [
        ("short", None, "no frame between the first and the last")
    ]
    with pytest.raises(DataError, match="no sequence of Few has a frame between its first and its last"):
        davis.assess(short, {"T": [run]})


def test_merged_objects_are_one(tmp_path):
    test_set = set_of(tmp_path / "gt" / "a", [scene((4, 10)) * 255] * 3, objects={1: 0}, merged=True)
    found = MaskTrack(labels=files(tmp_path / "T" / "a", [scene((4, 5), (9, 5))] * 3))
    (scores,) = davis.assess(test_set, {"T": [{"a": found}]}).trackers
    assert scores.values["J"] == scores.values["F"] == 1.0


def test_what_is_wrong_with_masks(tmp_path):
    test_set = set_of(tmp_path / "gt" / "a", [scene((4, 10))] * 3, objects={1: 0})
    for labels, message in (
        ((None, None, None), "no mask of frame 1"),
        (files(tmp_path / "b" / "a", [scene((4, 5), (9, 5))] * 3), "marks an object 2, but the sequence has only 1"),
        (files(tmp_path / "c" / "a", [np.zeros((4, 4))] * 3), "has 4×4 pixels where the annotation has 40×20"),
        ((None,), "has 1 masks where the sequence has 3 frames"),
    ):
        with pytest.raises(DataError, match=message):
            davis.assess(test_set, {"T": [{"a": MaskTrack(labels=labels)}]})


def test_youtube_vos_scores_objects_after_their_start(tmp_path):
    frames = [scene((4, 10)), scene((4, 10), (20, 10)), scene((4, 10), (20, 10))]
    truth = {"objects": {1: 0, 2: 1}, "categories": {1: "dog", 2: "unicorn"}}
    test_set = set_of(tmp_path / "gt" / "a", frames, "youtube_vos", **truth)
    # The late object is missed in its first frame, which does not count, and half found in the next.
    found = [scene((4, 10)), scene((4, 5)), scene((4, 10), (20, 5))]
    track = MaskTrack(labels=files(tmp_path / "T" / "a", found))
    (scores,) = youtube_vos.assess(test_set, {"T": [{"a": track}]}).trackers
    assert scores.values["J seen"] == pytest.approx(0.75)
    assert scores.values["J unseen"] == pytest.approx(0.5)
    assert scores.by_object["J"] == {"a": {1: pytest.approx(0.75), 2: pytest.approx(0.5)}}
    assert scores.by_object["F"]["a"][1] == pytest.approx(scores.values["F seen"])
    names = ("J seen", "F seen", "J unseen", "F unseen")
    assert scores.values["G"] == pytest.approx(sum(scores.values[name] for name in names) / 4)
    held_out = youtube_vos.assess(test_set, {"T": [{"a": track}]}, rules="jjval")
    assert held_out.trackers[0].values["J"] == pytest.approx(0.5)
    assert held_out.trackers[0].by_object["J"] == {"a": {1: pytest.approx(0.5)}}
    assert [each.reason for each in held_out.exclusions] == ["object 2 has no annotated frame that counts"]


def test_wrong_starts_are_corrected_on_the_held_out_videos(tmp_path):
    frames = [scene(None, None, (4, 10))] * 3 + [scene((4, 5), (9, 5), (20, 10))] * 3
    test_set = set_of(tmp_path / "gt" / "0e27472bea", frames, objects={2: 0})
    (sequence,) = test_set.sequences
    truth = sequence.truth
    assert youtube_vos.scored_frames(sequence, truth, held_out=False) == {2: [1, 2, 3, 4, 5]}
    renamed = MaskTruth(
        labels=tuple(save(tmp_path / "late" / f"{number:05d}.png", frames[0]) for number in (50, 55, 60, 65, 70, 75)),
        objects={2: 1},
    )
    assert youtube_vos.scored_frames(sequence, renamed, held_out=True) == {2: [4]}


def test_secret_annotation_is_said_to_be(tmp_path):
    test_set = set_of(tmp_path / "gt" / "a", [scene((4, 10)), None, None], "youtube_vos", objects={1: 0})
    with pytest.raises(DataError, match="secret"):
        youtube_vos.assess(test_set, {"T": [{"a": MaskTrack(labels=(None, None, None))}]})
    with pytest.raises(DataError, match="secret but for first frames; write a submission"):
        davis.assess(test_set, {"T": [{"a": MaskTrack(labels=(None, None, None))}]})


def test_there_are_65_training_categories():
    assert len(youtube_vos.SEEN) == 65
