import errno
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import number_in, numbered_image, write_clip

from lockon.errors import ImageError, OutputError, VideoError
from lockon.video import ImageFolderWriter, VideoWriter, encoder, open_sink, open_source, read_image, writers


def write(path, count=30, rate=Fraction(25), *, times=None, **options):
    with VideoWriter(path, rate, **options) as writer:
        for index in range(count):
            writer.write(numbered_image(index), None if times is None else times[index])
    return path


def top_level_boxes(path):
    with path.open("rb") as file:
        return [kind for kind, _ in encoder._boxes(file)]


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov", "mkv", "MP4"])
def test_what_is_written_is_read(tmp_path, suffix):
    source = open_source(write(tmp_path / f"out.{suffix}"))
    frames = list(source)
    assert [number_in(frame.image) for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(30)], abs=1e-3)
    assert not source.skipped
    assert np.abs(frames[7].image.astype(int) - numbered_image(7)).mean() < 12
    assert os.listdir(tmp_path) == [f"out.{suffix}"]


def test_a_browser_can_play_it_while_it_loads(tmp_path):
    path = write(tmp_path / "out.mp4")
    boxes = top_level_boxes(path)
    assert boxes.index(b"moov") < boxes.index(b"mdat")
    assert b"moof" not in boxes
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.codec_context.profile in ("High", "Main", "Constrained Baseline")
        assert not stream.codec_context.has_b_frames
        picture = next(container.decode(stream))
        assert (picture.colorspace, picture.color_range) == (6, 1)


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (25, Fraction(25)),
        (Fraction(30_000, 1001), Fraction(30_000, 1001)),
        (30_000 / 1001, Fraction(30_000, 1001)),
        (23.976023976, Fraction(24_000, 1001)),
        (12.5, Fraction(25, 2)),
        (None, Fraction(25)),
    ],
)
@pytest.mark.parametrize("timed", [False, True])
def test_frame_rate_is_exact(tmp_path, given, exact, timed):
    times = [3 + float(index / exact) for index in range(30)] if timed else None
    info = open_source(write(tmp_path / "out.mp4", rate=given, times=times)).info
    assert info.frame_rate == exact
    assert info.frame_count == 30
    assert info.duration == pytest.approx(float(30 / exact), abs=1e-4)


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times = 7 + np.cumsum(np.random.default_rng(0).uniform(0.004, 0.3, 30))
    frames = list(open_source(write(tmp_path / "out.mp4", times=times)))
    assert [number_in(frame.image) for frame in frames] == list(range(30))
    assert np.allclose([frame.time for frame in frames], times - times[0], atol=1e-5)


def test_a_clock_that_stands_or_goes_back_loses_no_frame(tmp_path):
    times = [0.0, 0.04, 0.04, 0.02, 0.2, 0.2]
    frames = list(open_source(write(tmp_path / "out.mp4", 6, times=times)))
    assert [number_in(frame.image) for frame in frames] == list(range(6))
    assert all(np.diff([frame.time for frame in frames]) > 0)
    assert np.allclose([frame.time for frame in frames], [0, 0.04, 0.04, 0.04, 0.2, 0.2], atol=1e-3)


def test_times_come_with_every_frame_or_with_none(tmp_path):
    for first, second in ((None, 1.0), (1.0, None)):
        with VideoWriter(tmp_path / "out.mp4", 25) as writer:
            writer.write(numbered_image(0), first)
            with pytest.raises(OutputError, match="every frame"):
                writer.write(numbered_image(1), second)
            writer.write(numbered_image(1), None if first is None else first + 1)
        assert len(list(open_source(tmp_path / "out.mp4"))) == 2


@pytest.mark.parametrize("size", [(193, 97), (192, 97), (193, 96), (17, 31), (5, 3), (1, 1)])
def test_odd_and_tiny_sizes_are_padded_with_their_edge(tmp_path, size):
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    image[-1], image[:, -1] = 200, 200
    with VideoWriter(tmp_path / "out.mp4", 25, crf=5) as writer:
        writer.write(image)
    read = next(iter(open_source(tmp_path / "out.mp4"))).image
    assert read.shape[:2] == (max(16, height + height % 2), max(16, width + width % 2))
    assert np.abs(read[height:].astype(int) - 200).max(initial=0) < 40
    assert np.abs(read[:, width:].astype(int) - 200).max(initial=0) < 40


def test_frames_of_another_size_are_fitted_in(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 25, crf=5) as writer:
        for size in ((96, 192), (96, 96), (400, 100), (1, 900)):
            writer.write(np.full((*size, 3), 250, np.uint8))
    frames = [frame.image for frame in open_source(tmp_path / "out.mp4")]
    assert {image.shape for image in frames} == {(96, 192, 3)}
    assert frames[1][48, 96].min() > 230
    assert frames[1][48, 20].max() < 25
    assert frames[2][48, 96].min() > 230
    assert frames[2][48, 70].max() < 25


def test_grey_and_alpha_are_taken_and_nonsense_is_not(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        writer.write(numbered_image(0)[..., 0])
        writer.write(np.dstack([numbered_image(1), np.zeros((96, 192), np.uint8)]))
        writer.write(np.asfortranarray(numbered_image(2)))
        with pytest.raises(ImageError):
            writer.write(numbered_image(3).astype(np.float32))
    assert [number_in(frame.image) for frame in open_source(tmp_path / "out.mp4")] == [0, 1, 2]


def test_colours_survive(tmp_path):
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
    image = np.repeat(np.repeat(np.array([colors], np.uint8), 32, axis=0), 32, axis=1)
    with VideoWriter(tmp_path / "out.mp4", 25, crf=5) as writer:
        writer.write(image)
    with av.open(str(tmp_path / "out.mp4")) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="rgb24")  # a reader that ignores declarations
    for read in (next(iter(open_source(tmp_path / "out.mp4"))).image, plain):
        assert np.abs(read[16, 16::32].astype(int) - colors).max() < 8


def test_the_other_encoder_writes_the_same_video(tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "H264_ENCODERS", ("missing", "libopenh264"))
    source = open_source(write(tmp_path / "out.mp4"))
    assert [number_in(frame.image) for frame in source] == list(range(30))
    with VideoWriter(tmp_path / "tiny.mp4", 25) as writer:
        writer.write(np.zeros((1, 1, 3), np.uint8))
    monkeypatch.setattr(encoder, "H264_ENCODERS", ("missing",))
    with pytest.raises(OutputError, match=r"no H\.264 encoder"):
        VideoWriter(tmp_path / "other.mp4", 25)
    assert not (tmp_path / "other.mp4").exists()


# Sound


def sound_of(path):
    """Codec, first and last second, samples of the first channel, and their rate."""
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        mono = av.AudioResampler(format="flt", layout="mono")
        frames = [frame for decoded in container.decode(track) for frame in mono.resample(decoded)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        end = frames[-1].time + frames[-1].samples / frames[-1].sample_rate
        return track.codec_context.codec.canonical_name, frames[0].time, end, samples, frames[0].sample_rate


def pitch(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples)


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"),
    [
        ("mp4", "aac", "aac"),
        ("mkv", "libmp3lame", "mp3"),
        ("mkv", "flac", "flac"),
        ("mov", "pcm_s16le", "aac"),
        ("mkv", "libvorbis", "aac"),
    ],
)
def test_sound_is_copied_or_becomes_aac_and_ends_with_the_video(tmp_path, suffix, codec, kept):
    if codec not in av.codecs_available:
        pytest.skip(f"this build has no {codec}")
    clip = write_clip(tmp_path / f"in.{suffix}", 50, sound=codec)
    path = write(tmp_path / "out.mp4", 30, audio_from=clip)
    name, start, end, samples, rate = sound_of(path)
    assert name == kept
    assert abs(start) < 0.03
    assert 1.2 - 0.06 < end <= 1.2 + 1e-6
    assert pitch(samples, rate) == pytest.approx(440, abs=3)
    info = open_source(path).info
    assert info.has_audio
    assert info.duration == pytest.approx(1.2)
    assert [number_in(frame.image) for frame in open_source(path)] == list(range(30))


def test_sound_starts_where_the_first_frame_was(tmp_path):
    """A tone that sets in at 1 s: of frames from 0.8 s on, it is heard after 0.2 s."""
    clip = tmp_path / "in.mov"
    with av.open(str(clip), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = 192, 96
        track = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for index in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered_image(index), format="rgb24")))
        for start in range(0, 96_000, 1000):
            level = np.full((1, 1000), 0 if start < 48_000 else 9000, np.int16)
            level[:, ::2] *= -1
            frame = av.AudioFrame.from_ndarray(level, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(track.encode(frame))
        container.mux(video.encode(None))
    source = open_source(clip)
    source.seek_frame(20)
    with VideoWriter(tmp_path / "out.mp4", 25, audio_from=clip) as writer:
        for frame in source:
            writer.write(frame.image, frame.time)
    _, start, end, samples, rate = sound_of(tmp_path / "out.mp4")
    onset = start + np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 2)[0] / rate
    assert onset == pytest.approx(0.2, abs=0.03)
    assert end == pytest.approx(1.2, abs=0.06)


def test_a_silent_source_gives_a_silent_video_and_a_bad_one_an_error(tmp_path):
    silent = write_clip(tmp_path / "in.mp4", 5)
    assert not open_source(write(tmp_path / "out.mp4", 5, audio_from=silent)).info.has_audio
    (tmp_path / "text.mp4").write_text("text")
    for bad in (tmp_path / "none.mp4", tmp_path / "text.mp4", tmp_path):
        with pytest.raises(VideoError):
            VideoWriter(tmp_path / "new.mp4", 25, audio_from=bad)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4", "text.mp4"]


def test_damaged_sound_does_not_cost_the_video(tmp_path):
    clip = write_clip(tmp_path / "in.mkv", 50, sound="libvorbis" if "libvorbis" in av.codecs_available else "flac")
    data, random = bytearray(clip.read_bytes()), np.random.default_rng(0)
    with av.open(str(clip)) as container:
        spots = [packet.pos for packet in container.demux(audio=0) if packet.size]
    for at in spots[5:20]:
        data[at + 4 : at + 24] = random.bytes(20)
    clip.write_bytes(data)
    path = write(tmp_path / "out.mp4", 30, audio_from=clip)
    assert [number_in(frame.image) for frame in open_source(path)] == list(range(30))


# Interruption


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_what_was_written_before_an_interruption_plays(tmp_path, error):
    path = tmp_path / "out.mp4"

    def interrupted():
        with VideoWriter(path, 25) as writer:
            for index in range(7):
                writer.write(numbered_image(index))
            raise error

    with pytest.raises(error):
        interrupted()
    assert [number_in(frame.image) for frame in open_source(path)] == list(range(7))
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = write(tmp_path / "out.mp4", 5)
    old = path.read_bytes()
    writer = VideoWriter(path, 25)
    writer.write(numbered_image(0))
    assert path.read_bytes() == old
    writer.close()
    writer.close()
    assert len(list(open_source(path))) == 1
    with VideoWriter(path, 25) as writer:
        pass  # no frame, no video
    assert len(list(open_source(path))) == 1
    assert os.listdir(tmp_path) == ["out.mp4"]
    with pytest.raises(OutputError, match="closed"):
        writer.write(numbered_image(0))


@pytest.mark.parametrize(("where", "kept"), [("encoding", 25), ("rearranging", 60)])
def test_an_interruption_while_finishing_leaves_a_video(tmp_path, monkeypatch, where, kept):
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, 25)
    for index in range(60):
        writer.write(numbered_image(index))

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    if where == "encoding":
        monkeypatch.setattr(writer._encoder, "finish", interrupt)
    else:
        monkeypatch.setattr(writers.heapq, "merge", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    numbers = [number_in(frame.image) for frame in open_source(path)]
    assert len(numbers) >= kept
    assert numbers == list(range(len(numbers)))
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_no_room_for_the_rearranged_copy_keeps_every_frame(tmp_path, monkeypatch):
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, 25)
    for index in range(60):
        writer.write(numbered_image(index))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        writers.os,
        "replace",
        lambda old, new, replace=os.replace: full() if old.suffix == ".whole" else replace(old, new),
    )
    with pytest.raises(OutputError, match=r"all 60 frames are in .*out\.mp4.*no space left"):
        writer.close()
    assert [number_in(frame.image) for frame in open_source(path)] == list(range(60))
    assert os.listdir(tmp_path) == ["out.mp4"]


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from video_clips import numbered_image
from lockon.video import VideoWriter
writer = VideoWriter("out.mp4", 25)
for index in range(200):
    writer.write(numbered_image(index))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_even_a_killed_process_leaves_a_video_behind(tmp_path):
    code = KILLED.format(tests=str(Path(__file__).parent))
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out.mp4")
    numbers = [number_in(frame.image) for frame in open_source(left)]
    assert len(numbers) >= 100
    assert numbers == list(range(len(numbers)))


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
import numpy as np
from lockon.errors import OutputError
from lockon.video import open_sink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
random = np.random.default_rng(0)
sink = open_sink({path!r}, 25)
written = 0
try:
    for written in range(1000):
        sink.write(random.integers(0, 256, (96, 192, 3), np.uint8))
except OutputError as error:
    print(written, sink.frames_written, error, sep="|")
sink.close()
"""


def fill_disk(tmp_path, path, limit):
    pytest.importorskip("resource")
    code = FULL_DISK.format(tests=str(Path(__file__).parent), limit=limit, path=path)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written, kept, message = done.stdout.strip().split("|")
    return int(written), int(kept), message


def test_a_full_disk_is_told_at_once_and_keeps_a_video(tmp_path):
    written, kept, message = fill_disk(tmp_path, "out.mp4", 800_000)
    assert written < 200
    assert 20 <= kept <= written
    assert f"its first {kept} frames are kept" in message
    assert "file too large" in message
    assert os.listdir(tmp_path) == ["out.mp4"]
    source = open_source(tmp_path / "out.mp4")
    assert len(list(source)) == kept
    assert not source.skipped


def test_a_disk_that_was_full_before_keeps_nothing(tmp_path):
    _, kept, message = fill_disk(tmp_path, "out.mp4", 100)
    assert kept == 0
    assert "nothing is kept" in message
    assert os.listdir(tmp_path) == []


def test_a_full_disk_keeps_the_images_before(tmp_path):
    written, kept, message = fill_disk(tmp_path, "frames", 100)
    assert (written, kept) == (0, 0)
    assert "cannot be written" in message
    assert os.listdir(tmp_path / "frames") == []


# Where nothing can be written


def test_unwritable_outputs_fail_before_any_frame(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for path, expected in (
        (tmp_path / "none" / "out.mp4", "does not exist"),
        (tmp_path / "file" / "out.mp4", "not a directory"),
        (tmp_path / "folder.mp4", "is a folder"),
        (Path("/proc/out.mp4"), "cannot be written|does not exist"),
        (tmp_path / "out.avi", r"does not end in \.mp4"),
    ):
        with pytest.raises(OutputError, match=expected):
            VideoWriter(path, 25)
    for path in (tmp_path / "file", tmp_path / "file" / "frames", Path("/proc/frames")):
        with pytest.raises(OutputError, match="cannot write to the folder"):
            ImageFolderWriter(path)
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(OutputError, match="positive number"):
            VideoWriter(tmp_path / "out.mp4", rate)
    with pytest.raises(OutputError, match="from 0"):
        VideoWriter(tmp_path / "out.mp4", 25, crf=60)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.mp4"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are POSIX")
def test_a_folder_without_permission_is_named(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):  # one more when tests run side by side
        parent.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        for path in (folder / "out.mp4", folder / "frames", folder):
            with pytest.raises(OutputError, match="permission denied"):
                open_sink(path)
    finally:
        if root:
            os.seteuid(0)


# Images, and the choice of a sink


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_images_are_written_in_order(tmp_path, suffix):
    with ImageFolderWriter(tmp_path / "a" / "b", suffix=suffix) as writer:
        for index in range(12):
            writer.write(numbered_image(index), index / 25)
        assert writer.frames_written == 12
    assert sorted(os.listdir(tmp_path / "a" / "b"))[:2] == [f"00000000{suffix}", f"00000001{suffix}"]
    assert [number_in(frame.image) for frame in open_source(tmp_path / "a" / "b")] == list(range(12))
    if suffix == ".png":
        assert np.array_equal(read_image(tmp_path / "a" / "b" / "00000007.png"), numbered_image(7))
    with pytest.raises(OutputError, match="holds images already"):
        ImageFolderWriter(tmp_path / "a" / "b")


def test_the_sink_follows_from_the_path(tmp_path):
    (tmp_path / "there.d").mkdir()
    for path, kind in (
        (tmp_path / "out.mp4", VideoWriter),
        (str(tmp_path / "out.MOV"), VideoWriter),
        (tmp_path / "frames", ImageFolderWriter),
        (f"{tmp_path}/v1.2/", ImageFolderWriter),
        (tmp_path / "there.d", ImageFolderWriter),
    ):
        with open_sink(path, 25) as sink:
            assert type(sink) is kind
            assert sink.frames_written == 0
    for path in (tmp_path / "out.avi", tmp_path / "out.png", tmp_path / "v1.3"):
        with pytest.raises(OutputError, match="cannot tell"):
            open_sink(path)
