import numpy as np
import pytest
from video_clips import damage, move_index_to_front, number_in, truncate, write_clip

from lockon.errors import VideoError
from lockon.video import open_source
from lockon.video.container import Target, open_reading
from lockon.video.reading import TailLostError

CODECS = {
    "h264": {"options": {"bf": "3"}},
    "hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "vp9": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "mpeg4": {"codec": "mpeg4"},
}


def read(path, **options):
    source = open_source(path, **options)
    return source, list(source)


def assert_complete(source, frames, total):
    """Every frame is delivered or reported, in order, and none is both."""
    delivered, reported = [frame.index for frame in frames], [bad.index for bad in source.skipped]
    assert delivered == sorted(set(delivered))
    assert not set(delivered) & set(reported)
    assert sorted(delivered + reported) == list(range(total))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seed", range(3))
def test_damaged_frames_are_reported_and_the_others_keep_their_numbers(tmp_path, codec, seed):
    path = write_clip(tmp_path / "clip.mp4", 60, **CODECS[codec])
    damage(path, [23, 37], seed=seed)
    source, frames = read(path)
    assert_complete(source, frames, 60)
    assert source.skipped
    healthy = [frame for frame in frames if frame.index < 20 or frame.index >= 50]
    assert len(healthy) == 30
    assert all(number_in(frame.image) == frame.index for frame in healthy)
    assert all(frame.time == pytest.approx(frame.index / 25) for frame in frames)
    assert "could not be read" in str(source.skipped)


def test_policies_for_a_damaged_frame(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 40, options={"bf": "0"})
    damage(path, [15])
    source, frames = read(path)
    first = next(iter(source.skipped)).index
    assert first == 15
    assert frames[-1].index == 39
    source, frames = read(path, on_bad_frame="stop")
    assert [frame.index for frame in frames] == list(range(first))
    assert [bad.index for bad in source.skipped] == [first]
    source = open_source(path, on_bad_frame="raise")
    with pytest.raises(VideoError, match=r"frame 15 of .*clip.mp4 cannot be read: .*on_bad_frame='skip'"):
        list(source)
    assert len(source.skipped) == 1
    with pytest.raises(VideoError, match="skip, stop, raise; got 'ignore'"):
        open_source(path, on_bad_frame="ignore")


def test_reading_twice_does_not_report_twice(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 40)
    damage(path, [15])
    source, frames = read(path)
    report = str(source.skipped)
    assert [frame.index for frame in source] == [frame.index for frame in frames]
    assert str(source.skipped) == report


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("codec", CODECS)
def test_truncated_file_gives_what_it_holds_and_reports_the_rest(tmp_path, codec, keep):
    path = write_clip(tmp_path / "clip.mp4", 60, **CODECS[codec])
    move_index_to_front(path)
    truncate(path, keep)
    source, frames = read(path)
    assert 0 < len(frames) < 60
    assert_complete(source, frames, 60)
    assert source.info.frame_count == 60
    assert all(number_in(frame.image) == frame.index for frame in frames[:-4])
    assert "cut off" in str(source.skipped)
    with pytest.raises(VideoError, match="cannot be read"):
        list(open_source(path, on_bad_frame="raise"))


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_truncation_is_noticed_in_other_containers(tmp_path, suffix):
    path = write_clip(tmp_path / f"clip.{suffix}", 60, codec="mpeg4")
    assert not read(path)[0].skipped
    truncate(path, 0.5)
    source, frames = read(path)
    assert 10 < len(frames) < 50
    assert [number_in(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert "cut off" in str(source.skipped)


def lost_by_slice_threads(path):
    """The frames that do not come out of a decoder that keeps nothing back, one packet at a time."""
    container, _, reading = open_reading(Target("file", "clip", str(path), VideoError), "SLICE")
    with container:
        return {item.index for item in reading.run(0) if not hasattr(item, "image")}


@pytest.mark.parametrize("numbers", [[58], [57, 59], [53, 59], [59]])
def test_damage_near_the_end_costs_no_other_frames(tmp_path, numbers):
    path = write_clip(tmp_path / "clip.mp4", 60, options={"bf": "0"})
    damage(path, numbers)
    source, frames = read(path)
    assert_complete(source, frames, 60)
    assert {bad.index for bad in source.skipped} <= lost_by_slice_threads(path) | set(numbers)


def test_frame_threads_do_lose_the_tail(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 60, options={"bf": "0"})
    damage(path, [58, 59])
    container, stream, reading = open_reading(Target("file", "clip", str(path), VideoError), "AUTO")
    with container:
        stream.codec_context.thread_count = 4
        with pytest.raises(TailLostError):
            list(reading.run(0))


def test_first_frame_of_two_survives_the_second(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 2, keyframes=1)
    damage(path, [1])
    source, frames = read(path)
    assert [number_in(frame.image) for frame in frames] == [0]
    assert [bad.index for bad in source.skipped] == [1]


def test_damaged_start_is_counted(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 30, options={"bf": "0"})
    damage(path, [0])
    source, frames = read(path)
    assert_complete(source, frames, 30)
    assert [number_in(frame.image) for frame in frames if frame.index >= 10] == list(range(10, 30))
    assert frames[0].index > 0


def test_seeking_in_a_damaged_file_keeps_the_numbers(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 60, options={"bf": "3"})
    damage(path, [23])
    source, frames = read(path)
    for index in (5, 41, 45, 59):
        source.seek_frame(index)
        assert number_in(next(iter(source)).image) == index
    bad = next(iter(source.skipped)).index
    following = next(frame.index for frame in frames if frame.index > bad)
    source.seek_frame(bad)
    assert next(iter(source)).index == following


def test_nothing_decodable_is_an_error(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", 20)
    damage(path, range(20))
    with pytest.raises(VideoError, match="not one frame of"):
        open_source(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "webm"])
@pytest.mark.parametrize("seed", range(4))
def test_noise_in_a_file_never_escapes_as_another_error(tmp_path, suffix, seed):
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    options = {"cpu-used": "8", "deadline": "realtime"} if suffix == "webm" else {}
    path = write_clip(tmp_path / f"clip.{suffix}", 30, codec=codec, options=options)
    random, data = np.random.default_rng(seed), bytearray(path.read_bytes())
    for at in random.integers(0, len(data), 10 * 4**seed):
        data[at] ^= random.integers(1, 256)
    path.write_bytes(data)
    try:
        source, frames = read(path)
    except VideoError:
        return
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert not {frame.index for frame in frames} & {bad.index for bad in source.skipped}


def test_recording_joined_midway_is_numbered_from_its_first_keyframe(tmp_path):
    path = write_clip(tmp_path / "clip.ts", 60, options={"bf": "0"}, keyframes=20)
    data = path.read_bytes()
    packets_of_188_bytes = [data[at : at + 188] for at in range(0, len(data), 188)]
    path.write_bytes(b"".join(packets_of_188_bytes[len(packets_of_188_bytes) // 2 :]))
    source, frames = read(path)
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers[0] % 20 == 0
    assert numbers == list(range(numbers[0], 60))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert not source.skipped
