import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lockon.boxes import Box
from lockon.data.testsets.base import BoxTruth, MaskTruth, RegionTruth, SparseTruth, TestSequence
from lockon.evaluation.reports.pictures import moment_pictures
from lockon.evaluation.reports.plots.styles import tracker_styles
from lockon.evaluation.reports.stories import Loss, losses_of, tell, thinned, worst_moments
from lockon.evaluation.tracks import Code, RegionTrack, Track
from lockon.regions import Polygon

FRAMES = 40
BOX = (10.0, 20.0, 30.0, 40.0)


def sequence(truth=None, paths=(), length=FRAMES, **rest):
    truth = truth or BoxTruth(boxes=np.tile(BOX, (length, 1)))
    return TestSequence(name="Bolt", frame_paths=paths, truth=truth, start=Box(*BOX), length=length, **rest)


def leaving(*stretches):
    """A track on the target but for some stretches of frames."""
    boxes = np.tile(BOX, (FRAMES, 1))
    for first, last in stretches:
        boxes[first:last] += 500
    return Track(boxes=boxes)


def test_losses_are_runs_of_annotated_frames():
    overlaps = np.array([1, 1, 0, 0, np.nan, 0, 0.05, 0.09, 0.1, 0, 0, 1])
    assert losses_of("kcf", overlaps) == [Loss(tracker="kcf", frame=2, frames=5)]
    assert losses_of("kcf", np.zeros(6)) == [Loss(tracker="kcf", frame=0, frames=6)]
    assert losses_of("kcf", np.ones(6)) == []


def test_losses_near_each_other_make_one_moment_and_the_worst_comes_first():
    story = tell(sequence(), {"kcf": leaving((3, 9), (20, 40)), "csrt": leaving((25, 40)), "good": leaving()})
    worst, other = story.moments
    assert [(loss.tracker, loss.frame, loss.frames) for loss in worst.losses] == [("kcf", 20, 20), ("csrt", 25, 15)]
    assert worst.frame == 25
    assert [(loss.tracker, loss.frame) for loss in other.losses] == [("kcf", 3)]


def test_a_tracker_is_named_once_in_a_moment():
    overlaps = np.ones(FRAMES)
    overlaps[2:7], overlaps[8:20] = 0, 0
    (moment,) = worst_moments({"kcf": overlaps}, 3)
    assert moment.losses == (Loss(tracker="kcf", frame=8, frames=12),)


def test_frames_without_annotation_have_no_overlap_and_frames_without_result_have_none_left():
    boxes = np.tile(BOX, (FRAMES, 1))
    boxes[5], boxes[6] = np.nan, (0, 0, 0, 0)
    track = leaving()
    track.boxes[7] = np.nan
    story = tell(sequence(BoxTruth(boxes=boxes)), {"kcf": track})
    assert np.isnan(story.overlaps["kcf"][[5, 6]]).all()
    assert story.overlaps["kcf"][7] == 0
    assert story.overlaps["kcf"][8] == 1


def test_short_and_long_tracks_are_shown_as_far_as_they_go():
    story = tell(
        sequence(), {"short": Track(boxes=np.tile(BOX, (30, 1))), "long": Track(boxes=np.tile(BOX, (50, 1)))}
    )
    assert story.overlaps["short"][[29, 30]].tolist() == [1, 0]
    assert len(story.overlaps["long"]) == FRAMES


def test_regions_are_compared_by_the_boxes_around_them():
    square = Polygon(np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]]))
    truth = RegionTruth(regions=(square, square, square))
    track = RegionTrack(regions=(Code.START, Box(0, 0, 10, 5), Code.FAILURE))
    story = tell(sequence(truth, length=3), {"kcf": track})
    assert story.overlaps["kcf"].tolist() == [0, 0.5, 0]


def test_relative_boxes_are_scaled_to_the_image():
    truth = SparseTruth(numbers=np.array([1]), present=np.array([True]), boxes=np.array([[0.1, 0.1, 0.2, 0.2]]))
    track = Track(boxes=np.tile([20.0, 10, 40, 20], (3, 1)))
    story = tell(sequence(truth, length=3, image_size=(200, 100)), {"kcf": track})
    np.testing.assert_array_equal(story.overlaps["kcf"], [np.nan, 1, np.nan])


def test_masks_have_no_story():
    assert tell(sequence(MaskTruth(labels=(None,), objects={1: 0}), length=1), {}) is None


def test_thinning_takes_means_and_leaves_unknown_stretches_unknown():
    values = np.array([0, 1, np.nan, 0.5, np.nan, np.nan, 1])
    thin, step = thinned(values, 4)
    assert step == 2
    np.testing.assert_array_equal(thin, [0.5, 0.5, np.nan, 1])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 60))
def test_thinning_keeps_to_the_limit_and_the_range(values, most):
    thin, step = thinned(np.array(values), most)
    assert len(thin) <= most
    assert len(thin) == -(-len(values) // step)
    assert min(values) - 1e-12 <= thin.min()
    assert thin.max() <= max(values) + 1e-12


@pytest.fixture
def frames(tmp_path):
    paths = []
    for index in range(FRAMES):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (880, 440), (90, 120, 90)).save(paths[-1])
    return tuple(paths)


def test_pictures_show_both_boxes_where_they_are(frames):
    track = leaving((20, 40))
    track.boxes[20:] = (600, 100, 100, 100)
    story = tell(sequence(paths=frames), {"kcf": track})
    pictures = moment_pictures([story], tracker_styles(["kcf"]))
    assert list(pictures) == [("Bolt", 20)]
    image = np.asarray(Image.open(io.BytesIO(pictures["Bolt", 20]))).astype(int)
    assert image.shape == (220, 440, 3)
    # At half the size: annotation (5, 10, 15, 20), the tracker's blue box (300, 50, 50, 50).
    assert (image[20, 5] > 180).all()
    assert image[75, 300, 2] > image[75, 300, 0] + 60
    assert np.abs(image[150, 200] - (90, 120, 90)).max() < 12


def test_pictures_stop_at_their_limit_and_do_without_images(frames):
    stories = [tell(sequence(paths=frames), {"kcf": leaving((3, 9), (20, 40))})]
    styles = tracker_styles(["kcf"])
    whole = moment_pictures(stories, styles)
    assert len(whole) == 2
    assert list(moment_pictures(stories, styles, len(whole["Bolt", 20]))) == [("Bolt", 20)]
    assert moment_pictures([tell(sequence(), {"kcf": leaving((3, 9))})], styles) == {}


def test_a_frame_that_cannot_be_read_has_no_picture(frames):
    frames[20].write_bytes(b"no image")
    story = tell(sequence(paths=frames), {"kcf": leaving((20, 40))})
    assert moment_pictures([story], tracker_styles(["kcf"])) == {}
