"""Random access to frames of videos must give what decoding from the beginning gives."""

import multiprocessing
import pickle
from fractions import Fraction

import numpy as np
import pytest

from lockon.data.datasets import clips
from lockon.data.datasets.clips import Decoders, ImageClip, VideoClip
from lockon.errors import DataError
from lockon.video import open_source
from video.video_clips import damage, number_in, numbered_image, truncate, write_clip

FRAMES = 60
B_FRAMES = {"bf": "3", "b-adapt": "0"}
ENCODINGS = {
    "B-frames": ("a.mp4", {"options": B_FRAMES, "keyframes": 12}),
    "variable rate": (
        "a.mkv",
        {"times": np.cumsum([1 + 7 * (i % 3) for i in range(FRAMES)]).tolist(), "tick": Fraction(1, 100)},
    ),
    "open groups": ("a.mp4", {"options": {**B_FRAMES, "x264-params": "open-gop=1"}, "keyframes": 12}),
    "no index": ("a.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
    "transport stream": ("a.ts", {"options": B_FRAMES}),
    "hidden frames": ("a.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
}


@pytest.fixture(params=ENCODINGS)
def video(request, tmp_path):
    name, settings = ENCODINGS[request.param]
    return write_clip(tmp_path / name, FRAMES, **settings)


def clip_of(path, decoders=None):
    with open_source(path) as source:
        return VideoClip(path.stem, path, source.count_frames(), decoders or Decoders())


def test_any_frame_is_the_one_of_sequential_decoding(video):
    with open_source(video) as source:
        in_order = [frame.image for frame in source]
    clip = clip_of(video)
    assert len(clip) == len(in_order) == FRAMES
    order = np.random.default_rng(0).permutation(FRAMES)[:20].tolist()
    for index in [*order, 0, FRAMES - 1, FRAMES - 2, 7, 7, 8, 40]:
        image = clip.frame(index)
        assert number_in(image) == index
        np.testing.assert_array_equal(image, in_order[index])


def test_neighbouring_frames_are_decoded_on(tmp_path, monkeypatch):
    clip = clip_of(write_clip(tmp_path / "a.mp4", FRAMES))
    sought = []
    seek = clips.VideoSource.seek_frame
    monkeypatch.setattr(
        clips.VideoSource, "seek_frame", lambda self, index: (sought.append(index), seek(self, index))
    )
    for index in (0, 1, 5, 5, 28, 59, 58):
        assert number_in(clip.frame(index)) == index
    assert sought == [59, 58]


def test_a_caller_may_draw_on_what_it_got(tmp_path):
    clip = clip_of(write_clip(tmp_path / "a.mp4", 3))
    clip.frame(1)[:] = 0
    assert number_in(clip.frame(1)) == 1


def test_only_some_videos_stay_open(tmp_path):
    decoders = Decoders()
    found = [clip_of(write_clip(tmp_path / f"{n}.mp4", 4), decoders) for n in range(6)]
    assert [number_in(clip.frame(2)) for clip in found * 2] == [2] * 12
    assert len(decoders._open) == clips._OPEN_AT_ONCE


def send_numbers(clip, indices, pipe):
    pipe.send([number_in(clip.frame(index)) for index in indices])


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_another_process_opens_its_own(tmp_path, method):
    clip = clip_of(write_clip(tmp_path / "a.mp4", 30))
    assert number_in(clip.frame(3)) == 3
    context = multiprocessing.get_context(method)
    mine, theirs = context.Pipe()
    process = context.Process(target=send_numbers, args=(clip, [4, 25, 2], theirs))
    process.start()
    try:
        assert mine.poll(60)
        assert mine.recv() == [4, 25, 2]
    finally:
        process.kill()
        process.join()
    assert number_in(clip.frame(4)) == 4
    assert not pickle.loads(pickle.dumps(clip)).decoders._open


def test_damage_is_one_frame_s_problem(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 30, keyframes=1)
    clip = clip_of(path)
    damage(path, [7])
    with pytest.raises(DataError, match=r"frame 7 of .*a\.mp4' cannot be read: .*damaged"):
        clip.frame(7)
    assert number_in(clip.frame(8)) == 8
    assert number_in(clip.frame(6)) == 6
    with pytest.raises(DataError, match="frame 7"):
        clip.frame(7)


def test_a_video_that_ends_early_or_is_gone(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 40)
    clip = clip_of(path)
    truncate(path, 0.5)
    assert number_in(clip.frame(2)) == 2
    with pytest.raises(DataError, match=r"39"):
        clip.frame(39)
    path.unlink()
    with pytest.raises(DataError, match="does not exist"):
        VideoClip("a", path, 40, Decoders()).frame(0)


def test_images_are_read_as_they_are(tmp_path):
    from PIL import Image

    for name in ("1.jpg", "2.png", "3.jpg"):
        Image.fromarray(numbered_image(int(name[0]))).save(tmp_path / name)
    (tmp_path / "3.jpg").write_bytes(b"broken")
    clip = ImageClip("a", tmp_path, tuple(sorted(tmp_path.iterdir())))
    assert [number_in(clip.frame(index)) for index in (0, 1)] == [1, 2]
    assert clip.frame_path(0) == tmp_path / "1.jpg"
    with pytest.raises(DataError, match=r"3\.jpg"):
        clip.frame(2)
