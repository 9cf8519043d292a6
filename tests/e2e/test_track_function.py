"""`lockon.track` as a program calls it."""

import numpy as np
import pytest
import torch

import lockon
from lockon.apps import api
from lockon.boxes import Box
from lockon.errors import BoxError, UnknownNameError, VideoError
from lockon.evaluation.geometry import overlap
from lockon.video import VideoSource, open_source

FRAMES = 12


def truth() -> np.ndarray:
    return np.array([(40.0 + 2 * index, 50.0 - index, 24, 24) for index in range(FRAMES)])


def test_the_default_tracker_follows_the_square(clip):
    results = list(lockon.track(clip, box=truth()[0]))
    assert [result.frame for result in results] == list(range(FRAMES))
    assert [result.time for result in results] == pytest.approx(np.arange(FRAMES) / 25)
    assert results[0].box == Box(40, 50, 24, 24)
    assert all(isinstance(result.box, Box) and result.present for result in results)
    assert overlap(truth(), np.array([result.box for result in results])).min() > 0.6


@pytest.mark.parametrize(
    "box", [truth()[0].tolist(), "40,50,24,24", torch.tensor([40.0, 50, 24, 24]), Box(40, 50, 24, 24)]
)
def test_a_box_comes_in_many_forms(clip, untrained, box):
    first = next(lockon.track(clip, box, tracker=untrained))
    assert (first.box, first.score, first.present, len(first)) == (Box(40, 50, 24, 24), 1.0, True, 1)


@pytest.mark.parametrize("boxes", [truth()[[0, 3]], [(40, 50, 24, 24), "46 47 24 24"]])
def test_several_boxes_give_results_of_several_targets(clip, untrained, boxes):
    results = list(lockon.track(clip, boxes, tracker=untrained, end=3))
    assert [len(result) for result in results] == [2, 2, 2]
    assert np.array_equal(results[0].box, truth()[[0, 3]])
    assert [one.box for one in results[2]] == [Box(*row) for row in results[2].box]


def test_a_part_of_the_video_and_a_loaded_tracker(clip, untrained):
    tracker = lockon.load(untrained)
    by_frame = list(lockon.track(clip, truth()[5], tracker=tracker, start=5, end=9))
    by_time = list(lockon.track(clip, truth()[5], tracker=tracker, start="0.2s", end="0:00.36"))
    assert [result.frame for result in by_frame] == [5, 6, 7, 8]
    assert [result.box for result in by_time] == [result.box for result in by_frame]


def test_the_same_seed_gives_the_same_track(clip, untrained):
    tracker = lockon.load(untrained)
    first, again, other = (
        [result.box for result in lockon.track(clip, truth()[0], tracker=tracker, seed=seed)] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_a_source_that_the_caller_opened_stays_open(clip, untrained):
    with open_source(clip) as source:
        results = lockon.track(source, truth()[0], tracker=untrained)
        next(results)
        results.close()
        assert next(iter(source)).index == 0


def test_a_video_without_the_start_frame_is_closed(clip, untrained, monkeypatch):
    sources = []
    monkeypatch.setattr(api, "open_source", lambda spec: sources.append(open_source(spec)) or sources[0])
    monkeypatch.setattr(VideoSource, "close", lambda self: closed.append(self))
    closed = []
    with pytest.raises(VideoError, match="12"):
        lockon.track(clip, truth()[0], tracker=untrained, start=12)
    assert closed == sources
    assert len(sources) == 1


@pytest.mark.parametrize("box", [None, 5, np.array(5.0), [(1, 2, 3, 4), 5], {}])
def test_what_is_no_box_is_told(clip, untrained, box):
    with pytest.raises(BoxError, match="four numbers"):
        lockon.track(clip, box, tracker=untrained)


def test_errors_come_before_the_first_result(clip, untrained):
    with pytest.raises(BoxError, match="no area"):
        lockon.track(clip, (0, 0, 0, 5))
    with pytest.raises(VideoError, match="does not exist"):
        lockon.track("missing.mp4", truth()[0], tracker=untrained)
    with pytest.raises(UnknownNameError, match="'lockon_s'"):
        lockon.track(clip, truth()[0], tracker="lockon_t")
    with pytest.raises(VideoError, match="no place in a video"):
        lockon.track(clip, truth()[0], tracker=untrained, start="tomorrow")
    with pytest.raises(VideoError, match=r"begin at frame 3 \(0.12 s\) and end before frame 2"):
        next(lockon.track(clip, truth()[0], tracker=untrained, start=3, end=2))
    with pytest.raises(BoxError, match="outside"):
        next(lockon.track(clip, (500, 500, 5, 5), tracker=untrained))
