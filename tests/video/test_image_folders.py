import numpy as np
import pytest
from PIL import Image
from video_clips import number_in, numbered_image

from lockon.errors import ImageError, VideoError
from lockon.images import as_rgb8
from lockon.video import open_source, read_image

RANDOM = np.random.default_rng(0)
RGB16 = RANDOM.integers(0, 65_536, (12, 20, 3), np.uint16)
RGB8 = RANDOM.integers(0, 256, (12, 20, 3), np.uint8)


def write_images(folder, names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(numbered_image(number)).save(folder / name)
    return folder


def test_images_come_in_natural_order(tmp_path):
    names = ["f0.png", "f1.png", "F2.png", "f9.png", "f10.png", "f10b.png", "f100.png"]
    folder = write_images(tmp_path / "d", names)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("not an image")
    with open_source(folder) as source:
        frames = list(source)
        assert [number_in(frame.image) for frame in frames] == list(range(7))
        assert [frame.index for frame in frames] == list(range(7))
        assert [frame.time for frame in frames] == [index / 25 for index in range(7)]
        assert (source.info.kind, source.info.frame_count, source.info.frame_rate) == ("folder", 7, None)
        assert source.count_frames() == 7
        assert (source.info.width, source.info.height) == (192, 96)
        assert not source.skipped


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "webp", "ppm", "JPG", "jpeg", "tga", "jp2"])
def test_formats(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    for number in range(3):
        Image.fromarray(numbered_image(number)).save(tmp_path / f"{number}.{suffix}", **options)
    assert [number_in(frame.image) for frame in open_source(tmp_path)] == [0, 1, 2]


def test_a_pattern_chooses_the_images(tmp_path):
    write_images(tmp_path / "d", ["a1.png", "a2.png", "b1.png", "a10.png"])
    assert [number_in(frame.image) for frame in open_source(tmp_path / "d" / "a*.png")] == [0, 1, 3]
    write_images(tmp_path / "d10", ["x.png"])
    write_images(tmp_path / "d9", ["x.png"])
    assert len(list(open_source(f"{tmp_path}/**/*.png"))) == 6


def test_a_single_image_is_a_video_of_one_frame(tmp_path):
    folder = write_images(tmp_path, ["a[1].png"])
    source = open_source(folder / "a[1].png")
    assert [number_in(frame.image) for frame in source] == [0]


def test_seeking_and_prefetching(tmp_path):
    source = open_source(write_images(tmp_path, [f"{n}.png" for n in range(12)]), prefetch=3)
    source.seek_frame(7)
    assert [frame.index for frame in source] == [7, 8, 9, 10, 11]
    for index in range(12):
        source.seek_time(index / 25)
        assert next(iter(source)).index == index
    assert [frame.index for frame in source] == list(range(12))
    with pytest.raises(VideoError, match="0 to 11"):
        source.seek_frame(12)


def test_an_unreadable_image_is_skipped_and_reported(tmp_path):
    folder = write_images(tmp_path, [f"{n}.png" for n in range(6)])
    (folder / "0.png").write_bytes(b"")
    (folder / "2.png").write_bytes(b"not an image")
    whole = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(whole[: len(whole) // 2])
    source = open_source(folder)
    assert [(frame.index, number_in(frame.image)) for frame in source] == [(1, 1), (3, 3), (5, 5)]
    assert [bad.index for bad in source.skipped] == [0, 2, 4]
    assert "4.png" in str(source.skipped)
    assert "truncated" in str(source.skipped)
    stopped = open_source(folder / "[1-9].png", on_bad_frame="stop")
    assert [frame.index for frame in stopped] == [0]
    with pytest.raises(VideoError, match=r"2\.png"):
        list(open_source(folder / "[1-9].png", on_bad_frame="raise"))


def test_no_readable_image_is_an_error(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(VideoError, match="not one of the 2 images"):
        open_source(tmp_path)


def test_mixed_sizes_are_passed_on_and_reported(tmp_path):
    for number, size in enumerate([(20, 10), (20, 10), (30, 40), (20, 10)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    source = open_source(tmp_path)
    assert [frame.image.shape for frame in source] == [(10, 20, 3), (10, 20, 3), (40, 30, 3), (10, 20, 3)]
    assert list(source.skipped.notes) == [2, 3]
    assert len(source.skipped) == 0
    assert source.skipped


def write_with_ffmpeg(path, pixels, pix_fmt, codec):
    import av

    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream(codec, rate=1)
        stream.pix_fmt, stream.height, stream.width = pix_fmt, *pixels.shape[:2]
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=pix_fmt)))
        container.mux(stream.encode(None))


def with_alpha(pixels):
    return np.dstack([pixels, np.full(pixels.shape[:2], 7, pixels.dtype)])


SIXTEEN = {
    "grey.png": (RGB16[..., 0], "gray16be", "png"),
    "rgb.png": (RGB16, "rgb48be", "png"),
    "rgba.png": (with_alpha(RGB16), "rgba64be", "png"),
    "grey.tif": (RGB16[..., 0], "gray16le", "tiff"),
    "rgb.tif": (RGB16, "rgb48le", "tiff"),
    "rgba.tif": (with_alpha(RGB16), "rgba64le", "tiff"),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_sixteen_bits_are_scaled_to_eight(tmp_path, name):
    pixels, pix_fmt, codec = SIXTEEN[name]
    write_with_ffmpeg(tmp_path / name, pixels, pix_fmt, codec)
    assert np.array_equal(read_image(tmp_path / name), as_rgb8(pixels))
    assert np.array_equal(next(iter(open_source(tmp_path))).image, as_rgb8(pixels))


EIGHT = {
    "L": lambda: Image.fromarray(RGB8[..., 0]),
    "RGB": lambda: Image.fromarray(RGB8),
    "RGBA": lambda: Image.fromarray(with_alpha(RGB8)),
    "LA": lambda: Image.fromarray(RGB8[..., :1].repeat(2, axis=2), "LA"),
    "1": lambda: Image.fromarray(RGB8[..., 0]).convert("1"),
    "P": lambda: Image.fromarray(RGB8).convert("P"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mode", EIGHT)
def test_any_mode_becomes_rgb(tmp_path, mode):
    image = EIGHT[mode]()
    assert image.mode == mode
    image.save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png")
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_the_orientation_of_a_camera_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(RGB8).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(RGB8, -1))


def test_pixels_of_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(tmp_path / "int.tif")
    with pytest.raises(ImageError, match="floating point"):
        read_image(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="more than 16 bits"):
        read_image(tmp_path / "int.tif")
    with pytest.raises(ImageError, match="No such file"):
        read_image(tmp_path / "none.png")
