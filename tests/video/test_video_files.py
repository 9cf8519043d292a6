import gc
import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from video_clips import number_in, numbered_image, packets, set_display_matrix, set_edit_list, write_clip

from lockon.errors import VideoError
from lockon.types import Frame
from lockon.video import open_source

FORMATS = {
    "mp4": {"options": {"bf": "3"}},
    "mkv": {"options": {"bf": "3"}},
    "ts": {"options": {"bf": "3"}},
    "mov": {"options": {"x264-params": "open-gop=1:keyint=10:bframes=3"}},
    "m4v": {"options": {"x264-params": "intra-refresh=1:keyint=10"}},
    "flv": {},
    "h264.avi": {"options": {"bf": "3"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "4"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "ffv1.mkv": {"codec": "ffv1"},
    "h264": {},
}


def clip_of(tmp_path, suffix, frames=30):
    return write_clip(tmp_path / f"clip.{suffix}", frames, **FORMATS[suffix])


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_frame_comes_once_and_in_order(tmp_path, suffix):
    with open_source(clip_of(tmp_path, suffix)) as source:
        frames = list(source)
    assert [number_in(frame.image) for frame in frames] == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    assert np.allclose(np.diff([frame.time for frame in frames]), 1 / 25, atol=1.1e-3)  # WebM counts milliseconds
    assert not source.skipped
    assert source.info.frame_rate == 25
    assert source.info.frame_count in (30, None)
    assert source.count_frames() == 30
    assert (source.info.width, source.info.height) == (192, 96)


@pytest.mark.parametrize("suffix", FORMATS)
def test_seeking_gives_the_frame_that_reading_in_order_gives(tmp_path, suffix):
    source = open_source(clip_of(tmp_path, suffix))
    in_order = list(source)
    for index in (29, 0, 9, 10, 11, 12, 19, 20, 5, 28):
        source.seek_frame(index)
        frame = next(iter(source))
        assert (frame.index, frame.time) == (index, in_order[index].time)
        assert np.array_equal(frame.image, in_order[index].image)
        source.seek_time(in_order[index].time)
        assert next(iter(source)).index == index
        source.seek_time(in_order[index].time + 0.03)
        assert next(iter(source)).index == index
    source.seek_frame(27)
    assert [frame.index for frame in source] == [27, 28, 29]


def test_seeking_beyond_the_video_says_how_long_it_is(tmp_path):
    source = open_source(write_clip(tmp_path / "clip.mp4"))
    with pytest.raises(VideoError, match=r"no frame 30 .* 0 to 29"):
        source.seek_frame(30)
    with pytest.raises(VideoError, match="numbered from 0"):
        source.seek_frame(-1)
    source.seek_time(1000)
    assert next(iter(source)).index == 29
    source.seek_time(-1000)
    assert next(iter(source)).index == 0
    uncounted = open_source(write_clip(tmp_path / "clip.webm", codec="libvpx"))
    uncounted.seek_frame(30)
    with pytest.raises(VideoError, match="no frame 30"):
        next(iter(uncounted))


@pytest.mark.parametrize("prefetch", [0, 3])
def test_seeking_moves_the_iteration_that_is_running(tmp_path, prefetch):
    source = open_source(write_clip(tmp_path / "clip.mp4"), prefetch=prefetch)
    seen = []
    for frame in source:
        seen.append(frame.index)
        if frame.index == 3:
            source.seek_frame(25)
    assert seen == [0, 1, 2, 3, 25, 26, 27, 28, 29]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_file_can_be_read_again_and_by_two_at_once(tmp_path, prefetch):
    source = open_source(write_clip(tmp_path / "clip.mp4", 12), prefetch=prefetch)
    assert [frame.index for frame in source] == list(range(12))
    assert [(one.index, two.index) for one, two in zip(source, source, strict=True)] == [(i, i) for i in range(12)]
    next(iter(source))
    assert next(iter(source)).index == 0


def test_times_of_a_variable_frame_rate_are_those_of_the_container(tmp_path):
    tick = Fraction(1, 90_000)
    times = [int(time) for time in np.cumsum(np.random.default_rng(0).integers(900, 30_000, 40))]
    path = write_clip(tmp_path / "clip.mp4", 40, times=times, tick=tick)
    with av.open(str(path)) as container:
        expected = [picture.pts * picture.time_base for picture in container.decode(video=0)]
    source = open_source(path)
    frames = list(source)
    assert [frame.time for frame in frames] == [float(time) for time in expected]
    assert np.allclose(np.diff([frame.time for frame in frames]), np.diff(times) / 90_000, atol=1e-9)
    source.seek_time((frames[17].time + frames[18].time) / 2)
    assert next(iter(source)).index == 17


@pytest.mark.parametrize("rate", [Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(25, 2), Fraction(60)])
def test_frame_rate_is_exact(tmp_path, rate):
    info = open_source(write_clip(tmp_path / "clip.mp4", rate=rate)).info
    assert info.frame_rate == rate
    assert info.frame_count == 30
    assert info.duration == pytest.approx(float(30 / rate), abs=1e-3)


TURNS = {
    "upright": ((1, 0, 0, 1), 0, lambda image: image),
    "quarter": ((0, 1, -1, 0), 90, lambda image: np.rot90(image, -1)),
    "half": ((-1, 0, 0, -1), 180, lambda image: np.rot90(image, 2)),
    "three quarters": ((0, -1, 1, 0), 270, lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), 180, lambda image: image[:, ::-1]),
    "transposed": ((0, 1, 1, 0), 90, lambda image: image.swapaxes(0, 1)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_rotation_of_the_container_is_applied(tmp_path, turn):
    matrix, degrees, expected = TURNS[turn]
    path = write_clip(tmp_path / "clip.mp4", 3)
    plain = next(iter(open_source(path))).image
    set_display_matrix(path, *matrix)
    source = open_source(path)
    frame = next(iter(source))
    assert np.array_equal(frame.image, expected(plain))
    assert (source.info.height, source.info.width) == frame.image.shape[:2]
    assert source.info.rotation == degrees
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize("matrix", [av.video.reformatter.Colorspace.ITU709, av.video.reformatter.Colorspace.ITU601])
def test_colours_are_those_that_the_stream_declares(tmp_path, matrix):
    color = np.array([200, 40, 60], np.uint8)
    frame = av.VideoFrame.from_ndarray(np.broadcast_to(color, (64, 64, 3)).copy(), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width = stream.height = 64
        stream.codec_context.colorspace = {"ITU709": 1, "ITU601": 6}[matrix.name]
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    image = next(iter(open_source(path))).image
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - color).max() < 5


def test_full_range_is_not_taken_for_limited(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    path = write_clip(tmp_path / "clip.avi", [ramp], codec="mjpeg", pix_fmt="yuvj420p", options={"qmax": "2"})
    assert np.abs(next(iter(open_source(path))).image.astype(int) - ramp).max() <= 6


def test_ten_bits_and_grey_become_eight_bit_rgb(tmp_path):
    for name, pix_fmt, codec in (("ten.mp4", "yuv420p10le", "libx265"), ("grey.mkv", "gray16le", "ffv1")):
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        frames = list(open_source(write_clip(tmp_path / name, 5, codec=codec, pix_fmt=pix_fmt, options=options)))
        assert [number_in(frame.image) for frame in frames] == list(range(5))
        assert frames[0].image.dtype == np.uint8
        assert frames[0].image.shape == (96, 192, 3)


def test_a_change_of_size_is_passed_on_and_reported(tmp_path):
    small = write_clip(tmp_path / "small.ts", 10)
    large = write_clip(tmp_path / "large.ts", [numbered_image(10 + i, 256, 128) for i in range(10)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    source = open_source(joined)
    frames = list(source)
    assert [number_in(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.image.shape[0] for frame in frames] == [96] * 10 + [128] * 10
    assert source.skipped.notes == {10: "the size changes from 192×96 to 256×128 pixels"}
    assert len(source.skipped) == 0
    assert "frame 10: the size changes" in str(source.skipped)


def test_an_edit_list_is_followed_and_is_no_damage(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 30, options={"bf": "3"})
    set_edit_list(path, 5 * 512, 600)  # frames 5 to 19: frames 0 to 4 are only decoded
    source = open_source(path)
    frames = list(source)
    assert [number_in(frame.image) for frame in frames] == list(range(5, 20))
    assert [frame.index for frame in frames] == list(range(15))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(15)])
    assert not source.skipped
    assert source.count_frames() == 15
    for index in (0, 1, 5, 14):
        source.seek_frame(index)
        assert number_in(next(iter(source)).image) == index + 5


def test_interlaced_video_is_read_and_sought(tmp_path):
    """Without relying on its packets, of which there may be two for a frame."""
    path = write_clip(tmp_path / "clip.ts", 30, options={"flags": "+ilme+ildct", "x264-params": "interlaced=1"})
    source = open_source(path)
    assert [number_in(frame.image) for frame in source] == list(range(30))
    assert source.count_frames() == 30
    source.seek_frame(17)
    frame = next(iter(source))
    assert (frame.index, number_in(frame.image)) == (17, 17)
    assert source._interlaced


def test_info_tells_of_sound_and_kind(tmp_path):
    silent = open_source(write_clip(tmp_path / "silent.mp4", 5)).info
    loud = open_source(write_clip(tmp_path / "loud.mp4", 5, sound="aac")).info
    assert (silent.has_audio, loud.has_audio) == (False, True)
    assert silent.kind == "file"
    assert silent.name == str(tmp_path / "silent.mp4")
    assert loud.duration == pytest.approx(0.2)  # of the pictures, not of the sound


def read_ahead_threads():
    return [thread for thread in threading.enumerate() if thread.name == "lockon-read-ahead"]


@pytest.mark.parametrize("ending", ["break", "exception", "close", "dropped", "end"])
def test_no_thread_outlives_its_iteration(tmp_path, ending):
    source = open_source(write_clip(tmp_path / "clip.mp4"), prefetch=4)
    before = threading.active_count()

    def read():
        for frame in source:
            # The thread may have read the rest while the last frames still wait to be taken.
            assert len(read_ahead_threads()) <= 1
            assert read_ahead_threads() or frame.index > 0
            if frame.index == 5:
                if ending == "break":
                    break
                if ending == "exception":
                    raise RuntimeError("of the caller")
                if ending == "close":
                    source.close()

    if ending == "exception":
        with pytest.raises(RuntimeError):
            read()
    elif ending == "dropped":
        frames = iter(source)
        next(frames)
        del frames
    else:
        read()
    gc.collect()
    assert read_ahead_threads() == []
    assert threading.active_count() <= before


def test_prefetching_reads_only_so_far_ahead(tmp_path, monkeypatch):
    source = open_source(write_clip(tmp_path / "clip.mp4"), prefetch=3)
    given = []
    read = source._read
    monkeypatch.setattr(source, "_read", lambda start: (given.append(item) or item for item in read(start)))
    frames = iter(source)
    next(frames)
    deadline = threading.Event()
    while len(given) < 5 and not deadline.wait(0.01):
        pass
    deadline.wait(0.2)
    assert len(given) == 5  # one delivered, three ready, one in hand
    frames.close()


def test_a_closed_source_is_not_read_again(tmp_path):
    with open_source(write_clip(tmp_path / "clip.mp4", 3)) as source:
        frames = iter(source)
        next(frames)
    assert list(frames) == []
    with pytest.raises(VideoError, match="closed"):
        iter(source)


def resident_bytes():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except FileNotFoundError:
        pytest.skip("the system does not tell how much memory is used")


@pytest.mark.slow
@pytest.mark.parametrize("prefetch", [0, 8])
def test_memory_stays_flat_over_a_long_video(tmp_path, prefetch):
    images = (numbered_image(index, 320, 240) for index in range(3000))
    path = write_clip(tmp_path / "clip.mp4", images, options={"preset": "ultrafast"}, keyframes=250)
    start = peak = None
    count = 0
    for frame in open_source(path, prefetch=prefetch):
        assert isinstance(frame, Frame)
        count += 1
        if count == 300:
            start = peak = resident_bytes()
        elif count % 100 == 0 and peak is not None:
            peak = max(peak, resident_bytes())
    assert count == 3000
    assert peak - start < 50e6  # the frames together are 690 MB


def test_the_packets_of_the_clips_are_found(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 10, options={"bf": "3"})
    assert sorted(number for _, _, number in packets(path)) == list(range(10))
